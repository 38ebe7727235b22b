"""Whether the numbers of an answer are those of results, and which cell each comes from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from typing import Any

from msgspec import Struct

from remit_packs.tools.sql.result import ROW, Result

_CITATION = re.compile(r"\[\[\s*([^\[\]]+?)\s*\]\]")
_NUMBER = re.compile(
    r"(?<![\w.\[-])(?P<sign>[-\u2212+]?)[$€£]?(?P<digits>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)"
    r"(?P<unit>\s?%|\s?(?:thousand|million|billion|percent)\b|[kKMB]\b)?(?![\d,]*\d)"
)
_CITED = re.compile(r"\s*\[\[\s*([^\[\]]+?)\s*\]\]")
_LISTED = re.compile(r"^\s*\d+[.)]\s", re.MULTILINE)
_TIMES = {"k": 3, "thousand": 3, "m": 6, "million": 6, "b": 9, "billion": 9}
_IN_TEXT = re.compile(r"\d+(?:\.\d+)?")


class Cited(Struct, frozen=True):
    """A number of the answer and the cell that it is. `by_citation` when the answer names the cell itself."""

    number: str
    cell: str
    by_citation: bool


class Citations(Struct, frozen=True):
    """What became of the numbers of an answer: `linked` to a cell, or `unlinked`; `wrong` are citations of no cell, or of another value."""

    linked: list[Cited]
    unlinked: list[str]
    wrong: list[str]

    @property
    def sound(self) -> bool:
        """Whether every number is that of a cell, and every citation right."""
        return not self.unlinked and not self.wrong


def check_citations(
    answer: str, results: Sequence[Result | Mapping[str, Any]], *, given: str = ""
) -> Citations:
    """Verify that each number in an answer is that of a result's cell, rounded as the answer shows it.

    `[[r3.total]]` behind a number names its cell; a number without one is compared with every cell and with the count of rows. Numbers that
    occur in `given` (the question) need no cell, nor do those that number a list. Results are those of `query_database`.
    """
    cells = dict(_cells(results))
    linked: list[Cited] = []
    unlinked: list[str] = []
    wrong: list[str] = []
    followed: set[int] = set()
    plain = _LISTED.sub(lambda m: " " * len(m[0]), answer)
    asked = {m["digits"] for m in _NUMBER.finditer(given)}
    for found in _NUMBER.finditer(_without_citations(plain)):
        text, number = found[0].strip(), _value(found)
        named = _CITED.match(plain, found.end())
        if named:
            followed.add(named.start(1))
            right = any(_equal(number, found, value) for value in cells.get(named[1], []))
            linked.append(Cited(text, named[1], True)) if right else wrong.append(f"{text} [[{named[1]}]]")
            continue
        cell = next((c for c, values in cells.items() if any(_equal(number, found, v) for v in values)), "")
        if cell:
            linked.append(Cited(text, cell, False))
        elif found["digits"] not in asked:
            unlinked.append(text)
    loose = (m for m in _CITATION.finditer(plain) if m.start(1) not in followed)
    wrong += [m[0] for m in loose if m[1] not in cells]
    return Citations(linked, unlinked, wrong)


def _without_citations(text: str) -> str:
    return _CITATION.sub(lambda m: " " * len(m[0]), text)


def _cells(results: Sequence[Result | Mapping[str, Any]]) -> Iterator[tuple[str, list[Any]]]:
    """Every cell by its names: `ID.r1.total`, and `r1.total` where no other result has one of that name. Texts come last."""
    found: dict[str, list[Any]] = {}
    short: dict[str, set[str]] = {}
    texts: set[str] = set()
    for result in results:
        id, rows = (result.id, result.rows) if isinstance(result, Result) else (result["id"], result["rows"])
        found[f"{id}.row_count"] = [len(rows)]
        for row in rows:
            for name, value in row.items():
                if name != ROW:
                    cell, full = f"{row[ROW]}.{name}", f"{id}.{row[ROW]}.{name}"
                    found[full] = _numbers(value)
                    short.setdefault(cell, set()).add(full)
                    texts |= {cell, full} if isinstance(value, str) else set()
    clear = {name: found[next(iter(full))] for name, full in short.items() if len(full) == 1}
    yield from sorted({**clear, **found}.items(), key=lambda cell: cell[0] in texts)


def _numbers(value: Any) -> list[Decimal]:
    """The numbers that a cell holds: its own, or those within its text, such as a date's."""
    if isinstance(value, bool) or value is None:
        return []
    if isinstance(value, int | float):
        return [Decimal(repr(value))]
    return [Decimal(text) for text in _IN_TEXT.findall(str(value))]


def _value(found: re.Match[str]) -> Decimal:
    number = Decimal(found["digits"].replace(",", ""))
    return -number if found["sign"] in ("-", "\u2212") else number


def _equal(number: Decimal, found: re.Match[str], value: Any) -> bool:
    """Whether a number, with its unit and to the digits that it shows, is this value."""
    value = Decimal(value)
    unit = (found["unit"] or "").strip()
    if unit in ("%", "percent"):
        return _rounds(value, number) or _rounds(value * 100, number)
    if unit:
        return _rounds(value.scaleb(-_TIMES[unit.lower()]), number)
    return _rounds(value, number)


def _rounds(value: Decimal, number: Decimal) -> bool:
    step = Decimal(1).scaleb(min(0, int(number.as_tuple().exponent)))
    if abs(value) >= Decimal(10) ** 24:
        return value == number
    return any(value.quantize(step, how) == number for how in (ROUND_HALF_UP, ROUND_HALF_EVEN))
