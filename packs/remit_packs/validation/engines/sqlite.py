"""SQLite: a table in a database file, read-only."""

from __future__ import annotations

import datetime as dt
import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote as quoted

from remit_packs.validation.canonical import LANES, HashFunction, Kind, digest
from remit_packs.validation.engines import sqlite_functions as functions
from remit_packs.validation.engines.base import Column, Digests, Filter, Wanted
from remit_packs.validation.engines.errors import (
    SourceError,
    absent,
    failed,
    forbidden,
    hidden,
    no_column,
    unfit,
    unreadable,
)
from remit_packs.validation.engines.sql import SqlDialect, SqlEngine
from remit_packs.validation.engines.statements import one_select

_SCALED = re.compile(r"(?:DECIMAL|NUMERIC|NUMBER)\s*\(\s*\d+\s*(?:,\s*(\d+)\s*)?\)")
_DECLARED: Sequence[tuple[str, Kind]] = (
    ("BOOL", Kind("boolean")),
    ("DATETIME", Kind("timestamp", 6)),
    ("TIMESTAMP", Kind("timestamp", 6)),
    ("DATE", Kind("date")),
    ("TIME", Kind("other")),
    ("JSON", Kind("other")),
    ("UUID", Kind("uuid")),
    ("INTERVAL", Kind("other")),
    ("POINT", Kind("other")),
    ("INT", Kind("number")),
    ("CHAR", Kind("string")),
    ("CLOB", Kind("string")),
    ("TEXT", Kind("string")),
    ("STRING", Kind("string")),
    ("BLOB", Kind("binary")),
    ("BINARY", Kind("binary")),
    ("REAL", Kind("float")),
    ("FLOA", Kind("float")),
    ("DOUB", Kind("float")),
)
_HELD = {"int": Kind("number"), "float": Kind("float"), "str": Kind("string"), "bytes": Kind("binary")}


class SqliteDialect(SqlDialect):
    """SQLite's expressions: most are functions that the engine registers."""

    name = "sqlite"

    def text_literal(self, text: str) -> str:
        """A text constant in SQL; one with NUL by its bytes."""
        return f"CAST(X'{text.encode().hex()}' AS TEXT)" if "\x00" in text else super().text_literal(text)

    def number(self, value: str, stored: Kind, digits: int) -> str:
        """A number in fixed notation with so many decimals."""
        return f"remit_number({value}, {digits})"

    def rounded(self, value: str, stored: Kind, digits: int) -> str:
        """A float, rounded from its shortest text."""
        return f"remit_rounded({value}, {digits})"

    def boolean(self, value: str, stored: Kind) -> str:
        """`1` or `0`."""
        return f"remit_boolean({value})"

    def date(self, value: str, stored: Kind) -> str:
        """`YYYY-MM-DD`."""
        return f"remit_date({value})"

    def timestamp(self, value: str, stored: Kind, digits: int) -> str:
        """`YYYY-MM-DDTHH:MM:SS`, and so many digits of the second."""
        return f"remit_timestamp({value}, {digits})"

    def uuid(self, value: str, stored: Kind) -> str:
        """Lower-case with hyphens."""
        return f"remit_uuid({value})"

    def binary(self, value: str, stored: Kind) -> str:
        """Lower-case hex."""
        return f"remit_binary({value})"

    def string(self, value: str, stored: Kind) -> str:
        """As it is."""
        return f"remit_string({value})"

    def length(self, text: str) -> str:
        """The number of characters, as text."""
        return f"remit_length({text})"

    def lanes(self, text: str, algorithm: HashFunction) -> list[str]:
        """SQL for the lanes of the hash of a text."""
        return [f"remit_lane({text}, '{algorithm}', {which})" for which in range(LANES[algorithm])]

    def total(self, lane: str) -> str:
        """SQL for the exact sum of a lane, as text."""
        return f"remit_total({lane})"

    def constant(self, value: Any, kind: Kind) -> str:
        """Times and truth values as their canonical text."""
        match value:
            case bool():
                return "'1'" if value else "'0'"
            case dt.datetime():
                return self.literal(functions.timestamp(value.isoformat(), 6))
            case dt.date() if kind.family == "timestamp":
                return self.literal(f"{value.isoformat()}T00:00:00.000000")
            case dt.date():
                return self.literal(value.isoformat())
            case _:
                return self.literal(value)

    def comparable(self, name: str, kind: Kind) -> str:
        """Times and truth values as their canonical text, text by its bytes."""
        match kind.family:
            case "boolean" | "date" | "uuid":
                return f"remit_{kind.family}({name})"
            case "timestamp":
                return f"remit_timestamp({name}, 6)"
            case "string":
                return f"{name} COLLATE BINARY"
            case "number" | "float":
                # a text that is no number would be greater than every number, and 0 in a sum
                return (
                    f"CASE WHEN typeof({name}) IN ('text', 'blob') THEN remit_numeric({name}) ELSE {name} END"
                )
            case _:
                return name

    def distinct(self, columns: Sequence[tuple[str, Kind]]) -> str:
        """The number of distinct combinations without NULL."""
        present = " AND ".join(f"{name} IS NOT NULL" for name, _ in columns)
        values = " || ',' || ".join(f"quote({self.comparable(*column)})" for column in columns)
        return f"count(DISTINCT CASE WHEN {present} THEN {values} END)"

    def extreme(self, which: str, value: str, kind: Kind) -> str:
        """The smallest or largest value."""
        return f"{which}({value})"

    def summed(self, value: str, kind: Kind) -> str:
        """An exact sum, of floats a float."""
        return f"sum({value})" if kind.family == "float" else f"remit_total({value})"

    def characters(self, name: str, kind: Kind) -> str:
        """The number of characters of a value, of bytes their number."""
        return (
            f"length({name})"
            if kind.family == "binary"
            else f"CAST(remit_length(CAST({name} AS TEXT)) AS INTEGER)"
        )

    def matching(self, name: str, kind: Kind, pattern: str) -> str:
        """Whether a whole value matches a regular expression."""
        return f"remit_matches({name}, {self.literal(pattern)})"

    def not_finite(self, name: str) -> str:
        """Whether a float is infinite; SQLite stores NaN as NULL."""
        return f"abs({name}) > 1.7976931348623157e308"


class SqliteEngine(SqlEngine):
    """A table or view in a SQLite file. One read transaction: what others write meanwhile is not seen."""

    dialect: SqliteDialect

    def __init__(self, path: str, table: str, source: str) -> None:
        file = Path(path).expanduser()
        if not file.is_file():
            raise absent(source, "the database file is missing")
        super().__init__(SqliteDialect(), f"sqlite:{file.resolve()}", source)
        self._table = table
        self._complaint = ""
        try:
            self._connection = self._connect(file)
        except sqlite3.Error as error:
            raise self._explained(error) from None

    def relation(self, columns: Sequence[Wanted] = ()) -> str:
        """The table's name."""
        return self.dialect.quote(self._table)

    def digests(
        self, columns: Sequence[Wanted], algorithm: HashFunction, filters: Sequence[Filter] = ()
    ) -> Digests:
        """colhash/1 of each column and of the rows, in one pass. SQLite runs in this process: so do the sums."""
        self._need([c.name for c in columns])
        texts = ", ".join(self.dialect.canonical(c) for c in columns) or "1"
        sums = [[0] * LANES[algorithm] for _ in range(len(columns) + 1)]
        present, rows = [0] * (len(columns) + 1), 0
        for batch in self.stream(f"SELECT {texts} FROM {self.relation()}{self._where(filters)}", 1000):
            for row in batch:
                rows += 1
                cells = row[: len(columns)]
                whole = "".join("-" if t is None else f"{len(t)}:{t}" for t in cells)
                for i, text in enumerate((*cells, whole)):
                    if text is not None:
                        present[i] += 1
                        for lane, value in enumerate(functions.lanes(text, algorithm)):
                            sums[i][lane] += value
        *found, whole_rows = [
            digest(algorithm, rows, rows - n, s) for n, s in zip(present, sums, strict=True)
        ]
        return Digests(rows, found, whole_rows)

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        """A small answer of a query."""
        return [row for batch in self.stream(sql, 1000) for row in batch]

    def stream(self, sql: str, batch: int = 50_000) -> Iterator[list[tuple[Any, ...]]]:
        """Rows of a large answer in batches."""
        self._complaint = ""
        try:
            cursor = self._connection.execute(one_select(sql))
            while rows := cursor.fetchmany(batch):
                yield rows
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise self._explained(error) from None

    def close(self) -> None:
        """Let go."""
        self._connection.close()

    def _connect(self, file: Path) -> sqlite3.Connection:
        uri = f"file:{quoted(str(file.resolve()))}?mode=ro"
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=30)
        try:
            for name, arguments in _FUNCTIONS.items():
                function = getattr(functions, name)
                connection.create_function(
                    f"remit_{name}", arguments, self._told(function), deterministic=True
                )
            connection.create_aggregate("remit_total", 1, functions.Total)  # type: ignore[arg-type]
            connection.create_aggregate("remit_content", 1, functions.Content)  # type: ignore[arg-type]
            connection.execute("PRAGMA query_only = true")
            connection.execute("BEGIN")
            connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _told(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """SQLite drops what a function complains about: it is kept here for the error."""

        def call(*arguments: Any) -> Any:
            try:
                return function(*arguments)
            except ValueError as error:
                self._complaint = str(error)
                raise

        return call

    def _describe(self) -> list[Column]:
        rows = self.fetch(
            f'SELECT name, type, "notnull", hidden FROM pragma_table_xinfo({self.dialect.literal(self._table)}) ORDER BY cid'
        )
        if not rows:
            raise absent(self.source, f"the database has no table `{self._table}`")
        visible = [(name, type_name, bool(notnull)) for name, type_name, notnull, shown in rows if shown != 1]
        held = self._content([name for name, type_name, _ in visible if _declared(type_name) is None])
        return [
            Column(name, _declared(type_name) or _kind(type_name, held[name]), not notnull)
            for name, type_name, notnull in visible
        ]

    def _content(self, names: Sequence[str]) -> dict[str, str]:
        """What columns without a telling type really hold."""
        if not names:
            return {}
        asked = ", ".join(f"remit_content({self.dialect.quote(name)})" for name in names)
        return dict(zip(names, self._only(f"SELECT {asked} FROM {self.relation()}"), strict=True))

    def _explained(self, error: Exception) -> SourceError:
        text = hidden(error, ())
        if self._complaint:
            return unfit(self.source, self._complaint)
        if "no such table" in text:
            return absent(self.source, text)
        if "no such column" in text:
            return no_column(self.source, text.partition(": ")[2])
        if "unable to open" in text or "readonly" in text or "authorized" in text:
            return forbidden(self.source, text)
        if "not a database" in text or "malformed" in text or isinstance(error, UnicodeDecodeError):
            return unreadable(self.source, text)
        return (
            unfit(self.source, text)
            if "UTF-8" in text or "user-defined" in text
            else failed(self.source, text)
        )


_FUNCTIONS = {
    "number": 2,
    "numeric": 1,
    "rounded": 2,
    "boolean": 1,
    "date": 1,
    "timestamp": 2,
    "uuid": 1,
    "binary": 1,
    "string": 1,
    "length": 1,
    "matches": 2,
    "lane": 3,
}


def _declared(type_name: str) -> Kind | None:
    """The Kind that a declared type tells, None when only the content can."""
    upper = type_name.upper()
    scaled = _SCALED.match(upper)
    if scaled:
        return Kind("number", int(scaled[1] or 0), name=type_name)
    found = next((kind for part, kind in _DECLARED if part in upper), None)
    return None if found is None else Kind(found.family, found.digits, name=type_name)


def _kind(type_name: str, content: str) -> Kind:
    types, _, digits = content.partition(";")
    held = set(types.split(",")) - {""}
    name = type_name or "untyped"
    if type_name and held <= {"int", "float"}:
        return Kind("number", int(digits), name=name) if int(digits) <= 38 else Kind("float", name=name)
    if not held:
        return Kind("string", name=name)
    if held == {"int", "float"}:
        return Kind("float", name=name)
    return (
        Kind(_HELD[held.pop()].family, name=name) if len(held) == 1 else Kind("other", name=f"mixed {types}")
    )
