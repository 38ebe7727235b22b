"""`remit version`."""

from __future__ import annotations

from remit import __version__
from remit.cli import options as o
from remit.cli.console import document, show


def version(as_json: o.Json = False) -> None:
    """Print the version."""
    if as_json:
        document({"version": __version__})
    else:
        show(f"remit {__version__}")
