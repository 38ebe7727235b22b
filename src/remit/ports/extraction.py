"""What the library asks of whoever reads files: the text of one."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct


class Extracted(Struct, frozen=True):
    """What a file says. `title` is its own, empty when it has none; `media_type` what it turned out to be."""

    text: str
    title: str
    media_type: str


class Extraction(Protocol):
    """Reads text, Markdown, HTML, JSON and PDF."""

    async def extract(self, data: bytes, *, media_type: str = "", name: str = "") -> Extracted:
        """The text of a file, whose kind is that of `media_type`, else that of its `name`, else what it looks like.

        Raises InputError E932 for what cannot be read or has no text, E933 for what is too large; ConfigError E695.
        """
