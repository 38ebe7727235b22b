"""The tenant's tables: where data lives, and who owns it (V1)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from msgspec import UNSET, Meta, Struct, UnsetType

from remit.core.codec import plain
from remit.core.validation import Table
from remit.engine.tables import TablePage, described
from remit.engine.trail import RecordChange, RecordChanges
from remit.server.auth import EDIT, READ, RUN, TheApp, Who
from remit.server.runs import LINKS as RUN_LINKS
from remit.server.runs import Submitted
from remit.server.schemas import Cursor, Limit, operation, read, reply
from remit.server.validating import Suggest, Validate, start, suggest

router = APIRouter(prefix="/api/v1/tables", tags=["tables"])


class TableBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A table without its id. `source` and `format` are taken from the location when they are left out.

    `reason` is for the record.
    """

    location: Annotated[str, Meta(min_length=1, max_length=2000)]
    reason: Annotated[str, Meta(min_length=1, max_length=2000)]
    source: str | UnsetType = UNSET
    format: str | UnsetType = UNSET
    partition_key: str = ""
    owner: str = ""
    active: bool = True
    schedule: str = ""


COMPONENTS = (Table, TablePage, TableBody, Validate, Suggest, RecordChange, RecordChanges)
"""Types that OpenAPI names."""

_TABLE = {"table_id": "$response.body#/table_id"}
LINKS = {
    "table": {"operationId": "showTable", "parameters": _TABLE},
    "validate": {"operationId": "validateTable", "parameters": _TABLE},
    "changes": {"operationId": "tableChanges", "parameters": _TABLE},
    "remove": {"operationId": "removeTable", "parameters": _TABLE},
}

Why = Annotated[str, Query(min_length=1, max_length=2000, description="The reason, for the record.")]
Owner = Annotated[str, Query(max_length=200, description="Only tables of this owner; empty for all.")]
Prefix = Annotated[str, Query(max_length=128, description="Only what begins so.")]


@router.get(
    "",
    operation_id="listTables",
    summary="The tenant's tables",
    **operation(READ, {200: (TablePage, "A page of tables by id.")}),
)
async def list_tables(
    app: TheApp, who: Who, owner: Owner = "", prefix: Prefix = "", limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """Tables by id, inactive ones too."""
    return reply(await app.tables.list(who.tenant_id, owner=owner, prefix=prefix, limit=limit, cursor=cursor))


@router.get(
    "/{table_id}",
    operation_id="showTable",
    summary="A table",
    **operation(READ, {200: (Table, "The table.")}, refusals=(404,), links=LINKS),
)
async def show(table_id: str, app: TheApp, who: Who) -> Response:
    """Where it lives, whose it is, and when it is looked at."""
    return reply(await app.tables.get(who.tenant_id, table_id))


@router.put(
    "/{table_id}",
    operation_id="putTable",
    summary="Register or change a table",
    **operation(
        EDIT,
        {200: (Table, "The table as it is now."), 201: (Table, "The table, registered.")},
        body=TableBody,
        refusals=(409,),
        links=LINKS,
    ),
)
async def put(table_id: str, request: Request, app: TheApp, who: Who) -> Response:
    """The same table again changes nothing. A location names secrets as `${secret:NAME}` and holds none."""
    asked = await read(request, TableBody, who)
    known = await app.tables.find(who.tenant_id, table_id)
    given = {name: value for name, value in plain(asked).items() if name != "reason"}
    made = described({**given, "table_id": table_id})
    await app.tables.put(who.tenant_id, made, actor=who.actor, reason=asked.reason)
    found = await app.tables.get(who.tenant_id, table_id)
    return reply(found) if known else reply(found, 201, {"Location": f"/api/v1/tables/{table_id}"})


@router.delete(
    "/{table_id}",
    operation_id="removeTable",
    summary="Forget a table",
    **operation(
        EDIT, {204: (None, "It is forgotten; its run log and its changes stay.")}, refusals=(404, 409)
    ),
)
async def remove(table_id: str, app: TheApp, who: Who, reason: Why) -> Response:
    """Refused while an active rule needs it."""
    await app.validations.remove_table(who.tenant_id, table_id, actor=who.actor, reason=reason)
    return Response(status_code=204)


@router.get(
    "/{table_id}/changes",
    operation_id="tableChanges",
    summary="Who changed a table",
    **operation(READ, {200: (RecordChanges, "A page of audit records, newest first.")}, refusals=(404,)),
)
async def changes(table_id: str, app: TheApp, who: Who, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """Who, when, why, and the whole table before and after; also of a table that was forgotten."""
    return reply(await app.tables.changes(who.tenant_id, table_id, limit=limit, cursor=cursor))


@router.post(
    "/{table_id}/validate",
    operation_id="validateTable",
    summary="Validate a table now",
    **operation(
        RUN,
        {202: (Submitted, "Accepted; it goes on by itself.")},
        body=Validate,
        body_required=False,
        refusals=(404, 409, 429),
        links=RUN_LINKS,
    ),
)
async def validate(table_id: str, request: Request, app: TheApp, who: Who) -> Response:
    """Run every enabled rule of the table, and record what came of each."""
    asked = await read(request, Validate, who)
    table = await app.tables.get(who.tenant_id, table_id)
    return await start(app, who, asked, table_id=table.table_id)


@router.post(
    "/{table_id}/suggest",
    operation_id="suggestRules",
    summary="Propose rules for a table now",
    **operation(
        (EDIT, RUN),
        {202: (Submitted, "Accepted; it goes on by itself.")},
        body=Suggest,
        body_required=False,
        refusals=(404, 409, 429),
        links=RUN_LINKS,
    ),
)
async def suggest_rules(table_id: str, request: Request, app: TheApp, who: Who) -> Response:
    """Look at the table's data, and leave the rules that hold for it as proposals for a person to accept."""
    asked = await read(request, Suggest, who)
    table = await app.tables.get(who.tenant_id, table_id)
    return await suggest(app, who, asked, table.table_id)
