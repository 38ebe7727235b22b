"""The body of an answer as it comes: unpacked, and bounded before it is large."""

from __future__ import annotations

import zlib

MOST_RATIO = 200
"""What is packed this tightly is no page: text packs ten times, a bomb a thousand times."""

_RATIO_FROM = 2**16
_SLICE = 4096
"""Bytes that are unpacked between two looks at the ratio."""


class Body:
    """Bytes up to a limit. `packed` by gzip; what is packed more tightly than any text is refused."""

    def __init__(self, most: int, *, packed: bool) -> None:
        self.data = bytearray()
        self.truncated = False
        self._most = most
        self._taken = 0
        self._unpack = zlib.decompressobj(31) if packed else None

    def add(self, chunk: bytes) -> None:
        """Take some more. Raises ValueError that says what is wrong with it."""
        if self._unpack is None:
            self.data += chunk
        else:
            for start in range(0, len(chunk), _SLICE):
                self._unpacked(self._unpack, chunk[start : start + _SLICE])
        if len(self.data) > self._most:
            del self.data[self._most :]
            self.truncated = True

    @property
    def is_whole(self) -> bool:
        """Whether what is packed came to its end, or need not."""
        return self._unpack is None or self.truncated or not self._taken or self._unpack.eof

    def _unpacked(self, unpack: zlib._Decompress, packed: bytes) -> None:
        room = self._most + 1 - len(self.data)
        if room <= 0:
            return
        try:
            self.data += unpack.decompress(packed, room)
        except zlib.error:
            raise ValueError("is damaged") from None
        self._taken += len(packed)
        if len(self.data) > max(_RATIO_FROM, MOST_RATIO * self._taken):
            raise ValueError(f"unpacks to more than {MOST_RATIO} times its size")
