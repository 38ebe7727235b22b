"""Which hosts a local server answers for. A name that points to this machine by somebody else's DNS is not one of them."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from remit.server.details import problem
from remit.server.problems import respond

NAMES = ("localhost", "127.0.0.1", "[::1]")


def is_loopback(host: str) -> bool:
    """Whether only programs of this machine reach a server that listens on `host`."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def hosts_of(host: str, port: int, url: str) -> frozenset[str] | None:
    """The hosts that requests may name, where the server listens on `host`; None where any may: it is open to the network anyway.

    `url` is where people reach it through a proxy.
    """
    if not is_loopback(host):
        return None
    names = {*NAMES, f"[{host}]" if ":" in host else host}
    own = {f"{name}:{port}" for name in names} | (names if port == 80 else set())
    return frozenset(own | ({urlsplit(url).netloc} if url else set()))


class Hosts:
    """ASGI middleware: answers 421 to requests that name another host."""

    def __init__(self, inner: Any, allowed: Collection[str]) -> None:
        self._inner = inner
        self._allowed = allowed

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Pass the request on, unless it is for somebody else."""
        if scope["type"] == "http":
            named = [value for name, value in scope["headers"] if name == b"host"]
            host = named[0].decode("latin-1").lower() if len(named) == 1 else ""
            if host not in self._allowed:
                await _refusal(host)(scope, receive, send)
                return
        await self._inner(scope, receive, send)


def _refusal(host: str) -> Any:
    return respond(
        problem(
            421,
            "Misdirected",
            "E1053",
            f"`{host[:200]}` is not this server",
            "use the address that `remit up` prints; behind a proxy or a tunnel set REMIT_URL to what people open",
        )
    )
