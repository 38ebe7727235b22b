"""F8, F11: decisions twice, late, racing and out of order. The run is the same as after each once, in order."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from faultlib.invariants import check_invariants
from faultlib.ledger import TENANT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remit import Agent, tool
from remit.adapters.store.sqlite import SqliteStore
from remit.core.approval import Vote
from remit.core.codec import encode
from remit.core.errors import ConflictError, DeniedError
from remit.core.signal import AnswerGiven, CancelAsked, Nudged, VoteCast
from remit.core.task import Actor
from remit.ports.model import ModelRequest
from remit.ports.store import Signal
from remit.testing import FakeClock, app_for_tests, calls, task

PAT, SAM, ALICE = Actor("pat", ("approver",)), Actor("sam", ("approver",)), Actor("alice", ("approver",))
NAMES = ("a", "b", "c")


def wiper(made: list[str]) -> Agent:
    """An agent whose every call needs a person."""

    @tool(risk="L3")
    async def wipe(disk: str) -> str:
        """Wipe a disk."""
        made.append(disk)
        return f"wiped {disk}"

    return Agent("wiper", instructions="Wipe.", tools=[wipe])


def replies() -> list[Any]:
    """Three calls at once, then an answer, whichever process asks."""

    def reply(request: ModelRequest) -> Any:
        asked = any(m.role == "assistant" for m in request.messages)
        return "done" if asked else calls(*(("wipe", {"disk": name}) for name in NAMES))

    return [reply] * 3


def vote(approval: dict[str, Any], decision_id: str, kind: Any, by: str = "pat") -> Signal:
    """A decision as the signal it becomes."""
    cast = VoteCast(approval["approval_id"], Vote(decision_id, by, kind, "", approval["requested_ts"] + 1))
    return Signal(approval["run_id"], f"vote:{decision_id}", encode(cast))


def signals_of(waiting: list[dict[str, Any]]) -> list[Signal]:
    """Approve `a` and `c`, reject `b`, and things that change nothing."""
    by_disk = {w["arguments"]["disk"]: w for w in waiting}
    run_id = waiting[0]["run_id"]
    votes = [vote(by_disk[n], f"d-{n}", "reject" if n == "b" else "approve") for n in NAMES]
    forged = VoteCast("apr_none", Vote("d-x", "eve", "approve", "", 0))
    noise = [
        Signal(run_id, "nudge:1", encode(Nudged("alice"))),
        Signal(run_id, "vote:d-x", encode(forged)),
        Signal(run_id, "answer:none", encode(AnswerGiven("apr_none", "42", "eve"))),
    ]
    return [*votes, *noise]


async def outcome(order: list[tuple[int, bool]]) -> tuple[Any, ...]:
    """Deliver the signals in this order, advancing after those marked; how the run then stands."""
    made: list[str] = []
    async with app_for_tests(wiper(made), replies=replies()) as app:
        run_id = (await app.run(task("wiper"))).run_id
        signals = signals_of((await app.approvals.list(TENANT)).items)
        for index, advance in order:
            await app.store.transact([signals[index]])
            if advance:
                await app.engine.advance(run_id)
        await app.worker.run_until_idle()
        await check_invariants(app, run_id)
        view = await app.runs.view(run_id, TENANT)
        steps = tuple((s.step, s.state, s.output, s.problem) for s in view.steps if s.name == "wipe")
        approvals = sorted((a.step, a.status) for a in view.approvals)
        return view.status, view.result.result_payload, sorted(made), steps, tuple(approvals)


ORDERS = st.tuples(
    st.permutations(range(6)),
    st.lists(st.integers(0, 5), max_size=6),
    st.lists(st.booleans(), min_size=12, max_size=12),
).map(lambda drawn: list(zip([*drawn[0], *drawn[1]], drawn[2], strict=False)))


def check_order(order: list[tuple[int, bool]]) -> None:
    """The run after this order is the run after each signal once, in order."""
    straight = asyncio.run(outcome([(index, False) for index in range(6)]))
    assert asyncio.run(outcome(order)) == straight
    assert straight[2] == ["a", "c"]


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(ORDERS)
def test_signals_in_any_order_and_number_lead_to_the_same_run(order: list[tuple[int, bool]]) -> None:
    """Duplicated, reordered and delayed signals change nothing (I7)."""
    check_order(order)


@pytest.mark.nightly
@settings(max_examples=3000, deadline=None, suppress_health_check=list(HealthCheck))
@given(ORDERS)
def test_thousands_of_schedules_lead_to_the_same_run(order: list[tuple[int, bool]]) -> None:
    """The same, at length."""
    check_order(order)


def both_apps(path: Path, made: list[str]) -> tuple[Any, Any]:
    """Two processes' worth of app on one store file, and one clock."""
    clock = FakeClock()
    agents = [wiper(made) for _ in range(2)]
    apps = [
        app_for_tests(
            a, replies=replies(), store=SqliteStore(path / "remit.db", clock), clock=clock, home=path
        )
        for a in agents
    ]
    return apps[0], apps[1]


async def race(first: Any, second: Any) -> list[Any]:
    """Both at once; answers or errors."""
    return list(await asyncio.gather(first, second, return_exceptions=True))


RACES: dict[str, tuple[tuple[Any, Any], tuple[Any, Any]]] = {
    "approve-reject": ((PAT, "approve"), (SAM, "reject")),
    "approve-approve": ((PAT, "approve"), (SAM, "approve")),
    "reject-reject": ((PAT, "reject"), (SAM, "reject")),
    "twice-by-one": ((PAT, "approve"), (PAT, "approve")),
    "with-requester": ((ALICE, "approve"), (PAT, "reject")),
}


@pytest.mark.parametrize("kinds", RACES.values(), ids=RACES)
async def test_of_two_racing_decisions_one_counts_and_the_other_is_told(tmp_path: Path, kinds: Any) -> None:
    """Two people decide at once in two processes: one wins, the call runs at most once and only if approved."""
    made: list[str] = []
    one, two = both_apps(tmp_path, made)
    async with one, two:
        run_id = (await one.run(task("wiper"))).run_id
        for waiting in (await one.approvals.list(TENANT)).items:
            (first, kind), (second, other) = kinds
            answers = await race(
                one.approvals.decide(waiting["approval_id"], TENANT, first, kind),
                two.approvals.decide(waiting["approval_id"], TENANT, second, other),
            )
            lost = [a for a in answers if isinstance(a, Exception)]
            assert len(lost) == 1, answers
            assert isinstance(lost[0], ConflictError | DeniedError)
        settled = {
            a["arguments"]["disk"]: a["status"] for a in (await one.approvals.list(TENANT, status="")).items
        }
        await race(one.worker.run_until_idle(), two.worker.run_until_idle())
        await one.worker.run_until_idle()
        await check_invariants(one, run_id)
        assert sorted(made) == sorted(d for d, status in settled.items() if status == "approved")


@pytest.mark.parametrize("again", range(3))
async def test_one_decision_sent_many_times_at_once_is_one_decision(tmp_path: Path, again: int) -> None:
    """A client that retries its decision in parallel gets the same answer each time, and one execution."""
    made: list[str] = []
    one, two = both_apps(tmp_path, made)
    async with one, two:
        run_id = (await one.run(task("wiper"))).run_id
        for waiting in (await one.approvals.list(TENANT)).items:
            sent = [
                app.approvals.decide(
                    waiting["approval_id"], TENANT, PAT, "approve", decision_id=f"d{waiting['step']}"
                )
                for app in (one, two) * 5
            ]
            assert {a.status for a in await asyncio.gather(*sent)} == {"approved"}
        await race(one.worker.run_until_idle(), two.worker.run_until_idle())
        await one.worker.run_until_idle()
        checked = await check_invariants(one, run_id)
        assert checked.run.finished is not None
        assert sorted(made) == list(NAMES)


@pytest.mark.parametrize("late", ["expired", "cancelled"])
async def test_a_decision_after_expiry_or_cancellation_executes_nothing(late: str) -> None:
    """Too late is too late, also for a decision that was already on its way as a signal."""
    made: list[str] = []
    clock = FakeClock()
    async with app_for_tests(wiper(made), replies=replies(), clock=clock) as app:
        run_id = (await app.run(task("wiper"))).run_id
        waiting = (await app.approvals.list(TENANT)).items
        if late == "expired":
            clock.advance((waiting[0]["expires_ts"] - clock.now()) / 1000)
        else:
            await app.store.transact([Signal(run_id, "stop", encode(CancelAsked("alice", "enough")))])
        await app.worker.run_until_idle()
        for each in waiting:
            with pytest.raises(ConflictError):
                await app.approvals.decide(each["approval_id"], TENANT, PAT, "approve")
            await app.store.transact([vote(each, f"late-{each['step']}", "approve")])
        await app.worker.run_until_idle()
        await check_invariants(app, run_id)
        assert made == []
