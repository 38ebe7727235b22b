"""PostgreSQL's errors in Remit's words."""

from __future__ import annotations

import psycopg
from psycopg import errors

from remit.core.errors import InputError, RemitError, StoreError

AGAIN = (errors.UniqueViolation, errors.SerializationFailure, errors.DeadlockDetected)
"""Another process was faster; read again and decide again."""

_KNOWN: tuple[tuple[type[psycopg.Error], str, str], ...] = (
    (errors.DiskFull, "the disk of the database is full", "E802"),
    (errors.ReadOnlySqlTransaction, "the database is read-only", "E803"),
    (errors.InsufficientPrivilege, "the database refuses this user", "E803"),
    (errors.LockNotAvailable, "a row stayed locked by another process", "E804"),
    (errors.DataCorrupted, "the database is damaged", "E805"),
)


def is_lost(error: BaseException) -> bool:
    """Whether the connection is gone, as opposed to a statement that was refused."""
    if isinstance(error, errors.AdminShutdown | errors.CrashShutdown | errors.CannotConnectNow | OSError):
        return True
    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) and error.sqlstate is None


def remit_error(error: BaseException) -> RemitError:
    """The error for something that was not done."""
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if isinstance(error, psycopg.DataError | errors.ProgramLimitExceeded):
        return InputError(f"the database cannot hold a value: {text}", code="E105")
    for kind, sentence, code in _KNOWN:
        if isinstance(error, kind):
            return StoreError(f"{sentence} ({text})", code=code)
    return StoreError(f"the database failed ({text})", help="check that it runs and can be reached")
