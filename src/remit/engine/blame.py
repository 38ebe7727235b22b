"""Where in its author's own code an exception came from."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path

_OTHERS = (
    str(Path(__file__).parents[1]),
    *(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")),
)
"""Folders of code that the author of an agent did not write."""


def place_of(error: BaseException) -> str:
    """The deepest line that is the author's, as `shop.py line 12`; empty where there is none."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if not f.filename.startswith((*_OTHERS, "<"))]
    return f"{Path(own[-1].filename).name} line {own[-1].lineno}" if own else ""
