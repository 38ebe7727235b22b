"""One file per engine: how it is asked, with every defence that it has of its own."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping

from remit.sdk import ConfigError
from remit_packs.tools.sql.engines.address import Address
from remit_packs.tools.sql.engines.base import Engine
from remit_packs.tools.sql.errors import driver_missing


def open_engine(database: str, url: str) -> Engine:
    """The engine behind a URL. Nothing is connected yet. Raises ConfigError E907 for a URL of no known engine."""
    opener = _OPENERS.get(url.partition("://")[0].lower())
    if opener is None:
        raise ConfigError(
            f"database `{database}` has a URL of no known engine",
            code="E907",
            help="it starts with postgresql://, sqlite:///, duckdb:///, mysql:// or athena://",
        )
    _need("sqlglot", "text2sql")
    return opener(Address.of(database, url))


def _need(module: str, extra: str) -> None:
    """Raise ConfigError E695, with what to install, where a package is missing."""
    if importlib.util.find_spec(module) is None:
        raise driver_missing(module, extra)


def _sqlite(address: Address) -> Engine:
    from remit_packs.tools.sql.engines.sqlite import SqliteEngine

    return SqliteEngine(address)


def _postgres(address: Address) -> Engine:
    from remit_packs.tools.sql.engines.postgres import PostgresEngine

    _need("psycopg", "postgres")
    return PostgresEngine(address)


def _duckdb(address: Address) -> Engine:
    from remit_packs.tools.sql.engines.duckdb import DuckDbEngine

    _need("duckdb", "text2sql")
    return DuckDbEngine(address)


def _mysql(address: Address) -> Engine:
    from remit_packs.tools.sql.engines.mysql import MysqlEngine

    _need("pymysql", "mysql")
    return MysqlEngine(address)


def _athena(address: Address) -> Engine:
    from remit_packs.tools.sql.engines.athena import AthenaEngine

    _need("boto3", "aws")
    return AthenaEngine(address)


_OPENERS: Mapping[str, Callable[[Address], Engine]] = {
    "sqlite": _sqlite,
    "postgres": _postgres,
    "postgresql": _postgres,
    "duckdb": _duckdb,
    "mysql": _mysql,
    "mariadb": _mysql,
    "athena": _athena,
}
