"""A States Language document read from JSON text, with the place of every value."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Mapping
from json.decoder import JSONDecodeError, scanstring  # type: ignore[attr-defined]
from typing import Any

from msgspec import Struct

from remit.core.errors import InputError

MOST_BYTES = 1_048_576
"""The most that a document may have as UTF-8 (quota of Step Functions: 1 MB for a state machine's definition)."""
MOST_DEPTH = 100
"""How deep values may be nested. A Map in a Map costs five levels."""

Positions = Mapping[str, tuple[int, int]]
"""Where each value begins, by JSON pointer: line and column, from 1. A member of an object begins with its name."""

_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?")
_WORDS = {"true": True, "false": False, "null": None}


class Text(Struct, frozen=True):
    """A document, and where its values stand in the text that it was read from."""

    document: dict[str, Any]
    positions: dict[str, tuple[int, int]]


def child(pointer: str, key: str | int) -> str:
    """The JSON pointer (RFC 6901) of a member or element of the value at `pointer`."""
    return f"{pointer}/{key}" if isinstance(key, int) else f"{pointer}/{_escaped(key)}"


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1") if "~" in key or "/" in key else key


def wrong(message: str, line: int, column: int) -> InputError:
    """The error for text that is no document; `message` is one sentence."""
    return InputError(
        f"line {line}, column {column}: {message}",
        code="E630",
        help="correct the text there; nothing else of it was looked at",
    )


def limited(text: str) -> str:
    """The text without a byte order mark. Raises InputError for more than MOST_BYTES."""
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MOST_BYTES:
        raise InputError(
            f"the document has {size} bytes, more than {MOST_BYTES}",
            code="E631",
            help="move a part of it into a workflow of its own, and call that one with `remit:workflow:NAME`",
        )
    return text.removeprefix("\ufeff")


def read_json(text: str) -> Text:
    """The document that JSON text holds. Raises InputError with line and column for anything that is not one object."""
    return _Reader(limited(text)).read()


class _Reader:
    """Recursive descent over JSON, which notes where each value begins. The standard library's does not say."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts = [0, *(m.end() for m in re.finditer("\n", text))]
        self._positions: dict[str, tuple[int, int]] = {}

    def read(self) -> Text:
        start = self._skip(0)
        if self._text[start : start + 1] != "{":
            raise self._wrong("a workflow is an object, and this is none", start)
        self._positions[""] = self._place(start)
        value, at = self._value(start, "", 0)
        at = self._skip(at)
        if at < len(self._text):
            raise self._wrong("text follows the end of the document", at)
        return Text(value, self._positions)

    def _place(self, at: int) -> tuple[int, int]:
        line = bisect_right(self._starts, at)
        return line, at - self._starts[line - 1] + 1

    def _wrong(self, message: str, at: int) -> InputError:
        return wrong(message, *self._place(at))

    def _skip(self, at: int) -> int:
        found = _SPACE.match(self._text, at)
        return found.end() if found else at

    def _value(self, at: int, pointer: str, depth: int) -> tuple[Any, int]:
        first = self._text[at : at + 1]
        if first == '"':
            return self._string(at)
        if depth > MOST_DEPTH:
            raise self._wrong(f"values are nested more than {MOST_DEPTH} deep", at)
        if first == "{":
            return self._object(at, pointer, depth + 1)
        if first == "[":
            return self._array(at, pointer, depth + 1)
        return self._scalar(at)

    def _string(self, at: int) -> tuple[str, int]:
        try:
            made: tuple[str, int] = scanstring(self._text, at + 1, True)
        except JSONDecodeError as error:
            raise self._wrong(
                f"{error.msg[:1].lower()}{error.msg[1:].removesuffix(' at')}", error.pos
            ) from None
        return made

    def _scalar(self, at: int) -> tuple[Any, int]:
        for word, value in _WORDS.items():
            if self._text.startswith(word, at):
                return value, at + len(word)
        found = _NUMBER.match(self._text, at)
        if found is None:
            what = f"`{self._text[at]}`" if at < len(self._text) else "the end of the text"
            raise self._wrong(f"a value is expected, and {what} stands there", at)
        whole = found[1] is None and found[2] is None
        if not math.isfinite(float(found[0])):
            raise self._wrong("the number is larger than any that can be kept", at)
        return (int if whole else float)(found[0]), found.end()

    def _object(self, at: int, pointer: str, depth: int) -> tuple[dict[str, Any], int]:
        made: dict[str, Any] = {}
        at = self._skip(at + 1)
        if self._text[at : at + 1] == "}":
            return made, at + 1
        while True:
            name, after = self._name(at, made)
            place = child(pointer, name)
            self._positions[place] = self._place(at)
            made[name], at = self._value(self._skip(after), place, depth)
            at, ended = self._next(at, "}")
            if ended:
                return made, at

    def _name(self, at: int, made: dict[str, Any]) -> tuple[str, int]:
        if self._text[at : at + 1] != '"':
            raise self._wrong("the name of a field is expected, in double quotes", at)
        name, after = self._string(at)
        if name in made:
            raise self._wrong(f"`{name[:100]}` occurs twice", at)
        after = self._skip(after)
        if self._text[after : after + 1] != ":":
            raise self._wrong(f"a colon is expected after `{name[:100]}`", after)
        return name, after + 1

    def _array(self, at: int, pointer: str, depth: int) -> tuple[list[Any], int]:
        made: list[Any] = []
        at = self._skip(at + 1)
        if self._text[at : at + 1] == "]":
            return made, at + 1
        while True:
            place = child(pointer, len(made))
            self._positions[place] = self._place(at)
            value, at = self._value(at, place, depth)
            made.append(value)
            at, ended = self._next(at, "]")
            if ended:
                return made, at

    def _next(self, at: int, end: str) -> tuple[int, bool]:
        """Where the next member or element begins; or what follows the end, and True."""
        at = self._skip(at)
        mark = self._text[at : at + 1]
        if mark == end:
            return at + 1, True
        if mark != ",":
            raise self._wrong(f"a comma or `{end}` is expected", at)
        return self._skip(at + 1), False
