"""Forking a run of an agent's loop: what a new run takes over that goes on from one of its steps.

It goes on before the step, with everything that had happened by then: the conversation, and the calls that have an outcome,
which are not made again. The step itself is done anew, with another input if one is given.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from typing import Any

from msgspec.structs import replace

from remit.core import event as ev
from remit.core.errors import InputError, NotFoundError
from remit.core.message import Message, ToolUse, user
from remit.core.payload import pack, unpack
from remit.core.provenance import Label
from remit.core.run import SUM_UP, Run

FIRST = "m0"
"""The step in which the model is asked for the first time: its input is the task's."""

_KEPT = (
    ev.RunCreated,
    ev.ModelAsked,
    ev.ModelAnswered,
    ev.OutputRejected,
    ev.MessageAdded,
    ev.ToolDecided,
    ev.ToolRefused,
    ev.ApprovalRequested,
    ev.ApprovalVoted,
    ev.ApprovalExpired,
    ev.ApprovalWithdrawn,
    ev.QuestionAnswered,
    ev.EffectIntended,
    ev.EffectDone,
    ev.EffectFailed,
    ev.EffectInDoubt,
    ev.EffectReopened,
    ev.ChildStarted,
    ev.ChildEnded,
    ev.MemoryWritten,
    ev.HistorySummed,
)
"""What says how far the agent had come. Leases, waits, wishes to cancel and the end were the old run's own."""

Events = Sequence[ev.Event]


def taken_over(
    run: Run,
    events: Events,
    step: str,
    given: Any,
    contents: MutableMapping[str, bytes],
    *,
    edited: bool,
) -> list[ev.Data]:
    """The events of the new run, `RunCreated` among them. With `edited` the step's input is `given`:

    of a tool's step its arguments, of the model's first the task's input, of any later one of the model a message that it
    reads besides. Raises NotFoundError E1010, InputError E1014 (no loop), E1015 (an input that does not fit).
    """
    _loops(run)
    model = "." not in step
    if not (_was_asked(run, step) if model else _was_called(run, step)):
        raise NotFoundError(
            f"run `{run.run_id}` has no step `{step[:100]}`",
            code="E1010",
            help=f"`remit runs steps {run.run_id}` lists them",
        )
    kept = _before_model(events, step) if model else _before_call(run, events, step)
    if not edited:
        return kept
    if not model:
        return _with_arguments(kept, step, given, contents)
    if step == FIRST:
        return [_with_input(kept[0], given), *kept[1:]]
    return [*kept, _message(given, run, contents)]


def to_do_again(run: Run) -> str:
    """The step that a failed run is to go on from: a call without an outcome, else the last question to the model."""
    _loops(run)
    for step in run.calls:
        if step not in run.steps or not run.steps[step].settled:
            return step
    asked = [step.step for step in run.steps.values() if step.kind == "model" and step.step != SUM_UP]
    return asked[-1] if asked else FIRST


def _loops(run: Run) -> None:
    if run.agent.kind != "llm":
        raise InputError(
            f"run `{run.run_id}` is of agent `{run.agent.name}`, whose own code says what comes next",
            code="E1014",
            help="submit its task again under another task id",
        )


def _was_asked(run: Run, step: str) -> bool:
    known = run.steps.get(step)
    return step == FIRST or (known is not None and known.kind == "model")


def _was_called(run: Run, step: str) -> bool:
    """Whether the model asked for this call, even if nothing came of it."""
    turn, _, place = step.partition(".")
    said = run.steps[turn].output if turn in run.steps else None
    return isinstance(said, Message) and place.isdigit() and int(place) < len(said.tool_uses)


def _before_model(events: Events, step: str) -> list[ev.Data]:
    """All that had happened when the model was asked this, the first time."""
    kept: list[ev.Data] = []
    for event in events:
        if isinstance(event.data, ev.ModelAsked) and event.data.step == step:
            return kept
        if _keeps(event.data):
            kept.append(event.data)
    return kept


def _before_call(run: Run, events: Events, step: str) -> list[ev.Data]:
    """All that had happened in the turns before, what the model said then, and the other calls of the turn that have an outcome."""
    turn, _, _ = step.partition(".")
    kept: list[ev.Data] = []
    said = False
    for event in events:
        data = event.data
        if said and isinstance(data, ev.ModelAsked | ev.OutputRejected | ev.MessageAdded):
            return kept
        if not _keeps(data):
            continue
        of = _step_of(run, data)
        if said and of and (of == step or not of.startswith(f"{turn}.") or not run.steps[of].settled):
            continue
        kept.append(data)
        said = said or (isinstance(data, ev.ModelAnswered) and data.step == turn)
    return kept


def _keeps(data: ev.Data) -> bool:
    return isinstance(data, _KEPT)


def _step_of(run: Run, data: Any) -> str:
    if isinstance(data, ev.ApprovalRequested):
        return data.approval.step
    if hasattr(data, "approval_id") and not hasattr(data, "step"):
        return run.approvals[data.approval_id].step
    return str(getattr(data, "step", ""))


def _with_arguments(
    kept: list[ev.Data], step: str, given: Any, contents: MutableMapping[str, bytes]
) -> list[ev.Data]:
    """The events as if the model had asked for the call with these arguments."""
    if not isinstance(given, dict):
        raise InputError(
            "the input of a tool is a JSON object", code="E1015", help="write its arguments as {...}"
        )
    turn, _, place = step.partition(".")
    return [
        replace(data, message=_edited(data, int(place), given, contents))
        if isinstance(data, ev.ModelAnswered) and data.step == turn
        else data
        for data in kept
    ]


def _edited(
    data: ev.ModelAnswered, place: int, given: dict[str, Any], contents: MutableMapping[str, bytes]
) -> Any:
    message = unpack(data.message, contents, Message)
    wanted = message.tool_uses[place]
    blocks = tuple(
        ToolUse(block.id, block.name, given) if block is wanted else block for block in message.blocks
    )
    return pack(Message(message.role, blocks), contents)


def _with_input(data: ev.Data, given: Any) -> ev.Data:
    if not isinstance(data, ev.RunCreated):
        return data
    return replace(data, task=replace(data.task, input=given))


def _message(given: Any, run: Run, contents: MutableMapping[str, bytes]) -> ev.Data:
    if not isinstance(given, str) or not given.strip():
        raise InputError(
            "what a later step of the model is given besides is a text",
            code="E1015",
            help="write what it should know now, as one JSON string",
        )
    return ev.MessageAdded(pack(user(given), contents), Label("user", "trusted", run.labels.sensitivity))
