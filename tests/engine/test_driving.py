"""What a run's head tells whoever advances runs, by having changed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from remit import Agent, CodeAgent, agent, tool
from remit.adapters.clock.system import SystemClock
from remit.engine.driving import SOON_S, hint_due, hint_for
from remit.engine.workflows.stepfunctions.reach import Reach
from remit.ports.driving import Hint
from remit.ports.store import RunHead
from remit.testing.apps import app_for_tests, call, task
from remit.testing.clock import FakeClock

NOW = 1_800_000_000_000
HEAD = RunHead("run_1", "acme", "run_1", "echo", "ready", 0, b"", 0, "", 0, None, 0, NOW)
HELD = replace(HEAD, owner="w", lease_until=NOW + 15_000, epoch=1)
TOLD = Hint("run_1", "echo", tenant_id="acme")


def waiting(wake_ts: int | None = None) -> RunHead:
    """A run that waits."""
    return replace(HEAD, status="waiting", wake_ts=wake_ts)


def test_a_new_run_is_told_of() -> None:
    """Ready from its first moment."""
    assert hint_for(None, HEAD, NOW) == TOLD


def test_a_run_is_told_of_once_while_it_is_ready() -> None:
    """Another signal to a run that is ready and free changes nothing: its message is on its way."""
    assert hint_for(HEAD, replace(HEAD, inbox=1), NOW) is None


def test_a_run_in_somebodys_hands_is_not_told_of() -> None:
    """Its holder sees to its signals and its heartbeats change nothing; when it is let go of while ready, it is told of."""
    assert hint_for(HEAD, HELD, NOW) is None
    assert hint_for(HELD, replace(HELD, lease_until=NOW + 30_000), NOW) is None
    assert hint_for(HELD, replace(HELD, inbox=1), NOW) is None
    assert hint_for(HELD, replace(HEAD, epoch=1), NOW) == TOLD


def test_a_signal_wakes_a_run_that_waits() -> None:
    """An approval that was decided makes it ready."""
    assert hint_for(waiting(), replace(HEAD, inbox=1), NOW) == TOLD


def test_a_signal_to_a_run_whose_holder_died() -> None:
    """The lease has ended, so that nobody else would see it."""
    dead = replace(HELD, lease_until=NOW - 1)
    assert hint_for(dead, replace(dead, inbox=1), NOW) == TOLD


def test_a_run_that_ended_or_was_removed_is_not_told_of() -> None:
    """Nothing more happens."""
    assert hint_for(HELD, replace(HEAD, status="ended"), NOW) is None
    assert hint_for(HEAD, None, NOW) is None


def test_a_timer_that_is_near_is_told_with_its_delay() -> None:
    """At most 15 minutes, as a queue can delay; one that has passed is told of at once; a far one is found later."""
    assert hint_for(HELD, waiting(NOW + 90_000), NOW) == Hint("run_1", "echo", 90.0, "acme")
    assert hint_for(HELD, waiting(NOW - 5), NOW) == TOLD
    assert hint_for(HELD, waiting(NOW + int(SOON_S * 1000)), NOW) == Hint("run_1", "echo", SOON_S, "acme")
    assert hint_for(HELD, waiting(NOW + int(SOON_S * 1000) + 1), NOW) is None
    assert hint_for(HELD, waiting(None), NOW) is None


def test_a_timer_is_told_of_once() -> None:
    """Giving the run back afterwards changes its head, and not its time."""
    held = replace(waiting(NOW + 90_000), owner="w", lease_until=NOW + 15_000)
    assert hint_for(held, waiting(NOW + 90_000), NOW) is None


HEADS = st.builds(
    lambda status, owner, lease, wake, inbox: replace(
        HEAD,
        status=status,
        owner=owner,
        lease_until=NOW + lease if owner else 0,
        wake_ts=NOW + wake if wake is not None and status == "waiting" else None,
        inbox=inbox,
    ),
    st.sampled_from(["ready", "waiting", "ended"]),
    st.sampled_from(["", "w"]),
    st.integers(-60_000, 60_000),
    st.none() | st.integers(-60_000, 1_000_000),
    st.integers(0, 3),
)


@given(st.lists(HEADS, min_size=1, max_size=12))
def test_no_run_is_left_waiting_untold(heads: Sequence[RunHead]) -> None:
    """However a head changes: where it ends up ready with nobody holding it, some change on the way there told of it."""
    told = False
    before: RunHead | None = None
    for head in heads:
        hint = hint_for(before, head, NOW)
        if head.status != "ready" or head.owner:
            told = False  # whoever was told has come, or will find nothing to do
        told = told or (hint is not None and hint.delay_s == 0)
        before = head
    last = heads[-1]
    if last.status == "ready" and not last.owner:
        assert told


class Noting:
    """A driver that keeps what it is told and cannot pass on what it is told of `lost`."""

    def __init__(self) -> None:
        self.told: list[Hint] = []

    async def hint(self, hints: Sequence[Hint]) -> list[Hint]:
        self.told += hints
        return [hint for hint in hints if hint.agent == "lost"]

    async def postpone(self, queue: str, receipt: str, seconds: float) -> None:
        raise AssertionError("nothing was received")


async def test_what_is_due_is_told_of_with_its_agent() -> None:
    """Every due run, and how many could be told."""

    def silent(name: str) -> CodeAgent:
        @agent(name=name)
        async def act(input, memory, context):
            """Says nothing."""

        return act

    driver = Noting()
    async with app_for_tests(silent("echo"), silent("lost")) as app:
        runs = {await app.runs.submit(task(name, name)): name for name in ("echo", "lost")}
        assert await hint_due(app.store, driver) == 1
        assert {hint.run_id: hint.agent for hint in driver.told} == runs
        await app.worker.run_until_idle()
        assert await hint_due(app.store, driver) == 0


async def test_an_agent_that_waits_by_itself_is_interrupted_when_the_time_is_up() -> None:
    """The run is ready again at once, and held by nobody."""

    @agent
    async def sleeper(input, memory, context):
        """Sleeps as long as it is told."""
        await asyncio.sleep(input)
        return "awake"

    async with app_for_tests(sleeper, clock=SystemClock(), lease_ttl_s=0.3) as app:
        run = await app.runs.submit(task(sleeper, input=60))
        assert await app.engine.advance(run, Reach(until_ts=app.clock.now() + 50)) == "ready"
        head = await app.store.head(run)
        assert head is not None
        assert (head.status, head.owner) == ("ready", "")


async def test_a_tool_in_hand_gets_to_its_end_and_no_other_is_begun() -> None:
    """When the time is up, an effect that has begun is settled, not left in doubt; the rest is done by the next."""
    calls: list[str] = []

    @tool(risk="L1", effect="plain")
    async def charge(ref: str) -> str:
        """Charge."""
        calls.append(ref)
        clock.advance(60)
        return "charged"

    clock = FakeClock()
    chain = [call("charge", "c1", ref="a"), call("charge", "c2", ref="b"), "done"]
    clerk = Agent("clerk", instructions="Charge.", tools=[charge])
    async with app_for_tests(clerk, replies=chain, clock=clock) as app:
        run = await app.runs.submit(task(clerk))
        reach = Reach(until_ts=clock.now() + 30_000)
        assert await app.engine.advance(run, reach) == "ready"
        assert calls == ["a"]
        assert await app.engine.advance(run, reach) == "ready"
        assert calls == ["a"]
        assert await app.engine.advance(run) == "ended"
        assert calls == ["a", "b"]
        result = await app.runs.result(run, "local")
        assert result is not None
        assert result.result_payload == "done"
