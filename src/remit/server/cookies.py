"""The cookie that holds a session, and from which pages it counts.

A cookie travels with whatever page asks, so it counts only for our own page, and for a change only with a header that no other page
can know. Cookies do not heed ports: another program on this machine is another page.
"""

from __future__ import annotations

import hmac

from fastapi import Request
from fastapi.responses import Response

from remit.bootstrap import App
from remit.core.errors import DeniedError
from remit.engine.keys import Identity
from remit.engine.sessions import Opened, Session

SESSION = "remit_session"
PREFIX = "__Host-"
"""Browsers take a cookie of such a name only over TLS, from this host, for all of it."""

CSRF = "X-Remit-CSRF"
READING = frozenset({"GET", "HEAD", "OPTIONS"})


def is_secure(request: Request, app: App) -> bool:
    """Whether people reach this server over TLS."""
    return request.url.scheme == "https" or app.settings.url.startswith("https:")


def cookie(request: Request, app: App, name: str) -> str:
    """The value of one of our cookies, or an empty string."""
    return request.cookies.get(PREFIX + name if is_secure(request, app) else name, "")


def keep(
    response: Response,
    request: Request,
    app: App,
    name: str,
    value: str,
    *,
    seconds: int,
    across: bool = False,
) -> None:
    """Have the browser keep a value for so long, out of reach of scripts; `across`: also when another site sends it here."""
    secure = is_secure(request, app)
    response.set_cookie(
        PREFIX + name if secure else name,
        value,
        max_age=seconds,
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax" if across else "strict",
    )


def keep_session(response: Response, request: Request, app: App, opened: Opened) -> None:
    """Have the browser keep a session."""
    seconds = max(0, (opened.session.expires_ts - app.clock.now()) // 1000)
    keep(response, request, app, SESSION, opened.secret, seconds=seconds)


async def session_in(request: Request, app: App) -> tuple[Session, Identity] | None:
    """The session of a request, and whose it is; None without a cookie.

    Raises DeniedError E310 when it is over, E1051 for another page than ours, E1052 for a change without the header.
    """
    secret = cookie(request, app, SESSION)
    if not secret:
        return None
    check_page(request, app)
    session, who = await app.sessions.find(secret)
    given = request.headers.get(CSRF, "")
    if request.method not in READING and not hmac.compare_digest(given.encode(), session.csrf.encode()):
        raise DeniedError(
            f"a change by a session needs the header `{CSRF}`",
            code="E1052",
            help="send what `csrf` of GET /api/v1/session says",
        )
    return session, who


def check_page(request: Request, app: App) -> None:
    """Refuse what another page than ours has the browser send. Raises DeniedError E1051."""
    origin = request.headers.get("origin", "")
    if origin and origin not in own_origins(request, app):
        raise _other_page(f"`{origin[:200]}`")
    if not origin and request.headers.get("sec-fetch-site", "none") in ("same-site", "cross-site"):
        raise _other_page("another site")


def own_origins(request: Request, app: App) -> frozenset[str]:
    """Where our own pages are: where this request went to, and where people reach us."""
    here = f"{request.url.scheme}://{request.headers.get('host', '').lower()}"
    return frozenset({here, app.settings.url} - {""})


def _other_page(whose: str) -> DeniedError:
    return DeniedError(
        f"pages of {whose} may not use a session of this server",
        code="E1051",
        help="open the console at this server's own address, or send an API key; behind a proxy set REMIT_URL",
    )
