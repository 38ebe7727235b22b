"""Any other database with a SQLAlchemy driver: Snowflake, BigQuery, Redshift, and what else can be counted and described.

Location: the SQLAlchemy URL with the table as `#table`, `#schema.table` or `?table=...&schema=...`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from remit.sdk import how_to_install
from remit_packs.validation.canonical import Kind
from remit_packs.validation.engines.address import Address
from remit_packs.validation.engines.base import Column, Wanted
from remit_packs.validation.engines.bigquery import BigQueryDialect
from remit_packs.validation.engines.errors import (
    SourceError,
    absent,
    driver_missing,
    failed,
    forbidden,
    hidden,
    no_column,
    refused,
    unclear,
    unfit,
    unhashable,
    unreachable,
)
from remit_packs.validation.engines.mysql import MysqlDialect, collation_of, session
from remit_packs.validation.engines.postgres import PostgresDialect
from remit_packs.validation.engines.redshift import RedshiftDialect
from remit_packs.validation.engines.snowflake import SnowflakeDialect
from remit_packs.validation.engines.sql import SqlDialect, SqlEngine
from remit_packs.validation.engines.statements import one_select
from remit_packs.validation.engines.trino import TrinoDialect

if TYPE_CHECKING:
    import sqlalchemy

_DIALECTS: Mapping[str, Callable[[], SqlDialect]] = {
    "postgresql": PostgresDialect,
    "redshift": RedshiftDialect,
    "mysql": lambda: MysqlDialect(collation_of(False)),
    "mariadb": lambda: MysqlDialect(collation_of(True)),
    "snowflake": SnowflakeDialect,
    "bigquery": BigQueryDialect,
    "trino": TrinoDialect,
    "awsathena": TrinoDialect,
}
_DRIVERS = {
    "snowflake": "snowflake-sqlalchemy",
    "bigquery": "sqlalchemy-bigquery",
    "redshift": "sqlalchemy-redshift redshift_connector",
    "trino": "'trino[sqlalchemy]'",
    "databricks": "databricks-sqlalchemy",
    "mssql": "pyodbc",
    "oracle": "oracledb",
    "clickhouse": "clickhouse-connect",
}
_EXTRAS = {"postgresql": "postgres", "mysql": "mysql"}
_OURS = ("table", "schema", "statement_timeout_s")
_LOGIN = (
    "authentication",
    "password",
    "incorrect username",
    "access denied for user",
    "login failed",
    "credentials",
)
_RIGHTS = ("permission denied", "insufficient privilege", "not authorized", "access denied", "command denied")
_GONE = ("does not exist", "no such table", "not found", "doesn't exist", "unknown database")


class PlainDialect(SqlDialect):
    """A database whose expressions nobody has proved: counted and measured, never hashed."""

    name = "plain"

    def canonical(self, column: Wanted) -> str:
        """None. Raises SourceError E573."""
        raise unhashable(self.source, "colhash/1 is not known for this database")

    def matching(self, name: str, kind: Kind, pattern: str) -> str:
        """None. Raises SourceError E573."""
        raise unhashable(self.source, "regular expressions are not known for this database")


class SqlAlchemyEngine(SqlEngine):
    """A table behind SQLAlchemy. Only SELECTs are run, in a transaction that is rolled back."""

    def __init__(self, address: Address) -> None:
        self._secrets = address.secrets
        self.source = address.location
        name = address.options.get("table", "")
        schema, _, self._table = name.rpartition(".")
        self._schema = address.options.get("schema", schema)
        if not self._table:
            raise unclear(address.location, "it names no table", "add `#table` or `#schema.table` to the URL")
        self._engine, self._connection = self._connect(address)
        dialect = _DIALECTS.get(self._engine.dialect.name, PlainDialect)()
        super().__init__(dialect, f"sqlalchemy:{self._engine.url.render_as_string()}", address.location)

    def relation(self, columns: Sequence[Wanted] = ()) -> str:
        """The table's name."""
        names = [*(self._schema.split(".") if self._schema else []), self._table]
        return ".".join(self.dialect.quote(n) for n in names)

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        """A small answer of a query."""
        return [row for batch in self.stream(sql, 1000) for row in batch]

    def stream(self, sql: str, batch: int = 50_000) -> Iterator[list[tuple[Any, ...]]]:
        """Rows of a large answer in batches."""
        from sqlalchemy.exc import SQLAlchemyError

        try:
            result = self._connection.execution_options(
                no_parameters=True, stream_results=True, max_row_buffer=batch
            ).exec_driver_sql(one_select(sql))
            for rows in result.partitions(batch):
                yield [tuple(row) for row in rows]
        except SQLAlchemyError as error:
            explained = self._explained(error)
            self._connection.rollback()
            raise explained from None

    def close(self) -> None:
        """Let go."""
        self._connection.close()
        self._engine.dispose()

    def _connect(self, address: Address) -> tuple[sqlalchemy.Engine, sqlalchemy.Connection]:
        kind = address.scheme.partition("+")[0]
        try:
            import sqlalchemy
            from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
        except ImportError:
            raise driver_missing(f"`{address.scheme}`", how_to_install("sql")) from None
        try:
            url = sqlalchemy.make_url(address.url.partition("#")[0])
            query = {k: v for k, v in address.options.items() if k not in _OURS}
            url = url.set(username=address.user or None, password=address.password or None, query=query)
            engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
        except (NoSuchModuleError, ImportError):
            package = _DRIVERS.get(kind, f"<the SQLAlchemy dialect of {kind}>")
            install = how_to_install(_EXTRAS[kind]) if kind in _EXTRAS else f"`pip install {package}`"
            raise driver_missing(f"`{address.scheme}`", install) from None
        except ArgumentError as error:
            raise unclear(address.location, hidden(error, self._secrets)) from None
        try:
            return engine, self._opened(engine)
        except SQLAlchemyError as error:
            raise self._explained(error, connecting=True) from None

    def _opened(self, engine: sqlalchemy.Engine) -> sqlalchemy.Connection:
        if engine.dialect.name in ("mysql", "mariadb"):
            connection = engine.connect()
            maria = engine.dialect.name == "mariadb"
            for statement in session(maria, collation_of(maria)):
                connection.exec_driver_sql(statement)
            return connection
        if engine.dialect.name != "postgresql":
            return engine.connect()
        options: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        connection = engine.connect().execution_options(**options)
        connection.exec_driver_sql("SET LOCAL TIME ZONE 'UTC'")
        return connection

    def _describe(self) -> list[Column]:
        import sqlalchemy
        from sqlalchemy.exc import NoSuchTableError, SQLAlchemyError

        try:
            found = sqlalchemy.inspect(self._connection).get_columns(self._table, schema=self._schema or None)
        except NoSuchTableError:
            raise absent(self.source, f"the database has no table `{self._table}`") from None
        except SQLAlchemyError as error:
            raise self._explained(error) from None
        here = self._engine.dialect.name
        return [Column(c["name"], kind_of(c["type"], here), c.get("nullable")) for c in found]

    def _explained(self, error: Any, connecting: bool = False) -> SourceError:
        text = hidden(getattr(error, "orig", None) or error, self._secrets)
        lower = text.lower()
        if connecting:
            return (refused if any(part in lower for part in _LOGIN) else unreachable)(self.source, text)
        if any(part in lower for part in _RIGHTS):
            return forbidden(self.source, text)
        if "column" in lower and any(part in lower for part in _GONE):
            return no_column(self.source, text)
        if any(part in lower for part in _GONE):
            return absent(self.source, text)
        return (unfit if type(error).__name__ == "DataError" else failed)(self.source, text)


def kind_of(given: Any, dialect: str) -> Kind:
    """A type of SQLAlchemy as a Kind; what is not certain is `other`."""
    from sqlalchemy import types

    name = type(given).__name__.upper()
    kind = Kind("other")
    match given:
        case types.Boolean():
            kind = Kind("boolean")
        case types.Integer():
            kind = Kind(
                "boolean" if name == "TINYINT" and getattr(given, "display_width", 0) == 1 else "number"
            )
        case types.Float():
            kind = Kind("float")
        case types.Numeric():
            kind = _numeric(given, name, dialect)
        case types.Uuid():
            kind = Kind("uuid")
        case types.DateTime():
            kind = _time(given, name, dialect)
        case types.Date():
            kind = Kind("date")
        case _ if "BLOB" in name or "BINARY" in name or name in ("BYTEA", "BYTES"):
            kind = Kind("binary")
        case types.JSON() | types.ARRAY():
            kind = Kind("other")
        case types.String():
            kind = Kind("string")
        case _ if name.startswith("TIMESTAMP_"):
            kind = _time(given, name, dialect)
    return Kind(kind.family, kind.digits, kind.zoned, name=name)


def _numeric(given: Any, name: str, dialect: str) -> Kind:
    scale = given.scale
    if scale is None and dialect == "bigquery":
        scale = 38 if name == "BIGNUMERIC" else 9
    return Kind("other") if scale is None or not 0 <= scale <= 38 else Kind("number", scale)


def _time(given: Any, name: str, dialect: str) -> Kind:
    if dialect == "snowflake":
        digits = getattr(given, "precision", None)
        return Kind("timestamp", 9 if digits is None else int(digits), zoned=name.endswith(("_TZ", "_LTZ")))
    zoned = bool(getattr(given, "timezone", False)) or (
        dialect in ("bigquery", "mysql", "mariadb") and name == "TIMESTAMP"
    )
    digits = getattr(given, "precision", None)
    if dialect in ("mysql", "mariadb"):
        digits = getattr(given, "fsp", None) or 0
    return Kind("timestamp", 6 if digits is None else min(int(digits), 9), zoned)
