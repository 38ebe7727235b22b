"""DBOS on a SQLite new enough for it, at the durability we name. Import before anything that imports sqlite3.

DBOS 3.4.0 fails at launch on SQLite before 3.42 (`version_timestamp` NOT NULL: its migrations use
`unixepoch('subsec')`), and Debian 12 has 3.40. `pysqlite3-binary` carries a newer SQLite; it takes the standard
module's place here, which DBOS and SQLAlchemy do not notice.
"""

# ruff: noqa: E402 - the newer SQLite comes before DBOS is imported; SQLAlchemy sets the signature

from __future__ import annotations

import sys

import pysqlite3
from pysqlite3 import dbapi2

sys.modules["sqlite3"] = pysqlite3
sys.modules["sqlite3.dbapi2"] = dbapi2

from pathlib import Path
from typing import Any

from dbos import DBOS, DBOSConfig
from sqlalchemy import Engine, event

SQLITE = pysqlite3.sqlite_version
PRAGMAS = {"journal_mode": "WAL", "synchronous": "FULL"}


@event.listens_for(Engine, "connect")
def set_pragmas(connection: Any, record: Any) -> None:
    """Give every connection the journal mode and durability of `PRAGMAS` (DBOS itself sets neither)."""
    connection.execute("PRAGMA busy_timeout=30000")
    for name, value in PRAGMAS.items():
        connection.execute(f"PRAGMA {name}={value}")


def launch(path: Path, threads: int = 32, **extra: Any) -> None:
    """Start DBOS on the database at `path`, with nothing but errors logged."""
    config: dict[str, Any] = {
        "name": "bench",
        "system_database_url": f"sqlite:///{path}",
        "log_level": "ERROR",
        "application_version": "bench",
        "max_executor_threads": threads,
        **extra,
    }
    DBOS(config=DBOSConfig(**config))
    DBOS.launch()
