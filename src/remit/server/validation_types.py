"""Validation types: the kinds of checks there are, and their parameters (V2)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from msgspec import Meta, Struct

from remit.core.validation import ValidationType
from remit.engine.trail import RecordChanges
from remit.engine.validation_types import ValidationTypePage
from remit.server.auth import EDIT, READ, TheApp, Who
from remit.server.schemas import Cursor, Limit, operation, read, reply
from remit.server.tables import Why

router = APIRouter(prefix="/api/v1/validation-types", tags=["validations"])


class TypeBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A type without its name. `parameters` is a JSON Schema of an object; `agent` runs it.

    `"format": "table"` in the schema marks a parameter that names a registered table. `reason` is for the record.
    """

    description: str
    agent: str
    parameters: dict[str, Any]
    reason: Annotated[str, Meta(min_length=1, max_length=2000)]


COMPONENTS = (ValidationType, ValidationTypePage, TypeBody)
"""Types that OpenAPI names."""


@router.get(
    "",
    operation_id="listValidationTypes",
    summary="The validation types",
    **operation(
        READ, {200: (ValidationTypePage, "A page of types; the built-in ones are all on the first.")}
    ),
)
async def list_types(app: TheApp, who: Who, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """The built-in types, then the tenant's own."""
    return reply(await app.validation_types.list(who.tenant_id, limit=limit, cursor=cursor))


@router.get(
    "/{validation_type}",
    operation_id="showValidationType",
    summary="A validation type",
    **operation(READ, {200: (ValidationType, "The type.")}, refusals=(404,)),
)
async def show(validation_type: str, app: TheApp, who: Who) -> Response:
    """What it checks, the JSON Schema of its parameters, and the agent that runs it."""
    return reply(await app.validation_types.get(who.tenant_id, validation_type))


@router.put(
    "/{validation_type}",
    operation_id="putValidationType",
    summary="Write a validation type",
    **operation(
        EDIT,
        {200: (ValidationType, "The type as it is now."), 201: (ValidationType, "The type, written.")},
        body=TypeBody,
        refusals=(409,),
    ),
)
async def put(validation_type: str, request: Request, app: TheApp, who: Who) -> Response:
    """A type of the tenant's own, run by an agent that exists here. Built-in types stay as they are."""
    asked = await read(request, TypeBody, who)
    known = await app.validation_types.find(who.tenant_id, validation_type)
    made = ValidationType(validation_type, asked.description, asked.agent, asked.parameters)
    await app.validation_types.put(who.tenant_id, made, actor=who.actor, reason=asked.reason)
    if known:
        return reply(made)
    return reply(made, 201, {"Location": f"/api/v1/validation-types/{validation_type}"})


@router.get(
    "/{validation_type}/changes",
    operation_id="validationTypeChanges",
    summary="Who changed a validation type",
    **operation(READ, {200: (RecordChanges, "A page of audit records, newest first.")}, refusals=(404,)),
)
async def changes(
    validation_type: str, app: TheApp, who: Who, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """Who, when, why, and the whole type before and after; also of one that was forgotten."""
    return reply(
        await app.validation_types.changes(who.tenant_id, validation_type, limit=limit, cursor=cursor)
    )


@router.delete(
    "/{validation_type}",
    operation_id="removeValidationType",
    summary="Forget a validation type",
    **operation(EDIT, {204: (None, "It is forgotten.")}, refusals=(404, 409)),
)
async def remove(validation_type: str, app: TheApp, who: Who, reason: Why) -> Response:
    """Refused for a built-in one, and while an active rule is of it."""
    await app.validations.remove_type(who.tenant_id, validation_type, actor=who.actor, reason=reason)
    return Response(status_code=204)
