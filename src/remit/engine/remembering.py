"""What a run leaves in the tables of conversations and of workflow steps, in the transactions of its own events (B2).

Only a run started from outside is a turn of a conversation: what it delegates is a conversation among agents, and a fork
was asked for by nobody who speaks.
"""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from typing import Any

from remit.core import event as ev
from remit.core.codec import digest, encode, plain
from remit.core.conversation import WorkflowStep, conversation_key, message_id, speaks_for
from remit.core.message import Message, assistant
from remit.core.payload import load
from remit.core.run import Run, fold, foreign
from remit.ports.store import Collection, Index, Put, Write

SESSION, MESSAGE, SUMMARY, WORKFLOW_STEP = "session", "message", "conversation_summary", "workflow_step"

COLLECTIONS = (
    Collection(
        SESSION,
        ("session_id",),
        (
            Index("by_tenant", ("tenant_id", "updated_ts")),
            Index("by_user", ("tenant_id", "user_id", "updated_ts")),
        ),
    ),
    Collection(
        MESSAGE,
        ("conversation_id", "message_id"),
        (Index("by_user", ("tenant_id", "user_id", "message_id")),),
    ),
    Collection(SUMMARY, ("conversation_id",)),
    Collection(WORKFLOW_STEP, ("workflow_id", "step_number")),
)

INLINE_BYTES = 16_384
"""A longer message stands in its record by digest, so that many of them fit into one transaction of any store."""

Contents = MutableMapping[str, bytes]


def first_words(run_id: str, created: ev.RunCreated, ts: int, contents: Contents) -> list[Write]:
    """What the user said, or what came in from outside, to be written with the run's first event."""
    if not _is_turn(created):
        return []
    run = fold(run_id, [ev.Event(0, ts, 0, created)], contents)
    given = created.labels if created.given is None else created.given
    said = foreign(run.messages[-1]) if given.untrusted else run.messages[-1]
    return [_record(run, len(run.messages) - 1, said, ts, contents)]


def leaves_traces(run: Run) -> bool:
    """Whether events of this run may be remembered beyond its journal."""
    return run.workflow is not None or _is_turn(run.start)


def traces(run: Run, said: int, event: ev.Event, fresh: Contents) -> list[Write]:
    """What is to be written with an event just folded, before which `said` messages had been; new contents go into `fresh`."""
    writes: list[Write] = []
    if isinstance(event.data, ev.StateExited | ev.StateFailed):
        writes += _step(run, event.data)
    if not _is_turn(run.start):
        return writes
    if isinstance(event.data, ev.HistorySummed):
        return _summary(run, event.data, event.ts)
    # A message keeps its place among all messages of the turn, also when those before it were summed up.
    new = list(enumerate(run.messages[said:], said + run.left_out))
    if isinstance(event.data, ev.RunFinished) and event.data.status == "success" and run.agent.kind != "llm":
        new.append(
            (len(run.messages) + run.left_out, assistant(as_text(load(event.data.payload, run.contents))))
        )
    return writes + [_record(run, at, message, event.ts, run.contents, fresh) for at, message in new]


def as_text(payload: Any) -> str:
    """A result as somebody who chats reads it."""
    return payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False)


def _is_turn(start: ev.RunCreated) -> bool:
    return bool(start.task.session_id) and not start.parent_run and not start.forked_from


def _record(
    run: Run, position: int, message: Message, ts: int, contents: Contents, fresh: Contents | None = None
) -> Put:
    task, data = run.task, encode(message)
    ref = digest(data) if len(data) > INLINE_BYTES else ""
    if ref and ref not in contents:
        contents[ref] = data
        if fresh is not None:
            fresh[ref] = data
    return Put(
        MESSAGE,
        {
            "conversation_id": conversation_key(task.tenant_id, task.session_id),
            "message_id": message_id(run.created_ts, run.run_id, position),
            "tenant_id": task.tenant_id,
            "user_id": speaks_for(task.actor_context)["user_id"],
            "run_id": run.run_id,
            "role": message.role,
            "ts": ts,
            "message": None if ref else plain(message),
            "ref": ref,
            "untrusted": run.labels.untrusted,
            "sensitivity": run.labels.sensitivity,
        },
    )


def _summary(run: Run, summed: ev.HistorySummed, ts: int) -> list[Write]:
    """What the next turns begin with instead of the messages up to `upto`, labelled with all that it may be made of."""
    older, task = run.start.older, run.task
    if older is None or summed.method == "left_out":
        return []
    row = {
        "conversation_id": conversation_key(task.tenant_id, task.session_id),
        "tenant_id": task.tenant_id,
        "run_id": run.run_id,
        "upto": older.upto,
        "text": load(summed.text, run.contents),
        "method": summed.method,
        "ts": ts,
        "untrusted": run.labels.untrusted,
        "sensitivity": run.labels.sensitivity,
    }
    return [Put(SUMMARY, row)]


def _step(run: Run, data: ev.StateExited | ev.StateFailed) -> list[Write]:
    flow = run.workflow
    if flow is None:
        return []
    visit = flow.visits[data.visit]
    if flow.state_of(visit)["Type"] != "Task":
        return []
    output = data.output if isinstance(data, ev.StateExited) else None
    row = WorkflowStep(
        workflow_id=run.run_id,
        step_number=int(data.visit[1:]),
        tenant_id=run.task.tenant_id,
        workflow=run.agent.name,
        state=visit.state,
        status=visit.status,
        entered_ts=visit.entered_ts,
        ended_ts=visit.ended_ts or visit.entered_ts,
        attempts=visit.attempt + 1,
        output=None if output is None or output.ref else load(output, run.contents),
        output_ref="" if output is None else output.ref,
        error=visit.error,
        sensitivity=run.labels.sensitivity,
    )
    return [Put(WORKFLOW_STEP, plain(row))]
