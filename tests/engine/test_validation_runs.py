"""The run log: written once, found by table, rule and time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace
from tests.engine.validation_world import World, a_run, world  # noqa: F401

from remit.core.errors import InputError, NotFoundError
from remit.core.validation import ValidationRun
from remit.engine.validation_runs import RUNS


async def test_a_run_is_recorded_once(world: World) -> None:  # noqa: F811
    """A second record under the same id changes nothing, also when several come at once."""
    log = world.app.validation_runs
    told = await asyncio.gather(
        *(log.record("local", a_run("r1", s, at=5)) for s in ("PASSED", "FAILED", "ERROR"))
    )
    assert sorted(told) == [False, False, True]
    first = await log.get("local", "r1")
    assert not await log.record("local", replace(first, status="ERROR"))
    assert await log.get("local", "r1") == first


async def test_an_item_holds_the_fields_of_a_run_and_its_tenant(world: World) -> None:  # noqa: F811
    """V6, and `tenant_id`."""
    await world.app.validation_runs.record("acme", a_run("r1", at=5))
    item = await world.app.store.get(RUNS, ("acme/r1",))
    assert set(item or {}) == {*ValidationRun.__struct_fields__, "tenant_id"}


async def test_runs_are_listed_newest_first_by_table_and_by_rule(world: World) -> None:  # noqa: F811
    """Paged, bounded by time, and of one tenant."""
    log = world.app.validation_runs
    for i in range(7):
        await log.record("local", a_run(f"r{i}", at=100 + i, config=f"c{i % 2}"))
    await log.record("local", a_run("other", at=50, table="items", config="c9"))
    await log.record("acme", a_run("r1", at=200))

    async def ids(**asked: Any) -> list[str]:
        return [r.run_id for r in (await log.list("local", **asked)).items]

    assert await ids(table_id="orders", limit=3) == ["r6", "r5", "r4"]
    first = await log.list("local", table_id="orders", limit=5)
    rest = await log.list("local", table_id="orders", limit=5, cursor=first.cursor)
    assert [r.run_id for r in rest.items] == ["r1", "r0"]
    assert await ids(config_id="c1") == ["r5", "r3", "r1"]
    assert await ids(table_id="orders", since=102, until=104) == ["r4", "r3", "r2"]
    assert (await ids())[-1] == "other"
    assert len(await ids()) == 8
    last = await log.last("local", "c1")
    assert last is not None
    assert last.run_id == "r5"
    with pytest.raises(InputError, match="not by both"):
        await ids(table_id="orders", config_id="c1")
    with pytest.raises(NotFoundError):
        await log.get("zeta", "r1")


@pytest.mark.parametrize(
    "broken",
    [
        a_run("a/b", at=5),
        a_run("", at=5),
        a_run("r", at=0),
        a_run("r", at=5, table="a/b"),
        a_run("r", at=5, config=""),
        replace(a_run("r", at=5), version=0),
        replace(a_run("r", at=5), details={"x": "x" * 300_000}),
    ],
)
async def test_what_is_no_run_is_not_recorded(broken: ValidationRun, world: World) -> None:  # noqa: F811
    """An id cannot reach into another tenant; a run is of a version and at a time; details are bounded."""
    with pytest.raises(InputError):
        await world.app.validation_runs.record("local", broken)
    assert (await world.app.validation_runs.list("local")).items == []
