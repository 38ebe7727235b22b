"""Remit: governed, durable multi-agent systems."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from remit.bootstrap import App as App
    from remit.bootstrap import open_app as open_app
    from remit.sdk import *  # noqa: F403
    from remit.workflow import *  # noqa: F403

_FROM_BOOTSTRAP = ("App", "open_app")


def __getattr__(name: str) -> Any:
    """Load the public names when they are first used, so that `import remit` costs nothing."""
    from importlib import import_module

    if name in _FROM_BOOTSTRAP:
        return getattr(import_module("remit.bootstrap"), name)
    for author in ("remit.sdk", "remit.workflow"):
        module = import_module(author)
        if name in module.__all__:
            return getattr(module, name)
    raise AttributeError(f"module `remit` has no `{name}`")
