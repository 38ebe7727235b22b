"""ServiceNow by its Table API: incidents, problems, change requests.

An incident carries the key of the call as its `correlation_id`; a work note ends with it. By these they are found again after a crash.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from remit.sdk import Found, PlatformReply, ToolContext
from remit_packs.platforms.envelope import (
    NO_ROLE,
    Api,
    Change,
    DryRun,
    Limit,
    PlatformAnswer,
    connected,
    field,
    listed,
    privileged,
    reading,
    refusal,
    writing,
)

PLATFORM = "servicenow"
CLOSED = "3"
"""The state of a change request that is closed."""

Table = Literal["incident", "problem", "change_request"]
SysId = Annotated[str, Meta(pattern="^[0-9a-f]{32}$", description="The `sys_id` of the record.")]
Level = Annotated[int, Meta(ge=1, le=3, description="1 high, 2 medium, 3 low.")]
Text = Annotated[str, Meta(max_length=4000)]
Short = Annotated[str, Meta(min_length=1, max_length=160)]

_FIELDS = "sys_id,number,short_description,description,state,priority,urgency,impact,assigned_to,opened_at,sys_updated_on"


@reading(PLATFORM, outward=True)
async def servicenow_query(
    context: ToolContext,
    query: Annotated[str, Meta(max_length=500, description="An encoded query, e.g. active=true^priority=1.")],
    table: Table = "incident",
    limit: Limit = 20,
    start: Annotated[int, Meta(ge=0, description="The first record.")] = 0,
) -> PlatformAnswer:
    """Query records. A field that ServiceNow does not know is ignored there, unless the instance is set to refuse it."""
    if "javascript:" in query.lower():
        raise refusal("a query with `javascript:` is not sent", "write conditions on fields only")
    with connected(context, PLATFORM) as api:
        reply = await _records(api, table, query, limit, start)
        found = listed(reply.data, "result")
        total = reply.headers.get("x-total-count", "")
        after = start + len(found)
        more = str(after) if found and total.isdecimal() and after < int(total) else ""
        return api.answer("query", reply, found, next=more)


@reading(PLATFORM)
async def servicenow_record(
    context: ToolContext,
    number: Annotated[str, Meta(pattern="^[A-Z]{2,8}[0-9]{4,12}$", description="E.g. INC0010023.")],
    table: Table = "incident",
) -> PlatformAnswer:
    """Read a record by its number."""
    with connected(context, PLATFORM) as api:
        reply = await _records(api, table, f"number={number}", 1, 0)
        found = listed(reply.data, "result")
        if not found:
            raise refusal(
                f"servicenow has no `{number}` in `{table}`, or does not show it", "check the number"
            )
        return _made(api, "record", reply, found[0], table)


@writing(PLATFORM)
async def servicenow_create_incident(
    context: ToolContext,
    short_description: Short,
    description: Text = "",
    urgency: Level = 3,
    impact: Level = 3,
    dry_run: DryRun = False,
) -> PlatformAnswer:
    """Create an incident."""
    given = {
        "short_description": short_description,
        "description": description,
        "urgency": str(urgency),
        "impact": str(impact),
        "correlation_id": context.idempotency_key,
        "correlation_display": "remit",
    }
    return await _change(context, "create_incident", "POST", "incident", "", given, dry_run)


@servicenow_create_incident.reconciler
async def _created(key: str, context: ToolContext) -> Found:
    with connected(context, PLATFORM) as api:
        reply = await _records(api, "incident", f"correlation_id={key}", 1, 0)
        # A platform that ignores a condition that it does not know would give somebody else's incident.
        found = [r for r in listed(reply.data, "result") if field(r, "correlation_id") == key]
        return Found(True, _made(api, "create_incident", reply, found[0])) if found else Found(False)


@writing(PLATFORM)
async def servicenow_update_incident(
    context: ToolContext,
    sys_id: SysId,
    short_description: Annotated[str, Meta(max_length=160)] = "",
    description: Text = "",
    urgency: Annotated[int, Meta(ge=0, le=3, description="0 leaves it.")] = 0,
    impact: Annotated[int, Meta(ge=0, le=3, description="0 leaves it.")] = 0,
    dry_run: DryRun = False,
) -> PlatformAnswer:
    """Change fields of an incident; what is empty stays."""
    fields = {"short_description": short_description, "description": description}
    given = _wanted({**fields, "urgency": urgency, "impact": impact})
    if not given:
        raise refusal("nothing is to be changed", "give a field")
    return await _change(context, "update_incident", "PATCH", "incident", sys_id, given, dry_run)


@servicenow_update_incident.reconciler
async def _updated(key: str, context: ToolContext, arguments: dict[str, Any]) -> Found:
    return await _holds(context, "update_incident", "incident", arguments["sys_id"], _wanted(arguments))


@writing(PLATFORM)
async def servicenow_add_work_note(
    context: ToolContext,
    sys_id: SysId,
    note: Annotated[str, Meta(min_length=1, max_length=4000)],
    table: Table = "incident",
    dry_run: DryRun = False,
) -> PlatformAnswer:
    """Add a work note, which those who work on the record see."""
    given = {"work_notes": f"{note}\n\n[{mark(context.idempotency_key)}]"}
    return await _change(context, "add_work_note", "PATCH", table, sys_id, given, dry_run)


@servicenow_add_work_note.reconciler
async def _noted(key: str, context: ToolContext, arguments: dict[str, Any]) -> Found:
    query = f"element_id={arguments['sys_id']}^element=work_notes^valueLIKE{mark(key)}"
    with connected(context, PLATFORM) as api:
        path = "/api/now/table/sys_journal_field"
        reply = await api.get(
            path, {"sysparm_query": query, "sysparm_limit": 1, "sysparm_fields": "element_id,value"}
        )
        found = [r for r in listed(reply.data, "result") if mark(key) in str(field(r, "value"))]
        answer = api.answer("add_work_note", reply, None, id=arguments["sys_id"])
        return Found(bool(found), answer)


@privileged(PLATFORM)
async def servicenow_close_change(
    context: ToolContext,
    sys_id: SysId,
    close_code: Annotated[
        Literal["successful", "successful_issues", "unsuccessful"], Meta(extra_json_schema=NO_ROLE)
    ],
    close_notes: Annotated[str, Meta(min_length=1, max_length=4000)],
    dry_run: DryRun = False,
) -> PlatformAnswer:
    """Close a change request."""
    given = {"state": CLOSED, "close_code": close_code, "close_notes": close_notes}
    return await _change(context, "close_change", "PATCH", "change_request", sys_id, given, dry_run)


@servicenow_close_change.reconciler
async def _closed(key: str, context: ToolContext, arguments: dict[str, Any]) -> Found:
    wanted = {"state": CLOSED, "close_code": arguments["close_code"], "close_notes": arguments["close_notes"]}
    return await _holds(context, "close_change", "change_request", arguments["sys_id"], wanted)


@privileged(PLATFORM)
async def servicenow_delete_incident(
    context: ToolContext, sys_id: SysId, dry_run: DryRun = False
) -> PlatformAnswer:
    """Delete an incident for good."""
    return await _change(context, "delete_incident", "DELETE", "incident", sys_id, None, dry_run)


@servicenow_delete_incident.reconciler
async def _deleted(key: str, context: ToolContext, arguments: dict[str, Any]) -> Found:
    with connected(context, PLATFORM) as api:
        reply = await api.find(_path("incident", arguments["sys_id"]), {"sysparm_fields": "sys_id"})
        return Found(reply.status == 404, api.answer("delete_incident", reply, None, id=arguments["sys_id"]))


SERVICENOW = (
    servicenow_query,
    servicenow_record,
    servicenow_create_incident,
    servicenow_update_incident,
    servicenow_add_work_note,
    servicenow_close_change,
    servicenow_delete_incident,
)


def mark(key: str) -> str:
    """The mark of a work note."""
    return f"remit:{key}"


async def _records(api: Api, table: str, query: str, limit: int, start: int) -> PlatformReply:
    asked: dict[str, str | int] = {
        "sysparm_query": query,
        "sysparm_limit": limit,
        "sysparm_offset": start,
        "sysparm_fields": f"{_FIELDS},correlation_id",
        "sysparm_display_value": "true",
        "sysparm_exclude_reference_link": "true",
    }
    return await api.get(f"/api/now/table/{table}", asked)


async def _change(
    context: ToolContext, operation: str, method: str, table: str, sys_id: str, given: Any, dry_run: bool
) -> PlatformAnswer:
    change = Change(method=method, path=_path(table, sys_id), json=given)
    with connected(context, PLATFORM) as api:
        if api.is_dry(dry_run):
            return api.would_send(operation, change)
        reply = await api.send(change)
        if method == "DELETE":
            return api.answer(operation, reply, None, id=sys_id)
        return _made(api, operation, reply, field(reply.data, "result"), table)


async def _holds(
    context: ToolContext, operation: str, table: str, sys_id: str, wanted: dict[str, str]
) -> Found:
    """Whether a record has the values that a call was to give it."""
    with connected(context, PLATFORM) as api:
        query = {"sysparm_fields": ",".join(["sys_id", "number", *wanted])}
        reply = await api.get(_path(table, sys_id), query)
        record = field(reply.data, "result")
        same = all(str(field(record, name)) == value for name, value in wanted.items())
        return Found(same, _made(api, operation, reply, record, table))


def _made(
    api: Api, operation: str, reply: PlatformReply, record: Any, table: str = "incident"
) -> PlatformAnswer:
    sys_id = str(field(record, "sys_id"))
    kept = {name: field(record, name) for name in _FIELDS.split(",") if field(record, name) != ""}
    url = f"{api.url}/nav_to.do?uri={table}.do?sys_id={sys_id}" if sys_id else ""
    return api.answer(operation, reply, kept, id=sys_id, url=url)


def _path(table: str, sys_id: str) -> str:
    return f"/api/now/table/{table}/{sys_id}" if sys_id else f"/api/now/table/{table}"


def _wanted(given: dict[str, Any]) -> dict[str, str]:
    """The fields of an incident that are to be changed."""
    names = ("short_description", "description", "urgency", "impact")
    return {name: str(given[name]) for name in names if given.get(name)}
