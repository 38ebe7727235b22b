"""Tables, types and rules applied from documents: idempotent, all mistakes at once, in the order they need each other."""

from __future__ import annotations

from typing import Any

import pytest
from tests.engine.validation_world import ANA, COUNTS, World, names, world  # noqa: F401

from remit.core.errors import ConflictError, InputError
from remit.engine.applying import Document

TABLES = [
    Document("table", "orders", {"location": "o.parquet", "owner": "ana"}),
    Document("table", "items", {"location": "s3://b/items.csv", "schedule": "hourly"}),
]
OWN = Document("validation_type", "own", {"description": "Ours.", "agent": "counting", "parameters": COUNTS})


def a_rule(name: str, **spec: Any) -> Document:
    given = {"table_id": "orders", "validation_type": "own", "parameters": {"source_table": "items"}, **spec}
    return Document("table_validation", name, given, where=f"{name}.yaml:1")


async def applied(world: World, documents: list[Document], **more: Any) -> dict[str, str]:  # noqa: F811
    planned = await world.app.applying.plan("acme", documents, **more)
    steps = await world.app.applying.carry_out("acme", planned, actor=ANA)
    return {f"{s.kind}/{s.name}": s.verdict for s in steps}


async def test_one_command_loads_everything_and_a_second_changes_nothing(world: World) -> None:  # noqa: F811
    """V10: whatever the order of the documents, tables and types come before the rules that need them."""
    documents = [a_rule("c1"), a_rule("c2", schedule="daily"), OWN, *TABLES]
    first = await applied(world, documents)
    assert set(first.values()) == {"create"}
    assert len(first) == 5
    assert set((await applied(world, documents)).values()) == {"unchanged"}
    assert names((await world.app.validations.list("acme")).items) == ["c1", "c2"]
    assert names((await world.app.validations.due("acme", "daily")).items) == ["c2"]
    assert (await world.app.tables.get("acme", "items")).source == "s3"
    assert await world.app.tables.all("local") == []


async def test_what_is_exported_applies_back_to_no_change(world: World) -> None:  # noqa: F811
    """Tables, own types and rules, but no built-in type."""
    await applied(world, [*TABLES, OWN, a_rule("c1")])
    exported = await world.app.applying.export("acme")
    assert [d.key for d in exported] == [
        ("table", "items"),
        ("table", "orders"),
        ("validation_type", "own"),
        ("table_validation", "c1"),
    ]
    assert set((await applied(world, exported)).values()) == {"unchanged"}


async def test_every_mistake_of_every_document_is_said_and_nothing_is_written(world: World) -> None:  # noqa: F811
    """References among the documents count as there; what is missing is named by file."""
    documents = [
        *TABLES,
        OWN,
        a_rule("no-table", table_id="gone"),
        a_rule("no-type", validation_type="none"),
        a_rule("no-source", parameters={"source_table": "nowhere", "threshold_percent": -1}),
        a_rule("no-time", schedule="at some point"),
    ]
    with pytest.raises(InputError) as error:
        await applied(world, documents)
    said = error.value.message.splitlines()
    assert [line.partition(".yaml")[0] for line in said] == [
        "no-table",
        "no-type",
        "no-source",
        "no-source",
        "no-time",
    ]
    assert await world.app.tables.all("acme") == []


async def test_pruning_takes_away_what_came_from_files_and_is_in_them_no_more(world: World) -> None:  # noqa: F811
    """Dependants go first; what a person registered by hand stays; what a rule still needs is refused."""
    await applied(world, [*TABLES, OWN, a_rule("c1"), a_rule("c2")])
    await world.tables("by_hand", tenant="acme")
    pruned = await applied(world, [*TABLES, OWN, a_rule("c2")], prune=True)
    assert {k: v for k, v in pruned.items() if v != "unchanged"} == {"table_validation/c1": "archive"}
    with pytest.raises(ConflictError, match="`c2`"):
        await applied(world, [TABLES[0], OWN], prune=True)
    alone = Document(
        "table_validation",
        "c3",
        {"table_id": "orders", "validation_type": "row_counts", "parameters": {"source_table": "orders"}},
    )
    gone = await applied(world, [TABLES[0], alone], prune=True)
    assert {k for k, v in gone.items() if v == "archive"} == {"table/items", "table_validation/c2"}
    assert names(await world.app.tables.all("acme")) == ["by_hand", "orders"]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (Document("table", "orders", {"location": "x", "table_id": "other"}), "names another `table_id`"),
        (Document("table", "orders", {"location": "x"}, enabled=False), "set `active`"),
        (Document("table", "orders", {"location": "x", "colour": "red"}), "colour"),
        (Document("table", "orders", {}), "location"),
        (Document("validation_type", "own", {**OWN.spec, "agent": "nobody"}), "`nobody`"),
        (Document("validation_type", "own", OWN.spec, enabled=True), "leave it out"),
        (Document("table_validation", "c1", {"table_id": "orders"}), "validation_type"),
    ],
)
async def test_a_document_that_says_nonsense_is_refused(document, said, world: World) -> None:  # noqa: F811
    """By name of the field."""
    with pytest.raises(InputError, match=said):
        await applied(world, [document])
