"""Values as short text for people."""

from __future__ import annotations

import json
import re
import time
from typing import Any

ANSI = re.compile(r"\x1b\[[0-9;]*m")


def seen(text: str) -> str:
    """The text without colour."""
    return ANSI.sub("", text)


def printable(text: str) -> str:
    """The text on one line and without control characters: what a model or tool wrote must not drive a terminal."""
    return "".join(c if c.isprintable() else " " for c in text)


def clean(text: str) -> str:
    """The text with its lines kept, each made `printable`."""
    return "\n".join(printable(line) for line in text.splitlines())


def brief(value: Any, width: int = 72) -> str:
    """A value on one line, cut at `width`."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = " ".join(printable(text).split())
    return text if len(text) <= width else text[: width - 1] + "…"


def lines(value: Any) -> list[str]:
    """A value for reading in full: text as it is, anything else as indented JSON."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2, default=str)
    return [printable(line) for line in text.splitlines()]


def money(amount: Any) -> str:
    """US dollars: four places below a dollar, two above, and no noise for nothing."""
    number = float(amount or 0)
    if number == 0:
        return "$0"
    return f"${number:.4f}" if number < 1 else f"${number:.2f}"


def duration(ms: float) -> str:
    """Milliseconds as people say them."""
    if ms < 1000:
        return f"{ms:.0f} ms"
    if ms < 60_000:
        return f"{ms / 1000:.1f} s"
    return f"{ms / 60_000:.0f} min" if ms < 5_400_000 else f"{ms / 3_600_000:.1f} h"


def moment(ts: int | None) -> str:
    """A time in Unix milliseconds as local date and time with its offset, as options that take a time read it; `-` for none."""
    return "-" if ts is None else zoned(time.strftime("%Y-%m-%d %H:%M:%S%z", time.localtime(ts / 1000)))


def zoned(written: str) -> str:
    """A time that ends in `+0000` or `+0200` with its offset as people write it: `Z`, `+02:00`."""
    return f"{written[:-5]}Z" if written.endswith("0000") else f"{written[:-2]}:{written[-2:]}"


def plural(count: int, noun: str) -> str:
    """`1 event`, `2 events`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
