"""DuckDB: a file opened read-only by an engine that can reach nothing else, and that no query can reconfigure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from remit_packs.tools.sql.engines.address import Address
from remit_packs.tools.sql.engines.base import Deadline, Reads
from remit_packs.tools.sql.errors import engine_refused, too_costly, too_long, unreachable
from remit_packs.tools.sql.limits import Limits
from remit_packs.tools.sql.result import Rows
from remit_packs.tools.sql.schema import Column, ForeignKey, Table, Tables, kind_of

if TYPE_CHECKING:
    import duckdb

MOST_ROWS = 1_000_000_000.0
"""Rows that the plan expects to pass between its steps."""

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "allow_unsigned_extensions": False,
    "python_enable_replacements": False,
    "memory_limit": "512MB",
    "max_temp_directory_size": "0B",
    "threads": 2,
    "lock_configuration": True,
}


class DuckDbEngine:
    """A database file: `duckdb:///shop.duckdb`, or `duckdb:////var/shop.duckdb`; `?schema=main`.

    A file has one configuration in a process: it cannot be asked while this process has it open in another way.
    """

    dialect = "duckdb"

    def __init__(self, address: Address) -> None:
        self._name = address.name
        self._path = Path(address.path).expanduser()
        self._schema = address.options.get("schema", "main")

    def inspect(self) -> Tables:
        """The tables and views of the schema."""
        import duckdb

        with self._connected() as connection:
            try:
                columns = connection.execute(
                    "SELECT table_name, column_name, data_type, is_nullable, comment FROM duckdb_columns()"
                    " WHERE database_name = current_database() AND schema_name = ? AND NOT internal ORDER BY table_name, column_index",
                    [self._schema],
                ).fetchall()
                comments = connection.execute(
                    "SELECT table_name, comment FROM duckdb_tables() WHERE database_name = current_database() AND schema_name = ?"
                    " UNION ALL SELECT view_name, comment FROM duckdb_views() WHERE database_name = current_database() AND schema_name = ?",
                    [self._schema, self._schema],
                ).fetchall()
                keys = connection.execute(
                    "SELECT table_name, constraint_type, constraint_column_names, referenced_table, referenced_column_names"
                    " FROM duckdb_constraints() WHERE database_name = current_database() AND schema_name = ?",
                    [self._schema],
                ).fetchall()
            except duckdb.Error:
                raise unreachable(self._name) from None
        told = dict(comments)
        return {
            name: self._table(name, told.get(name), columns, keys) for name in sorted({c[0] for c in columns})
        }

    def run(self, sql: str, limits: Limits, reads: Reads) -> Rows:
        """The rows of a guarded query. DuckDB has no rights on tables: the guard alone says what is read."""
        import duckdb

        del reads
        with self._connected() as connection, Deadline(limits.timeout_s, connection.interrupt) as deadline:
            try:
                statements = connection.extract_statements(sql)
                if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                    raise engine_refused("it is not one SELECT")
                self._check_cost(connection, sql, limits)
                described = connection.execute(f"DESCRIBE {sql}").fetchall()
                rows = connection.execute(_cut(sql, described, limits.max_cell)).fetchmany(
                    limits.max_rows + 1
                )
            except duckdb.InterruptException:
                raise too_long(f"it ran for {limits.timeout_s:g} s") from None
            except duckdb.Error as error:
                if deadline.passed:
                    raise too_long(f"it ran for {limits.timeout_s:g} s") from None
                raise engine_refused(_cleaned(error)) from None
        return Rows([c[0] for c in described], [c[1].lower() for c in described], rows)

    def _check_cost(self, connection: duckdb.DuckDBPyConnection, sql: str, limits: Limits) -> None:
        most = limits.max_cost or MOST_ROWS
        plan = connection.execute(f"EXPLAIN (FORMAT JSON) {sql}").fetchall()[0][1]
        expected = max(_cardinalities(json.loads(plan)), default=0.0)
        if expected > most:
            raise too_costly(
                f"{expected:,.0f} rows are expected on the way, and at most {most:,.0f} are allowed"
            )

    @contextmanager
    def _connected(self) -> Iterator[duckdb.DuckDBPyConnection]:
        import duckdb

        if not self._path.is_file():
            raise unreachable(self._name)
        try:
            connection = duckdb.connect(str(self._path), read_only=True, config=_CONFIG)
        except duckdb.Error:
            raise unreachable(self._name) from None
        try:
            yield connection
        finally:
            connection.close()

    def _table(self, name: str, comment: str | None, columns: list[Any], keys: list[Any]) -> Table:
        own = [key for key in keys if key[0] == name]
        return Table(
            name,
            tuple(
                Column(c, t, kind_of(t), bool(nullable), note or "")
                for n, c, t, nullable, note in columns
                if n == name
            ),
            self._schema,
            next((tuple(key[2]) for key in own if key[1] == "PRIMARY KEY"), ()),
            tuple(ForeignKey(tuple(key[2]), key[3], tuple(key[4])) for key in own if key[1] == "FOREIGN KEY"),
            comment or "",
        )


def _cut(sql: str, described: list[Any], longest: int) -> str:
    """The query with what is neither number, truth value nor time as texts of bounded length: lists and texts may be large."""
    shown = [
        f'"c{i}"'
        if kind_of(type_name) in ("integer", "number", "boolean", "time")
        else f'left(CAST("c{i}" AS VARCHAR), {longest + 1})'
        for i, (_, type_name, *_) in enumerate(described)
    ]
    names = ", ".join(f'"c{i}"' for i in range(len(described)))
    return f"SELECT {', '.join(shown)} FROM ({sql}) AS q({names})"


def _cardinalities(plan: Any) -> Iterator[float]:
    """The rows that each step of a plan expects to hand on."""
    for node in plan if isinstance(plan, list) else [plan]:
        told = node.get("extra_info", {})
        expected = told.get("Estimated Cardinality", 0) if isinstance(told, dict) else 0
        yield float(expected or 0)
        yield from _cardinalities(node.get("children", []))


def _cleaned(error: duckdb.Error) -> str:
    """What may be told: errors in the query's words, without guesses at other names and without values."""
    import duckdb

    if isinstance(error, duckdb.BinderException | duckdb.CatalogException | duckdb.ParserException):
        line = str(error).partition("\n")[0].partition("Candidate")[0].partition("Did you mean")[0]
        return line.partition("Error: ")[2].strip()[:200] or "it cannot be understood"
    if isinstance(error, duckdb.OutOfMemoryException):
        return "it needs too much memory: aggregate before joining, or ask for less"
    if isinstance(error, duckdb.ConversionException):
        return "a text cannot be read as the type that it is compared with or cast to"
    return (
        "a value does not fit what is done with it"
        if isinstance(error, duckdb.DataError)
        else "it could not be run"
    )
