"""Many runs steered at once: each is asked for by itself, and what became of each is told. Never all or nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from remit.core.codec import convert
from remit.core.errors import ConflictError, InputError, RemitError
from remit.core.records import AgentRun
from remit.core.task import Actor, Problem
from remit.engine import loading
from remit.engine.kit import Kit
from remit.engine.runs import Runs
from remit.engine.workflows.forking import Forks

MOST = 200
AT_ONCE = 8

ENDED = ("success", "failure")


class RunOutcome(Struct, frozen=True):
    """What became of the request about one run: `done`, `nothing` (there was nothing to do) or `refused`, with the `problem`.

    `made` is the new run of a retry.
    """

    run_id: str
    outcome: Literal["done", "nothing", "refused"]
    made: str = ""
    problem: Problem | None = None


class RunOutcomes(Struct, frozen=True):
    """An outcome for each run, in the order asked for."""

    items: list[RunOutcome]


class ManyRuns:
    """Cancels and retries runs of a tenant."""

    def __init__(self, kit: Kit, runs: Runs, forks: Forks) -> None:
        self._kit = kit
        self._runs = runs
        self._forks = forks

    async def cancel(self, run_ids: Sequence[str], tenant_id: str, actor: Actor, reason: str) -> RunOutcomes:
        """Ask each of the runs to end. Raises InputError E1000 for more than `MOST`."""

        async def one(run_id: str) -> RunOutcome:
            if (await self._row(run_id, tenant_id)).status in ENDED:
                return RunOutcome(run_id, "nothing")
            await self._runs.cancel(run_id, tenant_id, actor, reason)
            return RunOutcome(run_id, "done")

        return await _each(run_ids, one)

    async def retry(
        self, run_ids: Sequence[str], tenant_id: str, actor: Actor, *, retry_id: str = ""
    ) -> RunOutcomes:
        """A new run for each that failed. Raises InputError E1000 for more than `MOST`.

        One of a workflow takes over what had been done; one of an agent does its task again, as the actor, with the labels of what
        that was made from. The same `retry_id` again gives the same runs.
        """

        async def one(run_id: str) -> RunOutcome:
            if (await self._row(run_id, tenant_id)).status != "failure":
                raise ConflictError(
                    f"run `{run_id}` has not failed", code="E646", help="only what has failed is done again"
                )
            made = await self._again(run_id, tenant_id, actor, retry_id)
            return RunOutcome(run_id, "done", made)

        return await _each(run_ids, one)

    async def _again(self, run_id: str, tenant_id: str, actor: Actor, retry_id: str) -> str:
        start, _ = await loading.start(self._kit.store, run_id)
        if start.agent.kind == "workflow":
            return await self._forks.retry(run_id, tenant_id, actor, fork_id=retry_id)
        again = retry_id or self._kit.clock.new_id("retry")
        task = replace(start.task, task_id=f"{start.task.task_id}~{again}", actor_context=actor)
        return await self._runs.submit(task, labels=start.labels)

    async def _row(self, run_id: str, tenant_id: str) -> AgentRun:
        """The run's record. Raises NotFoundError for an unknown one and for another tenant's."""
        row = await self._kit.store.get("agent_run", (run_id,))
        if row is None or row["tenant_id"] != tenant_id:
            raise loading.missing(run_id)
        return convert(row, AgentRun)


async def _each(run_ids: Sequence[str], one: Callable[[str], Awaitable[RunOutcome]]) -> RunOutcomes:
    """The outcome for each, some at a time; a refusal of one says nothing about the others."""
    if len(run_ids) > MOST:
        raise InputError(
            f"{len(run_ids)} runs are more than {MOST}", code="E1000", help="ask for some at a time"
        )
    turn = asyncio.Semaphore(AT_ONCE)

    async def told(run_id: str) -> RunOutcome:
        async with turn:
            try:
                return await one(run_id)
            except RemitError as error:
                return RunOutcome(run_id, "refused", problem=Problem(error.code, error.message, error.help))

    return RunOutcomes(list(await asyncio.gather(*(told(run_id) for run_id in dict.fromkeys(run_ids)))))
