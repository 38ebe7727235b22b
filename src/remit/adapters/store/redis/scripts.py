"""The Lua scripts, each beside this file as NAME.lua. A script is one transaction: Redis runs nothing else meanwhile."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

NAMES = ("commit", "lease", "due", "query", "declare", "fill")

_HERE = Path(__file__).parent
_COMMON = (_HERE / "common.lua").read_text()

SOURCES: dict[str, str] = {name: _COMMON + (_HERE / f"{name}.lua").read_text() for name in NAMES}
"""Text of every script."""

DIGESTS: dict[str, str] = {
    name: hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest() for name, text in SOURCES.items()
}
"""What Redis calls every script once it was loaded."""


def call(name: str, prefix: str, ask: Any) -> tuple[Any, ...]:
    """The command that runs a script; `ask` is what it is asked."""
    return ("EVALSHA", DIGESTS[name], 0, prefix, packed(ask))


def packed(value: Any) -> bytes:
    """MessagePack as Redis' Lua reads it: text and bytes are one kind there, and the newer kind for bytes is unknown."""
    parts: list[bytes] = []
    _pack(value, parts.append)
    return b"".join(parts)


def _pack(value: Any, out: Callable[[bytes], object]) -> None:
    if isinstance(value, str | bytes):
        data = value.encode() if isinstance(value, str) else value
        out(_size(len(data), 0xA0, 31, 0xDA))
        out(data)
    elif isinstance(value, bool):
        out(b"\xc3" if value else b"\xc2")
    elif isinstance(value, int):
        out(b"\xd3" + struct.pack(">q", value))
    elif isinstance(value, dict):
        out(_size(len(value), 0x80, 15, 0xDE))
        for name, inner in value.items():
            _pack(name, out)
            _pack(inner, out)
    else:
        out(_size(len(value), 0x90, 15, 0xDC))
        for inner in value:
            _pack(inner, out)


def _size(count: int, short: int, most: int, long: int) -> bytes:
    if count <= most:
        return bytes([short | count])
    if count < 2**16:
        return bytes([long]) + count.to_bytes(2)
    return bytes([long + 1]) + count.to_bytes(4)
