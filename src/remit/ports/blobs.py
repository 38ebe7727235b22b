"""What the engine asks of a blob store."""

from __future__ import annotations

from typing import Protocol


class Blobs(Protocol):
    """Content-addressed bytes: artifacts and outputs too large for a journal."""

    async def put(self, data: bytes) -> str:
        """Store and return the digest (`sha256:...`). Storing the same bytes twice is one blob."""

    async def get(self, digest: str) -> bytes:
        """The bytes, checked against the digest. Raises NotFoundError or StoreError (damaged)."""

    async def delete(self, digest: str) -> None:
        """Delete bytes; those that are not there are no error. Only for bytes that hold an id of their owner.

        The same bytes are one blob, whoever put them: what somebody else could have put too is never deleted.
        """
