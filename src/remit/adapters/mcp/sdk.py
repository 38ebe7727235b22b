"""The official SDK, imported when it is first needed: that takes a second."""

from __future__ import annotations

from remit.core.errors import ConfigError
from remit.core.extras import how_to_install


def need() -> None:
    """Raise ConfigError E695 where the SDK is not installed."""
    try:
        import mcp  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            "servers of the Model Context Protocol need the package `mcp`",
            code="E695",
            help=how_to_install("mcp"),
        ) from error
