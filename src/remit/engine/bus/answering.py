"""Answers from agents elsewhere: each ends the wait of the workflow's Task whose token it brings back, once."""

from __future__ import annotations

import logging
from typing import Any, Protocol

from msgspec.structs import replace

from remit.core.errors import InputError, NotFoundError
from remit.core.provenance import Labels
from remit.engine.bus.announcing import FAILED
from remit.engine.bus.binding import event_of, is_event, json_of
from remit.engine.bus.records import labels_of
from remit.engine.bus.requests import CORRELATION, TENANT, Admission
from remit.engine.bus.taking import ATTEMPTS, Patient, Spoken
from remit.ports.topics import FromTopic, Topics

log = logging.getLogger("remit.bus")

TOO_LARGE = "E643"
FAILURE = "Remit.AgentFailed"
"""The error of a Task whose agent elsewhere failed and did not say how."""


class Callbacks(Protocol):
    """Tasks that wait for an answer."""

    async def succeed(self, token: str, output: Any, tenant_id: str, labels: Labels = Labels()) -> None:
        """The task is done. Raises NotFoundError E642, InputError E643."""

    async def fail(
        self, token: str, error: str, cause: str, tenant_id: str, labels: Labels = Labels()
    ) -> None:
        """The task failed. Raises NotFoundError E642."""


class Answers(Patient):
    """Hands answers to those who wait. One that nobody waits for, any more or at all, is done with."""

    def __init__(
        self,
        topics: Topics,
        admission: Admission,
        callbacks: Callbacks,
        clean: Spoken,
        attempts: int = ATTEMPTS,
    ) -> None:
        super().__init__(topics, clean, attempts)
        self._admission = admission
        self._callbacks = callbacks

    async def take(self, message: FromTopic) -> None:
        """Hand one over. Raises InputError E995, DeniedError E996 for what is no answer."""
        token = message.headers.get(CORRELATION, "")
        if not token:
            raise InputError("the answer has no `correlation_id`", code="E995", help="send back the task's")
        event = event_of(message) if is_event(message) else None
        tenant_id = self._admission.tenant_of(
            message.headers.get(TENANT, ""), event.tenantid if event is not None else ""
        )
        data = json_of(message) if event is None else event.data
        labels = labels_of(event) if event is not None else Labels(False, "internal")
        labels = replace(labels, untrusted=labels.untrusted or not self._admission.trusted)
        failed = event is not None and event.type == FAILED
        try:
            if failed or (isinstance(data, dict) and data.get("status") == "failure"):
                await self._callbacks.fail(token, *_problem(data), tenant_id, labels)
                return
            output = data["result_payload"] if isinstance(data, dict) and "result_payload" in data else data
            try:
                await self._callbacks.succeed(token, output, tenant_id, labels)
            except InputError as error:
                if error.code != TOO_LARGE:
                    raise
                await self._callbacks.fail(token, FAILURE, error.message, tenant_id, labels)
        except NotFoundError:
            log.info("message %s answers nobody who waits", message.message_id)


def _problem(data: Any) -> tuple[str, str]:
    """Error and cause, as the workflow's Retry and Catch see them."""
    problem = data.get("problem") if isinstance(data, dict) else None
    if not isinstance(problem, dict):
        return FAILURE, ""
    return str(problem.get("code") or FAILURE), str(problem.get("message", ""))
