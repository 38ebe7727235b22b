"""The journal's statements. Each function runs inside a transaction that its caller commits."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from operator import itemgetter

from remit.adapters.store.packing import Packed, digest_key, unpack
from remit.adapters.store.sqlite.schema import SEQ_BITS
from remit.core.errors import FencedError, RunExistsError
from remit.ports.store import Entry, Lease, RunHead, Signal, Status

_COLUMNS = "run_id, tenant_id, root_run, agent, status, seq, hash, epoch, owner, lease_until, wake_ts, inbox, created_ts"
_INSERT_RUN = """INSERT OR IGNORE INTO runs
    (run_id, tenant_id, root_run, agent, status, seq, hash, epoch, owner, lease_until, wake_ts, inbox, created_ts)
    VALUES (?, ?, ?, ?, 'ready', ?, ?, 0, '', 0, NULL, 0, ?) RETURNING key"""
_FENCE = """UPDATE runs SET seq = ?, hash = coalesce(?, hash)
    WHERE run_id = ? AND seq = ? AND epoch = ? AND status <> 'ended' RETURNING key, inbox"""
_INSERT_EVENT = "INSERT INTO events (id, hash, body) VALUES (?, ?, ?)"
_INSERT_CONTENT = "INSERT OR IGNORE INTO contents (digest, packed, body) VALUES (?, ?, ?)"
_CONSUME = "UPDATE inbox SET body = NULL WHERE run_key = ? AND signal_id = ? AND body IS NOT NULL"
_TAKE = "UPDATE runs SET inbox = inbox - ? WHERE key = ?"
_MOVE = """UPDATE runs SET status = CASE WHEN inbox > 0 THEN 'ready' ELSE ? END, wake_ts = ? WHERE key = ?"""
_END = "UPDATE runs SET status = 'ended', wake_ts = ?, owner = '', lease_until = 0 WHERE key = ?"
_LEASE = """UPDATE runs SET epoch = epoch + 1, owner = ?, lease_until = ?
    WHERE run_id = ? AND status <> 'ended' AND (lease_until <= ? OR owner = ?) RETURNING epoch"""
_RENEW = "UPDATE runs SET lease_until = ? WHERE run_id = ? AND epoch = ? AND owner = ?"
_RELEASE = "UPDATE runs SET owner = '', lease_until = 0 WHERE run_id = ? AND epoch = ? AND owner = ?"
_READ = "SELECT id & ?, body, hash FROM events WHERE id > ? AND id <= ? ORDER BY id LIMIT ?"
_OPEN = """SELECT run_id, tenant_id, created_ts FROM runs WHERE status = 'ready' AND lease_until <= :now
        UNION ALL SELECT run_id, tenant_id, created_ts FROM runs
            WHERE status = 'waiting' AND wake_ts <= :now AND lease_until <= :now"""
_DUE = f"""WITH open AS ({_OPEN}), turns AS (
        SELECT run_id, created_ts,
            row_number() OVER (PARTITION BY tenant_id ORDER BY created_ts, run_id) AS turn
        FROM open WHERE :tenant IS NULL OR tenant_id = :tenant)
    SELECT run_id FROM turns ORDER BY turn, created_ts, run_id LIMIT :limit"""
# Its own text, so that SQLite finds the few runs of a tree by `runs_root` whatever else is ready.
_DUE_OF_ROOT = """SELECT run_id, tenant_id FROM runs
    WHERE root_run = :root AND status <> 'ended' AND lease_until <= :now AND (status = 'ready' OR wake_ts <= :now)
        AND (:tenant IS NULL OR tenant_id = :tenant)
    ORDER BY created_ts, run_id"""


def create(
    db: sqlite3.Connection,
    who: tuple[str, str, str, str],
    entries: Sequence[Entry],
    contents: Sequence[Packed],
    now: int,
) -> None:
    """Insert a run; `who` is its id, tenant, root run and agent."""
    last = entries[-1]
    rows = db.execute(_INSERT_RUN, (*who, last.seq, last.hash, now)).fetchall()
    if not rows:
        raise RunExistsError(f"run `{who[0]}` exists already")
    _insert(db, rows[0][0], entries, contents)


def fence(
    db: sqlite3.Connection,
    run_id: str,
    seq: int,
    epoch: int,
    entries: Sequence[Entry],
    contents: Sequence[Packed],
) -> tuple[int, int]:
    """Append under the fence; the run's integer key and how many signals wait."""
    last = (entries[-1].seq, entries[-1].hash) if entries else (seq, None)
    rows = db.execute(_FENCE, (*last, run_id, seq, epoch)).fetchall()
    if not rows:
        raise FencedError(f"run `{run_id}` is no longer at seq {seq} under epoch {epoch}")
    key, waiting = rows[0]
    _insert(db, key, entries, contents)
    return key, waiting


def _insert(db: sqlite3.Connection, key: int, entries: Sequence[Entry], contents: Sequence[Packed]) -> None:
    base = key << SEQ_BITS
    db.executemany(_INSERT_EVENT, [(base | entry.seq, entry.hash, entry.body) for entry in entries])
    if contents:
        db.executemany(_INSERT_CONTENT, contents)


def consume(db: sqlite3.Connection, key: int, signal_ids: Sequence[str]) -> int:
    """Remove signals from a run's inbox; how many there were."""
    removed = db.executemany(_CONSUME, [(key, signal_id) for signal_id in signal_ids]).rowcount
    db.execute(_TAKE, (removed, key))
    return removed


def move(db: sqlite3.Connection, key: int, status: Status, wake_ts: int | None) -> None:
    """Set a run's status; one whose inbox is not empty does not wait."""
    if status == "ended":
        db.execute(_END, (wake_ts, key))
    else:
        db.execute(_MOVE, (status, wake_ts, key))


def waiting(db: sqlite3.Connection, key: int) -> int:
    """How many signals wait."""
    return int(db.execute("SELECT inbox FROM runs WHERE key = ?", (key,)).fetchone()[0])


def deliver(db: sqlite3.Connection, signal: Signal) -> None:
    """Put a signal into a run's inbox and make the run ready, unless it ended or had this signal before."""
    rows = db.execute(
        "SELECT key FROM runs WHERE run_id = ? AND status <> 'ended'", (signal.run_id,)
    ).fetchall()
    for (key,) in rows:
        row = (key, signal.signal_id, signal.body)
        new = db.execute(
            "INSERT OR IGNORE INTO inbox (run_key, signal_id, body) VALUES (?, ?, ?)", row
        ).rowcount
        if new:
            db.execute("UPDATE runs SET inbox = inbox + 1, status = 'ready' WHERE key = ?", (key,))


def lease(db: sqlite3.Connection, run_id: str, worker: str, now: int, until: int) -> Lease | None:
    """Take a run that is free."""
    held = db.execute("SELECT owner FROM runs WHERE run_id = ?", (run_id,)).fetchone()
    rows = db.execute(_LEASE, (worker, until, run_id, now, worker)).fetchall()
    return Lease(run_id, worker, rows[0][0], until, held[0] not in ("", worker)) if rows else None


def renew(db: sqlite3.Connection, held: Lease, until: int) -> bool:
    """Hold on to a lease."""
    return db.execute(_RENEW, (until, held.run_id, held.epoch, held.worker)).rowcount == 1


def release(db: sqlite3.Connection, held: Lease) -> None:
    """Give a lease back."""
    db.execute(_RELEASE, (held.run_id, held.epoch, held.worker))


def read(db: sqlite3.Connection, run_id: str, after: int, limit: int) -> list[Entry]:
    """Entries of a run."""
    row = db.execute("SELECT key, seq FROM runs WHERE run_id = ?", (run_id,)).fetchone()
    if row is None or after >= row[1]:
        return []
    base = row[0] << SEQ_BITS
    mask = (1 << SEQ_BITS) - 1
    first = base + max(after, -1)
    rows = db.execute(_READ, (mask, first, base | mask, limit))
    return [Entry(seq=seq, body=body, hash=hash) for seq, body, hash in rows]


def head(db: sqlite3.Connection, run_id: str) -> RunHead | None:
    """Where a run stands."""
    row = db.execute(f"SELECT {_COLUMNS} FROM runs WHERE run_id = ?", (run_id,)).fetchone()
    return RunHead(*row) if row else None


def inbox(db: sqlite3.Connection, run_id: str) -> list[Signal]:
    """Signals that wait, oldest first."""
    rows = db.execute(
        """SELECT signal_id, inbox.body FROM inbox JOIN runs ON runs.key = run_key
        WHERE run_id = ? AND inbox.body IS NOT NULL ORDER BY inbox.id""",
        (run_id,),
    )
    return [Signal(run_id=run_id, signal_id=signal_id, body=body) for signal_id, body in rows]


def due(
    db: sqlite3.Connection, now: int, limit: int, tenant_id: str | None, root_run: str | None
) -> list[str]:
    """Runs to advance, tenants taking turns."""
    given = {"now": now, "limit": limit, "tenant": tenant_id, "root": root_run}
    if root_run is None:
        return [run_id for (run_id,) in db.execute(_DUE, given)]
    return _in_turns(db.execute(_DUE_OF_ROOT, given).fetchall(), limit)


def _in_turns(rows: Sequence[tuple[str, str]], limit: int) -> list[str]:
    """Runs with their tenants, oldest first, as `_DUE` orders them. Of a tree they are few, mostly one: cheaper here."""
    seen: Counter[str] = Counter()
    turns: list[tuple[int, str]] = []
    for run_id, tenant_id in rows:
        turns.append((seen[tenant_id], run_id))
        seen[tenant_id] += 1
    return [run_id for _, run_id in sorted(turns, key=itemgetter(0))[:limit]]


def contents(db: sqlite3.Connection, digests: Sequence[str]) -> dict[str, bytes]:
    """Those contents that exist."""
    found = {}
    for digest in digests:
        key = digest_key(digest)
        row = db.execute("SELECT packed, body FROM contents WHERE digest = ?", (key,)).fetchone()
        if row is not None:
            found[digest] = unpack(row[0], row[1])
    return found


def missing(db: sqlite3.Connection, digests: Sequence[str]) -> set[str]:
    """Those digests without contents."""
    query = "SELECT 1 FROM contents WHERE digest = ?"
    return {digest for digest in digests if db.execute(query, (digest_key(digest),)).fetchone() is None}
