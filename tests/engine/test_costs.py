"""What runs cost is kept in a roll-up: each run that ended counts once, whatever is killed, repeated or done at the same time."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from tests.engine.any_store import clock, local_store  # noqa: F401

from remit import Agent, agent, tool
from remit.bootstrap import App
from remit.core.errors import ConditionError, InputError, StoreError
from remit.core.message import Message
from remit.core.pricing import Price
from remit.engine import costs as module
from remit.engine.costs import COST, Costs, entry
from remit.ports.model import ModelReply, ModelRequest, OnDelta
from remit.ports.store import Put, Store
from remit.testing import BOSS, FakeClock, ScriptedModel, app_for_tests, call, task

PRICE = Price(Decimal(1), Decimal(1))
"""A millionth of a dollar for a token."""

CALL = Decimal("0.00001")
"""What one answer of `Costly` costs."""

HOUR = 3_600_000


class Costly(ScriptedModel):
    """A model that uses ten tokens for every answer."""

    async def ask(self, request: ModelRequest, on_delta: OnDelta | None = None) -> ModelReply:
        reply = await super().ask(request, on_delta)
        return ModelReply(reply.message, reply.stop_reason, module.Usage(output_tokens=10))


@tool
def look() -> str:
    """Look."""
    return "seen"


looker = Agent("looker", instructions="Look.", tools=[look])
leader = Agent("leader", instructions="Lead.", delegates=[looker])


@agent
async def broken(input: Any, memory: Any, context: Any) -> None:
    """Asks, and fails."""
    await context.ask("what now?")
    raise ValueError("no")


def app_with(*replies: Message | str, store: Store | str = "memory:", at: FakeClock | None = None) -> App:
    """An app whose model costs money."""
    model = Costly(replies or ("done",), cycle=True)
    return app_for_tests(looker, leader, broken, model=model, price=PRICE, store=store, clock=at)


async def lines(app: App, by: Any, tenant: str = "local", **when: str) -> dict[str, tuple[Decimal, int]]:
    """Cost and number of runs of each line."""
    report = await app.cost_reports.report(tenant, by, **when)
    return {line.name: (line.cost_usd, line.runs) for line in report.lines if line.runs}


async def test_a_run_counts_for_its_agent_its_model_its_day_and_its_tenant(
    local_store: Store,  # noqa: F811
    clock: FakeClock,  # noqa: F811
) -> None:
    """Children count for themselves, so that the lines add up to what the whole cost."""
    replies = [call("delegate_to_looker", objective="x"), call("look"), "child", "parent"]
    async with app_with(*replies, store=local_store, at=clock) as app:
        result = await app.run(task(leader))
        assert result.cost_usage.cost_usd == 4 * CALL
        assert await lines(app, "agent") == {"leader": (2 * CALL, 1), "looker": (2 * CALL, 1)}
        assert await lines(app, "model") == {"scripted": (4 * CALL, 2)}
        assert await lines(app, "tenant") == {"local": (4 * CALL, 2)}
        report = await app.cost_reports.report("local", "day")
        assert [line.runs for line in report.lines] == [0] * 29 + [2]
        assert (report.total.cost_usd, report.total.tool_calls, report.total.model_calls) == (4 * CALL, 1, 4)
        assert (report.waiting, report.filling) == (0, False)
        assert await lines(app, "agent", "other") == {}


async def test_a_run_that_failed_counts_what_it_used() -> None:
    """And is counted among those that failed."""
    async with app_with() as app:
        await app.run(task(broken))
        (line,) = (await app.cost_reports.report("local", "agent")).lines
        assert (line.cost_usd, line.runs, line.failed) == (CALL, 1, 1)


async def test_what_waited_for_a_person_counts_when_it_ends() -> None:
    """Not before, and once however often it was taken up."""

    @tool(risk="L3")
    def launch() -> str:
        """Privileged."""
        return "launched"

    pilot = Agent("pilot", instructions="Fly.", tools=[launch])
    model = Costly([call("launch"), "done"])
    async with app_for_tests(pilot, model=model, price=PRICE) as app:
        result = await app.run(task(pilot))
        assert await lines(app, "agent") == {}
        (asked,) = (await app.approvals.list("local")).items
        await app.approvals.decide(asked["approval_id"], "local", BOSS, "approve")
        await app.worker.run_until_idle()
        assert await lines(app, "agent") == {"pilot": (2 * CALL, 1)}
        row = await app.store.get("agent_run", (result.run_id,))
        assert row is not None
        assert row["counted"] is True


async def ended(app: App, count: int, tenant: str = "local") -> None:
    """So many runs that ended."""
    for n in range(count):
        await app.runs.submit(task(looker, f"{tenant}-{n}", tenant_id=tenant))
    await app.worker.run_until_idle()


async def test_many_fold_at_once_and_every_run_counts_once(
    local_store: Store,  # noqa: F811
    clock: FakeClock,  # noqa: F811
) -> None:
    """Several workers fold the same entries: of each portion one wins, and nothing is lost to the others."""
    async with app_with(store=local_store, at=clock) as app:
        await ended(app, 40)
        await ended(app, 10, "zeta")
        assert await app.costs.waiting() == 50
        workers = [Costs(local_store, clock) for _ in range(4)]
        while await app.costs.waiting():
            await asyncio.gather(*(worker.fold() for worker in workers))
        assert await lines(app, "agent") == {"looker": (40 * CALL, 40)}
        assert await lines(app, "tenant") == {"local": (40 * CALL, 40), "zeta": (10 * CALL, 10)}


@pytest.mark.parametrize("lands", [False, True])
async def test_a_fold_that_is_cut_off_counts_nothing_twice(lands: bool) -> None:
    """Killed before the transaction or just after it, before anybody heard: the next fold goes on as if nothing were."""
    async with app_with() as app:
        await ended(app, 5)
        store, transact = app.store, app.store.transact

        async def cut_off(writes: Any) -> None:
            if lands:
                await transact(writes)
            raise StoreError("killed")

        store.transact = cut_off  # type: ignore[method-assign]
        with pytest.raises(StoreError):
            await app.costs.fold()
        store.transact = transact  # type: ignore[method-assign]
        assert await lines(app, "agent") == {"looker": (5 * CALL, 5)}


async def test_an_entry_lands_with_the_end_of_its_run_or_not_at_all() -> None:
    """A worker that dies at the last append leaves neither; the next one writes both, once."""
    ticking = FakeClock()
    async with app_with(at=ticking) as app:
        run_id = await app.runs.submit(task(looker))
        store, append = app.store, app.store.append

        async def dies(*args: Any, **fields: Any) -> int:
            if fields.get("status") == "ended":
                raise asyncio.CancelledError
            return await append(*args, **fields)

        store.append = dies  # type: ignore[method-assign]
        with pytest.raises(asyncio.CancelledError):
            await app.engine.advance(run_id)
        store.append = append  # type: ignore[method-assign]
        assert await app.costs.waiting() == 0
        ticking.advance(60)
        await app.worker.run_until_idle()
        used = (await app.runs.view(run_id, "local")).usage.cost_usd
        assert used > CALL  # the answer that was lost may have been billed
        assert await lines(app, "agent") == {"looker": (used, 1)}


async def before(app: App, count: int) -> None:
    """Runs that ended when no costs were kept."""
    await ended(app, count)
    page = await app.store.query("agent_run", "by_tenant", ("local",), limit=100)
    for row in page.items:
        run, _ = await module.loading.load(app.store, row["run_id"])
        handed = entry(run, row["end_ts"], row["status"]).item
        old = {name: value for name, value in row.items() if name != "counted"}
        key = (handed["part"], handed["slot"], handed["name"])
        await app.store.transact([Put("agent_run", old), module.Delete(COST, key)])
    assert await app.costs.waiting() == 0


async def test_runs_of_before_are_filled_in_once(
    local_store: Store,  # noqa: F811
    clock: FakeClock,  # noqa: F811
) -> None:
    """From their journals, by whoever works; somebody who fills at the same time changes nothing, nor does a second walk."""
    async with app_with(store=local_store, at=clock) as app:
        await before(app, 60)
        assert (await app.cost_reports.report("local", "agent")).filling
        others = [Costs(local_store, clock) for _ in range(3)]
        await asyncio.gather(app.costs.fill(), *(other.fill() for other in others))
        await app.costs.fill()
        report = await app.cost_reports.report("local", "agent")
        assert not report.filling
        assert await lines(app, "agent") == {"looker": (60 * CALL, 60)}
        await app.costs.recount("local")
        await app.sweeper.tick()
        assert await lines(app, "agent") == {"looker": (60 * CALL, 60)}


async def test_tenants_that_have_a_key_are_filled_in_for_the_deployment() -> None:
    """Whoever asks by tenant gets those whose runs all ended before costs were kept, too."""
    async with app_with() as app:
        await before(app, 3)
        await app.keys.create("zeta", "zoe", ("admin",))
        assert await lines(app, "tenant") == {}
        await app.sweeper.tick()
        assert await lines(app, "tenant") == {"local": (3 * CALL, 3)}


async def test_days_are_those_of_the_zone() -> None:
    """One quarter before midnight in Kathmandu is that day there, and in UTC as well; a quarter later it is the next day there."""
    ticking = FakeClock()
    midnight = ticking.now() // module.DAY_MS * module.DAY_MS + int(18.25 * HOUR) + module.DAY_MS
    async with app_with(at=ticking) as app:
        for at in (midnight - 1000, midnight, midnight + 6 * HOUR):
            ticking.advance((at - ticking.now()) / 1000)
            await app.run(task(looker, f"t{at}"))
        kathmandu = await app.cost_reports.report("local", "day", zone="Asia/Kathmandu")
        assert [line.runs for line in kathmandu.lines][-2:] == [1, 2]
        utc = await app.cost_reports.report("local", "day")
        assert [line.runs for line in utc.lines][-2:] == [2, 1]
        last = utc.lines[-1].name
        assert await lines(app, "agent", since=last, until=last) == {"looker": (CALL, 1)}
        assert await lines(app, "agent", since=last, until=last, zone="Asia/Kathmandu") == {
            "looker": (2 * CALL, 2)
        }


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"since": "soon"}, "E1020"),
        ({"zone": "Mars/Olympus"}, "E1020"),
        ({"zone": "../etc/passwd"}, "E1020"),
        ({"since": "2026-03-01", "until": "2026-02-01"}, "E1021"),
        ({"since": "2020-03-01", "until": "2026-02-01"}, "E1021"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
async def test_what_cannot_be_asked_is_refused(asked: dict[str, str], code: str) -> None:
    """With what to ask instead."""
    async with app_with() as app:
        with pytest.raises(InputError) as refused:
            await app.cost_reports.report("local", "agent", **asked)
        assert refused.value.code == code
        assert refused.value.help


async def test_a_run_can_only_hand_in_once() -> None:
    """The entry is keyed by the run and by when it ended: written again it is the same one."""
    async with app_with() as app:
        await ended(app, 1)
        (row,) = (await app.store.query("agent_run", "by_tenant", ("local",))).items
        run, _ = await module.loading.load(app.store, row["run_id"])
        await app.store.transact([entry(run, row["end_ts"], row["status"])])
        assert await app.costs.waiting() == 1
        handed = entry(run, row["end_ts"], row["status"]).item
        gone = module.Delete(COST, (handed["part"], handed["slot"], handed["name"]), {"run_id": run.run_id})
        await app.costs.fold()
        with pytest.raises(ConditionError):
            await app.store.transact([gone])
