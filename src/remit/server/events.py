"""Events: published and listed as CloudEvents, and what could not be delivered (F4)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from msgspec import Struct

from remit.core.cloudevent import BATCH, STRUCTURED, from_json, to_json
from remit.core.errors import InputError
from remit.engine.bus.local import attributed
from remit.ports.bus import DeadLetter
from remit.server.auth import READ, RUN, TheApp, Who
from remit.server.schemas import JSON, Cursor, Limit, operation, read_json, reply

router = APIRouter(prefix="/api/v1/events", tags=["events"])

MOST_AT_ONCE = 1000


class EventAccepted(Struct, frozen=True):
    """An event that is durable now. `fresh` is false for one that was published before: nothing was done then."""

    id: str
    source: str
    fresh: bool


class EventsAccepted(Struct, frozen=True):
    """The events of one request, in its order."""

    items: list[EventAccepted]


class PublishedEvent(Struct, frozen=True):
    """A published event as a CloudEvent in JSON; `ticket` puts events in the order in which they were published."""

    ticket: str
    event: dict[str, Any]


class PublishedEventPage(Struct, frozen=True):
    """A page of events, newest first; `cursor` of the next page, or null at the end."""

    items: list[PublishedEvent]
    cursor: str | None = None


class DeadLetterView(Struct, frozen=True):
    """An event that a subscription could not handle: how often it was tried, and why it failed last."""

    dead_letter_id: str
    subscription: str
    event: dict[str, Any]
    attempts: int
    problem: str
    dead_ts: int


class DeadLetterPage(Struct, frozen=True):
    """A page of dead letters, newest first; `cursor` of the next page, or null at the end."""

    items: list[DeadLetterView]
    cursor: str | None = None


COMPONENTS = (
    EventAccepted,
    EventsAccepted,
    PublishedEvent,
    PublishedEventPage,
    DeadLetterView,
    DeadLetterPage,
)
"""Types that OpenAPI names."""

_DEAD = {"dead_letter_id": "$response.body#/dead_letter_id"}
LINKS = {
    "redrive": {"operationId": "redriveDeadLetter", "parameters": _DEAD},
    "discard": {"operationId": "discardDeadLetter", "parameters": _DEAD},
}
_EVENT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "A CloudEvent 1.0 in JSON; extensions stand beside its attributes.",
    "properties": {
        "specversion": {"const": "1.0"},
        **{name: {"type": "string", "minLength": 1, "maxLength": 400} for name in ("id", "source")},
        "type": {"type": "string", "minLength": 1, "maxLength": 1024},
        "time": {"type": "string", "format": "date-time"},
        "partitionkey": {"type": "string", "maxLength": 1024},
        "data": {},
    },
    "required": ["specversion", "id", "source", "type"],
}
_BODY = {
    "required": True,
    "content": {
        STRUCTURED: {"schema": _EVENT_SCHEMA},
        BATCH: {"schema": {"type": "array", "items": _EVENT_SCHEMA, "maxItems": MOST_AT_ONCE}},
        JSON: {"schema": {"anyOf": [_EVENT_SCHEMA, {"type": "array", "items": _EVENT_SCHEMA}]}},
    },
}
_PUBLISHING = operation(
    RUN,
    {202: (EventsAccepted, "Durable; they are delivered by themselves.")},
    refusals=(400, 413, 415),
)
_PUBLISHING["openapi_extra"]["requestBody"] = _BODY

Type = Annotated[str, Query(max_length=1024, description="Only events of this type; empty for all.")]
After = Annotated[str, Query(max_length=100, description="Only events behind this ticket.")]
Name = Annotated[str, Query(max_length=300, description="Only those of this subscription; empty for all.")]


@router.post("", operation_id="publishEvents", summary="Publish events", **_PUBLISHING)
async def publish(request: Request, app: TheApp, who: Who) -> Response:
    """One event or a batch. The tenant, and who published it, come from the key."""
    raw = await read_json(request)
    given = raw if isinstance(raw, list) else [raw]
    if len(given) > MOST_AT_ONCE:
        raise InputError(
            f"{len(given)} events are more than {MOST_AT_ONCE}", code="E660", help="send fewer at once"
        )
    events = [attributed(from_json(one), who.actor) for one in given]
    published = await app.bus.publish(who.tenant_id, events)
    return reply(EventsAccepted([EventAccepted(p.event.id, p.event.source, p.fresh) for p in published]), 202)


@router.get(
    "",
    operation_id="listPublishedEvents",
    summary="The tenant's events of the last days",
    **operation(READ, {200: (PublishedEventPage, "A page of events, newest first.")}),
)
async def list_events(
    app: TheApp, who: Who, type: Type = "", after: After = "", limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """Events of one type or all."""
    page = await app.bus.events(who.tenant_id, type_=type, after=after, limit=limit, cursor=cursor)
    return reply(
        PublishedEventPage([PublishedEvent(e.ticket, to_json(e.event)) for e in page.items], page.cursor)
    )


@router.get(
    "/dead-letters",
    operation_id="listDeadLetters",
    summary="Events that could not be delivered",
    **operation(READ, {200: (DeadLetterPage, "A page of dead letters, newest first.")}),
)
async def dead_letters(
    app: TheApp, who: Who, subscription: Name = "", limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """Of one subscription or all."""
    page = await app.bus.dead_letters(who.tenant_id, subscription=subscription, limit=limit, cursor=cursor)
    return reply(DeadLetterPage([shown(d) for d in page.items], page.cursor))


@router.get(
    "/dead-letters/{dead_letter_id}",
    operation_id="showDeadLetter",
    summary="A dead letter",
    **operation(READ, {200: (DeadLetterView, "The dead letter.")}, refusals=(404,), links=LINKS),
)
async def dead_letter(dead_letter_id: str, app: TheApp, who: Who) -> Response:
    """The event, and why it was given up."""
    return reply(shown(await app.bus.dead_letter(who.tenant_id, dead_letter_id)))


@router.post(
    "/dead-letters/{dead_letter_id}/redrive",
    operation_id="redriveDeadLetter",
    summary="Deliver a dead letter once more",
    **operation(RUN, {202: (DeadLetterView, "It is on its way again.")}, refusals=(404, 409)),
)
async def redrive(dead_letter_id: str, app: TheApp, who: Who) -> Response:
    """As if it came just now, with all its attempts."""
    dead = await app.bus.dead_letter(who.tenant_id, dead_letter_id)
    await app.bus.redrive(who.tenant_id, dead_letter_id)
    return reply(shown(dead), 202)


@router.delete(
    "/dead-letters/{dead_letter_id}",
    operation_id="discardDeadLetter",
    summary="Forget a dead letter",
    **operation(RUN, {204: (None, "It is gone.")}, refusals=(404, 409)),
)
async def discard(dead_letter_id: str, app: TheApp, who: Who) -> Response:
    """Its event stays listed for a week."""
    await app.bus.discard(who.tenant_id, dead_letter_id)
    return Response(status_code=204)


def shown(dead: DeadLetter) -> DeadLetterView:
    """A dead letter as readers see it."""
    return DeadLetterView(
        dead.dead_letter_id, dead.subscription, to_json(dead.event), dead.attempts, dead.problem, dead.dead_ts
    )
