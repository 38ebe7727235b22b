"""What tools ask of the artifacts of their run: to read one again."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from remit.core.provenance import Label
from remit.core.task import Artifact


class Content(Struct, frozen=True):
    """An artifact with its bytes, and the label of the step that made it."""

    artifact: Artifact
    data: bytes
    label: Label


class Artifacts(Protocol):
    """The artifacts of the run that a call belongs to; nobody else's can be named."""

    async def read(self, reference: str) -> Content:
        """The artifact with this digest, or the newest with this name. Raises ArgumentsError E916 where there is none."""
