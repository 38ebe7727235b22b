"""The SQLite schema, as the list of steps that lead to it, and connections that agree on how to use it."""

from __future__ import annotations

import sqlite3
import time

from remit.adapters.store.sqlite import failures
from remit.core.errors import ConfigError

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE runs (
            key INTEGER PRIMARY KEY, run_id TEXT NOT NULL UNIQUE, tenant_id TEXT NOT NULL, root_run TEXT NOT NULL,
            agent TEXT NOT NULL, status TEXT NOT NULL, seq INTEGER NOT NULL, hash BLOB NOT NULL,
            epoch INTEGER NOT NULL, owner TEXT NOT NULL, lease_until INTEGER NOT NULL, wake_ts INTEGER,
            inbox INTEGER NOT NULL, created_ts INTEGER NOT NULL)""",
        "CREATE INDEX runs_ready ON runs (tenant_id, created_ts, run_id) WHERE status = 'ready'",
        "CREATE INDEX runs_wake ON runs (wake_ts) WHERE status = 'waiting'",
        # The key is `runs.key << 24 | seq`: one small integer, and a run's entries lie side by side.
        "CREATE TABLE events (id INTEGER PRIMARY KEY, hash BLOB NOT NULL, body BLOB NOT NULL)",
        "CREATE TABLE contents (digest BLOB NOT NULL UNIQUE, packed INTEGER NOT NULL, body BLOB NOT NULL)",
        # A consumed signal keeps its row, without body, so that a late duplicate of it is known.
        """CREATE TABLE inbox (
            id INTEGER PRIMARY KEY, run_key INTEGER NOT NULL, signal_id TEXT NOT NULL, body BLOB,
            UNIQUE (run_key, signal_id))""",
        "CREATE TABLE collections (name TEXT PRIMARY KEY, declaration TEXT NOT NULL)",
        "CREATE TABLE pings (id INTEGER PRIMARY KEY, count INTEGER NOT NULL)",
        "INSERT INTO pings VALUES (1, 0)",
    ),
    ("CREATE INDEX runs_root ON runs (root_run) WHERE status <> 'ended'",),
)
"""Each step is applied once, in order; `PRAGMA user_version` counts them. Steps already released never change."""

LARGEST_LOG_BYTES = 32 * 1024 * 1024
"""The size that the write-ahead log keeps, at most."""

SEQ_BITS = 24
"""A run has at most 16.7 million entries."""


def connect(path: str, timeout_s: float) -> sqlite3.Connection:
    """A connection that waits so long for locks and never checkpoints by itself."""
    db = sqlite3.connect(
        path, timeout=timeout_s, isolation_level=None, check_same_thread=False, cached_statements=512
    )
    for pragma in (
        "synchronous=NORMAL",
        "wal_autocheckpoint=0",
        # A log that has grown beyond this (a reader was slow) is cut when it begins anew.
        f"journal_size_limit={LARGEST_LOG_BYTES}",
        "cache_size=-4000",
        "temp_store=MEMORY",
    ):
        db.execute(f"PRAGMA {pragma}")
    # Only macOS heeds these: its plain fsync leaves the data in the drive's cache.
    for pragma in ("fullfsync=1", "checkpoint_fullfsync=1"):
        db.execute(f"PRAGMA {pragma}")
    return db


def retry_busy(db: sqlite3.Connection, statement: str, timeout_s: float) -> None:
    """Execute a statement that takes a lock, again and again while another process holds it. Blocks its thread."""
    deadline = time.monotonic() + timeout_s
    pause = 0.0002
    while True:
        try:
            db.execute(statement).fetchall()
            return
        except sqlite3.OperationalError as error:
            if not failures.is_busy(error) or time.monotonic() > deadline:
                raise
        time.sleep(pause)
        pause = min(pause * 2, 0.01)


def migrate(db: sqlite3.Connection, path: str, timeout_s: float) -> None:
    """Bring the file to this schema. Raises ConfigError for a file that a newer Remit wrote."""
    retry_busy(db, "PRAGMA journal_mode=WAL", timeout_s)
    db.execute(f"PRAGMA busy_timeout={int(timeout_s * 1000)}")
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version == len(MIGRATIONS):
        return
    retry_busy(db, "BEGIN IMMEDIATE", timeout_s)
    try:
        _apply(db, path)
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise


def _apply(db: sqlite3.Connection, path: str) -> None:
    # Read again: another process may have migrated while this one waited for the lock.
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise ConfigError(
            f"`{path}` has schema {version}, and this Remit knows up to {len(MIGRATIONS)}",
            code="E211",
            help="upgrade remit, or restore the backup made before the upgrade",
        )
    for step in MIGRATIONS[version:]:
        for statement in step:
            db.execute(statement)
    db.execute(f"PRAGMA user_version={len(MIGRATIONS)}")
