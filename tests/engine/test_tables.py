"""The table registry: ids, owners, what a location may hold, and tenants apart."""

from __future__ import annotations

import asyncio

import pytest
from tests.engine.validation_world import WHY, World, a_table, names, world  # noqa: F401

from remit.core.errors import InputError, NotFoundError
from remit.core.validation import Table
from remit.engine.tables import TABLES, described


async def test_a_table_is_registered_once_and_changed_in_place(world: World) -> None:  # noqa: F811
    """Putting it again changes nothing; changing it keeps when it was made."""
    tables, made = world.app.tables, world.clock.now()
    assert await tables.put("local", a_table("orders", owner="ana"), **WHY)
    world.clock.advance(5)
    assert not await tables.put("local", a_table("orders", owner="ana"), **WHY)
    assert await tables.put("local", a_table("orders", owner="bob"), **WHY)
    found = await tables.get("local", "orders")
    assert (found.owner, found.created_at) == ("bob", made)


async def test_an_item_holds_the_fields_of_a_table_and_its_tenant(world: World) -> None:  # noqa: F811
    """V1, and `tenant_id`; `due` only while the table is active and has a schedule."""
    await world.tables("orders", schedule="daily")
    item = await world.app.store.get(TABLES, ("orders",))
    assert item is not None
    assert set(item) == {*Table.__struct_fields__, "tenant_id", "due"}
    await world.tables("orders", schedule="daily", active=False)
    item = await world.app.store.get(TABLES, ("orders",))
    assert item is not None
    assert set(item) == {*Table.__struct_fields__, "tenant_id"}


async def test_tenants_never_see_each_others_tables(world: World) -> None:  # noqa: F811
    """Two tenants name a table alike, and each has its own; no id reaches into another tenant."""
    await world.tables("orders", owner="ana")
    await world.tables("orders", tenant="acme", owner="zoe")
    assert (await world.app.tables.get("local", "orders")).owner == "ana"
    assert (await world.app.tables.get("acme", "orders")).owner == "zoe"
    assert [t.owner for t in await world.app.tables.all("acme")] == ["zoe"]
    with pytest.raises(InputError, match="is no `table_id`"):
        await world.app.tables.get("local", "acme/orders")
    with pytest.raises(NotFoundError):
        await world.app.tables.get("zeta", "orders")


async def test_tables_are_listed_by_owner_and_in_pages(world: World) -> None:  # noqa: F811
    """Every table once, in order of ids; inactive ones are listed and not among `all`."""
    await world.tables("c", "a", owner="ana")
    await world.tables("b", owner="bob")
    await world.tables("d", owner="ana", active=False)
    first = await world.app.tables.list("local", limit=3)
    assert names(first.items) == ["a", "b", "c"]
    rest = await world.app.tables.list("local", limit=3, cursor=first.cursor)
    assert (names(rest.items), rest.cursor) == (["d"], None)
    assert names((await world.app.tables.list("local", owner="ana")).items) == ["a", "c", "d"]
    assert names(await world.app.tables.all("local")) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"location": "postgresql://u:hunter2@db/x"}, "holds a password"),
        ({"location": "postgresql://u@db/x?password=hunter2"}, "holds a password"),
        ({"location": ""}, "must be a path"),
        ({"location": "a\x1b[2Jb"}, "must be a path"),
        ({"location": "http://[::1/x"}, "is no address"),
        ({"source": "Post gres"}, "is no source"),
        ({"format": "xlsx"}, "is no format"),
        ({"schedule": "whenever"}, "schedule"),
    ],
)
async def test_what_is_wrong_with_a_table_is_said_and_nothing_is_written(fields, said, world: World) -> None:  # noqa: F811
    """One sentence for each mistake."""
    with pytest.raises(InputError, match=said):
        await world.tables("orders", **fields)
    assert await world.app.tables.find("local", "orders") is None


async def test_every_mistake_is_said_at_once(world: World) -> None:  # noqa: F811
    """A person corrects a table once."""
    with pytest.raises(InputError) as error:
        await world.tables("orders", source="?", format="?", location="")
    assert error.value.code == "E532"
    for part in ("source", "format", "location"):
        assert part in error.value.message


async def test_a_location_names_secrets_and_holds_none(world: World) -> None:  # noqa: F811
    """`${secret:NAME}` may stand anywhere."""
    for location in (
        "postgresql://${secret:db_user}:${secret:db_password}@db:5432/shop/orders",
        "postgresql://shop:${secret:db_password}@db/shop?sslmode=require",
        "${secret:warehouse_url}",
    ):
        await world.tables("orders", location=location)
        assert (await world.app.tables.get("local", "orders")).location == location


@pytest.mark.parametrize(
    ("location", "source", "format"),
    [
        ("data/orders.parquet", "file", "parquet"),
        ("orders.CSV", "file", "csv"),
        ("s3://bucket/orders.json", "s3", "json"),
        ("postgresql://db/shop.orders", "postgres", "table"),
        ("postgres://db/orders.csv", "postgres", "table"),
        ("mysql+pymysql://db/orders", "mysql", "table"),
        ("sqlite:///shop.db?table=orders", "sqlite", "table"),
    ],
)
def test_source_and_format_are_taken_from_the_location(location: str, source: str, format: str) -> None:
    """A person writes them only where the location does not say."""
    made = described({"table_id": "t", "location": location})
    assert (made.source, made.format) == (source, format)
    assert described({"table_id": "t", "location": location, "format": "json"}).format == "json"


async def test_two_who_change_a_table_at_once_both_get_an_answer(world: World) -> None:  # noqa: F811
    """The last one stands, and the table is never half of each."""
    await world.tables("orders")
    await asyncio.gather(*(world.tables("orders", owner=f"o{i}", location=f"{i}.parquet") for i in range(4)))
    found = await world.app.tables.get("local", "orders")
    assert found.location == f"{found.owner[1:]}.parquet"
