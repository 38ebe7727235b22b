"""Why a question to a database was not answered, E900-E909: each message says what to write instead.

What an engine says is never handed on as it is: it may name files and hosts, and quote rows that the asker may not see.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from remit.sdk import ArgumentsError, ConfigError, ToolError, how_to_install

SHOWN = 30


def not_one_query(why: str, help: str = "write one SELECT") -> ArgumentsError:
    """The text is not exactly one SELECT."""
    return ArgumentsError(f"the query was not run: {why}", code="E900", help=help)


def not_allowed(
    what: str, help: str = "write it with plain SQL of questions: joins, groups, windows"
) -> ArgumentsError:
    """The query uses what no question needs, or what nobody has looked at yet."""
    return ArgumentsError(f"the query was not run: {what} is not allowed", code="E901", help=help)


def no_table(name: str, known: Iterable[str]) -> ArgumentsError:
    """There is no such table, or it is not one to be asked."""
    return ArgumentsError(f"there is no table `{name}`", code="E902", help=_instead("tables", name, known))


def no_column(name: str, known: Iterable[str], where: str = "", hint: str = "") -> ArgumentsError:
    """No table of the query has such a column, or it is hidden."""
    told = f"`{where}` has no column `{name}`" if where else f"no table of the query has a column `{name}`"
    return ArgumentsError(
        told, code="E903", help="; ".join(filter(None, (hint, _instead("columns", name, known))))
    )


def too_costly(estimate: str) -> ArgumentsError:
    """The engine expects more work than the limit allows."""
    return ArgumentsError(
        f"the query was not run: it would be too much work ({estimate})",
        code="E904",
        help="join on keys, filter earlier, or aggregate before joining",
    )


def too_long(why: str) -> ArgumentsError:
    """A limit ended the query while it ran."""
    return ArgumentsError(
        f"the query was stopped: {why}", code="E905", help="filter earlier, or aggregate before joining"
    )


def engine_refused(why: str) -> ArgumentsError:
    """The engine understood the query and could not run it. `why` names nothing but the query's own words."""
    return ArgumentsError(
        f"the database refused the query: {why}",
        code="E906",
        help="mend it by what `describe_database` tells",
    )


def misconfigured(database: str, why: str, help: str) -> ToolError:
    """How the database was set up for agents does not hold: nothing is asked until it does."""
    return ToolError(f"database `{database}` is not set up safely: {why}", code="E907", help=help)


def unreachable(database: str) -> ToolError:
    """Nobody answers, or the login is refused. Why is for the operator, and not for the model."""
    return ToolError(
        f"database `{database}` cannot be reached",
        code="E908",
        help="check its address, its secret and that it is up",
        retryable=True,
    )


def wrong_tenant(tenant_id: str, column: str) -> ToolError:
    """The tenant's id can be no value of the tenant column, so that no row is theirs."""
    return ToolError(
        f"tenant `{tenant_id}` has no rows here: `{column}` holds whole numbers",
        code="E909",
        help="ask as a tenant whose id is a number",
    )


def driver_missing(what: str, extra: str) -> ConfigError:
    """A package of an extra is not installed."""
    return ConfigError(f"{what} is not installed", code="E695", help=how_to_install(extra))


def _instead(what: str, name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    close = difflib.get_close_matches(name.lower(), [n.lower() for n in names], 3, 0.6)
    if close:
        return "did you mean " + " or ".join(f"`{n}`" for n in close) + "?"
    shown = ", ".join(f"`{n}`" for n in names[:SHOWN])
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"its {what} are {shown}{more}" if names else "call `describe_database`"
