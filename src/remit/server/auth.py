"""Who may do what over HTTP. Tenant, actor and roles come from the API key alone.

Roles open doors of the API (scopes); what happens behind the door is still asked of policy. So a role that is
known only to a policy profile (`finance`, say) may read and may try to decide approvals, and policy says whether.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request

from remit.bootstrap import App
from remit.core.errors import DeniedError
from remit.engine.keys import Identity
from remit.server.problems import UnauthenticatedError

READ = "read"
RUN = "run"
DECIDE = "decide"
AUDIT = "audit"
EDIT = "edit"

ROLE_SCOPES: dict[str, frozenset[str]] = {
    "admin": frozenset({READ, RUN, DECIDE, AUDIT, EDIT}),
    "editor": frozenset({READ, EDIT}),
    "operator": frozenset({READ, RUN}),
    "approver": frozenset({READ, DECIDE}),
    "auditor": frozenset({READ, AUDIT}),
    "viewer": frozenset({READ}),
}
"""What the built-in roles may do."""

OTHER_ROLE = frozenset({READ, DECIDE})
"""What any other role may do."""


def scopes(roles: tuple[str, ...]) -> frozenset[str]:
    """The scopes of all the roles together."""
    return frozenset().union(*(ROLE_SCOPES.get(role, OTHER_ROLE) for role in roles))


def the_app(request: Request) -> App:
    """The app that the server was built for."""
    app: App = request.app.state.remit
    return app


TheApp = Annotated[App, Depends(the_app)]


async def identity(request: Request, app: TheApp) -> Identity:
    """Who calls. Raises DeniedError E310 without a valid key."""
    given = credential(request)
    if not given:
        raise UnauthenticatedError(
            "this needs an API key",
            help="send it as `Authorization: Bearer remit_...` or `X-API-Key: remit_...`",
        )
    return await app.keys.authenticate(given)


Who = Annotated[Identity, Depends(identity)]


def needs(scope: str) -> Callable[[Identity], Awaitable[None]]:
    """A dependency that passes callers whose key has a role that opens `scope`. Raises DeniedError E320."""

    async def check(who: Who) -> None:
        """Refuse unless a role opens the scope."""
        if scope not in scopes(who.actor.roles):
            openers = sorted(role for role, opened in ROLE_SCOPES.items() if scope in opened)
            raise DeniedError(
                f"the roles of this key do not include `{scope}`",
                code="E320",
                help=f"use a key with one of the roles {', '.join(f'`{role}`' for role in openers)}",
            )

    return check


def credential(request: Request) -> str:
    """The key in the request's headers, or an empty string. Never read from the URL, which ends up in logs."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return request.headers.get("x-api-key", "").strip()
