"""MySQL and MariaDB: a table or view, in one read-only snapshot. Texts compare by their bytes, whatever the collation."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
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
    too_slow,
    unfit,
    unreachable,
)
from remit_packs.validation.engines.sql import SqlDialect, SqlEngine
from remit_packs.validation.engines.statements import one_select

if TYPE_CHECKING:
    import pymysql

BIT_TRUTH = "tinyint(1)"
"""How MySQL spells a truth value; such a column may hold other numbers too, which then is an error."""

_TYPES = {
    **dict.fromkeys(("tinyint", "smallint", "mediumint", "int", "bigint", "year"), Kind("number")),
    **dict.fromkeys(
        ("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set"), Kind("string")
    ),
    "date": Kind("date"),
    "datetime": Kind("timestamp"),
    "timestamp": Kind("timestamp", zoned=True),
    "uuid": Kind("uuid"),
    **dict.fromkeys(("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"), Kind("binary")),
    **dict.fromkeys(("float", "double"), Kind("float")),
}
_ERRORS: Mapping[int, Callable[[str, str], SourceError]] = {
    **dict.fromkeys((1045, 1698, 1251, 1862), refused),
    **dict.fromkeys((1044, 1142, 1143, 1227, 1370), forbidden),
    **dict.fromkeys((1049, 1146, 1109), absent),
    **dict.fromkeys((2002, 2003, 2005, 2006, 2013, 1040, 1053, 1129, 1130, 1203), unreachable),
    **dict.fromkeys((1969, 3024, 1205, 1317), too_slow),
    **dict.fromkeys((1264, 1292, 1301, 1366, 1411, 1690), unfit),
}
_HARMLESS = frozenset({1287, 1681, 1003, 3778})
"""Warnings about spelling."""


class MysqlDialect(SqlDialect):
    """Expressions of MySQL and MariaDB."""

    name = "mysql"
    max_digits = 30

    def __init__(self, collation: str) -> None:
        super().__init__()
        self._collation = collation

    def quote(self, name: str) -> str:
        """A column's or table's name in SQL."""
        return "`" + name.replace("`", "``") + "`"

    def text_literal(self, text: str) -> str:
        """A text constant in SQL; the session has no backslash escapes."""
        return f"_utf8mb4 X'{text.encode().hex()}'" if "\x00" in text else super().text_literal(text)

    def timestamp_literal(self, value: dt.datetime) -> str:
        """A time in SQL; the session's zone is UTC."""
        return f"TIMESTAMP '{value.replace(tzinfo=None).isoformat(sep=' ')}'"

    def number(self, value: str, stored: Kind, digits: int) -> str:
        """A number in fixed notation with so many decimals."""
        return f"CAST(CAST({value} AS DECIMAL(65,{digits})) AS CHAR)"

    def rounded(self, value: str, stored: Kind, digits: int) -> str:
        """A float, rounded from its shortest text."""
        exact = f"CAST(CAST({value} + 0e0 AS CHAR) AS DECIMAL(65,{digits}))"
        return f"CAST(CASE WHEN {exact} = 0 THEN ABS({exact}) ELSE {exact} END AS CHAR)"

    def boolean(self, value: str, stored: Kind) -> str:
        """`1` or `0`."""
        return f"CASE {value} + 0 WHEN 1 THEN '1' WHEN 0 THEN '0' ELSE {_complaint(value)} END"

    def date(self, value: str, stored: Kind) -> str:
        """`YYYY-MM-DD`."""
        return _in_range(value, f"DATE_FORMAT({value}, '%Y-%m-%d')")

    def timestamp(self, value: str, stored: Kind, digits: int) -> str:
        """`YYYY-MM-DDTHH:MM:SS`, and so many digits of the second."""
        text = f"DATE_FORMAT({value}, '%Y-%m-%dT%H:%i:%s{'.%f' if digits else ''}')"
        return _in_range(value, f"LEFT({text}, {20 + digits})" if 0 < digits < 6 else text)

    def uuid(self, value: str, stored: Kind) -> str:
        """Lower-case with hyphens."""
        return f"LOWER(CAST({value} AS CHAR))"

    def binary(self, value: str, stored: Kind) -> str:
        """Lower-case hex."""
        return f"LOWER(HEX({value}))"

    def string(self, value: str, stored: Kind) -> str:
        """As it is, in UTF-8, comparing by its bytes."""
        return f"CONVERT({value} USING utf8mb4) COLLATE {self._collation}"

    def row_text(self, texts: Sequence[str]) -> str:
        """SQL for the text of a row over canonical texts."""
        parts = [f"CASE WHEN {t} IS NULL THEN '-' ELSE CONCAT(CHAR_LENGTH({t}), ':', {t}) END" for t in texts]
        return f"CONCAT({', '.join(parts)})" if parts else "''"

    def hashed(self, text: str, algorithm: HashFunction) -> str:
        """The hash of a text as lower-case hex."""
        return f"MD5({text})" if algorithm == "md5" else f"SHA2({text}, 256)"

    def lane(self, digits: str) -> str:
        """15 hex digits as an integer."""
        return f"CAST(CONV({digits}, 16, 10) AS UNSIGNED)"

    def comparable(self, name: str, kind: Kind) -> str:
        """Text compares and sorts by its bytes."""
        if kind.family == "boolean":
            return f"({name} + 0)"
        return self.string(name, kind) if kind.family == "string" else name

    def compared(self, name: str, kind: Kind, operator: str, value: str) -> str:
        """A comparison with a constant; equality also as the column does it, so that its index can be used."""
        exact = super().compared(name, kind, operator, value)
        return f"{name} = {value} AND {exact}" if operator == "=" and kind.family == "string" else exact

    def among(self, name: str, kind: Kind, values: Sequence[str]) -> str:
        """Whether a column is one of these constants."""
        exact = super().among(name, kind, values)
        return f"{name} IN ({', '.join(values)}) AND {exact}" if values and kind.family == "string" else exact

    def distinct(self, columns: Sequence[tuple[str, Kind]]) -> str:
        """The number of distinct combinations without NULL."""
        return f"COUNT(DISTINCT {', '.join(self.comparable(*column) for column in columns)})"

    def characters(self, name: str, kind: Kind) -> str:
        """The number of characters of a value, of bytes their number."""
        if kind.family == "binary":
            return f"LENGTH({name})"
        return f"CHAR_LENGTH({name if kind.family == 'string' else f'CAST({name} AS CHAR)'})"

    def matching(self, name: str, kind: Kind, pattern: str) -> str:
        """Whether a whole value matches a regular expression."""
        value = self.string(name if kind.family == "string" else f"CAST({name} AS CHAR)", kind)
        whole = rf"\A(?:{pattern})\z"
        return f"{value} REGEXP {self.literal(whole)}"

    def not_finite(self, name: str) -> str:
        """MySQL stores neither NaN nor infinity."""
        return "1 = 0"


def session(maria: bool, collation: str, seconds: float = 3600.0) -> list[str]:
    """What makes a session read-only, in UTC, strict, and of one moment."""
    limit = f"max_statement_time = {seconds:.3f}" if maria else f"max_execution_time = {int(seconds * 1000)}"
    return [
        f"SET NAMES utf8mb4 COLLATE {collation}",
        "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES'",
        "SET SESSION time_zone = '+00:00'",
        f"SET SESSION {limit}",
        "SET SESSION max_error_count = 1024",  # no warning may go unheard
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "SET SESSION TRANSACTION READ ONLY",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    ]


def collation_of(maria: bool) -> str:
    """The collation that compares by bytes and does not ignore spaces at the end."""
    return "utf8mb4_nopad_bin" if maria else "utf8mb4_0900_bin"


def _complaint(value: str) -> str:
    """SQL that fails when a row reaches it with a value: MySQL has no function that raises an error."""
    return f"CASE WHEN {value} IS NOT NULL THEN CAST(18446744073709551615 + ABS(SIGN({value})) AS CHAR) END"


def _in_range(value: str, text: str) -> str:
    """SQL that lets only real dates through: MySQL may hold `0000-00-00` and `2026-02-00`."""
    real = f"{value} >= DATE '0001-01-01' AND MONTH({value}) > 0 AND DAYOFMONTH({value}) > 0"
    complaint = f"CAST(18446744073709551615 + (YEAR({value}) + 1) AS CHAR)"
    return f"CASE WHEN {real} THEN {text} WHEN {value} IS NOT NULL THEN {complaint} END"


class MysqlEngine(SqlEngine):
    """A table in MySQL or MariaDB. One read-only transaction with a consistent snapshot; one stream at a time."""

    dialect: MysqlDialect

    def __init__(self, address: Address) -> None:
        self._schema, schema, self._table = table_of(address)
        self._schema = schema or self._schema
        self._secrets = address.secrets
        self.source = address.location
        self._connection = self._connect(address)
        maria = "MariaDB" in self._version()
        collation = collation_of(maria)
        server = f"mysql:{address.user}@{address.host}:{address.port or 3306}"
        super().__init__(MysqlDialect(collation), server, address.location)
        self._begin(maria, collation, float(address.options.get("statement_timeout_s", "3600")))

    def relation(self, columns: Sequence[Wanted] = ()) -> str:
        """The table's full name."""
        return f"{self.dialect.quote(self._schema)}.{self.dialect.quote(self._table)}"

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        """A small answer of a query."""
        return [row for batch in self.stream(sql, 1000) for row in batch]

    def stream(self, sql: str, batch: int = 50_000) -> Iterator[list[tuple[Any, ...]]]:
        """Rows of a large answer in batches. A value that MySQL would cut or clamp with a warning is an error."""
        import pymysql
        from pymysql.cursors import SSCursor

        try:
            with self._connection.cursor(SSCursor) as cursor:
                cursor.execute(one_select(sql, mysql=True))
                while rows := cursor.fetchmany(batch):
                    yield [tuple(row) for row in rows]
            self._heed_warnings()
        except pymysql.Error as error:
            raise self._explained(error) from None

    def close(self) -> None:
        """Let go."""
        import pymysql

        if self._connection.open:
            try:
                self._connection.close()
            except pymysql.Error:
                return

    def _connect(self, address: Address) -> pymysql.Connection[Any]:
        try:
            import pymysql
        except ImportError:
            raise driver_missing("MySQL", how_to_install("mysql")) from None
        options: dict[str, Any] = {}
        if address.options.get("ssl_ca"):
            options["ssl_ca"] = address.options["ssl_ca"]
        try:
            return pymysql.connect(
                host=address.host or "127.0.0.1",
                port=address.port or 3306,
                user=address.user or None,
                password=address.password,
                charset="utf8mb4",
                connect_timeout=15,
                autocommit=False,
                **options,
            )
        except (pymysql.Error, OSError, RuntimeError) as error:
            raise self._explained(error) from None

    def _version(self) -> str:
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT version()")
            (version,) = cursor.fetchone() or ("",)
        return str(version)

    def _begin(self, maria: bool, collation: str, seconds: float) -> None:
        import pymysql

        try:
            with self._connection.cursor() as cursor:
                for statement in session(maria, collation, seconds):
                    cursor.execute(statement)
        except pymysql.Error as error:
            self.close()
            raise self._explained(error) from None

    def _describe(self) -> list[Column]:
        self.fetch(f"SELECT * FROM {self.relation()} LIMIT 0")  # says precisely what is wrong
        text = self.dialect.literal
        rows = self.fetch(
            "SELECT column_name, data_type, column_type, numeric_scale, datetime_precision, is_nullable"
            f" FROM information_schema.columns WHERE table_schema = {text(self._schema)}"
            f" AND table_name = {text(self._table)} ORDER BY ordinal_position"
        )
        return [
            Column(name, _kind(str(data_type).lower(), str(shown), scale, precision), nullable == "YES")
            for name, data_type, shown, scale, precision, nullable in rows
        ]

    def _heed_warnings(self) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute("SHOW WARNINGS")
            for level, code, text in cursor.fetchall():
                if level != "Note" and code not in _HARMLESS:
                    raise unfit(self.source, hidden(text, self._secrets))

    def _explained(self, error: Exception) -> SourceError:
        code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        text = hidden(error.args[1] if len(error.args) > 1 else error, self._secrets)
        if code == 1054:
            return no_column(self.source, text.partition("'")[2].partition("'")[0])
        if code == 1690:
            text = "a date that is none, or a truth value other than 0 and 1"
        if code == 0 and not isinstance(error, RuntimeError):
            return unreachable(self.source, text)
        return _ERRORS.get(code, failed)(self.source, text)


def _kind(data_type: str, shown: str, scale: Any, precision: Any) -> Kind:
    if shown.lower().startswith((BIT_TRUTH, "bit(1)")):
        return Kind("boolean", name=shown)
    if data_type == "decimal":
        return Kind("number", int(scale), name=shown)
    known = _TYPES.get(data_type)
    if known is None:
        return Kind("other", name=shown)
    digits = int(precision or 0) if known.family == "timestamp" else 0
    return Kind(known.family, digits, known.zoned, name=shown)
