"""PostgreSQL: a table, view or foreign table, in one read-only snapshot."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from remit.sdk import how_to_install
from remit_packs.validation.canonical import HashFunction, Kind
from remit_packs.validation.engines.address import Address, table_of
from remit_packs.validation.engines.base import Column, Wanted
from remit_packs.validation.engines.errors import (
    SourceError,
    absent,
    driver_missing,
    failed,
    forbidden,
    hidden,
    no_column,
    refused,
    senseless,
    too_slow,
    unfit,
    unreachable,
    unreadable,
)
from remit_packs.validation.engines.sql import SqlDialect, SqlEngine
from remit_packs.validation.engines.statements import one_select

if TYPE_CHECKING:
    import psycopg

_TYPES = {
    **dict.fromkeys(("int2", "int4", "int8", "oid"), Kind("number")),
    "bool": Kind("boolean"),
    **dict.fromkeys(("text", "varchar", "bpchar", "name", "citext"), Kind("string")),
    "date": Kind("date"),
    "timestamp": Kind("timestamp", 6),
    "timestamptz": Kind("timestamp", 6, zoned=True),
    "uuid": Kind("uuid"),
    "bytea": Kind("binary"),
    **dict.fromkeys(("float4", "float8"), Kind("float")),
}
_CLASSES = {
    "28": refused,
    "08": unreachable,
    "22": unfit,
    "53": unreachable,
    "57": unreachable,
    "58": unreadable,
    "XX": unreadable,
}
_STATES = {
    "3D000": absent,
    "3F000": absent,
    "42P01": absent,
    "42501": forbidden,
    "57014": too_slow,
}
_PLAIN_TEXT = ("text", "character")


class PostgresDialect(SqlDialect):
    """PostgreSQL's expressions."""

    name = "postgres"

    def text_literal(self, text: str) -> str:
        """A text constant in SQL. Raises SourceError E572 for NUL, which no text holds there."""
        if "\x00" in text:
            raise senseless("PostgreSQL has no NUL in texts, so that nothing compares with one")
        return super().text_literal(text)

    def bytes_literal(self, value: bytes) -> str:
        """Bytes in SQL."""
        return f"'\\x{value.hex()}'::bytea"

    def timestamp_literal(self, value: dt.datetime) -> str:
        """A time in SQL, with its zone if it has one."""
        return f"{'TIMESTAMPTZ' if value.tzinfo else 'TIMESTAMP'} '{value.isoformat(sep=' ')}'"

    def number(self, value: str, stored: Kind, digits: int) -> str:
        """A number in fixed notation with so many decimals. NaN and infinity are none."""
        if stored.digits == 0 and digits == 0 and not stored.name.startswith("numeric"):
            return f"{value}::text"
        exact = f"{value}::numeric(38,{digits})::text"
        if not stored.name.startswith("numeric"):
            return exact
        return f"CASE WHEN {value} = 'NaN' THEN {_complaint(value, 'is no number')} ELSE {exact} END"

    def rounded(self, value: str, stored: Kind, digits: int) -> str:
        """A float, rounded from its shortest text."""
        text = f"{value}::float8::text"
        exact = f"{text}::numeric::numeric(38,{digits})::text"
        return f"CASE WHEN {value} = 'NaN' THEN {_complaint(value, 'is no number')} ELSE {exact} END"

    def date(self, value: str, stored: Kind) -> str:
        """`YYYY-MM-DD`."""
        return _in_range(value, "DATE '9999-12-31'", f"to_char({value}, 'YYYY-MM-DD')", "DATE")

    def timestamp(self, value: str, stored: Kind, digits: int) -> str:
        """`YYYY-MM-DDTHH:MM:SS`, and so many digits of the second."""
        if stored.zoned:
            value = f"({value} AT TIME ZONE 'UTC')"
        elif stored.family == "date":
            value = f"{value}::timestamp"
        text = f"to_char({value}, 'YYYY-MM-DD\"T\"HH24:MI:SS{'.US' if digits else ''}')"
        if 0 < digits < 6:
            text = f"left({text}, {20 + digits})"
        return _in_range(value, "TIMESTAMP '9999-12-31 23:59:59.999999'", text, "TIMESTAMP")

    def uuid(self, value: str, stored: Kind) -> str:
        """Lower-case with hyphens."""
        return f"{value}::text"

    def binary(self, value: str, stored: Kind) -> str:
        """Lower-case hex."""
        return f"encode({value}, 'hex')"

    def string(self, value: str, stored: Kind) -> str:
        """As it is; of `char(n)` without its padding, which PostgreSQL does not count as part of the value."""
        return f'{value}::text COLLATE "C"'

    def length(self, text: str) -> str:
        """The number of characters, as text."""
        return f"length({text})::text"

    def hashed(self, text: str, algorithm: HashFunction) -> str:
        """The hash of a text as lower-case hex."""
        if algorithm == "md5":
            return f"md5({text})"
        return f"encode(sha256(convert_to({text}, 'UTF8')), 'hex')"

    def lane(self, digits: str) -> str:
        """15 hex digits as an integer."""
        return f"('x' || {digits})::bit(60)::bigint"

    def comparable(self, name: str, kind: Kind) -> str:
        """Text sorts by its bytes."""
        return f'{name}::text COLLATE "C"' if kind.family == "string" else name

    def compared(self, name: str, kind: Kind, operator: str, value: str) -> str:
        """A comparison with a constant; equality also as the column does it, so that its index can be used."""
        exact = super().compared(name, kind, operator, _text(kind, value))
        return f"{name} = {value} AND {exact}" if operator == "=" and _indexed(kind) else exact

    def among(self, name: str, kind: Kind, values: Sequence[str]) -> str:
        """Whether a column is one of these constants."""
        exact = super().among(name, kind, [_text(kind, value) for value in values])
        return f"{name} IN ({', '.join(values)}) AND {exact}" if values and _indexed(kind) else exact

    def distinct(self, columns: Sequence[tuple[str, Kind]]) -> str:
        """The number of distinct combinations without NULL."""
        if len(columns) == 1:
            return f"count(DISTINCT {self.comparable(*columns[0])})"
        values = ", ".join(self.comparable(*column) for column in columns)
        present = " AND ".join(f"{name} IS NOT NULL" for name, _ in columns)
        return f"count(DISTINCT ({values})) FILTER (WHERE {present})"

    def extreme(self, which: str, value: str, kind: Kind) -> str:
        """The smallest or largest value."""
        if kind.family == "boolean":
            return f"bool_{'and' if which == 'min' else 'or'}({value})"
        if kind.family in ("uuid", "binary"):
            value = (
                f"encode({value}, 'hex') COLLATE \"C\""
                if kind.family == "binary"
                else f'{value}::text COLLATE "C"'
            )
        return f"{which}({value})"

    def characters(self, name: str, kind: Kind) -> str:
        """The number of characters of a value, of bytes their number."""
        return f"length({name})" if kind.family == "binary" else f"length({name}::text)"

    def matching(self, name: str, kind: Kind, pattern: str) -> str:
        """Whether a whole value matches a regular expression."""
        return f"{name}::text ~ {self.literal(f'^(?:{pattern})$')}"

    def not_finite(self, name: str) -> str:
        """Whether a float is NaN or infinite."""
        return f"{name} IN ('NaN', 'Infinity', '-Infinity')"


def _indexed(kind: Kind) -> bool:
    return kind.name.startswith(_PLAIN_TEXT)


def _text(kind: Kind, value: str) -> str:
    """A constant as the text that a `char(n)` would hold: without spaces at its end."""
    return f"{value}::bpchar::text" if kind.name.startswith("character(") else value


def _complaint(value: str, why: str) -> str:
    """SQL that fails and says why. It depends on the row, so that the planner does not run it beforehand."""
    return f"('`' || left({value}::text, 40) || '` {why}')::integer::text"


def _in_range(value: str, last: str, text: str, type_name: str) -> str:
    """SQL that lets only the years 1 to 9999 through: others have no four digits, or are infinite."""
    complaint = _complaint(value, "is not between the years 1 and 9999")
    return (
        f"CASE WHEN {value} BETWEEN {type_name} '0001-01-01' AND {last} THEN {text}"
        f" WHEN {value} IS NOT NULL THEN {complaint} END"
    )


class PostgresEngine(SqlEngine):
    """A table in PostgreSQL. One read-only REPEATABLE READ transaction: every answer is of the same moment."""

    dialect: PostgresDialect

    def __init__(self, address: Address) -> None:
        database, self._schema, self._table = table_of(address)
        # the options may hold a search path, which decides what a name without a schema means
        server = f"postgres:{address.user}@{address.host}:{address.port or 5432}/{database} {address.options.get('options', '')}"
        super().__init__(PostgresDialect(), server, address.location)
        self._secrets = address.secrets
        self._names = itertools.count()
        self._connection = self._connect(address, database)

    def relation(self, columns: Sequence[Wanted] = ()) -> str:
        """The table's name, as the search path finds it when no schema is given."""
        names = [self._schema, self._table] if self._schema else [self._table]
        return ".".join(self.dialect.quote(n) for n in names)

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        """A small answer of a query."""
        import psycopg

        try:
            # a savepoint: one failed question does not end the snapshot; `binary` admits one statement only
            with self._connection.transaction(), self._connection.cursor(binary=True) as cursor:
                return list(cursor.execute(one_select(sql).encode()).fetchall())
        except psycopg.Error as error:
            raise self._explained(error) from None

    def stream(self, sql: str, batch: int = 50_000) -> Iterator[list[tuple[Any, ...]]]:
        """Rows of a large answer in batches, through a server-side cursor."""
        import psycopg

        try:
            with self._connection.cursor(f"remit_{next(self._names)}") as cursor:
                cursor.itersize = batch
                cursor.execute(one_select(sql).encode())
                while rows := cursor.fetchmany(batch):
                    yield rows
        except psycopg.Error as error:
            explained = self._explained(error)
            if not self._connection.closed:
                self._connection.rollback()
                _begin(self._connection)
            raise explained from None

    def close(self) -> None:
        """Let go."""
        self._connection.close()

    def _connect(self, address: Address, database: str) -> psycopg.Connection[tuple[Any, ...]]:
        try:
            import psycopg
        except ImportError:
            raise driver_missing("PostgreSQL", how_to_install("postgres")) from None
        seconds = int(float(address.options.get("statement_timeout_s", "3600")))
        more = {
            k: v for k, v in address.options.items() if k not in ("statement_timeout_s", "table", "schema")
        }
        given = {
            "host": address.host,
            "port": address.port,
            "user": address.user,
            "password": address.password,
            "dbname": database,
        }
        try:
            connection = psycopg.connect(
                **{k: v for k, v in given.items() if v},  # type: ignore[arg-type]
                **{"connect_timeout": "15", "application_name": "remit", **more},  # type: ignore[arg-type]
                client_encoding="utf8",
            )
            for setting in (
                "TIME ZONE 'UTC'",
                "extra_float_digits = 1",
                "DateStyle = 'ISO'",
                "bytea_output = 'hex'",
                "standard_conforming_strings = on",
                f"statement_timeout = {seconds * 1000}",
            ):
                connection.execute(f"SET {setting}".encode())
            connection.commit()
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            _begin(connection)
            return connection
        except psycopg.Error as error:
            raise self._explained(error, connecting=True) from None

    def _describe(self) -> list[Column]:
        relation = self.dialect.literal(self.relation())
        rows = self.fetch(
            "SELECT a.attname, format_type(a.atttypid, a.atttypmod), t.typname, t.typcategory, t.typtype,"
            " CASE WHEN a.atttypmod > -1 THEN a.atttypmod ELSE b.typtypmod END, a.attnotnull, b.typtype = 'd'"
            " FROM pg_attribute a JOIN pg_type b ON b.oid = a.atttypid"
            " JOIN pg_type t ON t.oid = CASE WHEN b.typtype = 'd' THEN b.typbasetype ELSE b.oid END"
            f" WHERE a.attrelid = {relation}::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
        )
        columns = []
        for name, shown, base, category, type_type, modifier, notnull, domain in rows:
            text = _str(shown) if not domain else _str(base)
            kind = _kind(_str(base), _str(category), _str(type_type), int(modifier), text)
            columns.append(Column(_str(name), kind, not notnull))
        return self._scaled(columns)

    def _scaled(self, columns: list[Column]) -> list[Column]:
        """A `numeric` without a scale holds any: the largest that is there decides."""
        free = [c for c in columns if c.kind.name == "numeric"]
        if not free:
            return columns
        asked = ", ".join(f"coalesce(max(scale({self.dialect.quote(c.name)})), 0)" for c in free)
        found = dict(
            zip([c.name for c in free], self._only(f"SELECT {asked} FROM {self.relation()}"), strict=True)
        )
        return [
            Column(c.name, _measured(c.kind, int(found[c.name])), c.nullable) if c.name in found else c
            for c in columns
        ]

    def _fenced(self, query: str) -> str:
        """An empty branch keeps the planner from computing an expression once for each of its uses.

        Unlike `OFFSET 0` it leaves the work to parallel workers.
        """
        return f"{query} UNION ALL SELECT * FROM ({query}) AS z WHERE false"

    def _explained(self, error: psycopg.Error, connecting: bool = False) -> SourceError:
        text = hidden(error, self._secrets)
        state = error.sqlstate or ""
        if state == "42703":
            return no_column(self.source, text.partition('"')[2].partition('"')[0])
        known = _STATES.get(state) or _CLASSES.get(state[:2])
        if known is not None:
            return known(self.source, text)
        if connecting or self._connection.closed:
            return _not_connected(self.source, text)
        return failed(self.source, text)


def _begin(connection: psycopg.Connection[tuple[Any, ...]]) -> None:
    """Start the transaction whose snapshot all questions share; each of them is a savepoint within."""
    connection.execute("SELECT 1")


def _not_connected(source: str, text: str) -> SourceError:
    """libpq tells failed logins by its text only."""
    if (
        "authentication failed" in text
        or "no password supplied" in text
        or 'role "' in text
        or "pg_hba" in text
    ):
        return refused(source, text)
    return absent(source, text) if 'database "' in text else unreachable(source, text)


def _str(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _kind(base: str, category: str, type_type: str, modifier: int, shown: str) -> Kind:
    if base == "numeric":
        if modifier < 0:
            return Kind("number", 0, name="numeric")
        scale = (modifier - 4) & 0x7FF
        scale -= 0x800 if scale >= 0x400 else 0  # a negative scale rounds whole digits off
        return Kind("number", max(scale, 0), name=shown) if scale <= 38 else Kind("other", name=shown)
    if type_type == "e":
        return Kind("string", name=shown)
    known = _TYPES.get(base)
    if known is None:
        return Kind("other", name=shown)
    digits = modifier if known.family == "timestamp" and 0 <= modifier <= 6 else known.digits
    return Kind(known.family, digits, known.zoned, name=shown)


def _measured(kind: Kind, digits: int) -> Kind:
    return (
        Kind("number", digits, name="numeric")
        if digits <= 38
        else Kind("other", name=f"numeric with {digits} decimals")
    )
