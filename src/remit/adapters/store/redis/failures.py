"""Redis' errors in Remit's words."""

from __future__ import annotations

from redis import exceptions

from remit.core.errors import CommitUnknownError, RemitError, StoreError

FAILURES = (exceptions.RedisError, OSError, TimeoutError)
"""Whatever the client raises when Redis fails or cannot be reached."""

LOST = (exceptions.ConnectionError, exceptions.TimeoutError, OSError, TimeoutError)
"""Nobody answered."""

_REFUSALS: tuple[tuple[type[Exception], str, str], ...] = (
    (exceptions.BusyLoadingError, "Redis is still reading its data", "E804"),
    (exceptions.OutOfMemoryError, "the memory of Redis is full (`maxmemory`)", "E802"),
    (exceptions.ReadOnlyError, "Redis is a replica, which takes no writes", "E803"),
    (exceptions.NoPermissionError, "Redis refuses this user a command or a key", "E803"),
    (exceptions.AuthenticationError, "Redis refuses this user or password", "E803"),
    (exceptions.AuthorizationError, "Redis refuses this user", "E803"),
)
_WORDS: tuple[tuple[str, str, str], ...] = (
    ("NOAUTH", "Redis asks for a password", "E803"),
    ("MISCONF", "Redis cannot write to its disk", "E802"),
    ("BUSY", "Redis is busy with a script", "E804"),
)


def remit_error(error: BaseException) -> RemitError:
    """The error for something that was not done."""
    lines = str(error).strip().splitlines()
    text = lines[0] if lines else type(error).__name__
    for kind, sentence, code in _REFUSALS:
        if isinstance(error, kind):
            return StoreError(f"{sentence} ({text})", code=code)
    for word, sentence, code in _WORDS:
        if text.startswith(word):
            return StoreError(f"{sentence} ({text})", code=code)
    return StoreError(f"Redis failed ({text})", help="check that it runs and can be reached")


def unknown() -> CommitUnknownError:
    """The error for a commit that was sent and not answered."""
    return CommitUnknownError(
        "the connection to Redis was lost during a commit", help="read the run again before going on"
    )


def damaged(what: str) -> StoreError:
    """The error for data that contradicts itself."""
    return StoreError(
        f"{what} is not whole in Redis",
        code="E805",
        help="something else wrote to these keys: restore the append-only file",
    )
