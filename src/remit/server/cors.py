"""Which web pages may ask from a browser (CORS): only those of origins that the settings name. Knows no web framework."""

from __future__ import annotations

from collections.abc import Collection, Mapping, MutableMapping, Sequence
from typing import Any, NamedTuple

ANY = "*"
PREFLIGHT = {
    "access-control-allow-methods": "GET, POST, OPTIONS",
    "access-control-allow-headers": "authorization, content-type, idempotency-key, x-api-key",
    "access-control-max-age": "600",
}
EXPOSED = {"access-control-expose-headers": "location, retry-after"}

CONSOLE = {
    **PREFLIGHT,
    "access-control-allow-methods": "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
    "access-control-allow-headers": "authorization, content-type, idempotency-key, last-event-id, x-api-key",
}


class Grant(NamedTuple):
    """Pages of `origins` may ask at `paths` and below; `preflight` is what they are told beforehand."""

    paths: tuple[str, ...]
    origins: tuple[str, ...]
    preflight: Mapping[str, str] = PREFLIGHT

    def covers(self, path: str) -> bool:
        """Whether an address is one of `paths`, or below."""
        return any(path == each or path.startswith(f"{each}/") for each in self.paths)

    def lets(self, origin: str) -> bool:
        """Whether pages of an origin may ask."""
        return origin in self.origins or ANY in self.origins


def cors_headers(
    origin: str,
    allowed: Collection[str],
    *,
    preflight: bool = False,
    beforehand: Mapping[str, str] = PREFLIGHT,
) -> dict[str, str]:
    """The headers that let a page of `origin` read the answer; none that would for any other. Cookies are never let through."""
    vary = {"vary": "Origin"} if allowed and ANY not in allowed else {}
    if not origin or not (origin in allowed or ANY in allowed):
        return vary
    granted = {"access-control-allow-origin": ANY if ANY in allowed else origin}
    return {**vary, **granted, **(beforehand if preflight else EXPOSED)}


class Cors:
    """ASGI middleware: lets pages of the granted origins ask, and answers what browsers ask beforehand."""

    def __init__(self, inner: Any, grants: Sequence[Grant]) -> None:
        self._inner = inner
        self._grants = [grant for grant in grants if grant.origins]

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Pass the request on, unless it is a browser's question beforehand."""
        here = [g for g in self._grants if scope["type"] == "http" and g.covers(scope["path"])]
        if not here:
            await self._inner(scope, receive, send)
            return
        origin = dict(scope["headers"]).get(b"origin", b"").decode("latin-1")
        grant = next((g for g in here if g.lets(origin)), here[0])
        is_question = scope["method"] == "OPTIONS"
        granted = cors_headers(origin, grant.origins, preflight=is_question, beforehand=grant.preflight)
        headers = [(name.encode(), value.encode("latin-1")) for name, value in granted.items()]
        if is_question:
            await send({"type": "http.response.start", "status": 204, "headers": headers})
            await send({"type": "http.response.body"})
            return

        async def granting(message: MutableMapping[str, Any]) -> None:
            """Add the headers to the answer, a refusal's too: else the page could not read why."""
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *headers]
            await send(message)

        await self._inner(scope, receive, granting)
