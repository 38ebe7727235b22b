"""An app with one validation type over each store, for the tests of tables, rules and their run log."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.engine.registry_stores import open_store

from remit import agent
from remit.bootstrap import App
from remit.core.task import Actor
from remit.core.validation import Table, ValidationRun, ValidationType
from remit.engine.validations import Rule
from remit.ports.store import Page
from remit.testing import FakeClock, app_for_tests

DSN = os.environ.get("REMIT_TEST_POSTGRES", "")
ANA, BOB = Actor("ana"), Actor("bob")
WHY: dict[str, Any] = {"actor": ANA, "reason": "because"}
STORES = [
    "memory",
    "sqlite",
    pytest.param("postgres", marks=pytest.mark.service),
    pytest.param("dynamodb", marks=[pytest.mark.service, pytest.mark.nightly]),
]

COUNTS = {
    "type": "object",
    "properties": {
        "source_table": {"type": "string", "format": "table"},
        "target_table": {"anyOf": [{"type": "string", "format": "table"}, {"type": "null"}]},
        "others": {"type": "array", "items": {"$ref": "#/$defs/named"}},
        "threshold_percent": {"type": "number", "minimum": 0},
    },
    "required": ["source_table"],
    "additionalProperties": False,
    "$defs": {"named": {"type": "object", "properties": {"table": {"type": "string", "format": "table"}}}},
}


@agent
async def counting(input, memory, context):
    """Checks nothing."""
    return


counting.validation_type = ValidationType("row_counts", "Counts agree.", "counting", COUNTS)


class World:
    """An app, its clock and the store beneath it."""

    def __init__(self, app: App, clock: FakeClock, url: str, schema: str) -> None:
        self.app, self.clock, self.url, self.schema = app, clock, url, schema

    async def tables(self, *names: str, tenant: str = "local", **fields: Any) -> None:
        """Register tables."""
        for name in names:
            await self.app.tables.put(tenant, a_table(name, **fields), **WHY)


@pytest.fixture(params=STORES)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """An app over one of the stores."""
    if request.param == "postgres" and not DSN:
        assert os.environ.get("CI") != "true", "REMIT_TEST_POSTGRES must be set in CI"
        pytest.skip("REMIT_TEST_POSTGRES names no PostgreSQL to test with")
    urls = {"memory": "memory:", "sqlite": str(tmp_path / "r.db"), "postgres": DSN, "dynamodb": "dynamodb:"}
    url = urls[request.param]
    schema, clock = f"test_{secrets.token_hex(6)}", FakeClock()
    store = open_store(url, schema, clock)
    async with app_for_tests(counting, store=store, clock=clock, home=tmp_path / "home") as app:
        yield World(app, clock, url, schema)
    if request.param == "postgres":
        import psycopg

        with psycopg.connect(DSN, autocommit=True) as db:
            db.execute(f"DROP SCHEMA {schema} CASCADE")


def a_table(table_id: str, **fields: Any) -> Table:
    """A table in a file."""
    return Table(
        table_id, **{"source": "file", "location": f"{table_id}.parquet", "format": "parquet", **fields}
    )


def rule(table_id: str = "orders", source: str = "", schedule: str = "", **parameters: Any) -> Rule:
    """A rule that counts agree."""
    return Rule(table_id, "row_counts", {"source_table": source or table_id, **parameters}, schedule)


def a_run(
    run_id: str, status: str = "PASSED", *, at: int, config: str = "c1", table: str = "orders"
) -> ValidationRun:
    """A line of the run log."""
    details = {"expected_count": 2, "actual_count": 2}
    return ValidationRun(run_id, table, config, 1, "row_counts", status, details, "api", at)  # type: ignore[arg-type]


class Watched:
    """A store's records, counting what is read of them."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.gets: list[tuple[str, tuple[Any, ...]]] = []
        self.queries: list[tuple[str, str, tuple[Any, ...], int]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def get(self, collection: str, key: tuple[Any, ...]) -> dict[str, Any] | None:
        """Counted."""
        self.gets.append((collection, key))
        found: dict[str, Any] | None = await self._store.get(collection, key)
        return found

    async def query(self, collection: str, index: str, equals: tuple[Any, ...], **more: Any) -> Page:
        """Counted, with how many items came."""
        page: Page = await self._store.query(collection, index, equals, **more)
        self.queries.append((collection, index, equals, len(page.items)))
        return page

    def read(self) -> int:
        """How many items were read."""
        return len(self.gets) + sum(q[3] for q in self.queries)


def names(items: Sequence[Any]) -> list[str]:
    """The ids of tables or rules."""
    return [getattr(i, "config_id", None) or i.table_id for i in items]
