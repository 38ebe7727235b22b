"""Where a text is cut into passages: at headings, then paragraphs, lines, sentences, words. Spans are exact offsets.

Every character of the text that is not white space lies in at least one span. Neighbours of one section overlap, so that what
stands at a cut is found from both sides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

SIZE = 1000
"""Characters of a passage at most: about 200 words, well inside what models of embeddings take."""

OVERLAP = 150
"""Characters at most that a passage repeats of the one before."""

_HEADING = re.compile(r"(#{1,6})[ \t]+(\S.*?)[ \t]*#*[ \t]*$")
_FENCE = re.compile(r"[ \t]*(```|~~~)")
_BREAKS = (
    re.compile(r"\n[ \t]*\n\s*"),
    re.compile(r"\n\s*"),
    re.compile(r"[.!?…]['\"”’)\]]*\s+|[。！？]\s*"),
    re.compile(r"[,;:]\s+|[，；、]\s*"),
    re.compile(r"\s+"),
)
"""The places to cut at, the best first; a cut is at the end of a match."""
_STARTS = (_BREAKS[2], _BREAKS[4])


class Span(Struct, frozen=True):
    """Characters `start` to `end` of a text; `heading` is the path of headings it stands under, e.g. `Setup > Linux`."""

    start: int
    end: int
    heading: str = ""


class _Section(Struct):
    start: int
    end: int
    heading: str


def spans(text: str, *, size: int = SIZE, overlap: int = OVERLAP) -> list[Span]:
    """The spans of a text in order, none longer than `size`; none for a text without characters. `overlap` < `size` / 2."""
    return [
        span
        for section in _grouped(_sections(text), size // 2, size)
        for span in _cut(text, section, size, overlap)
    ]


def _sections(text: str) -> Iterator[_Section]:
    """From each heading to the next one; a heading inside of fenced code is none."""
    path: list[tuple[int, str]] = []
    section, at, fenced = _Section(0, 0, ""), 0, False
    for line in text.splitlines(keepends=True):
        if _FENCE.match(line):
            fenced = not fenced
        found = None if fenced else _HEADING.match(line.rstrip("\r\n"))
        if found:
            section.end = at
            yield section
            level = len(found[1])
            path = [*((above, title) for above, title in path if above < level), (level, found[2])]
            section = _Section(at, at, " > ".join(title for _, title in path))
        at += len(line)
    section.end = len(text)
    yield section


def _grouped(sections: Iterator[_Section], small: int, size: int) -> Iterator[_Section]:
    """Sections, with those that are small taken together while they fit into one passage."""
    held: _Section | None = None
    for section in sections:
        if held and held.end - held.start < small and section.end - held.start <= size:
            held.end, held.heading = section.end, held.heading or section.heading
            continue
        if held:
            yield held
        held = section
    if held:
        yield held


def _cut(text: str, section: _Section, size: int, overlap: int) -> Iterator[Span]:
    start, told = section.start, -1
    while start < section.end:
        end = section.end if section.end - start <= size else _break(text, start + size // 2, start + size)
        trimmed = _trimmed(text, start, end)
        if trimmed[0] < trimmed[1] and trimmed[1] > told:  # else: nothing but what the one before has
            yield Span(*trimmed, section.heading)
            told = trimmed[1]
        if end == section.end:
            return
        start = _restart(text, end - overlap, end)


def _break(text: str, low: int, high: int) -> int:
    """The best place to cut in a window: the last of the best kind."""
    window = text[low:high]
    for pattern in _BREAKS:
        last = 0
        for found in pattern.finditer(window):
            last = found.end()
        if last:
            return low + last
    return high


def _restart(text: str, low: int, end: int) -> int:
    """Where the next passage starts: at the first sentence, else at the first word, of the overlap."""
    window = text[low:end]
    for pattern in _STARTS:
        found = pattern.search(window)
        if found and found.end() < len(window):
            return low + found.end()
    return low


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), end - (len(piece) - len(piece.rstrip()))
