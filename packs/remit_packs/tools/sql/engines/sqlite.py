"""SQLite: a file opened read-only, whose every access to a column or function asks an allow-list first."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from remit_packs.tools.sql.engines.address import Address
from remit_packs.tools.sql.engines.base import Deadline, Reads, taken
from remit_packs.tools.sql.errors import engine_refused, misconfigured, too_costly, too_long, unreachable
from remit_packs.tools.sql.limits import Limits
from remit_packs.tools.sql.result import Rows
from remit_packs.tools.sql.schema import Column, ForeignKey, Table, Tables, kind_of

MOST_STEPS = 200_000_000.0
"""Steps of the virtual machine that a query may take: some seconds."""

_STEPS = 20_000
_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: 1_000_000,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 100_000,
    sqlite3.SQLITE_LIMIT_COLUMN: 200,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 200,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 50,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 250_000,
    sqlite3.SQLITE_LIMIT_FUNCTION_ARG: 30,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 200,
    sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER: 0,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 0,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
_FORBIDDEN_FUNCTIONS = frozenset(
    """
    load_extension readfile writefile edit fts3_tokenizer randomblob zeroblob sqlite_offset sqlite_compileoption_get sqlite_version
    sqlite_source_id last_insert_rowid changes total_changes eval
    """.split()  # noqa: SIM905
)
_TELLING = re.compile(
    r"(?:no such column|no such function|ambiguous column name|misuse of|wrong number of arguments|near \"|SELECTs to the left and right"
    r"|ORDER BY term|GROUP BY term|aggregate functions are not allowed|sub-select returns|a GROUP BY clause|no such window|cannot use window"
    r"|1st ORDER BY|all VALUES must|too many|integer overflow|table .* has \d+ values|cannot join using|row value misused)"
)
"""Errors that are about the query's own words."""

Authorizer = Callable[[int, str | None, str | None, str | None, str | None], int]


class SqliteEngine:
    """A database file, whose last part of the URL is its path: `sqlite:///shop.db`, or `sqlite:////var/shop.db`."""

    dialect = "sqlite"

    def __init__(self, address: Address) -> None:
        self._name = address.name
        self._path = Path(address.path).expanduser()

    def inspect(self) -> Tables:
        """The tables and views of the file."""
        try:
            with closing(self._connect()) as connection:
                found = connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
                names = [n for (n,) in found.fetchall() if not n.lower().startswith("sqlite_")]
                return {name: _table(connection, name) for name in sorted(names)}
        except sqlite3.Error:
            raise unreachable(self._name) from None

    def run(self, sql: str, limits: Limits, reads: Reads) -> Rows:
        """The rows of a guarded query."""
        most = limits.max_cost or MOST_STEPS
        with closing(self._connect()) as connection:
            for limit, value in _LIMITS.items():
                connection.setlimit(limit, value)
            counter = _Counter(most)
            with Deadline(limits.timeout_s, connection.interrupt) as deadline:
                connection.set_progress_handler(lambda: counter.step() or deadline.passed, _STEPS)
                connection.set_authorizer(authorizer(reads))
                try:
                    cursor = connection.execute(sql)
                    rows, more = taken(cursor, limits)
                except (sqlite3.Error, MemoryError) as error:
                    if counter.full:
                        raise too_costly(f"more than {most:,.0f} steps") from None
                    if deadline.passed:
                        raise too_long(f"it ran for {limits.timeout_s:g} s") from None
                    raise engine_refused(_cleaned(error)) from None
        names = [column[0] for column in cursor.description]
        return Rows(names, [_held([row[i] for row in rows]) for i in range(len(names))], rows, more)

    def _connect(self) -> sqlite3.Connection:
        if not self._path.is_file():
            raise unreachable(self._name)
        uri = f"file:{quote(str(self._path.resolve()))}?mode=ro"
        try:
            connection = sqlite3.connect(
                uri, uri=True, isolation_level=None, check_same_thread=False, timeout=5
            )
        except sqlite3.Error:
            raise unreachable(self._name) from None
        connection.text_factory = _text
        for pragma in (
            "query_only = ON",
            "trusted_schema = OFF",
            "cell_size_check = ON",
            "mmap_size = 0",
            "temp_store = MEMORY",
        ):
            connection.execute(f"PRAGMA {pragma}")
        if connection.execute("PRAGMA query_only").fetchone() != (1,):
            connection.close()
            raise misconfigured(self._name, "this SQLite cannot be made read-only", "use a newer SQLite")
        return connection


class _Counter:
    """Counts the steps of the virtual machine."""

    def __init__(self, most: float) -> None:
        self._left = most
        self.full = False

    def step(self) -> bool:
        """Whether the query has had its share."""
        self._left -= _STEPS
        self.full = self._left < 0
        return self.full


def authorizer(reads: Reads) -> Authorizer:
    """What SQLite asks about every table, column and function while it compiles a query: no, but for what is listed."""

    def decide(
        action: int, first: str | None, second: str | None, database: str | None, source: str | None
    ) -> int:
        if action == sqlite3.SQLITE_SELECT:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_FUNCTION:
            forbidden = (second or "").lower() in _FORBIDDEN_FUNCTIONS or (second or "").lower().startswith(
                "pragma_"
            )
            return sqlite3.SQLITE_DENY if forbidden else sqlite3.SQLITE_OK
        if action != sqlite3.SQLITE_READ:
            return sqlite3.SQLITE_DENY
        if database in (None, "") or (source or "").lower() in reads:
            return sqlite3.SQLITE_OK  # a subquery of this query, or what an allowed view reads
        columns = reads.get((first or "").lower())
        fine = columns is not None and (not second or second.lower() in columns)
        return sqlite3.SQLITE_OK if fine else sqlite3.SQLITE_DENY

    return decide


def _table(connection: sqlite3.Connection, name: str) -> Table:
    found = connection.execute(
        'SELECT name, type, "notnull", pk FROM pragma_table_xinfo(?) WHERE hidden <> 1', (name,)
    ).fetchall()
    keys = connection.execute(
        'SELECT id, "table", "from", "to" FROM pragma_foreign_key_list(?) ORDER BY id, seq', (name,)
    ).fetchall()
    foreign = []
    for number in sorted({key[0] for key in keys}):
        parts = [key for key in keys if key[0] == number]
        foreign.append(
            ForeignKey(tuple(p[2] for p in parts), parts[0][1], tuple(p[3] or p[2] for p in parts))
        )
    return Table(
        name,
        tuple(Column(n, t or "any", kind_of(t or ""), not notnull) for n, t, notnull, _ in found),
        primary_key=tuple(n for n, _, _, pk in sorted(found, key=lambda c: c[3]) if pk),
        foreign_keys=tuple(foreign),
    )


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _held(values: list[object]) -> str:
    """The type of a column of a result, which SQLite knows of its values only."""
    kinds = {type(v) for v in values if v is not None}
    if kinds <= {int}:
        return "integer" if kinds else ""
    return "real" if kinds <= {int, float} else "text" if kinds <= {str} else "any"


def _cleaned(error: Exception) -> str:
    text = str(error)
    if "not authorized" in text or "prohibited" in text:
        return "it reads what may not be read"
    if "too big" in text:
        return "a text grows too long"
    return text[:200] if _TELLING.match(text) else "it could not be run"
