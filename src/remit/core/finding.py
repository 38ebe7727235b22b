"""What an examination of an installation found."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Verdict = Literal["ok", "note", "bad"]


class Finding(Struct, frozen=True):
    """One line: what was looked at, what was found, and the command that mends it."""

    check: str
    verdict: Verdict
    result: str
    fix: str = ""
