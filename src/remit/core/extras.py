"""How an extra is installed: the one place that says it."""

from __future__ import annotations


def how_to_install(extra: str) -> str:
    """The command that installs an extra, from Remit's source and from a wheel of it."""
    return f"`pip install '.[{extra}]'` in Remit's source, or `pip install 'WHEEL[{extra}]'` with the path of its wheel"
