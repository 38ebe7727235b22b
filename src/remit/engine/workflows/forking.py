"""Forking a run: a new run that takes over what another had done, and goes on from one of its states or steps.

Of a workflow, what is taken over is the history of states that had ended, with the outcomes of their calls: those are not done again.
Whatever was under way in other branches at that moment is entered anew, except a call whose outcome is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from msgspec.structs import replace

from remit.core import event as ev
from remit.core.budget import tighten
from remit.core.codec import encode, genesis, link
from remit.core.errors import ConflictError, DeniedError, InputError, NotFoundError, StoreError
from remit.core.event import Event
from remit.core.payload import pack
from remit.core.run import Run, fold
from remit.core.states import progress
from remit.core.states.progress import Visit
from remit.core.task import Actor
from remit.engine import creation, envelopes, loading, loop_forks, telling
from remit.engine.gates import PREFIX
from remit.engine.kit import Kit
from remit.engine.resolving import switched_on
from remit.engine.runs import may_start, root_run_id
from remit.ports.store import Entry, Put

_OF_STATES = frozenset(progress.EVENTS)
UNSET = object()

Contents = dict[str, bytes]
Clean = Callable[[Any], Any]
Keep = Callable[[Clean, Contents], list[ev.Data]]
"""The events of a new run, its first included: given what takes secrets out of values, and where large values are put."""


class Forks:
    """Makes new runs of old ones."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    async def fork(
        self, run_id: str, tenant_id: str, actor: Actor, visit: str, *, input: Any = UNSET, fork_id: str = ""
    ) -> str:
        """A new run that enters the state of `visit` (`s0`, `s1`, ...) again, with another input if one is given.

        The same `fork_id` again gives the same run. Raises NotFoundError (run, visit), InputError E644 (no workflow),
        DeniedError (E647: what a person decided at a gate is not taken over), ConflictError E650 (an effect without an outcome).
        """
        events, run = await self._read(run_id, tenant_id)
        return await self._from_visit(events, run, actor, visit, input, fork_id)

    async def fork_step(
        self, run_id: str, tenant_id: str, actor: Actor, step: str, *, input: Any = UNSET, fork_id: str = ""
    ) -> str:
        """A new run that does a step of an agent's loop again (`m2`, `m2.0`), with another input if one is given; of a
        workflow it enters the state again that the step belongs to.

        Raises what `fork` and `loop_forks.taken_over` raise.
        """
        events, run = await self._read(run_id, tenant_id)
        if run.workflow is not None:
            return await self._from_visit(events, run, actor, step.partition(".")[0], input, fork_id)
        _no_doubt(run)

        def keep(clean: Clean, contents: Contents) -> list[ev.Data]:
            known = {**run.contents}
            given = None if input is UNSET else clean(input)
            kept = loop_forks.taken_over(run, events, step, given, known, edited=input is not UNSET)
            contents.update({ref: data for ref, data in known.items() if ref not in run.contents})
            return kept

        return await self._make(run, actor, step, fork_id, keep)

    async def _from_visit(
        self, events: list[Event], run: Run, actor: Actor, visit: str, input: Any, fork_id: str
    ) -> str:
        run_id = run.run_id
        if visit not in _progress(run).visits:
            raise NotFoundError(
                f"run `{run_id}` has no state `{visit}`", code="E645", help="`remit runs show` lists them"
            )
        cut = next(e.seq for e in events if isinstance(e.data, ev.StateEntered) and e.data.visit == visit)
        _no_doubt(run)
        _no_gate(fold(run_id, events[: cut + 1], run.contents))
        return await self._make(run, actor, visit, fork_id, _of_states(run, events[: cut + 1], visit, input))

    async def retry(self, run_id: str, tenant_id: str, actor: Actor, *, fork_id: str = "") -> str:
        """A new run that takes over all that a failed one had done, and does again what failed. Raises ConflictError E646,
        InputError E1014 for one whose own code says what comes next."""
        events, run = await self._read(run_id, tenant_id)
        if run.finished is None or run.finished.status == "success":
            raise ConflictError(
                f"run `{run_id}` has not failed",
                code="E646",
                help="fork it from the state where it should differ",
            )
        if run.workflow is None:
            _no_doubt(run)
            again = loop_forks.to_do_again(run)
            kept = loop_forks.taken_over(run, events, again, None, run.contents, edited=False)
            return await self._make(run, actor, again, fork_id, lambda clean, contents: kept)
        failed = [
            e.data.visit for e in events if isinstance(e.data, ev.StateFailed) and _decided(run, e.data.visit)
        ]
        # Without the failures everything around them stands as it came to be: what had succeeded, before and after.
        left = [e for e in events if not (isinstance(e.data, ev.StateFailed) and e.data.visit in failed)]
        numbered = [replace(event, seq=seq) for seq, event in enumerate(left)]
        visit = failed[0] if failed else ""
        return await self._make(run, actor, visit, fork_id, _of_states(run, numbered, visit, UNSET))

    async def _read(self, run_id: str, tenant_id: str) -> tuple[list[Event], Run]:
        run, _ = await loading.load(self._kit.store, run_id, tenant_id)
        if run.start.execution:
            raise ConflictError(
                f"run `{run_id}` is moved by Step Functions, and cannot be forked here",
                code="E713",
                help="submit its task again, under a new id",
            )
        entries: list[Entry] = []
        while batch := await self._kit.store.read(run_id, after=entries[-1].seq if entries else -1):
            entries += batch
        return await loading.events(self._kit.store, run_id, entries, run.contents), run

    async def _make(self, run: Run, actor: Actor, place: str, fork_id: str, keep: Keep) -> str:
        """The new run, of the events that `keep` gives."""
        kit, start = self._kit, run.start
        task_id = f"{run.task.task_id}~{fork_id or kit.clock.new_id('fork')}"
        task = replace(run.task, task_id=task_id, actor_context=actor)
        new_id = root_run_id(task.tenant_id, task_id)
        if await kit.store.head(new_id) is not None:
            return new_id
        policy = await may_start(kit.registry, kit.policy, task, new_id)
        for used in start.definitions:
            head = await kit.registry.head(task.tenant_id, used.kind, used.name)
            if head is not None:
                switched_on(head)
        contents: dict[str, bytes] = {}
        first, *rest = keep(kit.redactor(policy.key).value, contents)
        if not isinstance(first, ev.RunCreated):
            raise StoreError(f"run `{run.run_id}` has no first event", code="E804")
        budget = tighten(policy.profile.budget, start.budget)
        envelope, writes = await envelopes.take(kit, task.tenant_id, budget)
        created = replace(
            first, task=replace(task, input=first.task.input), budget=budget, envelope=envelope, parent_run="",
            parent_step="", root_run=new_id, depth=0, handoff=None, within="", forked_from=f"{run.run_id}#{place}",
        )  # fmt: skip
        kept = [created, *rest]
        now = kit.clock.now()
        fold(new_id, [Event(i, now, 0, data) for i, data in enumerate(kept)], {**run.contents, **contents})
        await kit.store.create(
            new_id,
            tenant_id=task.tenant_id,
            root_run=new_id,
            agent=start.agent.name,
            entries=list(_entries(new_id, kept, now)),
            contents=contents,
            writes=[Put("agent_run", creation.first_record(new_id, created, now, now)), *writes],
            now=now,
        )
        telling.run_created(new_id, created)
        return new_id


def _of_states(run: Run, events: list[Event], visit: str, given: Any) -> Keep:
    """What a fork takes over of a workflow, entering the state of `visit` with another input if one is given."""

    def keep(clean: Clean, contents: Contents) -> list[ev.Data]:
        kept: list[ev.Data] = [run.start, *_kept(fold(run.run_id, events, run.contents), events)]
        if given is UNSET:
            return kept
        return [
            replace(d, input=pack(clean(given), contents))
            if isinstance(d, ev.StateEntered) and d.visit == visit
            else d
            for d in kept
        ]

    return keep


def _progress(run: Run) -> progress.Progress:
    if run.workflow is None:
        raise InputError(
            f"run `{run.run_id}` is of agent `{run.agent.name}`, which is no workflow",
            code="E644",
            help="submit its task again under another task id",
        )
    return run.workflow


def _no_doubt(run: Run) -> None:
    """Raise ConflictError while an effect may have happened or not: the fork might do it beside the run."""
    calls = (s for s in run.steps.values() if s.kind != "model")
    begun = next((s for s in calls if s.state in ("intended", "in_doubt")), None)
    if begun is not None:
        raise ConflictError(
            f"run `{run.run_id}` has called `{begun.name}` (`{begun.step}`), and the outcome is not known",
            code="E650",
            help="wait until the call has ended, or answer its approval; then fork",
        )


def _no_gate(run: Run) -> None:
    """Raise DeniedError when a fork would go on behind a gate, where a person decided for another run."""
    gate = next((s for s in run.steps.values() if s.kind == "gate" and s.state == "done"), None)
    if gate is not None:
        visit = gate.step.partition(".")[0]
        name = gate.name.removeprefix(PREFIX)
        raise DeniedError(
            f"a person decided at gate `{name}` (`{visit}`) for run `{run.run_id}` alone",
            code="E647",
            help=f"fork it from `{visit}` or before, so that a person is asked again",
        )


def _decided(run: Run, visit: str) -> bool:
    """Whether a failed state is where the failure of the whole run began: no Catch, Retry or tolerance above it took it."""
    states = _progress(run).visits
    while True:
        found = states[visit]
        if found.status != "failed":
            return False
        if not found.parent:
            return True
        visit = found.parent


def _entries(run_id: str, kept: list[ev.Data], now: int) -> Iterator[Entry]:
    head = genesis(run_id)
    for seq, data in enumerate(kept):
        body = encode(Event(seq, now, 0, data))
        head = link(head, body)
        yield Entry(seq, body, head)


def _kept(run: Run, events: list[Event]) -> Iterator[ev.Data]:
    """The events that a fork takes over, `run` being their fold."""
    visits = _progress(run).visits
    for event in events[1:]:
        data = event.data
        if type(data) in _OF_STATES:
            if _keeps(run, visits[data.visit], data):  # type: ignore[union-attr]
                yield data
        elif (step := _step(run, data)) and _keeps_step(run, visits, step):
            yield data


def _keeps(run: Run, visit: Visit, data: ev.Data) -> bool:
    if not visit.open or isinstance(data, ev.StateEntered) or _answered(run, visit):
        return True
    branches = _progress(run).state_of(visit)["Type"] in ("Parallel", "Map")
    return branches and isinstance(data, ev.StateRetried | ev.BranchesStarted)


def _answered(run: Run, visit: Visit) -> bool:
    """Whether a Task that had not ended has the outcome of its call: it is gone on with. A token of another run is no good."""
    step = run.steps.get(visit.step)
    return visit.status == "scheduled" and not visit.token and step is not None and step.state == "done"


def _keeps_step(run: Run, visits: dict[str, Visit], step: str) -> bool:
    """Whether the calls of a state that ended or has its answer, or that a Map read its items with, are taken over."""
    visit = visits.get(step.partition(".")[0])
    known = run.steps.get(step)
    if visit is None or known is None or not known.settled:
        return False
    if not visit.open or _answered(run, visit):
        return True
    return visit.status == "branching" and step.endswith(".items")


def _step(run: Run, data: ev.Data) -> str:
    """The step that an event is about, or the empty string."""
    reader = _STEP_OF.get(type(data))
    return reader(run, data) if reader is not None else ""


def _own(run: Run, data: Any) -> str:
    return str(data.step)


def _of_approval(run: Run, data: Any) -> str:
    return run.approvals[data.approval_id].step


_STEP_OF: dict[type, Callable[[Run, Any], str]] = {
    **dict.fromkeys(
        (
            ev.ToolDecided,
            ev.ToolRefused,
            ev.EffectIntended,
            ev.EffectDone,
            ev.EffectFailed,
            ev.EffectInDoubt,
            ev.EffectReopened,
            ev.ChildStarted,
            ev.ChildEnded,
        ),
        _own,
    ),
    **dict.fromkeys(
        (ev.ApprovalVoted, ev.ApprovalExpired, ev.ApprovalWithdrawn, ev.QuestionAnswered), _of_approval
    ),
    ev.ApprovalRequested: lambda run, data: str(data.approval.step),
}
