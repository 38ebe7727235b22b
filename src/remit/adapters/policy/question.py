"""A policy request as Cedar sees it: checked, typed and small.

The request's `arguments` are not put to Cedar: their types differ from tool to tool, so no schema could hold a
policy about them to account, and a guess (cents or dollars?) would be wrong by a factor of 100. Whoever knows
the tool puts numbers into `context`: `amount` in minor units (cents) and `count`, both whole numbers. What else
is judged from arguments arrives as `over_limit`.

Absent facts take the value that allows least: `outward` is true for tools and topics, `effect` is `plain`,
`approved`, `declared` and `cited` are false. `flow` is what the engine found out about the arguments of a run that has read
untrusted content, and empty in any other. `risk` of a tool call has no safe default and must be given; so must
`requester_is_approver` and the owner's `tenant_id` when somebody approves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from remit.core.policy import PolicyRequest, Principal
from remit.core.provenance import Labels

RESOURCE_TYPES = {
    "call_tool": "Tool",
    "use_model": "Model",
    "write_memory": "MemoryScope",
    "hand_off": "Agent",
    "publish": "Topic",
    "approve": "Tool",
    "start_run": "Agent",
    "edit_definition": "Definition",
}
CONTEXT_KEYS = frozenset(
    {"approved", "requester_is_approver", "over_limit", "declared", "amount", "count", "flow", "cited"}
)

_FOR_PEOPLE = {"approve": "approve", "edit_definition": "edit definitions"}
_RISKS = {"L0": 0, "L1": 1, "L2": 2, "L3": 3}
_EFFECTS = frozenset({"read", "keyed", "lookup", "plain"})
_OUTWARD_UNLESS_SAID = frozenset({"call_tool", "publish", "approve"})
_LONG = 2**63

_FLOW = {"untrusted", "composed", "private"}

encode = msgspec.json.Encoder().encode
_REQUIRED = object()


class Unanswerable(Exception):
    """The request cannot be put to Cedar; its text says why, without quoting values."""


class Question(NamedTuple):
    """One request in Cedar's terms. `entities` is the JSON of those that Cedar needs: the principal, and a definition."""

    principal: dict[str, str]
    action: dict[str, str]
    resource: dict[str, str]
    context: dict[str, Any]
    entities: bytes

    def asked(self, *, approved: bool) -> dict[str, Any]:
        """The request for cedarpy, as if a person had approved it or not."""
        context = encode({**self.context, "approved": approved}).decode()
        return {
            "principal": self.principal,
            "action": self.action,
            "resource": self.resource,
            "context": context,
        }


def key_of(request: PolicyRequest) -> bytes:
    """The bytes of everything a decision depends on. JSON keeps `true`, `1` and `1.0` apart, as a hash would not."""
    fact = request.resource_attrs.get
    return encode(
        (
            request.profile,
            request.action,
            request.resource,
            request.principal,
            request.labels,
            request.context,
            fact("risk"),
            fact("effect"),
            fact("outward"),
            fact("tags"),
            fact("tenant_id"),
        )
    )


def question(request: PolicyRequest, approver_roles: tuple[str, ...]) -> Question:
    """The request in Cedar's terms. Raises Unanswerable for anything missing, mistyped or unknown."""
    resource_type = RESOURCE_TYPES.get(request.action)
    if resource_type is None:
        raise Unanswerable("`action` is not one that policies know")
    who = request.principal
    _name(who.tenant_id, "principal.tenant_id")
    _name(request.resource, "resource")
    approving = request.action == "approve"
    if request.action in _FOR_PEOPLE and who.agent:
        verb = _FOR_PEOPLE[request.action]
        raise Unanswerable(f"an agent cannot {verb}, whoever it acts for")
    unknown = [key for key in request.context if key not in CONTEXT_KEYS]
    if unknown:
        raise Unanswerable(f"policies do not know `context.{str(unknown[0])[:40]}`; they know {_KNOWN}")
    principal = _uid("Agent", who.agent) if who.agent else _uid("User", who.actor_id)
    context = _context(request, approving)
    if approving:
        context["approver_roles"] = [{"__entity": _uid("Role", role)} for role in approver_roles]
    return Question(
        principal,
        _uid("Action", request.action),
        _uid(resource_type, request.resource),
        context,
        _entities(who, principal, request),
    )


_KNOWN = ", ".join(f"`{key}`" for key in sorted(CONTEXT_KEYS))


def _context(request: PolicyRequest, approving: bool) -> dict[str, Any]:
    facts, given, who = request.resource_attrs, request.context, request.principal
    outward = request.action in _OUTWARD_UNLESS_SAID
    return {
        "risk": _risk(facts, _REQUIRED if request.action == "call_tool" else 0),
        "effect": _effect(facts.get("effect", "plain")),
        "outward": _flag(facts, "outward", outward),
        "labels": _labels(request.labels),
        "approved": _flag(given, "approved", False),
        "requester_is_approver": _flag(given, "requester_is_approver", _REQUIRED if approving else False),
        "over_limit": _flag(given, "over_limit", False),
        "declared": _flag(given, "declared", False),
        "tags": _texts(facts.get("tags", ()), "tags"),
        "roles": _texts(who.roles, "principal.roles"),
        "actor": _text(who.actor_id, "principal.actor_id"),
        "tenant": who.tenant_id,
        "owner": _name(_get(facts, "tenant_id", _REQUIRED if approving else who.tenant_id), "tenant_id"),
        "args": {key: _whole(given[key], key) for key in ("amount", "count") if key in given},
        "flow": _flow(given.get("flow", {})),
        "cited": _flag(given, "cited", False),
    }


def _flow(given: Any) -> dict[str, Any]:
    """Where the arguments came from. Absent, as in a run that has read nothing untrusted: nothing against them."""
    if not isinstance(given, Mapping) or given.keys() - _FLOW:
        raise Unanswerable("`flow` must have `untrusted`, `composed` and `private`, and nothing else")
    return {
        "untrusted": _texts(given.get("untrusted", ()), "flow.untrusted"),
        "composed": _texts(given.get("composed", ()), "flow.composed"),
        "private": _flag(given, "private", False),
    }


def _entities(who: Principal, principal: dict[str, str], request: PolicyRequest) -> bytes:
    """The principal and its parents. Only people are in their roles: an agent never gains its actor's rights.

    A definition is in its kind, so that a policy can speak of all of one kind.
    """
    parents = [_uid("Tenant", who.tenant_id)]
    if not who.agent:
        parents += [_uid("Role", role) for role in who.roles]
    entities = [{"uid": principal, "attrs": {}, "parents": parents}]
    if request.action == "edit_definition":
        kind, _, name = request.resource.partition("/")
        uid = _uid("Definition", request.resource)
        entities.append({"uid": uid, "attrs": {}, "parents": [_uid("Kind", _name(name and kind, "kind"))]})
    return encode(entities)


def _uid(type_: str, id_: str) -> dict[str, str]:
    return {"type": type_, "id": id_}


def _get(source: Mapping[str, Any], key: str, default: Any) -> Any:
    value = source.get(key, default)
    if value is _REQUIRED:
        raise Unanswerable(f"`{key}` is missing")
    return value


def _flag(source: Mapping[str, Any], key: str, default: Any) -> bool:
    value = _get(source, key, default)
    if value is True or value is False:
        return value
    raise Unanswerable(f"`{key}` must be true or false, not a `{type(value).__name__}`")


def _risk(facts: Mapping[str, Any], default: Any) -> int:
    value = _get(facts, "risk", default)
    if type(value) is str and value in _RISKS:
        return _RISKS[value]
    if type(value) is int and 0 <= value <= 3:
        return value
    raise Unanswerable("`risk` must be one of `L0`, `L1`, `L2`, `L3`")


def _effect(value: Any) -> str:
    if type(value) is str and value in _EFFECTS:
        return value
    raise Unanswerable("`effect` must be one of `read`, `keyed`, `lookup`, `plain`")


def _labels(labels: Labels) -> dict[str, Any]:
    if type(labels.untrusted) is not bool:
        raise Unanswerable("`labels.untrusted` must be true or false")
    try:
        private = labels.private
    except ValueError as error:
        raise Unanswerable("`labels.sensitivity` is not a known sensitivity") from error
    return {"untrusted": labels.untrusted, "private": private, "sensitivity": labels.sensitivity}


def _whole(value: Any, key: str) -> int:
    if type(value) is int and -_LONG <= value < _LONG:
        return value
    raise Unanswerable(f"`{key}` must be a whole number of 64 bits, not a `{type(value).__name__}`")


def _text(value: Any, key: str) -> str:
    if isinstance(value, str):
        return value
    raise Unanswerable(f"`{key}` must be text, not a `{type(value).__name__}`")


def _name(value: Any, key: str) -> str:
    if not _text(value, key):
        raise Unanswerable(f"`{key}` is empty")
    return str(value)


def _texts(values: Any, key: str) -> list[str]:
    if isinstance(values, tuple | list | set | frozenset) and all(isinstance(value, str) for value in values):
        return list(values)
    raise Unanswerable(f"`{key}` must be a list of texts")
