"""What a tool works with, and what it says when the deployment has none of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from remit.sdk import ArgumentsError, ConfigError, Facilities, RemitError, ToolContext, ToolError


@contextmanager
def using(context: ToolContext, *refusals: type[RemitError]) -> Iterator[Facilities]:
    """The facilities of a call. What the deployment has not configured is a failure in which nothing happened.

    `refusals` are errors of a facility that say that the arguments have to change.
    """
    if context.facilities is None:
        raise ToolError("this tool works in a run only", help="give it to an agent")
    try:
        yield context.facilities
    except ConfigError as error:
        raise ToolError(error.message, code=error.code, help=error.help) from error
    except refusals as error:
        raise ArgumentsError(error.message, code=error.code, help=error.help) from error
