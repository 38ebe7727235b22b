"""The key of somebody who runs Remit on their own machine, and the link that signs their browser in."""

from __future__ import annotations

import os
from pathlib import Path

from remit.bootstrap import App
from remit.core.errors import ConfigError, DeniedError
from remit.core.naming import LOCAL

ROLES = ("admin", "approver")


async def ensure_local_key(app: App, home: Path, *, actor_id: str = "local") -> str:
    """The local admin key, kept in `home/local.key` that only its owner may read; made when there is none that works.

    Another `actor_id` has a key of its own (`home/local-NAME.key`): nobody approves their own request, so a single
    person who tries approvals needs a second identity. Raises ConfigError when the file cannot be kept private.
    """
    path = home / ("local.key" if actor_id == "local" else f"local-{actor_id}.key")
    known = _read(path)
    if known:
        try:
            await app.keys.authenticate(known)
        except DeniedError:
            path.unlink()
        else:
            return known
    made = await app.keys.create(LOCAL, actor_id, ROLES)
    _write(path, made.secret)
    return made.secret


async def sign_in_link(app: App, key: str, host: str, port: int) -> str:
    """An address that opens the console, signed in with the key: once, and within five minutes. Raises DeniedError E310."""
    return f"{address_of(app, host, port)}/#/login?code={await app.sessions.code_for(key)}"


def address_of(app: App, host: str, port: int) -> str:
    """Where a browser on this machine reaches a server that listens on `host`."""
    if app.settings.url:
        return app.settings.url
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{name}:{port}"


def _read(path: Path) -> str:
    if not path.exists():
        return ""
    if os.name == "posix" and path.stat().st_mode & 0o077:
        raise ConfigError(
            f"`{path}` can be read by others", code="E261", help=f"chmod 600 {path}, or delete it"
        )
    return path.read_text().strip()


def _write(path: Path, secret: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "w") as out:
        out.write(secret + "\n")
