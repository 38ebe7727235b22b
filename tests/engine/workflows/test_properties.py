"""Of documents that nobody wrote: reading a run back gives what the engine held, and a fork at any state ends the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict
from tests.workflows.differential.cases import Answer
from tests.workflows.differential.generate import machines, records

from remit.bootstrap import App
from remit.core.codec import canonical, decode, genesis, link
from remit.core.event import Data, Event
from remit.core.result import view_of
from remit.core.run import Run
from remit.core.states.progress import Frame, Progress
from remit.core.task import Actor, Result, Task
from remit.engine import loading
from remit.engine.advance import Engine
from remit.engine.effects import Recorder
from remit.engine.workflows.forking import Forks
from remit.sdk import Pack
from remit.testing import FakeClock, app_for_tests
from remit.testing.workflows import AnyTool, Named, TaskFailure

# The JSONata evaluator raises it while it evaluates.
pytestmark = pytest.mark.filterwarnings("ignore:The recursion limit will not be reset")

Made = tuple[dict[str, Any], dict[str, list[Answer]]]
Held = dict[tuple[str, int], tuple[bytes, str]]
NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)
"""A document is shown as it was made up: making it smaller takes minutes."""
MANY = settings(max_examples=40, deadline=None, phases=NO_SHRINKING, suppress_health_check=list(HealthCheck))
FEWER = settings(MANY, max_examples=20)


def reached(machine: dict[str, Any]) -> dict[str, Any]:
    """The machine without states that nothing leads to, in its branches too."""
    left, kept = [machine["StartAt"]], dict[str, Any]()
    while left:
        name = left.pop()
        if name in kept:
            continue
        state = kept[name] = dict(machine["States"][name])
        ways = [state, *state.get("Choices", ()), *state.get("Catch", ())]
        left += [way[field] for way in ways for field in ("Next", "Default") if field in way]
        if "Branches" in state:
            state["Branches"] = [reached(branch) for branch in state["Branches"]]
        if "ItemProcessor" in state:
            state["ItemProcessor"] = reached(state["ItemProcessor"])
    return {**machine, "States": kept}


MACHINES = machines().map(lambda made: (reached(made[0]), made[1]))


def seen(run: Run) -> tuple[bytes, str]:
    """Everything that a run's fold knows: the view, and each visit and frame of the workflow."""
    assert run.workflow is not None
    return canonical(view_of(run)), repr(workflow(run.workflow))


def workflow(progress: Progress) -> dict[str, Any]:
    """The whole state of a workflow."""
    return {
        "visits": [asdict(visit) for visit in progress.visits.values()],
        "frames": [frame(each) for each in progress.frames.values()],
        "ended": progress.ended,
        "counted": progress.counted,
    }


def frame(each: Frame) -> dict[str, Any]:
    """A frame, with the variables that it sees."""
    fields = {
        name: getattr(each, name)
        for name in ("frame", "pointer", "parent", "index", "visit", "next", "handed")
    }
    return {**fields, "variables": dict(each.variables)}


def task(answers: list[Answer]) -> Callable[[Any], Any]:
    """A function that answers as told."""

    def answer(event: Any) -> Any:
        if answers[0].error:
            raise TaskFailure(answers[0].error, answers[0].cause)
        return answers[0].of(event)

    return answer


def app_of(made: Made, clock: FakeClock) -> App:
    """An app with this document as workflow `flow`."""
    document, tasks = made
    tools = [AnyTool(name, task(answers)) for name, answers in tasks.items()]
    return app_for_tests(packs=[Pack("p", tools=tools, workflows=[Named("flow", document)])], clock=clock)


async def to_the_end(app: App, run_id: str, clock: FakeClock) -> Result:
    """Let time pass until the run has ended."""
    while True:
        await app.worker.run_until_idle(run_id)
        head = await app.store.head(run_id)
        assert head is not None
        if head.status == "ended":
            result = await app.runs.result(run_id, "local")
            assert result is not None
            return result
        assert head.wake_ts is not None
        clock.advance(max(head.wake_ts - clock.now(), 0) / 1000)


async def submit(app: App, given: Any) -> str:
    """Start the workflow; the run's id."""
    return await app.runs.submit(Task("t1", "flow", input=given, actor_context=Actor("alice")))


@contextmanager
def watched(held: Held) -> Iterator[None]:
    """While this lasts, what every engine holds is kept after each event."""
    note = Recorder.note

    def keeping(self: Recorder, *data: Data, **more: Any) -> None:
        if not data:
            note(self, **more)
        for place, item in enumerate(data):
            note(self, item, **(more if place == 0 else {}))
            held[self.run.run_id, self.run.seq] = seen(self.run)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Recorder, "note", keeping)
        yield


async def events(app: App, run_id: str) -> list[Event]:
    """The events of a run; the chain of their hashes holds."""
    found, at = [], genesis(run_id)
    for entry in await app.store.read(run_id, limit=100_000):
        at = link(at, entry.body)
        assert at == entry.hash
        found.append(decode(entry.body, Event))
    return found


@MANY
@given(MACHINES, records)
def test_reading_a_workflow_back_gives_what_the_engine_held(made: Made, given: Any) -> None:
    """After every event: the fold of what is stored is the fold that was in memory, of visits, frames and variables."""

    async def check() -> None:
        clock, held = FakeClock(), Held()
        with watched(held):
            async with app_of(made, clock) as app:
                run_id = await submit(app, given)
                await to_the_end(app, run_id, clock)
                stored = await events(app, run_id)
                whole, _ = await loading.load(app.store, run_id)
        again = Run(run_id, whole.contents)
        for event in stored:
            again.apply(event)
            if event.seq:
                assert seen(again) == held[run_id, event.seq]
        assert seen(again) == seen(whole)

    asyncio.run(check())


@FEWER
@given(MACHINES, records, st.randoms(use_true_random=False))
def test_a_fork_at_any_state_ends_as_the_run_did(made: Made, given: Any, chance: Any) -> None:
    """A run that takes over all before a state and enters it again has the same output; so has the fork of a fork."""

    async def check() -> None:
        clock = FakeClock()
        async with app_of(made, clock) as app:
            run_id = await submit(app, given)
            whole = await to_the_end(app, run_id, clock)
            for visit in await visits(app, run_id):
                clock.advance(3600)  # a tool that failed repeatedly is tried again
                fork = await Forks(app.kit).fork(run_id, "local", Actor("alice"), visit, fork_id=visit)
                assert ended(await to_the_end(app, fork, clock)) == ended(whole), f"forked at {visit}"
                await events(app, fork)
            inner = chance.choice(await visits(app, fork))
            clock.advance(3600)
            again = await Forks(app.kit).fork(fork, "local", Actor("alice"), inner, fork_id="again")
            assert ended(await to_the_end(app, again, clock)) == ended(whole), f"fork of {fork} at {inner}"

    asyncio.run(check())


async def visits(app: App, run_id: str) -> list[str]:
    """The names of the states that a run entered."""
    run, _ = await loading.load(app.store, run_id)
    assert run.workflow is not None
    return list(run.workflow.visits)


def ended(result: Result) -> tuple[Any, ...]:
    """How a run ended."""
    return result.status, result.result_payload, result.problem


class Dead(Exception):
    """The process is gone."""


@FEWER
@given(MACHINES, records, st.floats(0, 1))
def test_a_workflow_that_loses_its_worker_anywhere_ends_the_same(
    made: Made, given: Any, share: float
) -> None:
    """What is not yet stored is done again from what is: same output, whichever event or call the process dies at."""
    points, dead = 0, False

    def crash(point: str) -> None:
        nonlocal points, dead
        points += 1
        dead = dead or points == dies_at
        if dead:  # and nothing is written or called by what else it had in hand
            raise Dead

    async def run() -> tuple[Any, ...]:
        nonlocal dead
        clock = FakeClock()
        async with app_of(made, clock) as app:
            engine = Engine(replace(app.kit, crash=crash))
            run_id = await submit(app, given)
            for _ in range(1000):
                with suppress(Dead):
                    await engine.advance(run_id)
                dead = False
                if (head := await app.store.head(run_id)) is not None and head.wake_ts is not None:
                    clock.advance(max(head.wake_ts - clock.now(), 0) / 1000)
                if (result := await app.runs.result(run_id, "local")) is not None and head.status == "ended":
                    return ended(result)
            raise AssertionError("the run never ended")

    dies_at = 0
    whole = asyncio.run(run())
    dies_at, points = 1 + int(share * (points - 1)), 0
    assert asyncio.run(run()) == whole
