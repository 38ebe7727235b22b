"""Approvals: what waits for a person, and the person's decision (P7-D)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from msgspec import Struct

from remit.core.approval import Approval, DecisionKind
from remit.server.auth import DECIDE, READ, RUN, TheApp, Who
from remit.server.schemas import ApprovalPage, Cursor, Limit, operation, read, reply

router = APIRouter(prefix="/api/v1/approvals", tags=["approvals"])


class Decide(Struct, frozen=True, forbid_unknown_fields=True):
    """A decision. `constrain` needs `arguments`; for `request_info` the `rationale` is the question.

    The same `decision_id` again is harmless.
    """

    kind: DecisionKind
    rationale: str = ""
    arguments: dict[str, Any] | None = None
    decision_id: str = ""


class Answer(Struct, frozen=True, forbid_unknown_fields=True):
    """The answer to an approver's question."""

    text: str


_APPROVAL = {"approval_id": "$response.body#/approval_id"}
LINKS = {
    "approval": {"operationId": "showApproval", "parameters": _APPROVAL},
    "decide": {"operationId": "decideApproval", "parameters": _APPROVAL},
    "run": {"operationId": "showRun", "parameters": {"run_id": "$response.body#/run_id"}},
}

STATES = "pending|info_requested|approved|rejected|constrained|expired|cancelled"
Status = Annotated[
    str, Query(pattern=f"^(|{STATES})$", description="Only approvals in this state; empty for all.")
]


@router.get(
    "",
    operation_id="listApprovals",
    summary="The tenant's approvals",
    **operation(READ, {200: (ApprovalPage, "A page of approvals.")}),
)
async def list_approvals(
    app: TheApp, who: Who, status: Status = "pending", limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """Approvals in one state, or all."""
    return reply(await app.approvals.list(who.tenant_id, status=status, limit=limit, cursor=cursor))


@router.get(
    "/{approval_id}",
    operation_id="showApproval",
    summary="An approval",
    **operation(READ, {200: (Approval, "The approval as it stands.")}, refusals=(404,), links=LINKS),
)
async def show(approval_id: str, app: TheApp, who: Who) -> Response:
    """The exact call that waits, why, and who has voted."""
    return reply(await app.approvals.get(approval_id, who.tenant_id))


@router.post(
    "/{approval_id}/decide",
    operation_id="decideApproval",
    summary="Decide an approval",
    **operation(
        DECIDE,
        {200: (Approval, "The approval after the decision.")},
        body=Decide,
        refusals=(404, 409),
        links=LINKS,
    ),
)
async def decide(approval_id: str, request: Request, app: TheApp, who: Who) -> Response:
    """Approve, reject, constrain, or ask back. Nobody decides their own request; policy says who may."""
    asked = await read(request, Decide, who)
    decided = await app.approvals.decide(
        approval_id,
        who.tenant_id,
        who.actor,
        asked.kind,
        rationale=asked.rationale,
        arguments=asked.arguments,
        decision_id=asked.decision_id,
    )
    return reply(decided)


@router.post(
    "/{approval_id}/answer",
    operation_id="answerApproval",
    summary="Answer an approver's question",
    **operation(
        RUN,
        {200: (Approval, "The approval; a decision is wanted again.")},
        body=Answer,
        refusals=(404, 409),
        links=LINKS,
    ),
)
async def answer(approval_id: str, request: Request, app: TheApp, who: Who) -> Response:
    """Tell the approver what they wanted to know."""
    asked = await read(request, Answer, who)
    return reply(await app.approvals.answer(approval_id, who.tenant_id, who.actor, asked.text))
