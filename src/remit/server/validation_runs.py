"""The run log: what came of every execution of a rule (V6)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from remit.core.validation import ValidationRun
from remit.engine.validation_rows import FailingRows, failing_rows
from remit.engine.validation_runs import ValidationRunPage
from remit.server.auth import READ, TheApp, Who
from remit.server.schemas import Cursor, Limit, operation, reply

router = APIRouter(prefix="/api/v1/validation-runs", tags=["validations"])

COMPONENTS = (ValidationRun, ValidationRunPage, FailingRows)
"""Types that OpenAPI names."""

MOST = 2**53
TableId = Annotated[str, Query(max_length=128, description="Only runs about this table.")]
ConfigId = Annotated[str, Query(max_length=128, description="Only runs of this rule.")]
Since = Annotated[int | None, Query(ge=0, le=MOST, description="From this time on (Unix milliseconds).")]
Until = Annotated[int | None, Query(ge=0, le=MOST, description="Up to this time (Unix milliseconds).")]


@router.get(
    "",
    operation_id="listValidationRuns",
    summary="The run log",
    **operation(READ, {200: (ValidationRunPage, "A page of the run log, newest first.")}),
)
async def list_runs(
    app: TheApp,
    who: Who,
    table_id: TableId = "",
    config_id: ConfigId = "",
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Of the tenant, of one table, or of one rule."""
    return reply(
        await app.validation_runs.list(
            who.tenant_id,
            table_id=table_id,
            config_id=config_id,
            since=since,
            until=until,
            limit=limit,
            cursor=cursor,
        )
    )


@router.get(
    "/{validation_run}",
    operation_id="showValidationRun",
    summary="A line of the run log",
    **operation(READ, {200: (ValidationRun, "What came of it.")}, refusals=(404,)),
)
async def show(validation_run: str, app: TheApp, who: Who) -> Response:
    """Its status and details; `agent_run` is the run that did it."""
    return reply(await app.validation_runs.get(who.tenant_id, validation_run))


@router.get(
    "/{validation_run}/rows",
    operation_id="failingRows",
    summary="The rows because of which a rule failed",
    **operation(READ, {200: (FailingRows, "A page of the rows that the run kept.")}, refusals=(404,)),
)
async def rows(
    validation_run: str, app: TheApp, who: Who, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """A sample: the first rows by key, as many as the check kept; none where it keeps counts alone."""
    run = await app.validation_runs.get(who.tenant_id, validation_run)
    return reply(await failing_rows(app.blobs, run, limit=limit, cursor=cursor))
