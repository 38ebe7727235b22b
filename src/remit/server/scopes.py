"""Which doors of the API a role opens. Knows no web framework.

Roles open doors (scopes); what happens behind the door is still asked of policy. So a key's role that is known only to a
policy profile or to a workflow's gate (`finance`, say) may see approvals and try to decide them, and policy says whether.
"""

from __future__ import annotations

from remit.core.access import ADMIN as ADMIN
from remit.core.access import APPROVALS as APPROVALS
from remit.core.access import AUDIT as AUDIT
from remit.core.access import CHAT as CHAT
from remit.core.access import DECIDE as DECIDE
from remit.core.access import EDIT as EDIT
from remit.core.access import OTHER_ROLE, ROLE_SCOPES
from remit.core.access import READ as READ
from remit.core.access import RUN as RUN
from remit.core.errors import DeniedError
from remit.core.task import Actor
from remit.engine.keys import API_KEY


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
