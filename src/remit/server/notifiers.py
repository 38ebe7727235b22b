"""Notifiers, and what they were told (V9)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from msgspec import Meta, Struct

from remit.core.notification import ChannelName, Notification, NotifierConfig, Occasion
from remit.engine.notifications import NotificationPage
from remit.engine.notifiers import NotifierPage
from remit.server.auth import EDIT, READ, TheApp, Who
from remit.server.schemas import Cursor, Limit, operation, read, reply

router = APIRouter(prefix="/api/v1", tags=["notifiers"])


class NotifierBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A notifier without its id: addresses or a URL, and what it is told about; without tables and configs, all.

    Secrets are named, as `${secret:NAME}`. A rule that goes on failing is told again after `mute_for_s` seconds.
    """

    channel: ChannelName
    target: Annotated[str, Meta(min_length=1, max_length=2000)]
    tables: list[str] = []
    configs: list[str] = []
    on: tuple[Occasion, ...] = ("failure", "error", "recovery")
    mute_for_s: Annotated[int, Meta(ge=0, le=366 * 86_400)] = 86_400
    enabled: bool = True
    signing_key: str = ""


class Mute(Struct, frozen=True, forbid_unknown_fields=True):
    """For how long nothing is sent; 0 ends it."""

    seconds: Annotated[int, Meta(ge=0, le=366 * 86_400)]


COMPONENTS = (NotifierConfig, NotifierPage, NotifierBody, Mute, Notification, NotificationPage)
"""Types that OpenAPI names."""

_NOTIFIER = {"notifier_id": "$response.body#/notifier_id"}
LINKS = {
    "notifier": {"operationId": "showNotifier", "parameters": _NOTIFIER},
    "mute": {"operationId": "muteNotifier", "parameters": _NOTIFIER},
    "remove": {"operationId": "removeNotifier", "parameters": _NOTIFIER},
}

STATES = "pending|sending|sent|failed|unknown"
Status = Annotated[
    str, Query(pattern=f"^(|{STATES})$", description="Only notifications in this state; empty for all.")
]


@router.get(
    "/notifiers",
    operation_id="listNotifiers",
    summary="The tenant's notifiers",
    **operation(READ, {200: (NotifierPage, "A page of notifiers by id.")}),
)
async def list_notifiers(app: TheApp, who: Who, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """Notifiers by id, muted ones too."""
    return reply(await app.notifiers.list(who.tenant_id, limit=limit, cursor=cursor))


@router.get(
    "/notifiers/{notifier_id}",
    operation_id="showNotifier",
    summary="A notifier",
    **operation(READ, {200: (NotifierConfig, "The notifier.")}, refusals=(404,), links=LINKS),
)
async def show(notifier_id: str, app: TheApp, who: Who) -> Response:
    """Who is told about what."""
    return reply(await app.notifiers.get(who.tenant_id, notifier_id))


@router.put(
    "/notifiers/{notifier_id}",
    operation_id="putNotifier",
    summary="Add or change a notifier",
    **operation(
        EDIT,
        {200: (NotifierConfig, "The notifier as it is now.")},
        body=NotifierBody,
        refusals=(409,),
        links=LINKS,
    ),
)
async def put(notifier_id: str, request: Request, app: TheApp, who: Who) -> Response:
    """It stays muted if it is."""
    asked = await read(request, NotifierBody, who)
    config = NotifierConfig(
        notifier_id=notifier_id,
        channel=asked.channel,
        target=asked.target,
        tables=tuple(asked.tables),
        configs=tuple(asked.configs),
        on=asked.on,
        mute_for_s=asked.mute_for_s,
        enabled=asked.enabled,
        signing_key=asked.signing_key,
    )
    return reply(await app.notifiers.put(who.tenant_id, config))


@router.delete(
    "/notifiers/{notifier_id}",
    operation_id="removeNotifier",
    summary="Forget a notifier",
    **operation(EDIT, {204: (None, "It is forgotten.")}, refusals=(404,)),
)
async def remove(notifier_id: str, app: TheApp, who: Who) -> Response:
    """What it was told stays on record."""
    await app.notifiers.remove(who.tenant_id, notifier_id)
    return Response(status_code=204)


@router.post(
    "/notifiers/{notifier_id}/mute",
    operation_id="muteNotifier",
    summary="Mute a notifier for a while",
    **operation(
        EDIT, {200: (NotifierConfig, "The notifier, muted.")}, body=Mute, refusals=(404, 409), links=LINKS
    ),
)
async def mute(notifier_id: str, request: Request, app: TheApp, who: Who) -> Response:
    """What still fails when that ends is told by the next run."""
    asked = await read(request, Mute, who)
    until = app.clock.now() + asked.seconds * 1000 if asked.seconds else 0
    return reply(await app.notifiers.mute(who.tenant_id, notifier_id, until))


@router.get(
    "/notifications",
    operation_id="listNotifications",
    summary="What was told",
    **operation(READ, {200: (NotificationPage, "A page of notifications.")}),
)
async def list_notifications(
    app: TheApp, who: Who, status: Status = "", limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """Notifications, newest first, in one state or all."""
    return reply(await app.notifications.list(who.tenant_id, status=status, limit=limit, cursor=cursor))


@router.get(
    "/notifications/{notification_id}",
    operation_id="showNotification",
    summary="A notification",
    **operation(READ, {200: (Notification, "The notification.")}, refusals=(404,)),
)
async def show_notification(notification_id: str, app: TheApp, who: Who) -> Response:
    """What was said, and how the sending went."""
    return reply(await app.notifications.get(who.tenant_id, notification_id))
