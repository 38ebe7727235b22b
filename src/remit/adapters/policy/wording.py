"""What a decision says to people: its reason, and the Cedar text that would change it."""

from __future__ import annotations

from remit.adapters.policy.question import RESOURCE_TYPES
from remit.core.policy import PolicyRequest, Profile


def quoted(text: str) -> str:
    """The text as a Cedar string literal: nothing in it can end the literal or start another line."""
    return (
        '"' + "".join(c if c.isprintable() and c not in '"\\' else f"\\u{{{ord(c):x}}}" for c in text) + '"'
    )


def subject(request: PolicyRequest, may: str) -> str:
    """Who `may` (or may not) do what, as the beginning of a sentence."""
    who = request.principal
    name = f"agent {_list((who.agent,))}" if who.agent else _list((who.actor_id,))
    return f"{name} {may} {_list((request.action,))} on {_list((request.resource,))}"


def allowed(request: PolicyRequest, policies: tuple[str, ...]) -> str:
    """The reason of an allow."""
    return f"{subject(request, 'may')} by {_list(policies)}"


def needs_approval(request: PolicyRequest, policies: tuple[str, ...], profile: Profile) -> str:
    """The reason of a wait for a person."""
    who = _list(profile.approver_roles) or "nobody (the profile names no `approver_roles`)"
    return f"{subject(request, 'may not')} until approved by {who}, says {_list(policies)}"


def denied(request: PolicyRequest, policies: tuple[str, ...], profile: Profile) -> str:
    """The reason of a deny: the forbids that matched, or that nothing permits it."""
    if policies:
        return f"{subject(request, 'may not')}: forbidden by {_list(policies)}"
    return f"{subject(request, 'may not')}: no policy of profile {_list((profile.name,))} permits it"


def unanswerable(why: str) -> str:
    """The reason of a deny because policy could not be asked."""
    return f"policy could not be asked, so the answer is no: {why}"


def permit_help(request: PolicyRequest, profile: Profile) -> str:
    """Cedar text which, appended to the profile's policies, allows exactly this."""
    return (
        f"{_role_hint(request, profile)}"
        f"// to allow it, append this to the policies of profile {_list((profile.name,))}:\n"
        f"@id({quoted(_permit_id(request))})\n"
        f"permit (\n  principal == {_principal(request)},\n"
        f'  action == Action::"{request.action}",\n'
        f"  resource == {_resource(request)}\n)\n"
        f"when {{ context.tenant == {quoted(request.principal.tenant_id)} }};\n"
    )


def forbid_help(
    request: PolicyRequest, policies: tuple[str, ...], profile: Profile, *, approval: bool
) -> str:
    """The exception which, put before the `;` of each forbid named, lets exactly this through."""
    lines = (
        [f"// a person with role {_list(profile.approver_roles)} may approve this call"] if approval else []
    )
    lines.append(
        f"// no permit lifts a forbid; to except this, put the next line before the `;` of {_list(policies)}:"
    )
    lines.append(
        f"unless {{ principal == {_principal(request)} && resource == {_resource(request)} && "
        f"context.tenant == {quoted(request.principal.tenant_id)} }}"
    )
    return "\n".join(lines) + "\n"


def _role_hint(request: PolicyRequest, profile: Profile) -> str:
    if request.action != "approve":
        return ""
    return f"// people approve who have one of the roles {_list(profile.approver_roles)}; give the role, or\n"


def _permit_id(request: PolicyRequest) -> str:
    who = request.principal
    return f"{who.tenant_id}-{who.agent or who.actor_id}-{request.action}-{request.resource}"


def _principal(request: PolicyRequest) -> str:
    who = request.principal
    return f"Agent::{quoted(who.agent)}" if who.agent else f"User::{quoted(who.actor_id)}"


def _resource(request: PolicyRequest) -> str:
    return f"{RESOURCE_TYPES[request.action]}::{quoted(request.resource)}"


def _list(names: tuple[str, ...]) -> str:
    """Names in backticks. What could start another line, and so leave a comment, is shown as `?`."""
    return ", ".join("`" + "".join(c if c.isprintable() else "?" for c in name) + "`" for name in names)
