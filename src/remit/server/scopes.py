"""Which doors of the API a role opens. Knows no web framework.

Roles open doors (scopes); what happens behind the door is still asked of policy. So a key's role that is known only to a
policy profile (`finance`, say) may read and may try to decide approvals, and policy says whether.
"""

from __future__ import annotations

from remit.core.errors import DeniedError
from remit.core.task import Actor
from remit.engine.keys import API_KEY

READ = "read"
RUN = "run"
CHAT = "chat"
"""To take turns of conversations by `/chat`, and nothing else: what a page that everybody can read may hold a key for."""
DECIDE = "decide"
AUDIT = "audit"
EDIT = "edit"
ADMIN = "admin"

ROLE_SCOPES: dict[str, frozenset[str]] = {
    "admin": frozenset({READ, RUN, CHAT, DECIDE, AUDIT, EDIT, ADMIN}),
    "editor": frozenset({READ, EDIT}),
    "operator": frozenset({READ, RUN, CHAT}),
    "approver": frozenset({READ, DECIDE}),
    "auditor": frozenset({READ, AUDIT}),
    "viewer": frozenset({READ}),
    "visitor": frozenset({CHAT}),
}
"""What the built-in roles may do."""

OTHER_ROLE = frozenset({READ, DECIDE})
"""What any other role of an API key may do. Of a token it opens nothing: its groups and scopes are given for other ends too."""


def scopes(actor: Actor) -> frozenset[str]:
    """The scopes of all the actor's roles together."""
    other = OTHER_ROLE if actor.via == API_KEY else frozenset()
    return frozenset().union(*(ROLE_SCOPES.get(role, other) for role in actor.roles))


def check_scope(actor: Actor, scope: str) -> None:
    """Raise DeniedError E320 unless one of the actor's roles opens the scope."""
    if scope in scopes(actor):
        return
    openers = sorted(role for role, opened in ROLE_SCOPES.items() if scope in opened)
    raise DeniedError(
        f"the roles of this key do not include `{scope}`",
        code="E320",
        help=f"use a key with one of the roles {', '.join(f'`{role}`' for role in openers)}",
    )
