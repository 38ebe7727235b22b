"""What the engine asks of a signer: proof of who exported an audit file."""

from __future__ import annotations

from typing import Protocol


class Signer(Protocol):
    """Signs with one Ed25519 key. Whoever holds the public key can check the signature."""

    def public_key(self) -> bytes:
        """The 32 bytes of the public key. Raises ConfigError when the key cannot be read."""

    def sign(self, data: bytes) -> bytes:
        """The 64 bytes of the signature over `data`."""
