"""Rules: versions, exactly one active; checked against types and tables; found by table, tenant and schedule."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.engine.validation_world import (  # noqa: F401
    ANA,
    BOB,
    WHY,
    Watched,
    World,
    names,
    rule,
    world,
)

from remit.core.errors import ConflictError, InputError, NotFoundError
from remit.core.validation import TableValidation
from remit.engine.tables import Tables, due_key
from remit.engine.validation_runs import ValidationRuns
from remit.engine.validation_types import ValidationTypes
from remit.engine.validations import VALIDATIONS, Rule, Validations
from remit.ports.store import ABSENT, Put
from remit.testing import task


def why(text: str = "because", actor: Any = ANA) -> dict[str, Any]:
    return {"actor": actor, "reason": text}


async def statuses(world: World, config_id: str, tenant: str = "local") -> dict[int, str]:  # noqa: F811
    page = await world.app.validations.history(tenant, config_id)
    return {v.version: v.status for v in reversed(page.items)}


async def test_an_edit_archives_the_version_before_and_a_rollback_brings_it_back(world: World) -> None:  # noqa: F811
    """V4: new is version 1 and active; an edit makes v + 1 active; a rollback an older one; a delete none."""
    await world.tables("orders")
    rules = world.app.validations
    made = await rules.create("local", "c1", rule(threshold_percent=0), comment="first", **why("new"))
    assert (made.version, made.status, made.enabled, made.comment) == (1, "active", True, "first")
    assert (made.change_author, made.change_reason, made.created_at) == ("ana", "new", world.clock.now())
    edited = await rules.edit("local", "c1", rule(threshold_percent=1), **why("looser", BOB))
    assert (edited.version, edited.change_author) == (2, "bob")
    assert await statuses(world, "c1") == {1: "archived", 2: "active"}
    await rules.rollback("local", "c1", 1, **why("too loose"))
    assert await statuses(world, "c1") == {1: "active", 2: "archived"}
    assert (await rules.get("local", "c1")).parameters["threshold_percent"] == 0
    await rules.delete("local", "c1", **why("done"))
    assert await statuses(world, "c1") == {1: "archived", 2: "archived"}
    with pytest.raises(NotFoundError):
        await rules.get("local", "c1")
    assert (await rules.get("local", "c1", 2)).parameters["threshold_percent"] == 1
    assert [c.action for c in await rules.changes("local", "c1")] == ["archive", "rollback", "edit", "create"]


async def test_an_item_holds_the_fields_of_a_rule_and_its_tenant(world: World) -> None:  # noqa: F811
    """V3, and `tenant_id`; `due` only while the version is active, enabled and has a schedule of its own."""
    await world.tables("orders", tenant="acme")
    rules, fields = world.app.validations, {*TableValidation.__struct_fields__, "tenant_id"}

    async def item(version: int) -> dict[str, Any]:
        return await world.app.store.get(VALIDATIONS, ("acme/c1", version)) or {}

    await rules.create("acme", "c1", rule(schedule="daily"), **why())
    assert set(await item(1)) == {*fields, "due"}
    assert ((await item(1))["table_id"], (await item(1))["due"]) == ("acme/orders", "acme/daily")
    await rules.disable("acme", "c1", **why())
    assert set(await item(1)) == fields
    await rules.enable("acme", "c1", **why())
    await rules.edit("acme", "c1", rule(), **why())
    assert set(await item(1)) == set(await item(2)) == fields


async def test_a_draft_changes_nothing_until_it_is_promoted(world: World) -> None:  # noqa: F811
    """A first draft is not active either."""
    await world.tables("orders")
    rules = world.app.validations
    drafted = await rules.draft("local", "c1", rule(), **why())
    assert (drafted.version, drafted.status) == (1, "draft")
    assert names((await rules.list("local")).items) == []
    assert names((await rules.list("local", status="draft")).items) == ["c1"]
    await rules.promote("local", "c1", 1, **why())
    assert names((await rules.list("local")).items) == ["c1"]


async def test_of_two_edits_at_once_one_wins_and_the_other_is_told_by_whom(world: World) -> None:  # noqa: F811
    """Both edited version 1; at the end exactly one version is active."""
    await world.tables("orders")
    rules = world.app.validations
    await rules.create("local", "c1", rule(), **why())
    ended = await asyncio.gather(
        *(
            rules.edit("local", "c1", rule(threshold_percent=i), expect_version=1, **why(actor=actor))
            for i, actor in enumerate([ANA, BOB])
        ),
        return_exceptions=True,
    )
    won = [e for e in ended if isinstance(e, TableValidation)]
    lost = [e for e in ended if isinstance(e, ConflictError)]
    assert (len(won), len(lost)) == (1, 1)
    assert f"`{won[0].change_author}`" in lost[0].message
    assert list((await statuses(world, "c1")).values()).count("active") == 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (Rule("orders", "nothing", {}), ["validation type `nothing`"]),
        (Rule("orders", "row_counts", {}), ["source_table"]),
        (rule("nowhere"), ["table `nowhere`"]),
        (rule(source="nowhere"), ["table `nowhere`"]),
        (rule(source="other/orders"), ["table `other/orders`"]),
        (rule(target_table="gone", threshold_percent=-1), ["table `gone`", "threshold_percent"]),
        (rule(schedule="now and then"), ["schedule"]),
    ],
)
async def test_a_rule_that_could_not_run_is_not_written(wrong, said, world: World) -> None:  # noqa: F811
    """Its type, its tables and its schedule exist, and its parameters fit; every mistake is said at once."""
    await world.tables("orders")
    for verb in (world.app.validations.create, world.app.validations.draft):
        with pytest.raises(InputError) as error:
            await verb("local", "c1", wrong, **why())
        assert error.value.code == "E540"
        assert all(part in error.value.message for part in said)
    with pytest.raises(NotFoundError):
        await world.app.validations.history("local", "c1")


async def test_a_table_of_another_tenant_is_no_table(world: World) -> None:  # noqa: F811
    """A rule names tables of its own tenant only."""
    await world.tables("orders", tenant="acme")
    with pytest.raises(InputError, match="there is no table `orders`"):
        await world.app.validations.create("local", "c1", rule(), **why())


async def test_what_no_longer_fits_cannot_be_brought_back(world: World) -> None:  # noqa: F811
    """A rollback to a rule whose table is gone is refused as a new rule would be."""
    await world.tables("orders", "spare")
    rules = world.app.validations
    await rules.create("local", "c1", rule(source="spare"), **why())
    await rules.edit("local", "c1", rule(), **why())
    await rules.remove_table("local", "spare", **WHY)
    with pytest.raises(InputError, match="there is no table `spare`"):
        await rules.rollback("local", "c1", 1, **why())
    assert await statuses(world, "c1") == {1: "archived", 2: "active"}


async def test_a_table_or_type_that_an_active_rule_needs_stays(world: World) -> None:  # noqa: F811
    """Being named in a parameter is enough; the refusal names the rules."""
    await world.tables("orders", "other")
    rules = world.app.validations
    await rules.create("local", "c1", rule(source="other"), **why())
    for table in ("orders", "other"):
        with pytest.raises(ConflictError, match="`c1`"):
            await rules.remove_table("local", table, **WHY)
    await rules.delete("local", "c1", **why())
    await rules.remove_table("local", "other", **WHY)
    with pytest.raises(NotFoundError):
        await rules.remove_table("local", "other", **WHY)


async def test_what_is_due_is_enabled_and_of_an_active_table(world: World) -> None:  # noqa: F811
    """By the rule's own schedule, else by its table's; of this tenant only."""
    await world.tables("orders", "idle")
    await world.tables("daily", schedule="daily")
    await world.tables("orders", tenant="acme")
    rules = world.app.validations
    await rules.create("local", "own", rule(schedule="daily"), **why())
    await rules.create("local", "off", rule(schedule="daily"), enabled=False, **why())
    await rules.create("local", "hourly", rule(schedule="hourly"), **why())
    await rules.create("local", "inherits", rule("daily"), **why())
    await rules.create("local", "overrides", rule("daily", schedule="weekly"), **why())
    await rules.create("local", "none", rule(), **why())
    await rules.create("local", "sleeps", rule("idle", schedule="daily"), **why())
    await rules.create("acme", "theirs", rule(schedule="daily"), **why())
    await world.tables("idle", active=False)
    assert names((await rules.due("local", "daily")).items) == ["own", "inherits"]
    assert names((await rules.due("acme", "daily")).items) == ["theirs"]
    assert names((await rules.due("local", "  daily ")).items) == ["own", "inherits"]
    await world.tables("daily", schedule="weekly")
    assert names((await rules.due("local", "daily")).items) == ["own"]
    assert names((await rules.due("local", "weekly")).items) == ["overrides", "inherits"]


async def test_every_question_reads_only_what_it_answers(world: World) -> None:  # noqa: F811
    """V7: among many tables, rules and runs, a question reads no more items than its answer has."""
    store = world.app.store
    await world.tables("orders", "bulk")
    rules = world.app.validations
    await rules.create("local", "c1", rule(schedule="daily"), **why())
    await rules.edit("local", "c1", rule(schedule="daily", threshold_percent=1), **why())
    await rules.create("local", "c2", rule(), **why())
    await _bulk(world, 60)

    watched = Watched(store)
    tables = Tables(watched, world.clock, _no_schedule, world.app.registry._redactor, world.app.tables._trail)
    types = ValidationTypes(watched, {}, {}, world.app.registry._redactor, world.app.tables._trail)
    seen = Validations(watched, world.app.registry, tables, types)
    runs = ValidationRuns(watched)

    async def cost(question: Any) -> tuple[int, int]:
        watched.gets.clear()
        watched.queries.clear()
        found = await question
        return len(getattr(found, "items", found)), watched.read()

    assert await cost(seen.due("local", "daily")) == (1, 2)  # the rule and its table
    assert await cost(runs.list("local", table_id="orders", limit=10)) == (10, 10)
    assert await cost(seen.active("local", table_id="orders")) == (2, 2)
    history, _ = await cost(seen.history("local", "c1"))
    assert history == 2
    assert await cost(runs.list("local", config_id="c1", limit=1)) == (1, 1)


async def _no_schedule(tenant_id: str, table_id: str, expression: str) -> list[Any]:
    return []


async def _bulk(world: World, count: int) -> None:  # noqa: F811
    """Items that no question of the test asks for, and runs of `orders`."""
    from tests.engine.validation_world import a_run

    known = await world.app.store.get(VALIDATIONS, ("c2", 1))
    assert known is not None
    await world.app.store.transact(
        [
            Put(VALIDATIONS, {**known, "config_id": f"bulk{i}", "table_id": "bulk"}, ABSENT)
            for i in range(count)
        ]
    )
    for i in range(count):
        await world.app.validation_runs.record(
            "local", a_run(f"b{i}", at=1000 + i, table="bulk", config="bulk1")
        )
        await world.app.validation_runs.record("local", a_run(f"o{i}", at=1000 + i))


async def test_a_tools_platform_is_bound_to_its_tenant(world: World) -> None:  # noqa: F811
    """What a tool writes and reads is of the tenant of its call; a repeated draft or activation changes nothing."""
    await world.tables("orders", tenant="acme")
    assert world.app.kit.platform is not None
    acme, local = (world.app.kit.platform(task("counting", tenant_id=tenant)) for tenant in ("acme", "local"))
    written = {
        "table_id": "orders",
        "validation_type": "row_counts",
        "parameters": {"source_table": "orders"},
    }
    assert [t.table_id for t in await acme.tables()] == ["orders"]
    assert await local.tables() == []
    for _ in range(2):
        assert await acme.draft_validation("c1", written, author="suggester", reason="profiled") == 1
    assert await acme.validations("orders") == []
    for _ in range(2):
        await acme.activate_validation("c1", 1, author="ana", reason="reviewed")
    assert (await acme.validation("c1")).version == 1
    with pytest.raises(NotFoundError):
        await local.validation("c1")
    with pytest.raises(InputError):
        await local.draft_validation("c1", written, author="x", reason="x")
    assert [c.author for c in await world.app.validations.changes("acme", "c1")] == ["ana", "suggester"]


async def test_tenants_whose_names_look_like_schedules_are_apart(world: World) -> None:  # noqa: F811
    """Tenant `a` every five minutes, and tenant `a/*` at minute five, are found under one key and told apart."""
    for tenant, schedule in (("a", "*/5 * * * *"), ("a/*", "5 * * * *")):
        await world.tables("own", tenant=tenant)
        await world.tables("tables", tenant=tenant, schedule=schedule)
        await world.app.validations.create(tenant, "c1", rule("own", schedule=schedule), **why())
        await world.app.validations.create(tenant, "c2", rule("tables"), **why())
    assert due_key("a", "*/5 * * * *") == due_key("a/*", "5 * * * *")
    for tenant, schedule in (("a", "*/5 * * * *"), ("a/*", "5 * * * *")):
        due = await world.app.validations.due(tenant, schedule)
        assert [(r.config_id, r.table_id) for r in due.items] == [("c1", "own"), ("c2", "tables")]


async def test_what_is_due_is_paged_from_the_indexes(world: World) -> None:  # noqa: F811
    """Every rule once, whatever the size of a page; a page never reads much more than it shows; a cursor is checked."""
    rules = world.app.validations
    await world.tables("orders", "idle")
    await world.tables("t1", "t2", "t3", schedule="daily")
    for n in range(5):
        await rules.create("local", f"own{n}", rule(schedule="daily"), **why())
        await rules.create("local", f"a{n}", rule("t1"), **why())
        await rules.create("local", f"b{n}", rule("t3"), enabled=n != 2, **why())
    await rules.create("local", "sleeps", rule("idle", schedule="daily"), **why())
    await world.tables("idle", active=False)
    wanted = [f"own{n}" for n in range(5)] + [f"a{n}" for n in range(5)] + ["b0", "b1", "b3", "b4"]
    for limit in (1, 2, 3, 5, 7, 50):
        found, cursor, pages = [], None, 0
        while True:
            page = await rules.due("local", "daily", limit=limit, cursor=cursor)
            assert len(page.items) <= limit
            found += names(page.items)
            pages, cursor = pages + 1, page.cursor
            if cursor is None:
                break
        assert found == wanted, limit
        assert pages >= len(wanted) / limit
    for bad in ("x", "own.x", "other..", "own.%.", "tables.x.y.z", "tables.W10=."):
        with pytest.raises(InputError):
            await rules.due("local", "daily", cursor=bad)
