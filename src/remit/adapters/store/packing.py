"""Contents as they are stored: compressed when that makes them smaller, under the raw bytes of their digest."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import NamedTuple

SMALLEST = 512
"""Bytes below which compression is not worth its time."""


class Packed(NamedTuple):
    """One row of `contents`."""

    digest: bytes
    packed: int
    body: bytes


def digest_key(digest: str) -> bytes:
    """The 32 bytes of a SHA-256 digest (half the size of its text); any other name as it is."""
    kind, _, digits = digest.partition(":")
    if kind == "sha256" and len(digits) == 64:
        try:
            return bytes.fromhex(digits)
        except ValueError:
            pass
    return digest.encode()


def pack(contents: Mapping[str, bytes]) -> list[Packed]:
    """The rows for these contents."""
    return [_packed(digest_key(digest), bytes(body)) for digest, body in contents.items()]


def unpack(packed: int, body: bytes) -> bytes:
    """The content of a row."""
    return zlib.decompress(body) if packed else bytes(body)


def _packed(key: bytes, body: bytes) -> Packed:
    if len(body) > SMALLEST:
        smaller = zlib.compress(body, 1)
        if len(smaller) < len(body):
            return Packed(key, 1, smaller)
    return Packed(key, 0, body)
