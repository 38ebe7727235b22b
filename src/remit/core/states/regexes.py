"""Regular expressions that workflow authors write: those that could take for ever are refused before they are used."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

_MANY = 10
"""Repeating an ambiguous group so often multiplies its ways to match beyond patience."""
_OTHER = "\x00"
"""Stands for an escape, a class or a dot: what it matches is not looked into."""
_ATOM = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|(?<!\(\?)\.", re.DOTALL)
_QUANTIFIER = re.compile(r"(?:[*+?]|\{(?P<least>\d*)(?P<range>,(?P<most>\d*))?\})[?+]?")
_OPENING = re.compile(r"\((?:\?(?:[:=!]|<[=!]|P?<\w+>|[a-zA-Z-]+:?))?")


class _Group(Struct):
    """What a group holds so far: whether it matches some text in two ways, its atoms, and how its alternatives begin."""

    ambiguous: bool = False
    optional: list[str] = []
    atoms: list[str] = []
    firsts: list[str] = []
    begins: bool = True
    needs: bool = False

    def add(self, atom: str, least: int, most: float) -> None:
        """An atom that is repeated so often."""
        if self.begins:
            self.firsts.append(atom if least else _OTHER)
            self.begins = False
        self.atoms.append(atom)
        self.needs = self.needs or least > 0
        if most > least and most > 1:
            self.ambiguous = True
        elif most > least:
            self.optional.append(atom)

    def alternative(self) -> None:
        """An alternative ends. One that may match nothing can be repeated in many ways."""
        self.ambiguous = self.ambiguous or not self.needs
        self.begins, self.needs = True, False

    def told_apart(self) -> bool:
        """Whether the next character always says which way to go: alternatives begin apart, what may be missing stands once."""
        alternatives = len(self.firsts)
        apart = alternatives == len(set(self.firsts)) and _OTHER not in self.firsts
        once = all(atom != _OTHER and self.atoms.count(atom) == 1 for atom in self.optional)
        return not self.ambiguous and once and (alternatives == 1 or apart)


def check(pattern: str) -> None:
    """Raises ValueError for repetition of what matches in two ways, as in `(a+)+` or `(a|aa)*`: it can take exponential time."""
    groups = [_Group()]
    for token, least, most in _tokens(_ATOM.sub(_OTHER, pattern)):
        if token.startswith("("):
            groups.append(_Group())
        elif token == "|":
            groups[-1].alternative()
        elif token != ")":
            groups[-1].add(token, least, most)
        elif len(groups) > 1:
            closed = groups.pop()
            closed.alternative()
            plain = closed.told_apart()
            if not plain and most >= _MANY:
                raise ValueError(
                    f"the regular expression `/{pattern}/` repeats what repeats itself: it could take for ever"
                )
            groups[-1].add(_OTHER, least, most)
            groups[-1].ambiguous = groups[-1].ambiguous or not plain


def _tokens(bare: str) -> Iterator[tuple[str, int, float]]:
    """Openings, `|`, and atoms or closings with the least and the most times they are repeated."""
    at = 0
    while at < len(bare):
        opening = _OPENING.match(bare, at)
        token = opening[0] if opening else bare[at]
        at += len(token)
        quantifier = None if opening or token == "|" else _QUANTIFIER.match(bare, at)
        if quantifier is None:
            yield token, 1, 1
            continue
        at = quantifier.end()
        yield token, *_times(quantifier)


def _times(quantifier: re.Match[str]) -> tuple[int, float]:
    sign = quantifier[0][0]
    if sign != "{":
        return int(sign == "+"), 1 if sign == "?" else float("inf")
    least = int(quantifier["least"] or 0)
    if quantifier["range"] is None:
        return least, least
    return least, int(quantifier["most"]) if quantifier["most"] else float("inf")
