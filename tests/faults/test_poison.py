"""F12: a run that can never go on. It is set aside with its cause, others go on, and it can be tried again."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from faultlib.invariants import check_invariants
from faultlib.ledger import TENANT, Ledger

from remit import Agent, agent, tool
from remit.bootstrap import App
from remit.core.errors import ConfigError, RemitError
from remit.core.task import Actor
from remit.engine import worker
from remit.sdk import RunContext
from remit.testing import FakeClock, app_for_tests, call, task

PAT = Actor("pat", ("approver",))


async def let_it_fail(app: App, clock: FakeClock, rounds: int = 12) -> None:
    """Let the worker try, back off and try again."""
    for _ in range(rounds):
        await app.worker.run_until_idle()
        clock.advance(worker.BACKOFF_S * 2**worker.POISON_TRIES)


async def test_a_run_that_always_fails_is_set_aside_with_its_cause_and_others_progress() -> None:
    """Its profile was removed: after five tries it waits for an operator by name; every other run ends meanwhile."""
    clock, ledger = FakeClock(), Ledger()
    async with app_for_tests(ledger.agent(3), clock=clock) as app:
        run_id = await app.runs.submit(task("charger", "bad", policy_profile="strict"))
        profile = app.policy.profile

        def removed(name: str) -> Any:
            if name == "strict":
                raise ConfigError("there is no profile `strict`", code="E220")
            return profile(name)

        app.policy.profile = removed  # type: ignore[method-assign]
        others = [await app.runs.submit(task("charger", f"other{n}")) for n in range(5)]
        await let_it_fail(app, clock)
        view = await app.runs.view(run_id, TENANT)
        assert view.status == "waiting"
        assert view.waiting_on[0].startswith("operator: [E220]")
        row = await app.store.get("agent_run", (run_id,))
        assert (row or {})["waiting_on"] == list(view.waiting_on)
        for other in others:
            assert (await app.runs.view(other, TENANT)).status == "success", "others went on"
        await let_it_fail(app, clock)
        assert (await app.runs.view(run_id, TENANT)).seq == view.seq, "set aside, it costs nothing"
        app.policy.profile = profile  # type: ignore[method-assign]
        await app.runs.resume(run_id, TENANT, PAT)
        await let_it_fail(app, clock, 2)
        checked = await check_invariants(app, run_id)
        assert checked.run.waiting_on[0].startswith("approval:"), "redriven, it goes on as its profile says"


async def test_signals_that_wait_do_not_keep_a_run_from_being_set_aside() -> None:
    """A request that came before is journaled with the parking, and obeyed when an operator resumes the run."""
    clock, ledger = FakeClock(), Ledger()
    async with app_for_tests(ledger.agent(3), clock=clock) as app:
        run_id = await app.runs.submit(task("charger", "bad", policy_profile="strict"))
        profile = app.policy.profile

        def removed(name: str) -> Any:
            if name == "strict":
                raise ConfigError("there is no profile `strict`", code="E220")
            return profile(name)

        await app.runs.cancel(run_id, TENANT, PAT, "no longer wanted")
        app.policy.profile = removed  # type: ignore[method-assign]
        await let_it_fail(app, clock)
        head = await app.store.head(run_id)
        assert head is not None
        assert (head.status, head.inbox) == ("waiting", 0)
        seq = head.seq
        await let_it_fail(app, clock)
        assert (await app.runs.view(run_id, TENANT)).seq == seq, "set aside, it costs nothing"
        app.policy.profile = profile  # type: ignore[method-assign]
        await app.runs.resume(run_id, TENANT, PAT)
        await let_it_fail(app, clock, 2)
        checked = await check_invariants(app, run_id)
        assert checked.run.finished is not None
        assert checked.run.finished.problem is not None
        assert checked.run.finished.problem.code == "E520"
        assert not ledger.entries


async def test_a_journal_that_cannot_be_read_is_set_aside_and_others_progress() -> None:
    """A damaged event stops its own run only."""
    clock, ledger = FakeClock(), Ledger()
    async with app_for_tests(ledger.agent(3), clock=clock) as app:
        bad = await app.runs.submit(task("charger", "bad"))
        good = await app.runs.submit(task("charger", "good"))
        read = app.store.read

        async def damaged(run_id: str, **which: Any) -> Any:
            entries = await read(run_id, **which)
            spoil = [type(e)(e.seq, b"{", e.hash) for e in entries]
            return spoil if run_id == bad else entries

        app.store.read = damaged  # type: ignore[method-assign]
        await let_it_fail(app, clock)
        assert (await app.store.head(bad)).status == "waiting"
        row = await app.store.get("agent_run", (bad,))
        assert "E808" in str((row or {})["waiting_on"])
        assert (await app.store.head(good)).status == "ended"
        assert len(ledger.entries) == 3


@pytest.mark.parametrize("kind", ["code", "llm"])
async def test_an_agent_or_tool_that_always_throws_ends_its_own_run_with_a_reason(kind: str) -> None:
    """The handler's error is the run's problem, not the worker's."""
    clock, ledger = FakeClock(), Ledger()

    @agent(name="code")
    async def act(given: Any, memory: Any, context: RunContext) -> None:
        """Throw."""
        raise ZeroDivisionError("always")

    @tool
    async def look(at: str) -> str:
        """Throw."""
        raise ZeroDivisionError("always")

    llm = Agent("llm", instructions="Look.", tools=[look], max_iterations=3)
    agents = [act, llm, ledger.agent(3)]
    async with app_for_tests(*agents, replies=[call("look", at="x")], cycle=True, clock=clock) as app:
        bad = [await app.runs.submit(task(kind, f"bad{n}")) for n in range(20)]
        good = [await app.runs.submit(task("charger", f"good{n}")) for n in range(5)]
        await app.worker.run_until_idle()
        for run_id in bad:
            checked = await check_invariants(app, run_id)
            assert checked.run.finished is not None
            assert checked.run.finished.status == "failure"
        for run_id in good:
            assert (await app.runs.view(run_id, TENANT)).status == "success"
        assert len(ledger.entries) == 15


async def test_ten_megabytes_of_input_are_one_run_s_matter() -> None:
    """A huge task is refused with a code or accepted as a whole, and others go on."""
    ledger = Ledger()
    async with app_for_tests(ledger.agent(3)) as app:
        with contextlib.suppress(RemitError):
            await app.runs.submit(task("charger", "huge", input="x" * 10_000_000))
        good = await app.run(task("charger", "good"))
        assert good.status == "success"
