"""Approvals: what waits for a person, and the person's decision (P7-D)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from msgspec import Meta, Struct

from remit.core.approval import Approval, DecisionKind
from remit.engine.approval_context import ApprovalContext
from remit.engine.approvals import Counted, Outcome
from remit.server.auth import APPROVALS, DECIDE, RUN, TheApp, Who
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


class DecideSeveral(Struct, frozen=True, forbid_unknown_fields=True):
    """One decision about several approvals of exactly the same call. The same `decision_id` again is harmless."""

    approval_ids: Annotated[list[str], Meta(min_length=1, max_length=200)]
    kind: Literal["approve", "reject"]
    rationale: str = ""
    decision_id: str = ""


class Outcomes(Struct, frozen=True):
    """What came of each, in the order asked."""

    items: list[Outcome]


class ApprovalCounts(Struct, frozen=True):
    """How many approvals there are in each state, counted up to a bound."""

    items: list[Counted]


COMPONENTS = (Decide, Answer, DecideSeveral, Outcomes, ApprovalCounts, ApprovalContext)
"""Types that OpenAPI names."""

_APPROVAL = {"approval_id": "$response.body#/approval_id"}
LINKS = {
    "approval": {"operationId": "showApproval", "parameters": _APPROVAL},
    "decide": {"operationId": "decideApproval", "parameters": _APPROVAL},
    "run": {"operationId": "showRun", "parameters": {"run_id": "$response.body#/run_id"}},
}

STATES = "open|pending|info_requested|approved|rejected|constrained|expired|cancelled"
Status = Annotated[
    str,
    Query(
        pattern=f"^(|{STATES})$",
        description="Only approvals in this state; empty for all. `open`: those that want a decision, first deadline first.",
    ),
]


@router.get(
    "",
    operation_id="listApprovals",
    summary="The tenant's approvals",
    **operation(APPROVALS, {200: (ApprovalPage, "A page of approvals.")}),
)
async def list_approvals(
    app: TheApp, who: Who, status: Status = "pending", limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """Approvals in one state, or all."""
    return reply(await app.approvals.list(who.tenant_id, status=status, limit=limit, cursor=cursor))


@router.get(
    "/counts",
    operation_id="countApprovals",
    summary="How many approvals there are in each state",
    **operation(APPROVALS, {200: (ApprovalCounts, "A count for each state.")}),
)
async def counts(app: TheApp, who: Who) -> Response:
    """Counted up to a bound: `more` says that there are more."""
    return reply(ApprovalCounts(await app.approvals.counts(who.tenant_id)))


@router.post(
    "/decide",
    operation_id="decideApprovals",
    summary="Decide several approvals of the same call",
    **operation(
        DECIDE,
        {200: (Outcomes, "An outcome for each.")},
        body=DecideSeveral,
        refusals=(404, 409),
    ),
)
async def decide_several(request: Request, app: TheApp, who: Who) -> Response:
    """Approve or reject what is identical: agent, tool and arguments. Each is authorised by itself."""
    asked = await read(request, DecideSeveral, who)
    found = await app.approvals.decide_identical(
        asked.approval_ids,
        who.tenant_id,
        who.actor,
        asked.kind,
        rationale=asked.rationale,
        decision_id=asked.decision_id,
    )
    return reply(Outcomes(found))


@router.get(
    "/{approval_id}/context",
    operation_id="approvalContext",
    summary="What one needs to know to decide an approval",
    **operation(
        APPROVALS,
        {200: (ApprovalContext, "The call, the tool, the run, and whether the caller may decide.")},
        refusals=(404, 409),
        links=LINKS,
    ),
)
async def context(approval_id: str, app: TheApp, who: Who) -> Response:
    """Whether the caller may decide and how, what is asked, where the content came from, and what was decided before."""
    return reply(await app.approvals.context(approval_id, who.tenant_id, who.actor))


@router.get(
    "/{approval_id}",
    operation_id="showApproval",
    summary="An approval",
    **operation(APPROVALS, {200: (Approval, "The approval as it stands.")}, refusals=(404,), links=LINKS),
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
