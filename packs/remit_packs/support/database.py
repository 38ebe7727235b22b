"""The shop's database file: made on first use, opened safely, and changed at most once per idempotency key."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from remit.sdk import Found, ToolContext, ToolError
from remit_packs.support.shop import FULL, VERSION, Size, build

Effect = Callable[[sqlite3.Connection], dict[str, Any]]
"""What a tool does inside its transaction; returns what it answers."""


class Shop:
    """A shop kept in one SQLite file. Threads and processes may share the file."""

    def __init__(self, path: Path | str, size: Size = FULL) -> None:
        self.path = Path(path)
        self.size = size
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._ready = False

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A connection for looking only."""
        connection = self._take()
        try:
            yield connection
        finally:
            self._idle.append(connection)

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A connection inside one transaction: committed at the end, rolled back on any error."""
        with self.read() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def once(
        self, tool: str, arguments: dict[str, Any], context: ToolContext, effect: Effect
    ) -> dict[str, Any]:
        """Do `effect` unless it was done under this idempotency key; then give the first answer again.

        The effect and its line in the ledger are one transaction. Raises ToolError when the key was used for
        another call: that would be a mistake of the caller, and nothing is done.
        """
        payload = json.dumps(arguments, sort_keys=True)
        with self.write() as connection:
            done = _ledger(connection, context.idempotency_key)
            if done is not None:
                if (done["tool"], done["payload"]) != (tool, payload):
                    raise ToolError(
                        f"idempotency key `{context.idempotency_key}` was already used for another `{done['tool']}` call",
                        code="E741",
                    )
                return dict(json.loads(done["output"]))
            output = effect(connection)
            connection.execute(
                "INSERT INTO effects VALUES (?, ?, ?, ?, ?)",
                (context.idempotency_key, tool, payload, json.dumps(output), context.clock.now()),
            )
            return output

    def find(self, key: str) -> Found:
        """Whether an effect happened under this key, and what it answered."""
        with self.read() as connection:
            done = _ledger(connection, key)
        return Found(False) if done is None else Found(True, json.loads(done["output"]))

    def close(self) -> None:
        """Let go of idle connections; the shop can be used again afterwards."""
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> sqlite3.Connection:
        with self._lock:
            if not self._ready:
                ensure(self.path, self.size)
                self._ready = True
        try:
            return self._idle.pop()
        except IndexError:
            return _connect(self.path)


def ensure(path: Path, size: Size) -> None:
    """Make the database at `path` unless one of this version and size is there.

    Processes that start at once take turns; the file appears complete or not at all. A file of another version
    is moved aside, never deleted, since it may hold effects.
    """
    if _fits(path, size):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path.with_name(path.name + ".lock"), timeout=60)) as turn:
        turn.execute("BEGIN EXCLUSIVE")
        if _fits(path, size):
            return
        fresh = path.with_name(f"{path.name}.building-{os.getpid()}")
        fresh.unlink(missing_ok=True)
        build(fresh, size)
        if path.exists():
            _move_aside(path)
        fresh.replace(path)


def _fits(path: Path, size: Size) -> bool:
    if not path.exists():
        return False
    try:
        with closing(sqlite3.connect(path)) as connection:
            rows = dict(connection.execute("SELECT key, value FROM meta").fetchall())
    except sqlite3.DatabaseError:
        return False
    return rows == {"version": str(VERSION), "size": size.label}


def _move_aside(path: Path) -> None:
    number = 1
    while (old := path.with_name(f"{path.name}.old-{number}")).exists():
        number += 1
    with closing(sqlite3.connect(path)) as connection, suppress(sqlite3.DatabaseError):
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    path.replace(old)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=20, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # an answered refund survives power loss
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _ledger(connection: sqlite3.Connection, key: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM effects WHERE idempotency_key = ?", (key,)
    ).fetchone()
    return row
