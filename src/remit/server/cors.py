"""Which web pages may ask from a browser (CORS): only those of origins that the settings name."""

from __future__ import annotations

from collections.abc import Collection

ANY = "*"
PREFLIGHT = {
    "access-control-allow-methods": "GET, POST, OPTIONS",
    "access-control-allow-headers": "authorization, content-type, idempotency-key, x-api-key",
    "access-control-max-age": "600",
}
EXPOSED = {"access-control-expose-headers": "location, retry-after"}


def cors_headers(origin: str, allowed: Collection[str], *, preflight: bool = False) -> dict[str, str]:
    """The headers that let a page of `origin` read the answer; none that would for any other. Cookies are never let through."""
    vary = {"vary": "Origin"} if allowed and ANY not in allowed else {}
    if not origin or not (origin in allowed or ANY in allowed):
        return vary
    granted = {"access-control-allow-origin": ANY if ANY in allowed else origin}
    return {**vary, **granted, **(PREFLIGHT if preflight else EXPOSED)}
