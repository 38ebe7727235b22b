"""The tools behind every check. All only read, and answer with counts, hashes and names: rows stay where they are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct, to_builtins

from remit.sdk import NotFoundError, Table, ToolContext, tool
from remit_packs.validation.canonical import HashFunction
from remit_packs.validation.engines.base import Column, Engine, Filter, Measure, Wanted
from remit_packs.validation.engines.errors import SourceError, absent, not_a_query
from remit_packs.validation.engines.files import format_of
from remit_packs.validation.engines.statements import harmless
from remit_packs.validation.granted import granted
from remit_packs.validation.sources import locate, open_engine

T = TypeVar("T")
MAX_ROWS = 1000
"""The most rows that `run_query` answers."""


class Description(Struct, frozen=True):
    """What `describe_source` answers: the engine, where the table is, and its columns in order."""

    source: str
    location: str
    format: str
    columns: list[Column]


class ColumnDigest(Struct, frozen=True):
    """A column's digest, or a note that says why there is none."""

    name: str
    hash: str
    nulls: int
    note: str = ""


class TableDigests(Struct, frozen=True):
    """What `hash_columns` answers. `row_hash` is over whole rows, and empty when a column has no digest."""

    rows: int
    columns: list[ColumnDigest]
    row_hash: str = ""


class Rows(Struct, frozen=True):
    """A small answer. `truncated` says that there were more rows."""

    rows: list[list[Any]]
    truncated: bool = False


async def resolved(source: str, context: ToolContext) -> Table:
    """A registered table by its id, or a location. Raises SourceError when it is neither, or not this tenant's to read."""
    return granted(await _named(source, context), context.tenant_id)


async def _named(source: str, context: ToolContext) -> Table:
    if "://" in source or "::" in source or "/" in source or format_of(source) or context.platform is None:
        return locate(source)
    try:
        return await context.platform.table(source)
    except NotFoundError:
        found = await asyncio.to_thread(Path(source).exists)
    if not found:
        raise absent(source, "no table with this id is registered, and it is no file")
    return locate(source)


async def asked(source: str, context: ToolContext, question: Callable[[Engine], T]) -> T:
    """Open a source, ask it, and let it go, off the event loop. Raises SourceError."""
    table = await resolved(source, context)

    def ask() -> T:
        with open_engine(table, context.secrets) as engine:
            return question(engine)

    return await asyncio.to_thread(ask)


@tool(timeout_s=3600)
async def count_rows(source: str, context: ToolContext, filters: list[Filter] = []) -> int:  # noqa: B006
    """The number of rows of a registered table or a location that fit all filters."""
    return await asked(source, context, lambda engine: engine.count(filters))


@tool(timeout_s=3600, max_output_bytes=4_000_000)
async def describe_source(source: str, context: ToolContext) -> Description:
    """The columns of a registered table or a location with their types; of CSV and JSON what all the text looks like."""
    table = await resolved(source, context)
    columns = await asked(source, context, lambda engine: engine.columns())
    return Description(table.source, table.location, table.format, columns)


@tool(timeout_s=3600, max_output_bytes=4_000_000)
async def hash_columns(
    source: str,
    columns: list[Wanted],
    context: ToolContext,
    hash_function: HashFunction = "md5",
    filters: list[Filter] = [],  # noqa: B006
) -> TableDigests:
    """The colhash/1 digest of each column, and of all rows. A value that does not fit its type is noted, not skipped."""
    return await asked(source, context, lambda engine: hashed(engine, columns, hash_function, filters))


def hashed(
    engine: Engine, columns: Sequence[Wanted], algorithm: HashFunction, filters: Sequence[Filter] = ()
) -> TableDigests:
    """The digests in one pass; if a value does not fit, each column for itself, so that the others still have one."""
    try:
        found = engine.digests(columns, algorithm, filters)
    except SourceError as error:
        if error.code not in ("E567", "E568", "E573"):
            raise
        apart = [_alone(engine, column, algorithm, filters) for column in columns]
        return TableDigests(engine.count(filters), apart)
    named = [ColumnDigest(c.name, d.hash, d.nulls) for c, d in zip(columns, found.columns, strict=True)]
    return TableDigests(found.rows, named, found.row.hash)


def _alone(
    engine: Engine, column: Wanted, algorithm: HashFunction, filters: Sequence[Filter]
) -> ColumnDigest:
    try:
        found = engine.digests([column], algorithm, filters).columns[0]
    except SourceError as error:
        return ColumnDigest(column.name, "", 0, error.message)
    return ColumnDigest(column.name, found.hash, found.nulls)


@tool(timeout_s=3600, max_output_bytes=1_000_000)
async def measure(
    source: str,
    measures: list[Measure],
    context: ToolContext,
    filters: list[Filter] = [],  # noqa: B006
) -> Any:
    """Aggregates (count, nulls, distinct, min, max, sum, avg, ...) in order, computed where the table is, in one pass."""
    found = await asked(source, context, lambda engine: engine.measures(measures, filters))
    return to_builtins(found)


@tool(timeout_s=3600, sensitivity="private", trust="untrusted", max_output_bytes=1_000_000)
async def run_query(source: str, sql: str, context: ToolContext) -> Rows:
    """The answer of one SELECT in the dialect of the source's engine, read-only; `{table}` stands for the table."""

    def answer(engine: Engine) -> Rows:
        query = harmless(sql).replace("{table}", engine.relation())
        found: list[list[Any]] = []
        for batch in engine.stream(query, MAX_ROWS + 1):
            found += [list(row) for row in batch]
            if len(found) > MAX_ROWS:
                break
        return Rows(to_builtins(found[:MAX_ROWS]), len(found) > MAX_ROWS)

    if not sql.strip():
        raise not_a_query("it is empty")
    return await asked(source, context, answer)
