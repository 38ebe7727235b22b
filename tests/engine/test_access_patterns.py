"""V7: every question about tables, rules and runs is answered from a key or an index, as the databases themselves say."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from tests.engine.validation_world import DSN, World, a_run, rule, world  # noqa: F401

from remit.adapters.store import _sql
from remit.adapters.store.paging import plan
from remit.core.task import Actor
from remit.engine import controlplane
from remit.engine.tables import TABLES
from remit.engine.validation_runs import RUNS
from remit.engine.validations import VALIDATIONS

QUESTIONS: dict[str, tuple[str, str, tuple[Any, ...], dict[str, Any]]] = {
    "validations due today": (VALIDATIONS, "by_schedule", ("local/daily",), {}),
    "tables whose rules are due today": (TABLES, "by_schedule", ("local/daily",), {}),
    "last 10 runs of a table": (RUNS, "by_table", ("orders",), {"descending": True, "limit": 10}),
    "runs of a table since a day": (RUNS, "by_table", ("orders",), {"descending": True, "lower": 5}),
    "last run of a rule": (RUNS, "by_config", ("c1",), {"descending": True, "limit": 1}),
    "active validations of a table": (VALIDATIONS, "by_table", ("orders", "active"), {}),
    "active validations of a tenant": (VALIDATIONS, "by_tenant", ("local", "active"), {}),
    "history of a config": (VALIDATIONS, "", ("c1",), {"descending": True}),
    "tables of a tenant": (TABLES, "by_tenant", ("local",), {}),
    "tables of an owner": (TABLES, "by_owner", ("local", "ana"), {}),
}

COLLECTIONS = {collection.name: collection for collection in controlplane.COLLECTIONS}


async def filled(world: World) -> None:  # noqa: F811
    """Enough rows that a database would rather use an index."""
    await world.tables("orders", owner="ana", schedule="daily")
    await world.app.validations.create("local", "c1", rule(schedule="daily"), actor=Actor("ana"), reason="r")
    for i in range(30):
        await world.app.validation_runs.record("local", a_run(f"r{i}", at=1 + i))


def statement(question: str, mark: str) -> tuple[str, list[Any]]:
    """The SELECT that the stores send."""
    name, index, equals, more = QUESTIONS[question]
    query = plan(COLLECTIONS[name], index, equals, **more)
    return _sql.select(query, COLLECTIONS[name], _sql.table(name), mark, lambda value: value)


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("world", ["sqlite"], indirect=True)
async def test_sqlite_searches_an_index(question: str, world: World, tmp_path: Path) -> None:  # noqa: F811
    """SEARCH, never SCAN, and no sorting after it."""
    await filled(world)
    text, values = statement(question, "?")
    with sqlite3.connect(tmp_path / "r.db") as db:
        said = [row[-1] for row in db.execute(f"EXPLAIN QUERY PLAN {text}", values)]
    assert len(said) == 1
    assert said[0].startswith("SEARCH")


@pytest.mark.service
@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("world", ["postgres"], indirect=True)
async def test_postgres_has_an_index_for_it(question: str, world: World) -> None:  # noqa: F811
    """With sequential scans and sorts made expensive, neither is left in the plan."""
    import psycopg

    from remit.adapters.store.postgres.records import sortable

    await filled(world)
    text, values = statement(question, "%s")
    bound = [sortable(value) for value in values]
    with psycopg.connect(DSN) as db:
        db.execute(f"SET search_path = {world.schema}; SET enable_seqscan = off; SET enable_sort = off")
        said = "\n".join(row[0] for row in db.execute(f"EXPLAIN {text}", bound))
    assert "Index" in said
    assert "Seq Scan" not in said
    assert "Sort" not in said
