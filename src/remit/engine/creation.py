"""How a run comes to be: its first event, its record, and the tenant's envelope, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from remit.core import event as ev
from remit.core.agent import AgentSpec
from remit.core.codec import encode, genesis, link, plain
from remit.core.records import AgentRun
from remit.engine import remembering, telling
from remit.engine.kit import Kit
from remit.ports.store import Entry, Put, Write


def with_output(agent: AgentSpec, schema: dict[str, Any] | None) -> AgentSpec:
    """The agent's definition for a task that asks for an output schema of its own."""
    return agent if schema is None else replace(agent, output_schema=schema)


async def create(
    kit: Kit,
    run_id: str,
    created: ev.RunCreated,
    *,
    contents: dict[str, bytes] | None = None,
    writes: Sequence[Write] = (),
    at: int | None = None,
) -> None:
    """Create the run, as of `at` (now). Raises RunExistsError, ConditionError, StoreError; after any of them nothing was written."""
    now = kit.clock.now() if at is None else at
    known = dict(contents or {})
    words = remembering.first_words(run_id, created, now, known)
    body = encode(ev.Event(0, now, 0, created))
    if kit.crash is not None:
        kit.crash("before:create")
    await kit.store.create(
        run_id,
        tenant_id=created.task.tenant_id,
        root_run=created.root_run or run_id,
        agent=created.agent.name,
        entries=[Entry(0, body, link(genesis(run_id), body))],
        contents=known,
        writes=[Put("agent_run", first_record(run_id, created, now, kit.clock.now())), *words, *writes],
        now=kit.clock.now(),  # to be due at once, also when the turn before was begun by a clock that is ahead
    )
    telling.run_created(run_id, created)
    if kit.crash is not None:
        kit.crash("after:create")


def first_record(run_id: str, created: ev.RunCreated, start_ts: int, now: int) -> dict[str, Any]:
    """The run's record at its beginning, as written at `now`."""
    task = created.task
    row = AgentRun(
        run_id=run_id,
        tenant_id=task.tenant_id,
        workflow_id=created.workflow_name,
        agent_id=created.agent.name,
        status="running",
        start_ts=start_ts,
        end_ts=None,
        cost="0",
        trace_id=task.trace_id,
        task_id=task.task_id,
        session_id=task.session_id,
        parent_run=created.parent_run,
        objective=task.objective[:200],
        changed_ts=now,
    )
    made: dict[str, Any] = plain(row)
    return made
