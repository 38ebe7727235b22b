"""Golden cases: a run kept as what later versions are held to."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import Response
from msgspec import Meta, Struct

from remit.core.definition import Definition
from remit.server.auth import EDIT, TheApp, Who
from remit.server.schemas import operation, read, reply

router = APIRouter(prefix="/api/v1/runs", tags=["runs"])


class SaveGolden(Struct, frozen=True, forbid_unknown_fields=True):
    """How the case is called (by default the agent and the run), and why it is kept."""

    name: Annotated[str, Meta(max_length=128)] = ""
    reason: Annotated[str, Meta(max_length=1000)] = ""
    comment: Annotated[str, Meta(max_length=1000)] = ""


COMPONENTS = (SaveGolden,)
"""Types that OpenAPI names."""

_LINKS = {
    "case": {
        "operationId": "showDefinition",
        "parameters": {"kind": "$response.body#/kind", "name": "$response.body#/name"},
    }
}


@router.post(
    "/{run_id}/golden",
    operation_id="saveGolden",
    summary="Keep a run as a golden case",
    **operation(
        EDIT,
        {201: (Definition, "The case, as a draft.")},
        body=SaveGolden,
        body_required=False,
        refusals=(404, 409),
        links=_LINKS,
    ),
)
async def save(run_id: str, request: Request, app: TheApp, who: Who) -> Response:
    """Task, agent, what the model said and what came out, as a draft definition of kind `golden_case`."""
    asked = await read(request, SaveGolden, who)
    made = await app.golden.save(
        run_id, who.tenant_id, name=asked.name, actor=who.actor, reason=asked.reason, comment=asked.comment
    )
    return reply(made, 201)
