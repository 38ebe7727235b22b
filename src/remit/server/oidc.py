"""Signing in at an OpenID provider: there and back again by the browser, which alone keeps the secret of the way."""

from __future__ import annotations

import logging
import secrets
from urllib.parse import quote, urlsplit

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from remit.bootstrap import App
from remit.bootstrap.identity import good_until, kept
from remit.core.errors import ConfigError, RemitError
from remit.engine.sessions import Opened
from remit.server.cookies import cookie, keep
from remit.server.hosts import NAMES

CALLBACK = "/api/v1/session/oidc/callback"
CONSOLE = "/#/"
SIGN_IN = "/#/login"

COOKIE = "remit_oidc"
WAY_S = 600
"""Seconds that somebody has for the provider's pages."""

LONGEST = 4096
"""Characters of a value that comes back."""

log = logging.getLogger("remit.server")


def label(app: App) -> str | None:
    """What stands on the button; None where there is no provider."""
    if app.provider is None:
        return None
    return app.settings.oidc.label or urlsplit(app.settings.oidc.issuer).hostname


async def start(request: Request, app: App) -> Response:
    """Send the browser to the provider. Raises ConfigError E1055."""
    if app.provider is None:
        raise ConfigError("there is no OpenID provider here", code="E1055", help="set `[oidc]` in remit.toml")
    started = await app.provider.start(secrets.token_urlsafe(32), _address(request, app))
    response = RedirectResponse(started.url, 303)
    keep(response, request, app, COOKIE, started.secret, seconds=WAY_S, across=True)
    return response


async def finish(request: Request, app: App) -> Opened:
    """A session of whom the provider vouches for. Raises ConfigError E1055, DeniedError E1056, E1057."""
    if app.provider is None:
        raise ConfigError("there is no OpenID provider here", code="E1055", help="set `[oidc]` in remit.toml")
    returned = {name: value[:LONGEST] for name, value in request.query_params.items()}
    claims = await app.provider.finish(cookie(request, app, COOKIE), returned, _address(request, app))
    settings = app.settings.oidc
    return await app.sessions.open_vouched(
        kept(claims, settings), good_until(claims, settings, app.clock.now())
    )


def forget(response: Response, request: Request, app: App) -> None:
    """Have the browser forget the secret: each is for one way."""
    keep(response, request, app, COOKIE, "", seconds=0, across=True)


def back(error: RemitError) -> Response:
    """To the sign-in page, which says what the code means; the rest is in the log, not in an address."""
    log.warning("a sign-in by the OpenID provider failed: %s", error.message, extra={"code": error.code})
    return RedirectResponse(f"{SIGN_IN}?problem={quote(error.code)}", 303)


def _address(request: Request, app: App) -> str:
    """Where the provider sends the browser back to. Never what a request names, unless that is this machine. Raises ConfigError E1055."""
    host = request.headers.get("host", "").lower()
    if app.settings.url:
        return app.settings.url + CALLBACK
    if host.rpartition(":")[0] in NAMES:
        return f"{request.url.scheme}://{host}{CALLBACK}"
    raise ConfigError(
        "an OpenID provider needs to know where people reach this server",
        code="E1055",
        help="set REMIT_URL, e.g. https://remit.example.com",
    )
