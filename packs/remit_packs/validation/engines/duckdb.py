"""DuckDB: local files and files in S3, and tables in a DuckDB file."""

from __future__ import annotations

import datetime as dt
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from remit_packs.validation.canonical import ROUNDED, Kind
from remit_packs.validation.engines.base import Column, Wanted
from remit_packs.validation.engines.errors import (
    SourceError,
    absent,
    failed,
    forbidden,
    hidden,
    no_column,
    not_a_query,
    unfit,
    unreadable,
)
from remit_packs.validation.engines.sql import SqlDialect, SqlEngine

if TYPE_CHECKING:
    import duckdb

MEMORY_SHARE = "30%"
"""Of the memory, for one engine: two sides are open at once. The rest spills to disk."""

_TYPES = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"), Kind("number")),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"), Kind("number")),
    "BOOLEAN": Kind("boolean"),
    "VARCHAR": Kind("string"),
    "DATE": Kind("date"),
    "TIMESTAMP_S": Kind("timestamp", 0),
    "TIMESTAMP_MS": Kind("timestamp", 3),
    "TIMESTAMP": Kind("timestamp", 6),
    "TIMESTAMP_NS": Kind("timestamp", 9),
    "TIMESTAMP WITH TIME ZONE": Kind("timestamp", 6, zoned=True),
    "UUID": Kind("uuid"),
    "BLOB": Kind("binary"),
    "FLOAT": Kind("float"),
    "DOUBLE": Kind("float"),
    '"NULL"': Kind("string"),
}
_DECIMAL = re.compile(r"DECIMAL\(\d+,(\d+)\)")


class DuckDbDialect(SqlDialect):
    """DuckDB's expressions. Of CSV and JSON, numbers are read as text so that nothing is rounded unseen."""

    name = "duckdb"

    def text_literal(self, text: str) -> str:
        """A text constant in SQL; one with NUL by its bytes."""
        return f"decode(from_hex('{text.encode().hex()}'))" if "\x00" in text else super().text_literal(text)

    def bytes_literal(self, value: bytes) -> str:
        """Bytes in SQL."""
        return f"from_hex('{value.hex()}')"

    def timestamp_literal(self, value: dt.datetime) -> str:
        """A time in SQL, with its zone if it has one."""
        return f"{'TIMESTAMPTZ' if value.tzinfo else 'TIMESTAMP'} '{value.isoformat(sep=' ')}'"

    def canonical(self, column: Wanted) -> str:
        """SQL for the canonical text of a column."""
        stored, common = column.stored, column.common
        if common.family == "number" and common.name == ROUNDED and stored.text:
            return f"{self.quote(column.name)}::decimal(38,{common.digits})::varchar"
        return super().canonical(column)

    def number(self, value: str, stored: Kind, digits: int) -> str:
        """A number in fixed notation with so many decimals."""
        if stored.text:
            part = f"(\\.[0-9]{{0,{digits}}})?"
            complaint = f"is no plain number with at most {digits} decimals"
            value = _only(value, f"\\s*[-+]?[0-9]*{part}\\s*", complaint)
        elif digits == 0 and stored.family == "number":
            return f"{value}::varchar"
        return f"{value}::decimal(38,{digits})::varchar"

    def rounded(self, value: str, stored: Kind, digits: int) -> str:
        """A float, rounded from its shortest text."""
        return f"{value}::double::varchar::decimal(38,{digits})::varchar"

    def boolean(self, value: str, stored: Kind) -> str:
        """`1` or `0`."""
        return f"CASE {value}::boolean WHEN true THEN '1' WHEN false THEN '0' END"

    def date(self, value: str, stored: Kind) -> str:
        """`YYYY-MM-DD`."""
        if stored.text:
            value = f"{_only(value, '[0-9]{4}-[0-9]{2}-[0-9]{2}', 'is no date like 2026-11-20')}::date"
        return f"strftime({_in_range(value, 'DATE')}, '%Y-%m-%d')"

    def timestamp(self, value: str, stored: Kind, digits: int) -> str:
        """`YYYY-MM-DDTHH:MM:SS`, and so many digits of the second."""
        if stored.zoned:
            value = f"({value}::timestamptz AT TIME ZONE 'UTC')"
        elif stored.text:
            pattern = "[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,6})?)?"
            value = f"{_only(value, pattern, 'is no timestamp like 2026-11-20 08:30:00')}::timestamp"
        elif stored.family != "timestamp":
            value = f"{value}::timestamp"
        fine = stored.digits > 6 and not stored.text
        checked = _finite(value) if fine else _in_range(value, "TIMESTAMP")
        whole = f"strftime({checked}, '%Y-%m-%dT%H:%M:%S')"
        if digits == 0:
            return whole
        return f"{whole} || '.' || substr(strftime({value}, '{'%n' if fine else '%f'}'), 1, {digits})"

    def uuid(self, value: str, stored: Kind) -> str:
        """Lower-case with hyphens."""
        return f"lower({value}::uuid::varchar)"

    def binary(self, value: str, stored: Kind) -> str:
        """Lower-case hex."""
        if stored.text:
            return f"lower({_only(value, '([0-9a-fA-F]{2})*', 'is no hex')})"
        return f"lower(hex({value}))"

    def string(self, value: str, stored: Kind) -> str:
        """As it is."""
        return f"{value}::varchar"

    def row_text(self, texts: Sequence[str]) -> str:
        """SQL for the text of a row over canonical texts."""
        parts = [f"CASE WHEN {t} IS NULL THEN '-' ELSE length({t})::varchar || ':' || {t} END" for t in texts]
        return "concat(" + ", ".join(parts or ["''"]) + ")"

    def lane(self, digits: str) -> str:
        """15 hex digits as an integer."""
        return f"('0x' || {digits})::bigint"

    def comparable(self, name: str, kind: Kind) -> str:
        """Text of CSV and JSON as what it looks like."""
        if kind.family == "number" and kind.text:
            return f"{name}::decimal(38,{kind.digits})"
        casts = {"float": "double", "boolean": "boolean", "date": "date", "uuid": "uuid"}
        if kind.text and kind.family == "timestamp":
            return f"{name}::{'timestamptz' if kind.zoned else 'timestamp'}"
        return f"{name}::{casts[kind.family]}" if kind.text and kind.family in casts else name

    def characters(self, name: str, kind: Kind) -> str:
        """The number of characters of a value, of bytes their number."""
        return f"octet_length({name})" if kind.family == "binary" else f"length({name}::varchar)"

    def matching(self, name: str, kind: Kind, pattern: str) -> str:
        """Whether a whole value matches a regular expression."""
        return f"regexp_full_match({name}::varchar, {self.literal(pattern)})"

    def not_finite(self, name: str) -> str:
        """Whether a float is NaN or infinite."""
        return f"NOT isfinite({name}::double)"


def _only(value: str, pattern: str, complaint: str) -> str:
    """SQL that lets only text of this form through, so that no cast can drop a part of a value unseen."""
    message = f"concat('`', left({value}, 40), '` {complaint}')"
    return f"(CASE WHEN regexp_full_match({value}, '{pattern}') THEN {value} WHEN {value} IS NOT NULL THEN error({message}) END)"


def _in_range(value: str, type_name: str) -> str:
    """SQL that lets only the years 1 to 9999 through: others have no four digits, or are infinite."""
    last = "9999-12-31" if type_name == "DATE" else "9999-12-31 23:59:59.999999"
    message = f"concat('`', {value}::varchar, '` is not between the years 1 and 9999')"
    test = f"{value} BETWEEN {type_name} '0001-01-01' AND {type_name} '{last}'"
    return f"(CASE WHEN {test} THEN {value} WHEN {value} IS NOT NULL THEN error({message}) END)"


def _finite(value: str) -> str:
    """SQL that lets no infinity through; nanoseconds reach from 1677 to 2262 only."""
    return f"(CASE WHEN isfinite({value}) THEN {value} WHEN {value} IS NOT NULL THEN error('`infinity` is no time') END)"


def kind_of(type_name: str) -> Kind:
    """A DuckDB type as a Kind."""
    decimal = _DECIMAL.fullmatch(type_name)
    if decimal:
        return Kind("number", int(decimal[1]), name=type_name)
    if type_name.startswith("ENUM("):
        return Kind("string", name="ENUM")
    known = _TYPES.get(type_name, Kind("other"))
    return Kind(known.family, known.digits, known.zoned, name=type_name.strip('"'))


class DuckDbEngine(SqlEngine):
    """What all sources inside DuckDB share: a connection that reaches only what it was opened for."""

    dialect: DuckDbDialect

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, server: str, source: str, secrets: Sequence[str] = ()
    ) -> None:
        super().__init__(DuckDbDialect(), server, source)
        self._connection = connection
        self._secrets = secrets

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        """A small answer of a query."""
        import duckdb

        try:
            return list(self._select(sql).fetchall())
        except duckdb.Error as error:
            raise self._explained(error) from None

    def stream(self, sql: str, batch: int = 50_000) -> Iterator[list[tuple[Any, ...]]]:
        """Rows of a large answer in batches."""
        import duckdb

        try:
            answer = self._select(sql)
            while rows := answer.fetchmany(batch):
                yield rows
        except duckdb.Error as error:
            raise self._explained(error) from None

    def close(self) -> None:
        """Let go."""
        self._connection.close()

    def _select(self, sql: str) -> duckdb.DuckDBPyConnection:
        import duckdb

        statements = self._connection.extract_statements(sql)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise not_a_query("it is not exactly one SELECT")
        # a cursor of its own, so that a second query does not end a stream
        return self._connection.cursor().execute(statements[0])

    def _explained(self, error: duckdb.Error) -> SourceError:
        return explained(error, self.source, self._secrets)


def explained(error: Exception, source: str, secrets: Sequence[str] = ()) -> SourceError:
    """A DuckDB error as a SourceError."""
    import duckdb

    text = hidden(error, secrets)
    if isinstance(error, duckdb.PermissionException):
        return forbidden(source, text)
    if isinstance(error, duckdb.IOException) and ("No files found" in text or "No such file" in text):
        return absent(source, text)
    if isinstance(error, duckdb.IOException) and "Permission denied" in text:
        return forbidden(source, text)
    if isinstance(error, duckdb.ConversionException | duckdb.OutOfRangeException) or (
        isinstance(error, duckdb.InvalidInputException) and "` is " in text
    ):
        return unfit(source, text)
    if isinstance(error, duckdb.BinderException) and "Referenced column" in text:
        column = re.search(r'column "(.*?)" not found', text)
        return no_column(source, column[1] if column else "")
    if isinstance(error, duckdb.CatalogException | duckdb.ParserException | duckdb.BinderException):
        return failed(source, text)
    return unreadable(source, text)


def connect(
    paths: Sequence[str] = (), directories: Sequence[str] = (), filesystem: Any = None
) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB that reads these paths and folders and nothing else, spills to disk, and never downloads."""
    import duckdb

    connection = duckdb.connect(":memory:")
    if filesystem is not None:
        connection.register_filesystem(filesystem)
    for setting in (
        "autoinstall_known_extensions = false",
        "autoload_known_extensions = false",
        "TimeZone = 'UTC'",
        f"temp_directory = {_text(str(Path(tempfile.gettempdir()) / 'remit-duckdb'))}",
        f"memory_limit = '{MEMORY_SHARE}'",
        "preserve_insertion_order = false",
    ):
        connection.execute(f"SET {setting}")
    with suppress(duckdb.Error):  # unknown to versions that do not have the trap
        connection.execute("SET disabled_optimizers = 'type_pushdown'")
    connection.execute(f"SET allowed_paths = {_list(paths)}")
    connection.execute(f"SET allowed_directories = {_list(directories)}")
    return connection


def lock(connection: duckdb.DuckDBPyConnection) -> None:
    """From here on nothing but the allowed paths can be read, and no setting changed."""
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _list(values: Sequence[str]) -> str:
    return "[" + ", ".join(_text(v) for v in values) + "]"


class DuckDbTable(DuckDbEngine):
    """A table or view in a DuckDB file, opened read-only."""

    def __init__(self, path: str, schema: str, table: str, source: str) -> None:
        import duckdb

        if not Path(path).is_file():
            raise absent(source, "the database file is missing")
        connection = connect([path, f"{path}.wal"])
        try:
            connection.execute(f"ATTACH {_text(path)} AS there (READ_ONLY)")
            connection.execute("USE there")
            lock(connection)
        except duckdb.Error as error:
            connection.close()
            raise explained(error, source) from None
        super().__init__(connection, f"duckdb:{path}", source)
        self._schema, self._table = schema or "main", table

    def relation(self, columns: Sequence[Wanted] = ()) -> str:
        """The table, with texts that are equal only when their bytes are, whatever their columns' collation."""
        name = ".".join(self.dialect.quote(n) for n in ("there", self._schema, self._table))
        exact = ", ".join(f'{t} COLLATE "binary" AS {t}' for t in self._texts)
        return f"(SELECT * REPLACE ({exact}) FROM {name})" if exact else name

    @cached_property
    def _texts(self) -> list[str]:
        return [self.dialect.quote(name) for name, type_name, _ in self._columns if type_name == "VARCHAR"]

    @cached_property
    def _columns(self) -> list[tuple[Any, ...]]:
        return self.fetch(
            "SELECT column_name, data_type, is_nullable FROM duckdb_columns() WHERE database_name = 'there'"
            f" AND schema_name = {_text(self._schema)} AND table_name = {_text(self._table)} ORDER BY column_index"
        )

    def _describe(self) -> list[Column]:
        if not self._columns:
            raise absent(self.source, f"the database has no table `{self._schema}.{self._table}`")
        return [
            Column(name, kind_of(type_name), bool(nullable)) for name, type_name, nullable in self._columns
        ]
