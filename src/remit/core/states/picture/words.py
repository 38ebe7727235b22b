"""Words of a picture: how long a text is in columns, how it is cut, and what a status says."""

from __future__ import annotations

import unicodedata

from remit.core.states.picture.graph import Phase, Status

MARKS: dict[Phase, str] = {
    "waiting": "◔",
    "running": "▶",
    "succeeded": "✓",
    "failed": "✗",
    "caught": "↷",
    "aborted": "■",
}


def width(text: str) -> int:
    """The columns that a text takes in a terminal."""
    return sum(map(_columns, text))


def cut(text: str, columns: int) -> str:
    """The text, printable, in at most so many columns, with an ellipsis where something is missing."""
    text = printable(text)
    if width(text) <= columns:
        return text
    kept, used = "", 1
    for letter in text:
        used += _columns(letter)
        if used > columns:
            break
        kept += letter
    return (kept.rstrip() + "…") if columns > 0 else ""


def wrapped(text: str, columns: int, lines: int) -> list[str]:
    """The text in at most so many lines, broken between words, the last one cut."""
    made: list[str] = []
    rest = printable(text).split()
    while rest and len(made) < lines - 1:
        line = rest.pop(0)
        while rest and width(line) + 1 + width(rest[0]) <= columns:
            line += " " + rest.pop(0)
        made.append(cut(line, columns))
    if rest:
        made.append(cut(" ".join(rest), columns))
    return made or [""]


def printable(text: str) -> str:
    """The text without control characters: a name of a state moves no cursor and breaks no file."""
    return "".join(c if c.isprintable() else " " for c in text)


def said(status: Status) -> str:
    """What a status says in a few words: progress, repetitions, time taken, error."""
    words = []
    if status.total is not None:
        words.append(f"{status.done or 0}/{status.total}")
    if status.visits > 1:
        words.append(f"{status.visits} times")
    if status.retries:
        words.append("retried" if status.retries == 1 else f"retried {status.retries} times")
    if status.started_ms is not None and status.ended_ms is not None:
        words.append(taken(status.ended_ms - status.started_ms))
    if status.note:
        words.append(status.note)
    return ", ".join(words)


def taken(ms: int) -> str:
    """A time span, to two places."""
    if ms < 1000:
        return f"{max(0, ms)} ms"
    seconds = ms / 1000
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def _columns(letter: str) -> int:
    if unicodedata.combining(letter) or unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in ("W", "F") else 1
