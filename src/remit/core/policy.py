"""The question put to policy, and the answer: a value that carries its reasons."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from remit.core.budget import Budget
from remit.core.provenance import Labels

Verdict = Literal["allow", "deny", "needs_approval"]
ActionName = Literal[
    "call_tool", "use_model", "write_memory", "hand_off", "publish", "approve", "start_run", "edit_definition"
]


class Principal(Struct, frozen=True):
    """Who acts: an agent on behalf of an actor in a tenant. For people, `agent` is empty."""

    tenant_id: str
    actor_id: str
    roles: tuple[str, ...] = ()
    agent: str = ""


class PolicyRequest(Struct, frozen=True):
    """May `principal` do `action` on `resource`, given `context`?

    `resource` is the name of a tool, model, memory scope, agent, topic, tool again (for approve) or definition (`kind/name`);
    `resource_attrs` are its facts (risk, effect, outward, tags); `context` what is true of this call
    (approved, flow, ...). Requests are values: equal requests get equal decisions.
    """

    principal: Principal
    action: ActionName
    resource: str
    resource_attrs: dict[str, Any] = {}
    labels: Labels = Labels()
    arguments: dict[str, Any] = {}
    context: dict[str, Any] = {}
    profile: str = "default"


class Decision(Struct, frozen=True):
    """What policy said, with reasons.

    `policies` are the `@id`s that decided; `help` is what would allow it. Anything but `allow` is a refusal
    until a person approves. `policy_version` is the digest of the policy set that was asked.
    """

    verdict: Verdict
    policies: tuple[str, ...] = ()
    reason: str = ""
    help: str = ""
    policy_version: str = ""
    approver_roles: tuple[str, ...] = ()
    quorum: int = 1
    expires_s: float = 86_400.0

    @property
    def allowed(self) -> bool:
        """Whether the call may go ahead without anybody's approval."""
        return self.verdict == "allow"


class PolicyMistake(Struct, frozen=True):
    """One thing that is wrong with a text of policies: where it is, both counting from 1, and a sentence."""

    line: int
    column: int
    text: str


class Profile(Struct, frozen=True):
    """A policy profile: Cedar text plus the limits, redaction and approver roles that go with it.

    `digest` covers every field, so that an approval can be bound to the version it was given under.
    """

    name: str
    cedar: str
    budget: Budget = Budget()
    redact: tuple[str, ...] = ("secrets", "pii")
    approver_roles: tuple[str, ...] = ("approver",)
    quorum: int = 1
    approval_expires_s: float = 86_400.0
    digest: str = ""
