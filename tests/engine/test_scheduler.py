"""The scheduler: one run a slot, whoever looks and whatever restarts."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from remit.adapters.store.memory import MemoryStore
from remit.adapters.store.sqlite import SqliteStore
from remit.bootstrap import App
from remit.core.errors import DeniedError, InputError, NotFoundError, StoreError
from remit.core.task import Actor, Task
from remit.engine.schedules import ScheduleSpec, validation_schedule_id
from remit.ports.store import Store
from remit.sdk import Memory, RunContext, agent, tool
from remit.testing import BOSS, FakeClock, app_for_tests

DSN = os.environ.get("REMIT_TEST_POSTGRES", "")
PROGRAM = Path(__file__).with_name("ticking.py")
HOUR_S, MINUTE_S = 3600, 60
ANA = Actor("ana")
STORES = ["memory", "sqlite", pytest.param("postgres", marks=[pytest.mark.service])]


async def act(input: Any, memory: Memory, context: RunContext) -> Any:
    """Say what one was given."""
    return input


echo = agent(act, name="echo", description="Says what it was given.")


@tool(risk="L3")
def pay() -> str:
    """Pay."""
    return "paid"


@agent(tools=[pay])
async def payer(input: Any, memory: Memory, context: RunContext) -> Any:
    """Pays, when somebody lets it."""
    return await context.call("pay")


def open_store(kind: str, home: Path, clock: Any) -> Store:
    if kind == "memory":
        return MemoryStore(clock)
    if kind == "sqlite":
        return SqliteStore(home / "remit.db", clock)
    if not DSN:
        pytest.skip("REMIT_TEST_POSTGRES names no PostgreSQL to test with")
    from remit.adapters.store.postgres import PostgresStore

    return PostgresStore(DSN, clock, schema=f"scheduler_{secrets.token_hex(5)}")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=STORES)
async def app(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> AsyncIterator[App]:
    """An app with the agent `echo`."""
    store = open_store(request.param, tmp_path, clock)
    async with app_for_tests(echo, store=store, clock=clock, home=tmp_path) as made:
        yield made


@pytest.fixture
async def plain(tmp_path: Path, clock: FakeClock) -> AsyncIterator[App]:
    """An app in memory."""
    async with app_for_tests(echo, clock=clock, home=tmp_path) as made:
        yield made


async def runs_of(app: App, tenant: str = "local") -> list[Task]:
    """The tasks of all runs, oldest first."""
    page = await app.runs.list(tenant, limit=1000)
    return [(await app.runs.view(item["run_id"], tenant)).task for item in reversed(page.items)]


def slots(tasks: list[Task]) -> list[int]:
    """The slots that tasks stand for."""
    return [int(task.task_id.rpartition(":")[2]) for task in tasks]


def hourly(**fields: Any) -> ScheduleSpec:
    return ScheduleSpec("hourly", "echo", **fields)


async def test_a_slot_is_started_when_it_comes_and_once(app: App, clock: FakeClock) -> None:
    """Nothing is started before the slot; at it one run is, and looking again starts no other."""
    entry = await app.schedules.put("local", "nightly", hourly(input={"n": 1}, objective="look"), actor=ANA)
    assert await app.scheduler.tick() == 0
    clock.advance((entry.next_ts - clock.now()) / 1000 - 0.001)
    assert await app.scheduler.tick() == 0
    clock.advance(0.001)
    assert await app.scheduler.tick() == 1
    assert await app.scheduler.tick() == 0
    clock.advance(HOUR_S - 1)
    assert await app.scheduler.tick() == 0
    clock.advance(1)
    assert await app.scheduler.tick() == 1
    tasks = await runs_of(app)
    assert slots(tasks) == [entry.next_ts, entry.next_ts + 3_600_000]
    assert tasks[0].task_id == f"schedule:nightly:{entry.next_ts}"
    assert (tasks[0].input, tasks[0].objective) == ({"n": 1}, "look")
    assert tasks[0].actor_context == Actor("ana", (), "scheduler")
    shown = await app.schedules.get("local", "nightly")
    assert (shown.last_slot, shown.skipped, shown.last_error) == (entry.next_ts + 3_600_000, 0, "")
    assert (await app.runs.view(shown.last_run, "local")).task.task_id == tasks[1].task_id


async def test_many_look_at_once(app: App, clock: FakeClock) -> None:
    """Several schedulers over one store start each slot once."""
    for i in range(10):
        await app.schedules.put("local", f"s{i}", hourly(), actor=ANA)
    clock.advance(HOUR_S)
    await asyncio.gather(*(app.scheduler.tick() for _ in range(8)))
    assert len(await runs_of(app)) == 10


@pytest.mark.parametrize(
    ("catch_up", "away_s", "started", "skipped"),
    [
        ("latest", 5 * HOUR_S + 10 * MINUTE_S, [5], 4),
        ("all", 5 * HOUR_S + 10 * MINUTE_S, [1, 2, 3, 4, 5], 0),
        ("none", 5 * HOUR_S + 10 * MINUTE_S, [], 5),
        ("none", 5 * HOUR_S + 10, [5], 4),
        ("all", 150 * HOUR_S, list(range(51, 151)), 50),
    ],
)
async def test_what_passed_while_nobody_worked(
    plain: App, clock: FakeClock, catch_up: Any, away_s: int, started: list[int], skipped: int
) -> None:
    """Missed slots are caught up as the schedule says, and the ones that are not are counted."""
    first = (await plain.schedules.put("local", "s", hourly(catch_up=catch_up), actor=ANA)).next_ts
    clock.advance((first - clock.now()) / 1000 - HOUR_S + away_s)
    await plain.scheduler.tick()
    assert sorted(slots(await runs_of(plain))) == [first + (n - 1) * 3_600_000 for n in started]
    entry = await plain.schedules.get("local", "s")
    assert entry.skipped == skipped
    last_skipped = {0: None, 4: first + 3 * 3_600_000, 5: first + 4 * 3_600_000, 50: first + 49 * 3_600_000}
    assert entry.skipped_until == last_skipped[skipped]
    assert entry.next_ts > clock.now()


async def test_a_long_absence_costs_little(plain: App, clock: FakeClock) -> None:
    """A schedule of every minute that was not looked at for a year moves on at once."""
    await plain.schedules.put("local", "s", ScheduleSpec("every minute", "echo"), actor=ANA)
    clock.advance(365 * 24 * HOUR_S)
    assert await asyncio.wait_for(plain.scheduler.tick(), 10) == 1
    assert (await plain.schedules.get("local", "s")).skipped == 10_000


async def test_a_paused_schedule_starts_nothing_and_goes_on_from_now(app: App, clock: FakeClock) -> None:
    """What passes during a pause is not caught up; pausing and resuming twice are harmless."""
    await app.schedules.put("local", "s", hourly(), actor=ANA)
    await app.schedules.pause("local", "s")
    assert (await app.schedules.pause("local", "s")).state == "paused"
    clock.advance(3 * HOUR_S)
    assert await app.scheduler.tick() == 0
    await app.schedules.resume("local", "s")
    assert (await app.schedules.resume("local", "s")).next_ts > clock.now()
    assert await app.scheduler.tick() == 0
    clock.advance(HOUR_S)
    assert await app.scheduler.tick() == 1
    assert (await app.schedules.get("local", "s")).skipped == 0


async def test_a_clock_that_goes_back_starts_no_slot_again(plain: App, clock: FakeClock) -> None:
    """A slot that was started stays so when the wall clock is set back before it."""
    await plain.schedules.put("local", "s", hourly(), actor=ANA)
    clock.advance(HOUR_S)
    assert await plain.scheduler.tick() == 1
    clock.set_back(2 * HOUR_S)
    assert await plain.scheduler.tick() == 0
    await plain.schedules.pause("local", "s")
    await plain.schedules.resume("local", "s")
    clock.advance(2 * HOUR_S)
    assert await plain.scheduler.tick() == 0
    assert len(await runs_of(plain)) == 1


async def test_what_cannot_be_started_is_said_and_holds_nothing_up(plain: App, clock: FakeClock) -> None:
    """A slot whose agent does not exist is passed with its reason; other schedules are started."""
    await plain.schedules.put("local", "a", ScheduleSpec("hourly", "nobody"), actor=ANA)
    await plain.schedules.put("local", "b", hourly(), actor=ANA)
    clock.advance(HOUR_S)
    assert await plain.scheduler.tick() == 1
    entry = await plain.schedules.get("local", "a")
    assert entry.last_error == "[E104] there is no agent `nobody`"
    assert entry.last_slot
    assert entry.last_run == ""
    assert entry.next_ts > clock.now()


async def test_a_schedule_that_cannot_be_moved_is_paused_and_says_why(plain: App, clock: FakeClock) -> None:
    """An expression that is no longer understood pauses its schedule, and no other."""
    broken = await plain.schedules.put("local", "a", hourly(), actor=ANA)
    await plain.schedules.swap(broken, _with(broken, expression="daily Old/Zone"))
    await plain.schedules.put("local", "b", hourly(), actor=ANA)
    clock.advance(HOUR_S)
    assert await plain.scheduler.tick() == 1
    entry = await plain.schedules.get("local", "a")
    assert entry.state == "paused"
    assert "E614" in entry.last_error


def _with(entry: Any, **fields: Any) -> Any:
    from msgspec.structs import replace

    return replace(entry, **fields)


async def test_a_store_that_is_away_loses_no_slot(plain: App, clock: FakeClock) -> None:
    """When a slot's run cannot be written, the slot is started at a later look."""
    await plain.schedules.put("local", "s", hourly(), actor=ANA)
    clock.advance(HOUR_S)
    away, real = plain.store, plain.store.create

    async def fail(*args: Any, **fields: Any) -> None:
        raise StoreError("the store is away")

    away.create = fail  # type: ignore[method-assign]
    with pytest.raises(StoreError):
        await plain.scheduler.tick()
    away.create = real  # type: ignore[method-assign]
    assert await plain.scheduler.tick() == 1
    assert len(await runs_of(plain)) == 1


async def test_nobody_approves_what_their_own_schedule_asks_for(clock: FakeClock) -> None:
    """The run acts for the schedule's author, so it takes somebody else to approve its call."""
    async with app_for_tests(payer, clock=clock) as app:
        author = Actor("ana", ("admin", "approver"))
        await app.schedules.put("local", "s", ScheduleSpec("hourly", "payer"), actor=author)
        clock.advance(HOUR_S)
        assert await app.scheduler.tick() == 1
        await app.worker.run_until_idle()
        (asked,) = (await app.approvals.list("local")).items
        with pytest.raises(DeniedError):
            await app.approvals.decide(asked["approval_id"], "local", author, "approve")
        await app.approvals.decide(asked["approval_id"], "local", BOSS, "approve")


async def test_firing_by_hand_is_beside_the_slots(plain: App, clock: FakeClock) -> None:
    """Started by hand, a schedule gets a run more, also while it is paused, and its slots stay what they are."""
    entry = await plain.schedules.put("local", "s", hourly(), actor=ANA)
    await plain.schedules.pause("local", "s")
    one, two = [await plain.scheduler.fire("local", "s", ANA) for _ in range(2)]
    assert one != two
    assert (await plain.schedules.get("local", "s")).next_ts == entry.next_ts
    with pytest.raises(NotFoundError):
        await plain.scheduler.fire("acme", "s", ANA)


async def test_changing_a_schedule(app: App, clock: FakeClock) -> None:
    """A change of its times counts from now; any other leaves the next slot and the pause as they are."""
    first = await app.schedules.put("local", "s", hourly(), actor=ANA)
    await app.schedules.pause("local", "s")
    clock.advance(MINUTE_S)
    changed = await app.schedules.put("local", "s", hourly(input=[1], objective="x"), actor=ANA)
    assert (changed.next_ts, changed.state, changed.input) == (first.next_ts, "paused", [1])
    moved = await app.schedules.put("local", "s", ScheduleSpec("every 15 minutes", "echo"), actor=ANA)
    assert clock.now() < moved.next_ts <= clock.now() + 900_000
    assert moved.created_at == first.created_at


async def test_what_is_no_schedule_is_refused(plain: App) -> None:
    """An expression or an id that cannot be is refused before anything is written."""
    for schedule_id, spec in (("a/b", hourly()), ("", hourly()), ("ok", ScheduleSpec("never", "echo"))):
        with pytest.raises(InputError):
            await plain.schedules.put("local", schedule_id, spec, actor=ANA)
    assert (await plain.schedules.list("local")).items == []


async def test_tenants_are_apart(app: App, clock: FakeClock) -> None:
    """A tenant sees, changes and starts its own schedules only; each run is of the schedule's tenant."""
    await app.schedules.put("acme", "s", hourly(), actor=ANA)
    await app.schedules.put("beta", "s", hourly(), actor=ANA)
    await app.schedules.remove("acme", "s")
    with pytest.raises(NotFoundError):
        await app.schedules.get("acme", "s")
    clock.advance(HOUR_S)
    assert await app.scheduler.tick() == 1
    assert [t.tenant_id for t in await runs_of(app, "beta")] == ["beta"]
    assert (await app.schedules.list("acme")).items == []


async def test_listing_is_paged(app: App) -> None:
    """Schedules are listed by id, a page at a time."""
    for i in range(5):
        await app.schedules.put("local", f"s{i}", hourly(), actor=ANA)
    one = await app.schedules.list("local", limit=3)
    two = await app.schedules.list("local", limit=3, cursor=one.cursor)
    assert [e.schedule_id for e in [*one.items, *two.items]] == [f"s{i}" for i in range(5)]
    assert two.cursor is None


async def test_serving_starts_slots_as_they_come_and_ends_when_told(plain: App, clock: FakeClock) -> None:
    """The loop wakes for the next slot and ends as soon as it is told to."""
    await plain.schedules.put("local", "s", hourly(), actor=ANA)
    stop = asyncio.Event()
    serving = asyncio.create_task(plain.scheduler.serve(stop))
    async with asyncio.timeout(20):
        while len(await runs_of(plain)) < 2:
            clock.advance(MINUTE_S)
            await asyncio.sleep(0)
        stop.set()
        await serving


# schedules of rules


async def write_rule(app: App, expression: str = "daily at 06:30", table: str = "orders") -> str:
    """What a rule does when it becomes active; the schedule's id."""
    await app.store.transact(await app.schedules.writes("local", table, expression))
    return validation_schedule_id(table, expression)


async def test_rules_of_a_table_share_a_schedule(app: App, clock: FakeClock) -> None:
    """Writing rules with one expression, also at once, makes one schedule, which a later rule does not reset."""
    await asyncio.gather(*(write_rule(app) for _ in range(5)))
    (entry,) = (await app.schedules.list("local")).items
    assert entry.schedule_id == "validation/orders/daily at 06:30"
    assert (entry.kind, entry.agent, entry.policy_profile) == ("validation", "validate", "validation")
    await app.schedules.pause("local", entry.schedule_id)
    clock.advance(HOUR_S)
    await write_rule(app)
    again = await app.schedules.get("local", entry.schedule_id)
    assert (again.state, again.next_ts, again.wanted) == ("paused", entry.next_ts, 6)
    with pytest.raises(InputError, match="belongs to the rules"):
        await app.schedules.remove("local", entry.schedule_id)


async def test_a_schedule_no_rule_wants_goes_at_its_next_slot(app: App, clock: FakeClock) -> None:
    """Without an enabled rule a validation schedule starts nothing and is gone afterwards."""
    schedule_id = await write_rule(app, "hourly")
    clock.advance(HOUR_S)
    assert await app.scheduler.tick() == 0
    with pytest.raises(NotFoundError):
        await app.schedules.get("local", schedule_id)


async def test_a_rule_that_comes_while_its_schedule_goes_keeps_it(app: App, clock: FakeClock) -> None:
    """A removal that was decided before a rule asked for the schedule does not take place."""
    schedule_id = await write_rule(app, "hourly")
    seen = await app.schedules.get("local", schedule_id)
    await write_rule(app, "hourly")
    assert not await app.schedules.swap(seen, None)
    assert (await app.schedules.get("local", schedule_id)).wanted == 2


# processes


async def process(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, str(PROGRAM), *arguments, stdout=asyncio.subprocess.PIPE
    )


async def answer(child: asyncio.subprocess.Process) -> dict[str, Any]:
    out, _ = await asyncio.wait_for(child.communicate(), 60)
    assert child.returncode == 0
    answered: dict[str, Any] = json.loads(out)
    return answered


def address(kind: str, home: Path) -> tuple[str, str]:
    if kind == "sqlite":
        return f"sqlite:///{home}/remit.db", ""
    if not DSN:
        pytest.skip("REMIT_TEST_POSTGRES names no PostgreSQL to test with")
    return DSN, f"ticking_{secrets.token_hex(5)}"


PROCESSES = ["sqlite", pytest.param("postgres", marks=[pytest.mark.service])]


@pytest.mark.slow
@pytest.mark.parametrize("kind", PROCESSES)
async def test_several_processes_start_each_slot_once(kind: str, tmp_path: Path) -> None:
    """Four processes that look at the same store over the same hours start one run a slot."""
    url, schema = address(kind, tmp_path)
    made = await answer(await process(url, schema, "add", "5"))
    children = [await process(url, schema, "tick", "6") for _ in range(4)]
    await asyncio.gather(*(answer(child) for child in children))
    shown = await answer(await process(url, schema, "show", ""))
    assert sorted(shown["tasks"]) == sorted(
        f"schedule:s{i}:{made['first'] + hour * 3_600_000}" for i in range(5) for hour in range(6)
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", PROCESSES)
@pytest.mark.parametrize(
    "point",
    [
        "before:schedule:submit",
        "before:create",
        "after:create",
        "after:schedule:submit",
        "after:schedule:advance",
    ],
)
async def test_killed_at_any_point_a_slot_is_started_once(kind: str, point: str, tmp_path: Path) -> None:
    """A scheduler killed on either side of the submission starts the slot once, not twice and not never."""
    url, schema = address(kind, tmp_path)
    made = await answer(await process(url, schema, "add", "1"))
    victim = await process(url, schema, "tick", "1", point)
    await asyncio.wait_for(victim.communicate(), 60)
    assert victim.returncode == -signal.SIGKILL
    await answer(await process(url, schema, "tick", "1"))
    shown = await answer(await process(url, schema, "show", ""))
    assert shown["tasks"] == [f"schedule:s0:{made['first']}"]
    assert shown["next"] == [made["first"] + 3_600_000]
