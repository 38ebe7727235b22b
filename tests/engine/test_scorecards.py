"""Scorecards over the run log: tables, owners, a window of days."""

from __future__ import annotations

import pytest
from tests.engine.validation_world import ANA, World, a_run, rule, world  # noqa: F401

from remit.core.errors import InputError, NotFoundError
from remit.core.scorecard import DAY_MS


async def test_owners_sum_up_their_tables(world: World) -> None:  # noqa: F811
    """Every active table has a line, and every owner; rules that no longer hold are not failing."""
    await world.tables("orders", "items", owner="ana")
    await world.tables("logs", owner="bob")
    await world.tables("old", owner="bob", active=False)
    now, log = world.clock.now(), world.app.validation_runs
    for config, table in (("c1", "orders"), ("c2", "items"), ("off", "items")):
        await world.app.validations.create(
            "local", config, rule(table), actor=ANA, enabled=config != "off", reason="r"
        )
    await log.record("local", a_run("r1", "PASSED", at=now - DAY_MS, config="c1"))
    await log.record("local", a_run("r2", "FAILED", at=now, config="c1"))
    await log.record("local", a_run("r3", "PASSED", at=now, config="c2", table="items"))
    await log.record("local", a_run("r4", "ERROR", at=now, config="off", table="items"))
    await log.record("acme", a_run("r1", "ERROR", at=now))

    card = await world.app.scorecards.all("local")
    assert [(s.subject, s.runs, s.pass_rate, s.failing) for s in card.tables] == [
        ("items", 2, 50.0, ()),
        ("logs", 0, None, ()),
        ("orders", 2, 50.0, ("c1",)),
    ]
    assert [(s.subject, s.runs, s.passed, s.errors, s.failing) for s in card.owners] == [
        ("ana", 4, 2, 1, ("c1",)),
        ("bob", 0, 0, 0, ()),
    ]
    ana = await world.app.scorecards.owner("local", "ana")
    assert [s.subject for s in (*ana.tables, *ana.owners)] == ["items", "orders", "ana"]
    only = await world.app.scorecards.table("local", "orders")
    assert [s.subject for s in (*only.tables, *only.owners)] == ["orders"]


async def test_only_the_last_days_count(world: World) -> None:  # noqa: F811
    """A run from before the window is not in it."""
    await world.tables("orders")
    now = world.clock.now()
    for i, days in enumerate((0, 3, 40)):
        await world.app.validation_runs.record("local", a_run(f"r{i}", at=now - days * DAY_MS))
    counted = [
        (await world.app.scorecards.table("local", "orders", days=d)).tables[0].runs for d in (1, 7, 30, 60)
    ]
    assert counted == [1, 2, 2, 3]


async def test_a_scorecard_of_nothing_is_refused(world: World) -> None:  # noqa: F811
    """An unknown table or owner, or a window that is none."""
    for days in (0, 367):
        with pytest.raises(InputError, match="days"):
            await world.app.scorecards.all("local", days=days)
    with pytest.raises(NotFoundError):
        await world.app.scorecards.table("local", "orders")
    with pytest.raises(NotFoundError):
        await world.app.scorecards.owner("local", "ana")
