"""An Ed25519 key in a file that only its owner can read, made when it is first needed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from remit.core.errors import ConfigError
from remit.ports.secrets import Secrets

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SEED_BYTES = 32


SHARED = "deployment__audit_key"
"""The secret from which every process of a deployment has the same key. No tenant is called `deployment`."""


class Ed25519Signer:
    """Signs with the key in `path`: 32 secret bytes as hex, mode 0600. With `shared`, the key is made from a secret instead."""

    def __init__(self, path: Path, shared: Secrets | None = None) -> None:
        self._path = path
        self._shared = shared
        self._key: Ed25519PrivateKey | None = None

    def public_key(self) -> bytes:
        """The 32 bytes of the public key."""
        return self._private().public_key().public_bytes_raw()

    def sign(self, data: bytes) -> bytes:
        """The 64 bytes of the signature over `data`."""
        return self._private().sign(data)

    def _private(self) -> Ed25519PrivateKey:
        if self._key is None:
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

            seed = _seed(self._path) if self._shared is None else _shared_seed(self._shared)
            self._key = Ed25519PrivateKey.from_private_bytes(seed)
        return self._key


def _shared_seed(shared: Secrets) -> bytes:
    return hashlib.sha256(shared.get(SHARED).encode()).digest()


def _seed(path: Path) -> bytes:
    """The secret in `path`, made now if there is none. Two processes that race end up with one key."""
    try:
        if not path.exists():
            _make(path)
        seed = bytes.fromhex(path.read_text().strip())
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"the audit key `{path}` cannot be read: {error}",
            code="E250",
            help="restore it from a backup; removing it makes a new key, and old exports keep the old one",
        ) from error
    if len(seed) != SEED_BYTES:
        raise ConfigError(
            f"the audit key `{path}` holds {len(seed)} bytes instead of {SEED_BYTES}",
            code="E250",
            help="restore it from a backup; removing it makes a new key, and old exports keep the old one",
        )
    return seed


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(os.urandom(SEED_BYTES).hex() + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
