"""How this pack's tools reach the control plane: tables, rules, the run log, notifications."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from remit.sdk import Platform, RemitError, ToolContext, ToolError


@contextmanager
def control(context: ToolContext) -> Iterator[Platform]:
    """The platform of the call's tenant. What it refuses is told as the tool's failure: nothing was changed then."""
    if context.platform is None:
        raise ToolError(
            "there is no registry of tables and rules here",
            code="E595",
            help="run it in a Remit that keeps one",
        )
    try:
        yield context.platform
    except ToolError:
        raise
    except RemitError as error:
        raise ToolError(error.message, code=error.code, help=error.help) from error
