"""Who may do what over HTTP. Tenant, actor and roles come from the credential alone; `scopes` says what roles open."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request

from remit.bootstrap import App
from remit.engine.keys import Identity
from remit.server.cookies import session_in
from remit.server.details import UnauthenticatedError
from remit.server.scopes import ADMIN as ADMIN
from remit.server.scopes import APPROVALS as APPROVALS
from remit.server.scopes import AUDIT as AUDIT
from remit.server.scopes import CHAT as CHAT
from remit.server.scopes import DECIDE as DECIDE
from remit.server.scopes import EDIT as EDIT
from remit.server.scopes import READ as READ
from remit.server.scopes import RUN as RUN
from remit.server.scopes import check_scope


def the_app(request: Request) -> App:
    """The app that the server was built for."""
    app: App = request.app.state.remit
    return app


TheApp = Annotated[App, Depends(the_app)]


PROVED = "remit.identity"
"""The key of an ASGI scope under which whoever built the scope says who calls. No client can write there."""


async def identity(request: Request, app: TheApp) -> Identity:
    """Who calls: proved by whoever took the request, else by its key, else by its session.

    Raises DeniedError E310 without a valid one, E1051 or E1052 for a session that does not count here.
    """
    proved = request.scope.get(PROVED)
    if isinstance(proved, Identity):
        return proved
    if given := credential(request):
        return await app.keys.authenticate(given)
    if found := await session_in(request, app):
        return found[1]
    raise UnauthenticatedError(
        "this needs an API key",
        help="send it as `Authorization: Bearer remit_...` or `X-API-Key: remit_...`",
    )


Who = Annotated[Identity, Depends(identity)]


def needs(scope: str) -> Callable[[Identity], Awaitable[None]]:
    """A dependency that passes callers whose key has a role that opens `scope`. Raises DeniedError E320."""

    async def check(who: Who) -> None:
        """Refuse unless a role opens the scope."""
        check_scope(who.actor, scope)

    return check


def credential(request: Request) -> str:
    """The key in the request's headers, or an empty string. Never read from the URL, which ends up in logs."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return request.headers.get("x-api-key", "").strip()
