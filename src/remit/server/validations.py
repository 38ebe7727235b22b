"""Rules about tables: write them, read every version, and who changed what (V3-V5)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from msgspec import Meta, Struct

from remit.core.errors import InputError
from remit.core.validation import TableValidation
from remit.engine.proposals import ProposalPage, proposals
from remit.engine.registry import Changes
from remit.engine.validation_series import Series, series
from remit.engine.validations import KIND, Rule, ValidationPage
from remit.server.auth import EDIT, READ, RUN, TheApp, Who
from remit.server.definitions import Choose, Differences, New, Number, Old, Refuse, Switch
from remit.server.runs import LINKS as RUN_LINKS
from remit.server.runs import Submitted
from remit.server.schemas import Cursor, Limit, operation, read, reply
from remit.server.validating import Validate, start
from remit.server.validation_runs import TableId

router = APIRouter(prefix="/api/v1/validations", tags=["validations"])
proposed = APIRouter(prefix="/api/v1/proposals", tags=["validations"])

_Count = Annotated[int, Meta(ge=0, le=2**31)]
_Id = Annotated[str, Meta(min_length=1, max_length=128)]
_Reason = Annotated[str, Meta(min_length=1, max_length=2000)]
_Comment = Annotated[str, Meta(max_length=10_000)]


class RuleBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The next version of a rule. Without a `schedule` it has its table's; `enabled` absent leaves the switch as it is.

    `expect_version` is the active version that was edited, so that nobody is overwritten.
    """

    table_id: _Id
    validation_type: _Id
    reason: _Reason
    parameters: dict[str, Any] = {}
    schedule: str = ""
    comment: _Comment = ""
    enabled: bool | None = None
    expect_version: _Count | None = None

    def rule(self) -> Rule:
        """The rule itself."""
        return Rule(self.table_id, self.validation_type, self.parameters, self.schedule)


class NewRule(RuleBody, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A new rule: version 1. With `draft` it is not active until it is promoted."""

    config_id: _Id
    draft: bool = False


COMPONENTS = (TableValidation, ValidationPage, RuleBody, NewRule, ProposalPage, Series)
"""Types that OpenAPI names."""

_RULE = {"config_id": "$response.body#/config_id"}
LINKS = {
    "validation": {"operationId": "showValidation", "parameters": _RULE},
    "versions": {"operationId": "listValidationVersions", "parameters": _RULE},
    "run": {"operationId": "runValidation", "parameters": _RULE},
}

Status = Annotated[Literal["active", "archived", "draft"], Query(description="Only versions in this status.")]
Due = Annotated[
    str, Query(max_length=200, description="The enabled rules that are due on this schedule, e.g. `daily`.")
]
Why = Annotated[str, Query(min_length=1, max_length=2000, description="The reason, for the record.")]
Expect = Annotated[int | None, Query(ge=0, le=2**31, description="The version that is active now.")]


@router.get(
    "",
    operation_id="listValidations",
    summary="The tenant's rules",
    **operation(READ, {200: (ValidationPage, "A page of rules.")}),
)
async def list_validations(
    app: TheApp,
    who: Who,
    table_id: TableId = "",
    status: Status = "active",
    due: Due = "",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """The active rules of the tenant or of one table; other versions by `status`; or what is `due` on a schedule."""
    if not due:
        page = await app.validations.list(
            who.tenant_id, table_id=table_id, status=status, limit=limit, cursor=cursor
        )
        return reply(page)
    if table_id or status != "active":
        raise InputError("`due` stands alone", code="E545", help="leave the other filters out")
    return reply(await app.validations.due(who.tenant_id, due, limit=limit, cursor=cursor))


@router.post(
    "",
    operation_id="createValidation",
    summary="Write a new rule",
    **operation(EDIT, {201: (TableValidation, "Version 1.")}, body=NewRule, refusals=(409,), links=LINKS),
)
async def create(request: Request, app: TheApp, who: Who) -> Response:
    """Its type, its tables and its schedule must exist, and its parameters fit; every mistake is said at once."""
    asked = await read(request, NewRule, who)
    given: dict[str, Any] = {"actor": who.actor, "reason": asked.reason, "comment": asked.comment}
    if asked.draft:
        made = await app.validations.draft(who.tenant_id, asked.config_id, asked.rule(), **given)
    else:
        made = await app.validations.create(
            who.tenant_id, asked.config_id, asked.rule(), enabled=asked.enabled is not False, **given
        )
    return reply(made, 201, {"Location": f"/api/v1/validations/{asked.config_id}"})


@router.get(
    "/{config_id}",
    operation_id="showValidation",
    summary="A version of a rule",
    **operation(READ, {200: (TableValidation, "The version.")}, refusals=(404,), links=LINKS),
)
async def show(config_id: str, app: TheApp, who: Who, version: Number = 0) -> Response:
    """The active version, or another."""
    return reply(await app.validations.get(who.tenant_id, config_id, version))


@router.put(
    "/{config_id}",
    operation_id="editValidation",
    summary="Edit a rule",
    **operation(
        EDIT,
        {200: (TableValidation, "The new version, active.")},
        body=RuleBody,
        refusals=(404, 409),
        links=LINKS,
    ),
)
async def edit(config_id: str, request: Request, app: TheApp, who: Who) -> Response:
    """Write the next version and make it active. Of two who do so at once, one wins and the other is told who."""
    asked = await read(request, RuleBody, who)
    made = await app.validations.edit(
        who.tenant_id,
        config_id,
        asked.rule(),
        actor=who.actor,
        reason=asked.reason,
        comment=asked.comment,
        enabled=asked.enabled,
        expect_version=asked.expect_version,
    )
    return reply(made)


@router.delete(
    "/{config_id}",
    operation_id="deleteValidation",
    summary="Archive a rule",
    **operation(EDIT, {200: (TableValidation, "The version that was active.")}, refusals=(404, 409)),
)
async def delete(
    config_id: str, app: TheApp, who: Who, reason: Why, expect_version: Expect = None
) -> Response:
    """Nothing is active any more; every version is kept, and a rollback brings one back."""
    made = await app.validations.delete(
        who.tenant_id, config_id, actor=who.actor, reason=reason, expect_version=expect_version
    )
    return reply(made)


@router.get(
    "/{config_id}/versions",
    operation_id="listValidationVersions",
    summary="The versions of a rule",
    **operation(READ, {200: (ValidationPage, "A page of versions, newest first.")}, refusals=(404,)),
)
async def versions(
    config_id: str, app: TheApp, who: Who, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """All of them: nothing is ever removed."""
    return reply(await app.validations.history(who.tenant_id, config_id, limit=limit, cursor=cursor))


@router.get(
    "/{config_id}/changes",
    operation_id="validationChanges",
    summary="The changes of a rule",
    **operation(READ, {200: (Changes, "A page of audit records, newest first.")}, refusals=(404,)),
)
async def changes(
    config_id: str, app: TheApp, who: Who, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """Who changed it, when and why, and how it stood before and after."""
    await app.validations.history(who.tenant_id, config_id, limit=1)
    return reply(await app.registry.changes(who.tenant_id, KIND, config_id, limit=limit, cursor=cursor))


@router.get(
    "/{config_id}/diff",
    operation_id="diffValidations",
    summary="What differs between two versions of a rule",
    **operation(READ, {200: (Differences, "The places that differ.")}, refusals=(404,)),
)
async def diff(config_id: str, app: TheApp, who: Who, a: Old, b: New) -> Response:
    """Each place by JSON pointer, with the old and the new value."""
    return reply(Differences(await app.validations.diff(who.tenant_id, config_id, a, b)))


@router.post(
    "/{config_id}/drafts",
    operation_id="draftValidation",
    summary="Write a draft of a rule",
    **operation(EDIT, {201: (TableValidation, "The draft.")}, body=RuleBody, refusals=(409,), links=LINKS),
)
async def draft(config_id: str, request: Request, app: TheApp, who: Who) -> Response:
    """The next version, not active until it is promoted."""
    asked = await read(request, RuleBody, who)
    made = await app.validations.draft(
        who.tenant_id,
        config_id,
        asked.rule(),
        actor=who.actor,
        reason=asked.reason,
        comment=asked.comment,
    )
    return reply(made, 201, {"Location": f"/api/v1/validations/{config_id}"})


@router.post(
    "/{config_id}/promote",
    operation_id="promoteValidation",
    summary="Make a draft active",
    **operation(EDIT, {200: (TableValidation, "The version, active.")}, body=Choose, refusals=(404, 409)),
)
async def promote(config_id: str, request: Request, app: TheApp, who: Who) -> Response:
    """Make a draft the active version."""
    asked = await read(request, Choose, who)
    made = await app.validations.promote(
        who.tenant_id,
        config_id,
        asked.version,
        actor=who.actor,
        reason=asked.reason,
        expect_version=asked.expect_version,
    )
    return reply(made)


@router.post(
    "/{config_id}/refuse",
    operation_id="refuseValidation",
    summary="Turn down a draft",
    **operation(EDIT, {200: (TableValidation, "The draft, archived.")}, body=Refuse, refusals=(404, 409)),
)
async def refuse(config_id: str, request: Request, app: TheApp, who: Who) -> Response:
    """Archive a draft that is not wanted; the reason is kept."""
    asked = await read(request, Refuse, who)
    made = await app.validations.refuse(
        who.tenant_id, config_id, asked.version, actor=who.actor, reason=asked.reason
    )
    return reply(made)


@router.post(
    "/{config_id}/rollback",
    operation_id="rollbackValidation",
    summary="Make an older version active",
    **operation(EDIT, {200: (TableValidation, "The version, active.")}, body=Choose, refusals=(404, 409)),
)
async def rollback(config_id: str, request: Request, app: TheApp, who: Who) -> Response:
    """Make an archived version active again."""
    asked = await read(request, Choose, who)
    made = await app.validations.rollback(
        who.tenant_id,
        config_id,
        asked.version,
        actor=who.actor,
        reason=asked.reason,
        expect_version=asked.expect_version,
    )
    return reply(made)


@router.post(
    "/{config_id}/enable",
    operation_id="enableValidation",
    summary="Switch a rule on",
    **operation(EDIT, {200: (TableValidation, "The active version.")}, body=Switch, refusals=(404, 409)),
)
async def enable(config_id: str, request: Request, app: TheApp, who: Who) -> Response:
    """It runs again when it is due."""
    asked = await read(request, Switch, who)
    return reply(await app.validations.enable(who.tenant_id, config_id, actor=who.actor, reason=asked.reason))


@router.post(
    "/{config_id}/disable",
    operation_id="disableValidation",
    summary="Switch a rule off",
    **operation(EDIT, {200: (TableValidation, "The active version.")}, body=Switch, refusals=(404, 409)),
)
async def disable(config_id: str, request: Request, app: TheApp, who: Who) -> Response:
    """It does not run until it is switched on; its active version stays what it is."""
    asked = await read(request, Switch, who)
    return reply(
        await app.validations.disable(who.tenant_id, config_id, actor=who.actor, reason=asked.reason)
    )


@router.post(
    "/{config_id}/run",
    operation_id="runValidation",
    summary="Run a rule now",
    **operation(
        RUN,
        {202: (Submitted, "Accepted; it goes on by itself.")},
        body=Validate,
        body_required=False,
        refusals=(404, 409, 429),
        links=RUN_LINKS,
    ),
)
async def run(config_id: str, request: Request, app: TheApp, who: Who) -> Response:
    """Run its active version, and record what came of it."""
    asked = await read(request, Validate, who)
    rule = await app.validations.get(who.tenant_id, config_id)
    return await start(app, who, asked, config_id=rule.config_id)


@router.get(
    "/{config_id}/series",
    operation_id="validationSeries",
    summary="What the runs of a rule measured, over time",
    **operation(READ, {200: (Series, "A page of runs as numbers, newest first.")}, refusals=(404,)),
)
async def numbers(
    config_id: str, app: TheApp, who: Who, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """Every number of their details by its path, of all versions of the rule."""
    await app.validations.history(who.tenant_id, config_id, limit=1)
    return reply(await series(app.validation_runs, who.tenant_id, config_id, limit=limit, cursor=cursor))


@proposed.get(
    "",
    operation_id="listProposals",
    summary="Rules that wait to be accepted",
    **operation(READ, {200: (ProposalPage, "A page of drafts, each with what it would change.")}),
)
async def list_proposals(
    app: TheApp, who: Who, table_id: TableId = "", limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """Drafts of the tenant or of one table: promote one to accept it, refuse it to be rid of it."""
    return reply(
        await proposals(
            app.validations, app.registry, who.tenant_id, table_id=table_id, limit=limit, cursor=cursor
        )
    )
