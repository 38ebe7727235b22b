"""Gates of a workflow: a person is asked, and the workflow goes on with the structured decision (P7-D)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from remit.core.approval import Approval, ApprovalStatus
from remit.core.codec import convert
from remit.core.errors import ConfigError, InputError
from remit.core.policy import Decision, Profile
from remit.core.tool import Risk, ToolSpec
from remit.engine.schemas import check_schema

PREFIX = "gate:"

_DECISIONS: dict[ApprovalStatus, str] = {
    "approved": "approve",
    "rejected": "reject",
    "constrained": "constrain",
    "info_requested": "request-info",
    "expired": "expired",
}


class GateRequest(Struct, frozen=True, rename="pascal", forbid_unknown_fields=True):
    """What a Task asks of a gate: `message` and `payload` are shown, an edited payload must fit `schema`.

    `on_request_info`: `wait` for the answer to a question and then for a decision, or `return` with the question.
    """

    message: str = ""
    payload: Any = None
    approver_roles: tuple[str, ...] = ()
    quorum: Annotated[int, Meta(ge=1, le=100)] = 1
    expires_seconds: Annotated[float, Meta(gt=0)] | None = None
    risk_level: Risk = "L2"
    schema: dict[str, Any] | None = None
    on_request_info: Literal["wait", "return"] = "wait"


def request(arguments: Any) -> GateRequest:
    """The request that a Task's arguments are. Raises InputError."""
    try:
        made = convert(arguments, GateRequest)
        if made.schema is not None:
            check_schema(made.schema)
    except InputError as error:
        fields = ", ".join(f"`{f}`" for f in GateRequest.__struct_encode_fields__)
        raise InputError(
            f"a gate cannot ask this: {error.message}", code="E641", help=f"its arguments are {fields}"
        ) from error
    except ConfigError as error:
        raise InputError(f"the `Schema` of a gate: {error.message}", code="E641", help=error.help) from error
    return made


def shown(gate: GateRequest) -> dict[str, Any]:
    """The payload as an approver sees and may edit it: always an object."""
    return gate.payload if isinstance(gate.payload, dict) else {"payload": gate.payload}


def spec(name: str, gate: GateRequest) -> ToolSpec:
    """What stands for the gate where an approval names a tool."""
    return ToolSpec(name, gate.message, gate.schema or {}, risk=gate.risk_level)


def decision(gate: GateRequest, profile: Profile, version: str) -> Decision:
    """The decision that holds the workflow: a gate always needs a person."""
    return Decision(
        "needs_approval",
        ("workflow-gate",),
        gate.message or "the workflow asks for a decision",
        policy_version=version,
        approver_roles=gate.approver_roles or profile.approver_roles,
        quorum=gate.quorum,
        expires_s=gate.expires_seconds or profile.approval_expires_s,
    )


def returns_questions(arguments: Any) -> bool:
    """Whether a question of an approver is the gate's answer."""
    return request(arguments).on_request_info == "return"


def outcome(approval: Approval, asked: Any) -> dict[str, Any]:
    """What a gate answers: the decision, what was agreed to, and who said so."""
    last = approval.votes[-1] if approval.votes else None
    agreed = approval.agreed_arguments if approval.status == "constrained" else asked
    payload = agreed["payload"] if isinstance(agreed, dict) and set(agreed) == {"payload"} else agreed
    return {
        "decision": _DECISIONS[approval.status],
        "payload": payload,
        "rationale": last.rationale if last else "",
        "approver": last.approver_id if last else "",
        "question": approval.question,
        "answer": approval.answer,
    }
