"""F13: a child dies, its parent dies, or is cancelled while the child runs. No orphan stays, no effect doubles."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from typing import Any

import pytest
from benchmarks.common.bank_client import entries
from faultlib.driving import EFFECTS, Rig, rig
from faultlib.invariants import check_invariants
from faultlib.ledger import TENANT, Ledger, Troubled, answer, at_random, persist
from faultlib.program import opened

from remit import Agent, agent, tool
from remit.adapters.store.memory import MemoryStore
from remit.core import event as ev
from remit.core.task import Actor
from remit.engine import loading
from remit.engine.runs import root_run_id
from remit.sdk import RunContext
from remit.testing import FakeClock, app_for_tests, call, task

PAT = Actor("pat", ("approver",))
SIDES = ("before", "after")
POINTS = [
    f"{side}:append:{e}" for side in SIDES for e in ("ChildStarted", "RunParked", "ChildEnded", "RunFinished")
]
POINTS += [
    f"{side}:append:{e}" for side in SIDES for e in ("ChildStarted#2", "RunFinished#2", "RunFinished#3")
]
POINTS += [f"{side}:create#{nth}" for side in SIDES for nth in (2, 3)]


@pytest.fixture(scope="module")
def victims(store_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """The killable program."""
    with rig(tmp_path_factory.mktemp("banks"), store_url, lease_ttl_s=0.3) as made:
        yield made


async def assert_family(rig: Rig, run: str) -> None:
    """Parent and children ended, every effect happened once, and every journal holds."""
    job = rig.job(run)
    made = [e for e in entries(job.bank) if e["ref"].startswith(f"{run}:")]
    async with opened(rig.store, job.bank) as app:
        parent = await check_invariants(app, root_run_id("acme", run), made)
        result = await app.runs.result(parent.run.run_id, "acme")
        assert result is not None
        assert result.result_payload == {"charged": [f"{run}:{n}" for n in range(EFFECTS)]}
        children = [e.data.child_run for e in parent.events if isinstance(e.data, ev.ChildStarted)]
        assert len(children) == len(set(children)) == 2
        for child in children:
            assert (await check_invariants(app, child, made)).run.finished is not None


@pytest.mark.slow
@pytest.mark.parametrize("effect", ["keyed", "plain"])
@pytest.mark.parametrize("point", POINTS)
async def test_killed_around_a_child_the_family_ends_the_same(victims: Rig, point: str, effect: str) -> None:
    """Kill -9 at any point of starting, running and ending a child: each child once, each effect once."""
    run = victims.name("lead", effect, f"family{POINTS.index(point)}")
    counted = victims.to_the_end(run, [point])
    assert (counted.kills, counted.finished, counted.doubled, counted.lost) == (1, 1, 0, 0), counted
    await assert_family(victims, run)


@pytest.mark.slow
async def test_killed_at_random_the_family_ends_the_same(
    victims: Rig, request: pytest.FixtureRequest
) -> None:
    """Kill -9 at random instants while children run."""
    chance, kills = random.Random(5), 0
    for number in range(300 if request.config.getoption("--nightly") else 9):
        run = victims.name("lead", ("keyed", "lookup", "plain")[number % 3], f"random{number}")
        counted = victims.at_random(run, chance)
        assert (counted.finished, counted.doubled, counted.lost) == (1, 0, 0), counted
        await assert_family(victims, run)
        kills += counted.kills
    assert kills


def family(made: list[str]) -> tuple[Agent, Agent]:
    """A lead whose worker's call needs a person."""

    @tool(risk="L3")
    async def wipe(disk: str) -> str:
        """Wipe a disk."""
        made.append(disk)
        return "wiped"

    worker = Agent("worker", instructions="Wipe.", tools=[wipe])
    return worker, Agent("lead", instructions="Lead.", delegates=[worker])


def replies() -> list[Any]:
    """The lead delegates, the worker wants to wipe."""
    return [call("delegate_to_worker", objective="wipe"), call("wipe", disk="a")]


async def open_runs(app: Any) -> list[str]:
    """Runs that have not ended."""
    items = (await app.runs.list(TENANT)).items
    return [item["run_id"] for item in items if (await app.store.head(item["run_id"])).status != "ended"]


async def test_cancelling_a_parent_ends_its_waiting_child_and_asks_nobody_any_more() -> None:
    """A child that waits for a person ends with its parent; its approval is withdrawn; nothing was executed."""
    made: list[str] = []
    async with app_for_tests(*family(made), replies=replies()) as app:
        run_id = (await app.run(task("lead"))).run_id
        assert len(await open_runs(app)) == 2
        await app.runs.cancel(run_id, TENANT, PAT, "enough")
        await app.worker.run_until_idle()
        assert await open_runs(app) == []
        assert not (await app.approvals.list(TENANT)).items
        parent = await check_invariants(app, run_id)
        assert parent.run.finished is not None
        assert parent.run.finished.problem is not None
        assert parent.run.finished.problem.code == "E520"
        assert made == []


async def test_cancelling_a_parent_whose_child_was_not_created_leaves_no_orphan() -> None:
    """The parent died between announcing the child and creating it, then was cancelled: both end."""
    clock, down = FakeClock(), [False]
    store: Any = Troubled(MemoryStore(clock), lambda verb: "before" if down[0] and verb == "create" else "")
    made: list[str] = []
    async with app_for_tests(*family(made), replies=replies(), store=store, clock=clock) as app:
        run_id = await app.runs.submit(task("lead"))
        down[0] = True
        await app.worker.run_until_idle()
        await app.runs.cancel(run_id, TENANT, PAT, "enough")
        down[0] = False
        clock.advance(60)
        await app.worker.run_until_idle()
        assert await open_runs(app) == []
        await check_invariants(app, run_id)
        assert made == []


async def test_an_agent_that_swallows_every_exception_still_waits_for_its_child() -> None:
    """What stopped a call stops the run, whatever its agent suppressed: it ends after its child."""
    made: list[str] = []
    worker, _ = family(made)

    @agent(name="rude", delegates=[worker])
    async def rude(given: Any, memory: Any, context: RunContext) -> str:
        """Delegate, and go home."""
        with contextlib.suppress(BaseException):
            await context.delegate("worker", "wipe")
        return "done"

    async with app_for_tests(worker, rude, replies=[*replies()[1:], "wiped it"]) as app:
        run_id = await app.runs.submit(task("rude"))
        await app.worker.run_until_idle()
        assert run_id in await open_runs(app), "ended before its child"
        (waiting,) = (await app.approvals.list(TENANT)).items
        await app.approvals.decide(waiting["approval_id"], TENANT, PAT, "approve")
        await app.worker.run_until_idle()
        assert await open_runs(app) == []
        checked = await check_invariants(app, run_id)
        assert checked.run.finished is not None
        assert made == ["a"]


async def test_cancelled_at_any_moment_and_with_a_failing_store_no_orphan_stays(
    request: pytest.FixtureRequest,
) -> None:
    """Cancel after any number of worker turns while store calls fail: everything ends, doubts are told, nothing doubles."""
    for seed in range(1000 if request.config.getoption("--nightly") else 50):
        await _cancelled_somewhere(random.Random(seed))


async def _cancelled_somewhere(chance: random.Random) -> None:
    clock, ledger = FakeClock(), Ledger()
    trouble = at_random(chance, 0.1)
    quiet = [False]
    store: Any = Troubled(MemoryStore(clock), lambda verb: "" if quiet[0] else trouble(verb))
    charger = ledger.agent(6)
    when = chance.randrange(6)
    stop: list[Any] = []
    ledger.before = lambda ref: stop.append(ref)

    @agent(name="lead", delegates=[charger])
    async def lead(given: Any, memory: Any, context: RunContext) -> Any:
        """Delegate."""
        return (await context.delegate("charger", "go")).result_payload

    async with app_for_tests(lead, charger, store=store, clock=clock) as app:
        run_id = await persist(lambda: app.runs.submit(task("lead")))
        for _ in range(when):
            await persist(lambda: app.engine.advance(run_id))
            for child in await _children(app, run_id):
                await persist(lambda child=child: app.engine.advance(child))
        await persist(lambda: app.runs.cancel(run_id, TENANT, PAT, "enough"))
        quiet[0] = True
        for _ in range(40):
            clock.advance(60)
            await app.worker.run_until_idle()
            for child in await _children(app, run_id):
                await answer(app, child, ledger)
        assert await open_runs(app) == []
        await check_invariants(app, run_id, ledger.entries)
        for child in await _children(app, run_id):
            await check_invariants(app, child, ledger.entries)
    refs = [e["ref"] for e in ledger.entries]
    assert len(refs) == len(set(refs))


async def _children(app: Any, run_id: str) -> list[str]:
    run, _ = await persist(lambda: loading.load(app.store, run_id))
    return [s.child_run for s in run.steps.values() if s.child_run]
