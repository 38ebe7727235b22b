"""What a server of the Model Context Protocol says of its tools, and when that may be believed.

Source: Model Context Protocol 2026-07-28, "Tools". Whatever a server says is foreign text: it is pinned as a whole, shown to
a person before a model sees it, and refused where people would read another name or text than a model.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct

from remit.core.codec import canonical, digest_of
from remit.core.errors import InputError

SEPARATOR = "__"
"""Between a server's name and its tool's."""

MOST_NAME = 64
"""Characters of a tool's name that every model provider accepts."""

MOST_TEXT = 16_384
"""Characters of a description."""

MOST_BYTES = 131_072
"""Bytes of all that a server says of one tool, as JSON."""

_SERVER = re.compile(r"[a-z][a-z0-9]*(?:[_-][a-z0-9]+)*\Z")
_TOOL = re.compile(r"[A-Za-z0-9_./-]+\Z")
_JOINERS = frozenset("\u200d\ufe0f")
"""What holds an emoji together: the only invisible characters that ordinary text has."""

_ALIKE = str.maketrans("0158i", "olsbl")


class Contract(Struct, frozen=True, omit_defaults=True):
    """All that a server says of one tool and that a model or a person may act on."""

    name: str
    input_schema: dict[str, Any]
    description: str = ""
    title: str = ""
    output_schema: dict[str, Any] | None = None
    annotations: dict[str, Any] = {}


def pin(contract: Contract) -> str:
    """The digest of a contract: another one means another tool."""
    return digest_of(contract)


def is_server(name: str) -> bool:
    """Whether this can name a server: what stands before the first `__` of a tool's name is always the server's."""
    return len(name) <= 32 and _SERVER.match(name) is not None


def tool_name(server: str, tool: str) -> str:
    """The name under which a tool is known here. Raises InputError E951 for one that no model could be given."""
    made = f"{server}{SEPARATOR}{re.sub('[./]', '_', tool)}"
    if not _TOOL.match(tool) or len(made) > MOST_NAME:
        raise InputError(
            f"`{shown(tool)[:150]}` of server `{server}` is no name that a model can be given",
            code="E951",
            help=f"letters, digits and `_ - . /` are; with its server's name and `{SEPARATOR}` it has at most {MOST_NAME}",
        )
    return made


def skeleton(name: str) -> str:
    """What is left of a name where it cannot be mistaken for another: names with equal ones look alike."""
    plain = name.lower().replace("_", "").replace("-", "")
    return plain.replace("rn", "m").replace("vv", "w").translate(_ALIKE)


def look_alike(name: str, others: Iterable[str]) -> str:
    """The first of the other names that could be mistaken for this one; empty when there is none."""
    own = skeleton(name)
    return next((other for other in others if other != name and skeleton(other) == own), "")


def unfit(contract: Contract) -> str:
    """Why nobody could approve this contract, whatever it is for; empty when there is no reason."""
    size = len(canonical(contract))
    if size > MOST_BYTES:
        return f"it is described in {size} bytes, more than {MOST_BYTES}"
    if len(contract.description) > MOST_TEXT:
        return f"its description has {len(contract.description)} characters, more than {MOST_TEXT}"
    if contract.input_schema.get("type") != "object":
        return "its arguments are no JSON object"
    for text in _texts([contract.title, contract.description, contract.input_schema, contract.output_schema]):
        for character in text:
            if _hidden(character):
                return f"it is described with the invisible character U+{ord(character):04X}"
    return ""


def shown(text: str) -> str:
    """Foreign text for a person: what would be invisible, or would drive a terminal, is written out."""
    return "".join(f"<U+{ord(c):04X}>" if _hidden(c) or c in _JOINERS else c for c in text)


def _hidden(character: str) -> bool:
    """Whether a person sees nothing of a character that a model reads."""
    if character in "\n\t" or character in _JOINERS:
        return False
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") or (
        0xFE00 <= ord(character) <= 0xFE0E or 0xE0100 <= ord(character) <= 0xE01EF
    )


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
