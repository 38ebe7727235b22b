"""A run is the fold of its events: reading it back gives, after every event, what the engine held in memory."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remit import Agent, agent, tool
from remit.bootstrap import App
from remit.core.codec import canonical, decode, genesis, link
from remit.core.errors import RemitError, StoreError, ToolError
from remit.core.event import Event
from remit.core.message import Message, Text, ToolUse
from remit.core.result import view_of
from remit.core.run import Run, fold, next_step
from remit.engine import loading
from remit.engine.effects import Recorder
from remit.ports.model import ModelRequest
from remit.testing import BOSS, FakeClock, app_for_tests, task

Snapshots = dict[tuple[str, int], tuple[bytes, str]]


@tool
def read(n: int) -> str:
    """A read, short or long."""
    return "x" * n


@tool(risk="L1")
def write(n: int) -> str:
    """An effect that fails cleanly, unclearly, or works."""
    if n % 3 == 1:
        raise ToolError("no")
    if n % 3 == 2:
        raise RuntimeError("unclear")
    return "written"


@tool(risk="L3", effect="keyed")
def privileged(n: int) -> str:
    """Needs a person."""
    return "done"


child = Agent("child", instructions="Child.", tools=[read, privileged])
parent = Agent(
    "parent", instructions="Parent.", tools=[read, write, privileged], delegates=[child], max_iterations=6
)

names = st.sampled_from(["read", "write", "privileged", "delegate_to_child", "unknown"])
uses = st.builds(
    lambda name, n, odd, id_: ToolUse(
        id_, name, {"objective": str(n)} if name.startswith("delegate") else {"n": n}, "{" if odd else None
    ),
    names,
    st.integers(0, 1500),
    st.integers(0, 9).map(lambda i: i == 0),
    st.sampled_from(["a", "b", "c"]),
)
turns = st.lists(uses, max_size=3).map(lambda us: Message("assistant", (Text("so"), *us)))
deeds = st.lists(
    st.sampled_from(["approve", "reject", "constrain", "ask", "cancel", "later", "nudge", "crash"]),
    max_size=6,
)


def scripted(conversation: list[Message]) -> Any:
    """A model that says these turns and then ends; children answer at once or call something privileged."""
    left = list(conversation)

    def say(request: ModelRequest) -> Message | str:
        if request.system == "Child.":
            short = len(request.messages) == 1 and len(left) % 2
            return Message("assistant", (ToolUse("p", "privileged", {"n": 1}),)) if short else "child"
        return left.pop(0) if left else "end"

    return say


async def do(app: App, run_id: str, deed: str) -> None:
    """Something that the world may do to a run."""
    clock = app.clock
    assert isinstance(clock, FakeClock)
    if deed == "cancel":
        await app.runs.cancel(run_id, "local", BOSS, "why not")
    elif deed == "nudge":
        await app.runs.resume(run_id, "local", BOSS)
    elif deed == "later":
        clock.advance(40_000)
    for item in (await app.approvals.list("local")).items[:1]:
        ident = item["approval_id"]
        try:
            if deed in ("approve", "reject"):
                await app.approvals.decide(ident, "local", BOSS, deed)  # type: ignore[arg-type]
            elif deed == "constrain":
                await app.approvals.decide(ident, "local", BOSS, "constrain", arguments={"n": 2})
            elif deed == "ask":
                await app.approvals.decide(ident, "local", BOSS, "request_info", rationale="why?")
                await app.approvals.answer(ident, "local", BOSS, "because")
        except RemitError:
            continue


async def driven(conversation: list[Message], what: list[str]) -> tuple[App, list[str], Snapshots]:
    """Drive a real engine through it, and keep what its memory held after every event."""
    held: Snapshots = {}
    note = Recorder.note

    def watched(self: Recorder, *data: Any, **more: Any) -> None:
        if not data:
            note(self, **more)
        for i, item in enumerate(data):
            note(self, item, **(more if i == 0 else {}))
            held[self.run.run_id, self.run.seq] = seen(self.run)

    Recorder.note = watched  # type: ignore[method-assign]
    try:
        app = app_for_tests(parent, child, replies=[scripted(conversation)], cycle=True)
        async with app:
            run_id = (await app.run(task(parent))).run_id
            for deed in what:
                await do(app, run_id, deed)
                await app.worker.run_until_idle()
        page = await app.runs.list("local")
        return app, [item["run_id"] for item in page.items], held
    finally:
        Recorder.note = note  # type: ignore[method-assign]


def seen(run: Run) -> tuple[bytes, str]:
    """What a reader sees, and what the loop would do next."""
    return canonical(view_of(run)), repr(next_step(run))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(turns, max_size=4), deeds)
def test_reading_a_run_back_gives_what_the_engine_held(conversation: list[Message], what: list[str]) -> None:
    """After every event: fold(stored) == live, the loop would do the same next, and the chain verifies."""

    async def check() -> None:
        app, run_ids, held = await driven(conversation, what)
        for run_id in run_ids:
            entries = await app.store.read(run_id, limit=10_000)
            whole, _ = await loading.load(app.store, run_id)
            again, at = Run(run_id, whole.contents), genesis(run_id)
            for entry in entries:
                at = link(at, entry.body)
                assert at == entry.hash
                again.apply(decode(entry.body, Event))
                if (run_id, entry.seq) in held:
                    assert seen(again) == held[run_id, entry.seq]
            assert seen(again) == seen(whole)
            assert_in_order([decode(e.body, Event) for e in entries])

    asyncio.run(check())


def assert_in_order(events: list[Event]) -> None:
    """Decision before intent before outcome; at most one intent is open for a step; budgets are let go of."""
    decided: set[str] = set()
    open_: set[str] = set()
    for event in events:
        data, name = event.data, type(event.data).__name__
        step = getattr(data, "step", "")
        if name == "ToolDecided":
            decided.add(step)
        if name in ("EffectIntended", "ChildStarted"):
            assert step in decided
            open_.add(step)
        if name in ("EffectDone", "EffectFailed", "ChildEnded", "EffectInDoubt"):
            assert step in open_ or getattr(data, "found_by", "") == "person"
            open_.discard(step)
    if events and type(events[-1].data).__name__ == "RunFinished":
        assert not open_
        run = fold("r", events, _Anything())
        assert run.held == type(run.held)()


class _Anything(dict[str, bytes]):
    """Contents that do not matter here."""

    def get(self, key: str, default: Any = None) -> Any:
        return b"null"


@pytest.mark.parametrize("damage", ["gap", "twice", "swapped"])
async def test_events_that_are_not_the_next_are_refused(damage: str) -> None:
    """A gap, a repetition or a swap is E805, never another state."""
    async with app_for_tests(parent, child, replies=["hello"]) as app:
        run_id = (await app.run(task(parent))).run_id
        events = [decode(e.body, Event) for e in await app.store.read(run_id)]
    broken = {
        "gap": [*events[:1], *events[2:]],
        "twice": [events[0], events[0], *events[1:]],
        "swapped": [events[1], events[0], *events[2:]],
    }[damage]
    with pytest.raises(StoreError) as refused:
        fold(run_id, broken)
    assert refused.value.code == "E805"


async def test_a_replay_of_a_code_agent_gives_the_same_calls() -> None:
    """An agent in code that is run again from its journal asks for nothing that was not recorded."""
    passes: list[Any] = []

    @agent(tools=[read, privileged])
    async def steady(input: Any, memory: Any, context: Any) -> Any:
        passes.append([context.now(), await context.call("read", n=3), await context.ask("?")])
        return await context.call("privileged", n=1)

    async with app_for_tests(steady, replies=["one answer"]) as app:
        await app.run(task(steady))
        await do(app, "", "approve")
        await app.worker.run_until_idle()
    assert len(passes) == 2
    assert passes[0] == passes[1]
