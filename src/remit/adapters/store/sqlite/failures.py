"""SQLite's errors in Remit's words."""

from __future__ import annotations

import sqlite3

from remit.core.errors import CommitUnknownError, StoreError

_KNOWN = {
    sqlite3.SQLITE_FULL: (
        "the disk of `{path}` is full",
        "E802",
        "free some space; the store goes on by itself",
    ),
    sqlite3.SQLITE_READONLY: ("`{path}` cannot be written: it is read-only", "E803", "check its permissions"),
    sqlite3.SQLITE_PERM: ("`{path}` cannot be opened: no permission", "E803", "check its permissions"),
    sqlite3.SQLITE_CANTOPEN: (
        "`{path}` cannot be opened",
        "E803",
        "check that its folder exists and is writable",
    ),
    sqlite3.SQLITE_BUSY: (
        "`{path}` stayed locked by another process",
        "E804",
        "find what holds a transaction open",
    ),
    sqlite3.SQLITE_LOCKED: ("`{path}` stayed locked", "E804", "find what holds a transaction open"),
    sqlite3.SQLITE_CORRUPT: ("`{path}` is damaged", "E805", "restore it from a backup"),
    sqlite3.SQLITE_NOTADB: ("`{path}` is not a SQLite database", "E805", "choose another file"),
    sqlite3.SQLITE_IOERR: ("reading or writing `{path}` failed", "E807", "check the disk and its free space"),
}


def primary(error: BaseException) -> int:
    """The primary result code of an error (extended codes carry it in their low byte), or 0."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def is_busy(error: sqlite3.Error) -> bool:
    """Whether somebody else holds the lock and it is worth trying again."""
    return primary(error) == sqlite3.SQLITE_BUSY


def store_error(error: sqlite3.Error, path: str) -> StoreError:
    """The error for something that was not done."""
    text, code, help = _KNOWN.get(primary(error), ("the store at `{path}` failed", "E800", ""))
    return StoreError(f"{text.format(path=path)} ({error})", code=code, help=help)


def commit_error(error: sqlite3.Error, path: str) -> StoreError:
    """The error for a failed COMMIT: after an I/O error a crash may still bring the written frames back."""
    if primary(error) == sqlite3.SQLITE_IOERR:
        return CommitUnknownError(
            f"the disk of `{path}` failed during a commit ({error})",
            help="read the run again before going on",
        )
    return store_error(error, path)
