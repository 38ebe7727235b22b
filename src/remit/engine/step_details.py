"""Everything about one step: what went in and came out, what policy and people said, and the events it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from remit.core import event as ev
from remit.core.approval import Approval
from remit.core.codec import convert, decode, plain
from remit.core.message import Message
from remit.core.payload import Payload, load, refs
from remit.core.policy import Decision
from remit.core.provenance import Label
from remit.core.steps import StepFold, StepRow
from remit.core.task import Artifact, Handoff, Problem
from remit.core.view import EventView
from remit.engine.kit import Kit
from remit.engine.runs import shown
from remit.engine.stepping import BATCH, BEFORE, LOOKAHEAD, Stepping, event_of
from remit.ports.store import Entry

FOR_S = 10.0
"""Seconds for which a step is looked for in a journal, where nobody says at which event it begins."""

MOST_EVENTS = 200
"""Events of one step that are shown, and of what a model read before it."""

_NEW_TO_A_MODEL = (
    ev.RunCreated,
    ev.MessageAdded,
    ev.OutputRejected,
    ev.HistorySummed,
    ev.EffectDone,
    ev.EffectFailed,
    ev.ToolRefused,
    ev.ChildEnded,
)
"""What a model reads that was not there when it was last asked."""

Read = list[tuple[Entry, ev.Event]]


class Attempt(Struct, frozen=True):
    """One time that the step was begun: by the event `seq`, under the lease `epoch`, with this idempotency key."""

    seq: int
    ts: int
    epoch: int
    attempt: int
    key: str = ""


class StepDetail(Struct, frozen=True):
    """One step. `input` and `output` are what went in and came out; of a model its answer as a message.
    `input_schema` is what the arguments of a call have to fit, as far as its tool is still known.

    `before` is what a model read that was not there when it was last asked, as events. `label` says where the output came from.
    """

    run_id: str
    row: StepRow
    input: Any = None
    input_schema: dict[str, Any] | None = None
    output: Any = None
    stop_reason: str = ""
    before: tuple[EventView, ...] = ()
    decision: Decision | None = None
    approval: Approval | None = None
    label: Label | None = None
    problem: Problem | None = None
    handoff: Handoff | None = None
    artifacts: tuple[Artifact, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    incidents: tuple[str, ...] = ()
    events: tuple[EventView, ...] = ()


class StepDetails:
    """Single steps of the runs of all tenants. Reads only."""

    def __init__(self, kit: Kit, stepping: Stepping) -> None:
        self._kit = kit
        self._stepping = stepping

    async def show(self, run_id: str, tenant_id: str, step: str, *, seq: int | None = None) -> StepDetail:
        """One step. `seq`, the event it begins with, saves looking for it. Raises NotFoundError (E104, E1010)."""
        fold = await self._stepping.step(run_id, tenant_id, step, seq=seq, for_s=FOR_S)
        row = next(row for row in reversed(fold.rows) if row.step == step)
        first = _first(fold, row)
        last = fold.seq if row.end_seq is None else row.end_seq
        read = await self._read(run_id, first, last)
        own = [(entry, e) for entry, e in read if _is_of(e.data, row)][:MOST_EVENTS]
        before: Read = []
        if row.kind == "model":
            before = [(n, e) for n, e in read if e.seq < row.seq and isinstance(e.data, _NEW_TO_A_MODEL)]
        before = before[-MOST_EVENTS:]
        said = [(n, e) for n, e in read if isinstance(e.data, ev.ModelAnswered) and e.data.step == row.parent]
        contents = await self._contents([e for _, e in (*own, *before, *said)])
        approval = await self._approval(row.approval_id, tenant_id)
        detail = _detail(run_id, row, own, before, said, contents, approval)
        tool = self._kit.catalogue.tools.get(row.name) if row.kind == "tool" else None
        return detail if tool is None else replace(detail, input_schema=tool.spec.input_schema)

    async def _read(self, run_id: str, first: int, last: int) -> Read:
        """The events from `first` to `last`, at most so many as one look may take."""
        read: Read = []
        while len(read) < LOOKAHEAD and first <= last:
            entries = await self._kit.store.read(run_id, after=first - 1, limit=min(BATCH, last - first + 1))
            if not entries:
                break
            read += [(entry, event_of(run_id, entry)) for entry in entries]
            first = entries[-1].seq + 1
        return read

    async def _contents(self, events: Sequence[ev.Event]) -> dict[str, bytes]:
        wanted = list(dict.fromkeys(ref for e in events for ref in refs(e.data)))
        return await self._kit.store.contents(wanted) if wanted else {}

    async def _approval(self, approval_id: str, tenant_id: str) -> Approval | None:
        item = await self._kit.store.get("approval_event", (approval_id,)) if approval_id else None
        if item is None or item["tenant_id"] != tenant_id:
            return None
        return decode(item["approval"], Approval)


def _detail(
    run_id: str,
    row: StepRow,
    own: Read,
    before: Read,
    said: Read,
    contents: dict[str, bytes],
    approval: Approval | None,
) -> StepDetail:
    told: dict[str, Any] = {"input": _wanted(row, said, contents)}
    attempts: list[Attempt] = []
    for _, event in own:
        told.update(_told(event.data, contents))
        attempts += _attempt(event)
    if told["input"] is None and approval is not None:
        told["input"] = approval.arguments
    return StepDetail(
        run_id=run_id,
        row=row,
        before=_views(before, contents),
        approval=approval,
        attempts=tuple(attempts),
        events=_views(own, contents),
        **told,
    )


def _first(fold: StepFold, row: StepRow) -> int:
    """The event from which on it is told how a step came about: the question to the model before it, or the one it is part of."""
    before = [r for r in fold.rows if r.kind == "model" and r.seq < row.seq]
    if row.kind == "model":
        return before[-1].seq if before else max(0, row.seq - BEFORE)
    asked = next((r for r in reversed(before) if r.step == row.parent), row)
    return asked.seq


def _is_of(data: ev.Data, row: StepRow) -> bool:
    if isinstance(data, ev.ApprovalRequested):
        return data.approval.step == row.step
    if isinstance(data, ev.ApprovalVoted | ev.ApprovalExpired | ev.ApprovalWithdrawn | ev.QuestionAnswered):
        return bool(row.approval_id) and data.approval_id == row.approval_id
    return row.step in (getattr(data, "step", None), getattr(data, "visit", None))


def _wanted(row: StepRow, said: Read, contents: dict[str, bytes]) -> Any:
    """The arguments that the model asked for, by place in its message."""
    place = row.step.rpartition(".")[2]
    if not said or not place.isdigit():
        return None
    answered: Any = said[-1][1].data
    uses = convert(load(answered.message, contents), Message).tool_uses
    return uses[int(place)].input if int(place) < len(uses) else None


def _attempt(event: ev.Event) -> list[Attempt]:
    data = event.data
    if isinstance(data, ev.EffectIntended):
        return [Attempt(event.seq, event.ts, event.epoch, data.attempt, data.key)]
    if isinstance(data, ev.ModelAsked):
        return [Attempt(event.seq, event.ts, event.epoch, data.attempt)]
    if isinstance(data, ev.TaskScheduled):
        return [Attempt(event.seq, event.ts, event.epoch, data.attempt + 1)]
    return []


def _told(data: ev.Data, contents: dict[str, bytes]) -> dict[str, Any]:
    """What an event of a step says of it; later ones say it better."""
    found: dict[str, Any] = {
        name: getattr(data, name)
        for name in ("decision", "label", "problem", "handoff", "artifacts", "incidents", "stop_reason")
        if getattr(data, name, None)
    }
    for field, name in _VALUES.get(type(data), ()):
        payload: Payload | None = getattr(data, field)
        if payload is not None and payload.inline != b"null":
            found[name] = load(payload, contents)
    return found


_VALUES: dict[type, tuple[tuple[str, str], ...]] = {
    ev.ModelAsked: (("request", "input"),),
    ev.ModelAnswered: (("message", "output"),),
    ev.ToolDecided: (("arguments", "input"),),
    ev.EffectDone: (("output", "output"),),
    ev.ChildEnded: (("result", "output"),),
    ev.StateEntered: (("input", "input"),),
    ev.StateExited: (("output", "output"),),
}
"""The payloads that are what went into a step or came out of it."""


def _views(read: Read, contents: dict[str, bytes]) -> tuple[EventView, ...]:
    return tuple(
        EventView(
            e.seq, e.ts, e.epoch, type(e.data).__name__, plain(shown(e.data, contents)), entry.hash.hex()
        )
        for entry, e in read
    )
