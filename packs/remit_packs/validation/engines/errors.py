"""Why a source could not be read. Each reason has its own code, and all of them mean that nothing is known."""

from __future__ import annotations

from collections.abc import Iterable

from remit.sdk import ToolError


class SourceError(ToolError):
    """A source that cannot be read, E560-E579. A check that meets one is ERROR, never PASSED or FAILED."""

    default_code = "E570"


def hidden(text: object, secrets: Iterable[str]) -> str:
    """The telling line of a driver's message, without any of these secrets: the first, of a traceback the last."""
    lines = str(text).strip().splitlines() or [type(text).__name__]
    line = (lines[-1] if lines[0].startswith("Traceback") else lines[0]).strip()
    for secret in sorted((s for s in secrets if s), key=len, reverse=True):
        line = line.replace(secret, "***")
    return line[:300]


def unclear(location: str, why: str, help: str = "") -> SourceError:
    """A location that says too little, or something unknown."""
    return SourceError(f"location `{location}` cannot be understood: {why}", code="E560", help=help)


def driver_missing(what: str, install: str) -> SourceError:
    """The Python driver of an engine is not installed."""
    return SourceError(f"{what} needs a driver that is not installed", code="E561", help=f"run {install}")


def unreachable(source: str, why: str) -> SourceError:
    """Nobody answers there."""
    return SourceError(
        f"`{source}` cannot be reached: {why}",
        code="E562",
        help="check host, port and network",
        retryable=True,
    )


def refused(source: str, why: str) -> SourceError:
    """The login is wrong."""
    return SourceError(
        f"`{source}` refuses the login: {why}",
        code="E563",
        help="check the user and the secret in the location",
    )


def absent(source: str, why: str = "") -> SourceError:
    """There is no such file, table, database or bucket."""
    detail = f": {why}" if why else ""
    return SourceError(f"there is no `{source}`{detail}", code="E564", help="check the location")


def no_column(source: str, column: str, known: Iterable[str] = ()) -> SourceError:
    """The table has no such column."""
    names = ", ".join(f"`{name}`" for name in list(known)[:30])
    return SourceError(
        f"`{source}` has no column `{column}`",
        code="E565",
        help=f"it has {names}" if names else "check the name",
    )


def forbidden(source: str, why: str) -> SourceError:
    """The login may not read this (any more)."""
    return SourceError(
        f"`{source}` may not be read: {why}", code="E566", help="grant SELECT or read access to it"
    )


def unreadable(source: str, why: str) -> SourceError:
    """It is there, but what it holds cannot be read as what it claims to be."""
    return SourceError(f"`{source}` cannot be read: {why}", code="E567")


def unfit(source: str, why: str) -> SourceError:
    """A value does not fit the type that both sides agreed on."""
    return SourceError(
        f"a value in `{source}` does not fit its type: {why}",
        code="E568",
        help="correct the value, or declare another type",
    )


def not_a_query(why: str) -> SourceError:
    """Only one SELECT is ever run."""
    return SourceError(f"the query was not run: {why}", code="E569", help="give one SELECT")


def failed(source: str, why: str) -> SourceError:
    """The engine refused a query for another reason."""
    return SourceError(f"`{source}` could not answer: {why}", code="E570")


def too_slow(source: str, why: str) -> SourceError:
    """The statement timeout ended it."""
    return SourceError(
        f"`{source}` took too long: {why}",
        code="E571",
        help="filter it to a partition, or raise `statement_timeout_s` in the location",
    )


def senseless(why: str) -> SourceError:
    """A filter or a measure that means nothing for its column."""
    return SourceError(why, code="E572", help="compare a column with a value of its type")


def unhashable(source: str, why: str) -> SourceError:
    """This engine has no colhash/1."""
    return SourceError(
        f"`{source}` cannot be hashed: {why}", code="E573", help="count it, or compare another copy"
    )
