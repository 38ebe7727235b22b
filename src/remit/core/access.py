"""The scopes that open the doors of the API, and which of them each role opens. docs/reference/roles.md is the same table."""

from __future__ import annotations

READ = "read"
APPROVALS = "approvals"
"""To see what waits for a person: what somebody needs who does nothing but decide."""
RUN = "run"
CHAT = "chat"
"""To take turns of conversations by `/chat`, and nothing else: what a page that everybody can read may hold a key for."""
DECIDE = "decide"
AUDIT = "audit"
EDIT = "edit"
ADMIN = "admin"

ROLE_SCOPES: dict[str, frozenset[str]] = {
    "admin": frozenset({READ, APPROVALS, RUN, CHAT, DECIDE, AUDIT, EDIT, ADMIN}),
    "editor": frozenset({READ, APPROVALS, EDIT}),
    "operator": frozenset({READ, APPROVALS, RUN, CHAT}),
    "approver": frozenset({READ, APPROVALS, DECIDE}),
    "auditor": frozenset({READ, APPROVALS, AUDIT}),
    "viewer": frozenset({READ, APPROVALS}),
    "visitor": frozenset({CHAT}),
}
"""What the built-in roles may do."""

OTHER_ROLE = frozenset({APPROVALS, DECIDE})
"""What any other role of an API key may do. Of a token it opens nothing: its groups and scopes are given for other ends too."""
