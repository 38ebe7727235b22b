"""MySQL and MariaDB: a login that may only read, in a read-only transaction, killed from a second connection when its time is over."""

from __future__ import annotations

import math
import re
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from remit_packs.tools.sql.engines.address import Address
from remit_packs.tools.sql.engines.base import Deadline, Reads, taken
from remit_packs.tools.sql.errors import (
    engine_refused,
    misconfigured,
    too_costly,
    too_long,
    unreachable,
)
from remit_packs.tools.sql.limits import Limits
from remit_packs.tools.sql.result import Rows
from remit_packs.tools.sql.schema import Column, ForeignKey, Table, Tables, kind_of

if TYPE_CHECKING:
    import pymysql

    Connection = pymysql.Connection[Any]

MOST_ROWS = 1_000_000_000.0
"""Combinations of rows that the optimizer expects to look at."""

_GRANT = re.compile(r"GRANT (.+?) ON (\S+) TO ")
_READING = frozenset({"USAGE", "SELECT", "SHOW VIEW"})
_STOPPED = frozenset({1317, 1969, 3024})
_IN_WORDS = frozenset(
    {1052, 1054, 1055, 1056, 1060, 1064, 1066, 1111, 1140, 1241, 1242, 1248, 1305, 1582, 1630}
)
"""Errors about the query's own words."""


class MysqlEngine:
    """One database of a server: `mysql://reader@host:3306/shop`; `?ssl_ca=FILE`."""

    dialect = "mysql"

    def __init__(self, address: Address) -> None:
        self._name = address.name
        self._schema = address.path
        self._address = address
        self._proved = False
        self._proving = threading.Lock()

    def inspect(self) -> Tables:
        """The tables and views of the database that the login may read."""
        import pymysql

        with self._connected() as connection, connection.cursor() as cursor:
            try:
                cursor.execute(
                    "SELECT table_name, column_name, column_type, is_nullable, column_comment, column_key FROM information_schema.columns"
                    " WHERE table_schema = %s ORDER BY table_name, ordinal_position", (self._schema,)
                )  # fmt: skip
                columns = list(cursor.fetchall())
                cursor.execute(
                    "SELECT table_name, table_comment FROM information_schema.tables WHERE table_schema = %s",
                    (self._schema,),
                )
                comments = dict(cursor.fetchall())
                cursor.execute(
                    "SELECT table_name, constraint_name, column_name, referenced_table_name, referenced_column_name"
                    " FROM information_schema.key_column_usage WHERE table_schema = %s AND referenced_table_name IS NOT NULL"
                    " ORDER BY table_name, constraint_name, ordinal_position", (self._schema,)
                )  # fmt: skip
                keys = list(cursor.fetchall())
            except pymysql.Error:
                raise unreachable(self._name) from None
        return {
            name: self._table(name, comments.get(name), columns, keys)
            for name in sorted({c[0] for c in columns})
        }

    def run(self, sql: str, limits: Limits, reads: Reads) -> Rows:
        """The rows of a guarded query. `reads` is for the login's rights to say."""
        import pymysql
        from pymysql.cursors import SSCursor

        del reads
        with self._connected() as connection:
            killing = Deadline(limits.timeout_s + 1.0, lambda: self._kill(connection))
            cursor = connection.cursor(SSCursor)  # never closed: that would read what nobody wants
            with killing:
                try:
                    self._session(cursor, limits)
                    self._check_cost(cursor, sql, limits)
                    cursor.execute(sql)
                    rows, more = taken(iter(cursor.fetchone, None), limits)
                    described = cursor.description or ()
                except pymysql.Error as error:
                    code = error.args[0] if error.args else 0
                    if killing.passed or code in _STOPPED:
                        raise too_long(f"it ran for {limits.timeout_s:g} s") from None
                    if not connection.open or code in (0, 2006, 2013):
                        raise unreachable(self._name) from None
                    raise engine_refused(_cleaned(error)) from None
        return Rows([c[0] for c in described], [_type_name(c) for c in described], rows, more)

    def _session(self, cursor: Any, limits: Limits) -> None:
        maria = "MariaDB" in cursor.connection.get_server_info()
        clock = (
            f"max_statement_time = {limits.timeout_s:.3f}"
            if maria
            else f"max_execution_time = {int(limits.timeout_s * 1000)}"
        )
        for statement in (
            # how texts are quoted must be what sqlglot writes: backslashes escape, double quotes are texts
            "SET SESSION sql_mode = 'STRICT_ALL_TABLES,ONLY_FULL_GROUP_BY'",
            "SET SESSION time_zone = '+00:00'",
            f"SET SESSION {clock}",
            "SET SESSION group_concat_max_len = 100000",
            "SET SESSION lock_wait_timeout = 2",
            "START TRANSACTION READ ONLY",
        ):
            cursor.execute(statement)

    def _check_cost(self, cursor: Any, sql: str, limits: Limits) -> None:
        """The product of the rows that each step of a join looks at, which is what a missing condition makes explode."""
        most = limits.max_cost or MOST_ROWS
        cursor.execute(f"EXPLAIN {sql}")
        names = [c[0] for c in cursor.description]
        products: dict[Any, float] = defaultdict(lambda: 1.0)
        for row in cursor.fetchall():
            step = dict(zip(names, row, strict=True))
            rows = re.match(r"\d+", str(step["rows"]))  # MariaDB writes `1 (26%)` where it filters by key
            products[step["id"]] *= max(1.0, float(rows[0])) if rows else 1.0
        expected = math.fsum(products.values())
        if expected > most:
            raise too_costly(f"{expected:,.0f} combinations of rows, and at most {most:,.0f} are allowed")

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        connection = self._connect()
        with closing(connection):
            self._prove(connection)
            yield connection

    def _connect(self) -> Connection:
        import pymysql

        options: dict[str, Any] = {}
        if self._address.options.get("ssl_ca"):
            options["ssl_ca"] = self._address.options["ssl_ca"]
        try:
            return pymysql.connect(
                host=self._address.host or "127.0.0.1",
                port=self._address.port or 3306,
                user=self._address.user or None,
                password=self._address.password,
                database=self._schema,
                charset="utf8mb4",
                connect_timeout=10,
                read_timeout=120,
                autocommit=False,
                local_infile=False,
                **options,
            )
        except (pymysql.Error, OSError, RuntimeError):
            raise unreachable(self._name) from None

    def _prove(self, connection: Connection) -> None:
        """Refuse a login that could write, once for all. Raises ToolError E907."""
        with self._proving:
            if self._proved:
                return
            with connection.cursor() as cursor:
                cursor.execute("SHOW GRANTS")
                grants = [str(row[0]) for row in cursor.fetchall()]
            if not all(map(_only_reads, grants)):
                raise misconfigured(
                    self._name,
                    "its login is no reader: it has more rights than SELECT",
                    "make a login for agents with `role_script(database)` of remit_packs.tools.sql",
                )
            self._proved = True

    def _kill(self, connection: Connection) -> None:
        """End what runs, over a connection of its own."""
        import pymysql

        thread = connection.thread_id()  # type: ignore[no-untyped-call]
        try:
            with closing(self._connect()) as other, other.cursor() as cursor:
                cursor.execute(f"KILL QUERY {int(thread)}")
        except pymysql.Error:
            connection._force_close()  # type: ignore[attr-defined]

    def _table(self, name: str, comment: str | None, columns: list[Any], keys: list[Any]) -> Table:
        own = [c for c in columns if c[0] == name]
        by_name: dict[str, list[Any]] = defaultdict(list)
        for key in keys:
            if key[0] == name:
                by_name[key[1]].append(key)
        return Table(
            name,
            tuple(
                Column(c, t, kind_of(t), nullable == "YES", note or "") for _, c, t, nullable, note, _ in own
            ),
            self._schema,
            tuple(c[1] for c in own if c[5] == "PRI"),
            tuple(
                ForeignKey(tuple(k[2] for k in ks), ks[0][3], tuple(k[4] for k in ks))
                for ks in by_name.values()
            ),
            comment if comment and comment != "VIEW" else "",
        )


def _only_reads(grant: str) -> bool:
    """Whether a line of SHOW GRANTS gives nothing but reading. What is not understood does not."""
    found = _GRANT.match(re.sub(r"\([^)]*\)", "", grant))
    rights = {right.strip().upper() for right in found[1].split(",")} if found else {grant}
    return rights <= _READING and "WITH GRANT OPTION" not in grant.upper()


def _type_name(column: Sequence[Any]) -> str:
    from pymysql.constants import FIELD_TYPE

    names = {value: name for name, value in vars(FIELD_TYPE).items() if isinstance(value, int)}
    return (
        names.get(column[1], "other")
        .lower()
        .replace("newdecimal", "decimal")
        .replace("var_string", "varchar")
    )


def _cleaned(error: Exception) -> str:
    code, *rest = error.args or (0,)
    if code in (1142, 1143, 1370):
        return "it reads what may not be read"
    if code in _IN_WORDS and rest:
        return str(rest[0]).partition(" near ")[0][:200]
    return (
        "a value does not fit what is done with it"
        if code in (1690, 1292, 1365, 1411)
        else "it could not be run"
    )
