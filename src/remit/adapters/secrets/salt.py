"""The salt that keys the suffixes of redacted values, so that nobody can guess a value from its suffix."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from remit.ports.secrets import Secrets

SHARED = "deployment__redaction_salt"
"""The secret from which every process of a deployment has the same salt. No tenant is called `deployment`."""


def shared_salt(shared: Secrets) -> bytes:
    """The 16 bytes that a deployment's processes share. Raises what reading the secret raises."""
    return hashlib.sha256(shared.get(SHARED).encode()).digest()[:16]


def load_salt(path: Path) -> bytes:
    """The 16 bytes in `path`, made on first use (mode 0600). Two processes that race end up with one salt."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    if not path.exists():
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(descriptor, secrets.token_bytes(16))
        os.close(descriptor)
        try:
            os.link(temporary, path)
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
    return path.read_bytes()
