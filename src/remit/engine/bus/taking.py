"""Taking tasks from an agent's topic: each starts one run, however often its message comes.

A message is done with when its run, and where its reply goes, are durable. What can never be a task, or could not be begun
after some attempts, is put aside with the reason; while the store or the cluster is away it is tried for as long as that takes.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

from remit.core.errors import ConflictError, DeniedError, InputError, RemitError, StoreError
from remit.core.provenance import Labels
from remit.core.task import Task
from remit.engine.bus.replying import Replies
from remit.engine.bus.requests import Admission, Request, request_of
from remit.engine.faults import Crashpoint
from remit.engine.runs import root_run_id
from remit.ports.queue import Received
from remit.ports.topics import FromTopic, Topics

log = logging.getLogger("remit.bus")

ATTEMPTS = 8
MOST_PAUSE_S, AWAY_PAUSE_S = 60.0, 1.0
OTHER_CONTENT = "E404"

Spoken = Callable[[str], str]


class Submit(Protocol):
    """Starts a run."""

    async def __call__(self, task: Task, *, labels: Labels) -> str:
        """Accept a task made from what has these labels, and return its run's id."""


class UnfitError(ConflictError):
    """A message that says something else than the one before of its name: it will never do."""

    default_code = OTHER_CONTENT


class Patient:
    """What is done with messages of topics that fail: they are tried again, and put aside in the end.

    `clean` takes secrets out of what a failure says.
    """

    def __init__(self, topics: Topics, clean: Spoken, attempts: int = ATTEMPTS) -> None:
        self._topics = topics
        self._clean = clean
        self._attempts = attempts
        self._failed: Counter[str] = Counter()

    async def work(self, received: Sequence[Received]) -> list[str]:
        """Work messages off; the ids of those that shall come again. Never raises RemitError."""
        ids = await asyncio.gather(*(self._tried(one) for one in received))
        return [id_ for id_ in ids if id_]

    async def take(self, message: FromTopic) -> None:
        """Work one off. Raises InputError, DeniedError for what will never do; RemitError for what may."""
        raise NotImplementedError

    async def _tried(self, one: Received) -> str:
        assert isinstance(one, FromTopic)
        id_ = one.message_id
        try:
            try:
                await self.take(one)
            except StoreError:
                raise
            except Exception as error:
                if isinstance(error, (InputError, DeniedError, UnfitError)):
                    await self._topics.put_aside(one, self._said(error))
                    return ""
                self._failed[id_] += 1
                if self._failed[id_] < self._attempts:
                    return await self._again(one, error, min(MOST_PAUSE_S, 2.0 ** self._failed[id_]))
                await self._topics.put_aside(one, self._said(error))
        except RemitError as error:  # nothing is wrong with the message
            return await self._again(one, error, AWAY_PAUSE_S)
        self._failed.pop(id_, None)
        return ""

    async def _again(self, one: Received, error: Exception, seconds: float) -> str:
        log.error("message %s cannot be taken now: %s", one.message_id, self._said(error))
        await self._topics.hide(one, seconds)
        return one.message_id

    def _said(self, error: Exception) -> str:
        text = (
            f"[{error.code}] {error.message}"
            if isinstance(error, RemitError)
            else f"{type(error).__name__}: {error}"
        )
        return self._clean(text)


class Taker(Patient):
    """Starts the runs that messages on the topic of one agent ask for."""

    def __init__(
        self,
        agent: str,
        topics: Topics,
        admission: Admission,
        submit: Submit,
        replies: Replies,
        clean: Spoken,
        attempts: int = ATTEMPTS,
        crash: Crashpoint | None = None,
    ) -> None:
        super().__init__(topics, clean, attempts)
        self._agent = agent
        self._admission = admission
        self._submit = submit
        self._replies = replies
        self._crash = crash

    async def take(self, message: FromTopic) -> None:
        """Begin the run, remember where its reply goes, and reply at once if it has ended already."""
        request = request_of(message, self._agent, self._admission)
        tenant_id = request.task.tenant_id
        self._at("before:submit")
        run_id = await self._begun(request)
        self._at("after:submit")
        # Only now: who sends another task under the name of one that is there gets no answer to that one.
        await self._replies.note(run_id, tenant_id, request.address)
        self._at("after:note")
        await self._replies.send(run_id, tenant_id)
        self._at("after:take")

    async def _begun(self, request: Request) -> str:
        try:
            return await self._submit(request.task, labels=request.labels)
        except ConflictError as error:
            if error.code != OTHER_CONTENT:
                raise
            if not request.same_by_name:
                raise UnfitError(error.message, help=error.help) from error
            return root_run_id(request.task.tenant_id, request.task.task_id)

    def _at(self, point: str) -> None:
        if self._crash is not None:
            self._crash(point)
