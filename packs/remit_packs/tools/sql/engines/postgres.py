"""PostgreSQL: a role that cannot write, in a read-only transaction, with the planner's estimate before and a cancel behind."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from remit_packs.tools.sql.engines.address import Address
from remit_packs.tools.sql.engines.base import Deadline, Reads
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
    import psycopg

    Connection = psycopg.Connection[tuple[Any, ...]]

MOST_COST = 2_000_000.0
"""In units of the planner: about one page read in order each. Some hundred thousand rows joined and sorted stay far below."""

_AS_THEY_ARE = frozenset({16, 20, 21, 23, 26, 700, 701, 1700})
"""Object ids of the types of numbers and truth values. Everything else is fetched as its text, cut to length by the server."""

_BYTES = 17
_DANGEROUS_ROLES = (
    "pg_write_all_data",
    "pg_read_server_files",
    "pg_write_server_files",
    "pg_execute_server_program",
    "pg_signal_backend",
    "pg_maintain",
    "pg_create_subscription",
)
_RIGHTS = f"""
SELECT CASE
  WHEN r.rolsuper THEN 'it is a superuser'
  WHEN r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls THEN 'it has rights over roles, databases or replication'
  WHEN EXISTS (SELECT FROM pg_roles g WHERE g.rolname IN ({", ".join(f"'{name}'" for name in _DANGEROUS_ROLES)}) AND pg_has_role(g.oid, 'MEMBER'))
    THEN 'it is a member of a role that writes, or reads files'
  WHEN has_database_privilege(current_database(), 'CREATE') THEN 'it may create schemas'
  WHEN EXISTS (SELECT FROM pg_namespace n WHERE n.nspname !~ '^pg_' AND has_schema_privilege(n.oid, 'CREATE')) THEN 'it may create tables'
  WHEN EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND CASE WHEN c.relkind IN ('r', 'p', 'v', 'f', 'm') THEN has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
      OR has_any_column_privilege(c.oid, 'INSERT, UPDATE')
      WHEN c.relkind = 'S' THEN has_sequence_privilege(c.oid, 'USAGE, UPDATE') ELSE false END) THEN 'it may write to tables'
END FROM pg_roles r WHERE r.rolname = current_user
"""
"""Why a login is no reader; NULL for one that is."""

_TABLES = """
SELECT c.oid::bigint, c.relname, obj_description(c.oid, 'pg_class') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relkind IN ('r', 'p', 'v', 'f', 'm') AND has_any_column_privilege(c.oid, 'SELECT') ORDER BY c.relname
"""
_COLUMNS = """
SELECT a.attrelid::bigint, a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull, col_description(a.attrelid, a.attnum)
FROM pg_attribute a WHERE a.attrelid = ANY(%s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
AND has_column_privilege(a.attrelid, a.attnum, 'SELECT') ORDER BY a.attrelid, a.attnum
"""
_KEYS = """
SELECT k.conrelid::bigint, k.contype::text, f.relname,
  ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY x(n, i) JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = x.n ORDER BY x.i),
  ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY x(n, i) JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = x.n ORDER BY x.i)
FROM pg_constraint k LEFT JOIN pg_class f ON f.oid = k.confrelid WHERE k.conrelid = ANY(%s::oid[]) AND k.contype IN ('p', 'f') ORDER BY k.conname
"""


class PostgresEngine:
    """One schema of a database: `postgresql://reader@host:5432/shop?schema=public`. Other options are libpq's."""

    dialect = "postgres"

    def __init__(self, address: Address) -> None:
        options = dict(address.options)
        self._name = address.name
        self._schema = options.pop("schema", "public")
        given: dict[str, Any] = {
            "host": address.host,
            "port": address.port,
            "user": address.user,
            "password": address.password,
            "dbname": address.path,
        }
        self._login = {"connect_timeout": "10", "application_name": "remit", **options} | {
            k: v for k, v in given.items() if v
        }
        self._proved = False
        self._proving = threading.Lock()

    def inspect(self) -> Tables:
        """The tables of the schema that the login may read."""
        import psycopg

        try:
            with self._connected() as connection:
                self._session(connection, 30.0)
                tables = connection.execute(_TABLES, (self._schema,)).fetchall()
                ids = [oid for oid, _, _ in tables]
                columns = connection.execute(_COLUMNS, (ids,)).fetchall()
                keys = connection.execute(_KEYS, (ids,)).fetchall()
        except psycopg.Error:
            raise unreachable(self._name) from None
        return {
            name: _table(self._schema, oid, name, comment, columns, keys) for oid, name, comment in tables
        }

    def run(self, sql: str, limits: Limits, reads: Reads) -> Rows:
        """The rows of a guarded query. `reads` is for the role's rights to say."""
        import psycopg

        del reads
        with (
            self._connected() as connection,
            Deadline(limits.timeout_s + 1.0, lambda: _cancel(connection)) as deadline,
        ):
            try:
                self._session(connection, limits.timeout_s)
                return self._asked(connection, sql, limits)
            except psycopg.Error as error:
                if deadline.passed or error.sqlstate == "57014":
                    raise too_long(f"it ran for {limits.timeout_s:g} s") from None
                if connection.closed:
                    raise unreachable(self._name) from None
                raise engine_refused(_cleaned(error)) from None

    def _asked(self, connection: Connection, sql: str, limits: Limits) -> Rows:
        # `binary` sends each query by the extended protocol, which admits one statement only
        most = limits.max_cost or MOST_COST
        explained = connection.execute(f"EXPLAIN (FORMAT JSON) {sql}".encode(), binary=True).fetchone()
        cost = float(explained[0][0]["Plan"]["Total Cost"]) if explained else math.inf
        if cost > most:
            raise too_costly(f"a cost of {cost:,.0f}, and at most {most:,.0f} is allowed")
        described = (
            connection.execute(f"SELECT * FROM ({sql}) AS q LIMIT 0".encode(), binary=True).description or []
        )
        types = connection.adapters.types
        known = [types.get(column.type_code) for column in described]
        shown = [_cut(i, column.type_code, limits.max_cell) for i, column in enumerate(described)]
        names = ", ".join(f'"c{i}"' for i in range(len(described)))
        cut = f"SELECT {', '.join(shown)} FROM ({sql}) AS q({names})"
        rows = connection.execute(cut.encode(), binary=True).fetchmany(limits.max_rows + 1)
        return Rows([c.name for c in described], [t.name if t else "other" for t in known], rows)

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """A connection as a role that cannot write, closed at the end: nothing it was told outlives it."""
        import psycopg

        try:
            connection = psycopg.connect(**self._login, client_encoding="utf8")
        except (psycopg.Error, UnicodeError):
            raise unreachable(self._name) from None
        try:
            connection.read_only = True
            self._prove(connection)
            yield connection
        finally:
            connection.close()

    def _session(self, connection: Connection, seconds: float) -> None:
        """Settings of this transaction, which begins here. The system's own functions come first whatever the schema holds."""
        schema = self._schema.replace('"', '""')
        for setting in (
            f"statement_timeout = {int(seconds * 1000)}",
            "lock_timeout = 2000",
            f'search_path = pg_catalog, "{schema}"',
            "standard_conforming_strings = on",
            "DateStyle = 'ISO'",
            "IntervalStyle = 'iso_8601'",
            "TimeZone = 'UTC'",
            "jit = off",
        ):
            connection.execute(f"SET LOCAL {setting}".encode())

    def _prove(self, connection: Connection) -> None:
        """Refuse a login that could write, once for all. Raises ToolError E907."""
        import psycopg

        with self._proving:
            if self._proved:
                return
            try:
                row = connection.execute(_RIGHTS).fetchone()
                connection.rollback()
            except psycopg.Error:
                raise unreachable(self._name) from None
            if row is None or row[0] is not None:
                raise misconfigured(
                    self._name,
                    f"its login is no reader: {row[0] if row else 'it is unknown'}",
                    "make a role for agents with `role_script(database)` of remit_packs.tools.sql",
                )
            self._proved = True


def _cancel(connection: Connection) -> None:
    """End what runs, from outside: a query that changed its own timeout ends all the same."""
    import psycopg

    try:
        connection.cancel_safe(timeout=2.0)
    except psycopg.Error:
        connection.close()


def _cut(position: int, type_code: int, longest: int) -> str:
    """SQL for a column of the answer, of bounded length."""
    name = f'"c{position}"'
    if type_code in _AS_THEY_ARE:
        return name
    return (
        f"octet_length({name})::text || ' bytes'"
        if type_code == _BYTES
        else f"left({name}::text, {longest + 1})"
    )


def _table(
    schema: str, oid: int, name: str, comment: str | None, columns: Sequence[Any], keys: Sequence[Any]
) -> Table:
    own = [key for key in keys if key[0] == oid]
    primary: tuple[str, ...] = next((tuple(key[3]) for key in own if key[1] == "p"), ())
    return Table(
        name,
        tuple(Column(n, t, kind_of(t), nullable, c or "") for o, n, t, nullable, c in columns if o == oid),
        schema,
        primary,
        tuple(ForeignKey(tuple(key[3]), key[2], tuple(key[4])) for key in own if key[1] == "f"),
        comment or "",
    )


def _cleaned(error: psycopg.Error) -> str:
    """What may be told: errors in the query's words in full, errors about values without the values."""
    state = error.sqlstate or ""
    if state == "42501":
        return "it reads what may not be read"
    if state.startswith("42"):
        return (error.diag.message_primary or "it cannot be understood")[:200]
    return {
        "22012": "it divides by zero",
        "22003": "a number is too large for its type",
        "22P02": "a text cannot be read as the type that it is compared with or cast to",
        "21000": "a subquery in the place of a value has several rows",
    }.get(
        state,
        "a value does not fit what is done with it" if state.startswith("22") else "it could not be run",
    )
