"""What is wrong with a document: problems with their places, and the point from which a check looks at it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from remit.core.states.text import Positions, child


class Problem(Struct, frozen=True):
    """One thing that is wrong: where (JSON pointer; line and column are 0 when the text is not known), what, and what to do."""

    pointer: str
    message: str
    help: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        at = f"line {self.line}, column {self.column}: " if self.line else ""
        tail = f" ({self.help})" if self.help else ""
        return f"{at}{self.pointer or '/'}: {self.message}{tail}"


class Report:
    """Collects what the checks find. `known`: names by kind of resource; a kind that is not in it is not looked up."""

    def __init__(self, positions: Positions, known: Mapping[str, Collection[str]]) -> None:
        self.known = known
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self._positions = positions

    def made(self, pointer: str, message: str, help: str) -> Problem:
        """A problem with its line and column."""
        line, column = self._place(pointer)
        return Problem(pointer, message, help, line, column)

    def _place(self, pointer: str) -> tuple[int, int]:
        while pointer and pointer not in self._positions:
            pointer = pointer.rpartition("/")[0]
        return self._positions.get(pointer, (0, 0))


class Here(Struct, frozen=True):
    """Where a check stands: the value's pointer, the field it belongs to, and the query language in force."""

    report: Report
    pointer: str = ""
    field: str = ""
    jsonata: bool = False

    def at(self, key: str | int) -> Here:
        """The member or element of this value."""
        return replace(
            self,
            pointer=child(self.pointer, key),
            field=key if isinstance(key, str) else f"{self.field}[{key}]",
        )

    def problem(self, message: str, help: str = "") -> None:
        """Note a problem of this value."""
        self.report.problems.append(self.report.made(self.pointer, message, help))

    def warning(self, message: str, help: str = "") -> None:
        """Note that Remit goes another way than Step Functions here."""
        self.report.warnings.append(self.report.made(self.pointer, message, help))


def shown(value: Any) -> str:
    """A value as a sentence can hold it."""
    if isinstance(value, bool) or value is None:
        text = {True: "true", False: "false", None: "null"}[value]
    elif isinstance(value, (dict, list, tuple)):
        return ("an " if value else "an empty ") + ("object" if isinstance(value, dict) else "array")
    else:
        text = str(value) or '""'
    return f"`{text[:97]}...`" if len(text) > 100 else f"`{text}`"


def nearest(name: str, names: Collection[str]) -> str:
    """The name that was probably meant, or an empty text."""
    folded = {n.lower(): n for n in names}
    close = get_close_matches(name.lower(), list(folded), n=1, cutoff=0.7)
    begins = [n for n in folded if len(name) > 3 and n.startswith(name.lower())]
    return next((folded[n] for n in (*close, *begins)), "")


def listed(names: Collection[str], most: int = 10) -> str:
    """Names for a sentence, in their order."""
    some = [f"`{n}`" for n in list(names)[:most]]
    return ", ".join(some) + (f" and {len(names) - most} more" if len(names) > most else "") or "none"
