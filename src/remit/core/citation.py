"""Citations of documents: `doc:ID#START-END` names characters of a document's text, and nothing else in the world."""

from __future__ import annotations

import re

from msgspec import Struct

from remit.core.errors import InputError

_CITATION = re.compile(r"doc:([A-Za-z0-9][A-Za-z0-9._-]{0,127})#(\d{1,12})-(\d{1,12})")


class Citation(Struct, frozen=True):
    """Characters `start` to `end` (Unicode code points) of a document's text."""

    document_id: str
    start: int
    end: int

    def __str__(self) -> str:
        return f"doc:{self.document_id}#{self.start}-{self.end}"


def parse(text: str) -> Citation:
    """The citation that a text is. Raises InputError E934."""
    found = _CITATION.fullmatch(text)
    if not found or int(found[2]) > int(found[3]):
        raise InputError(
            f"`{text[:200]}` is no citation of a document",
            code="E934",
            help="pass one as a search gave it, e.g. `doc:handbook#120-480`",
        )
    return Citation(found[1], int(found[2]), int(found[3]))
