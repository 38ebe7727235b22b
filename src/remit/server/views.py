"""Saved views of the console: each person's own, on the server, so that they follow the person."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from remit.engine.saved_views import SavedView, SavedViewList, ViewContent
from remit.server.auth import READ, TheApp, Who
from remit.server.schemas import operation, read, reply

router = APIRouter(prefix="/api/v1/views", tags=["console"])

COMPONENTS = (SavedView, SavedViewList, ViewContent)
"""Types that OpenAPI names."""


@router.get(
    "",
    operation_id="listViews",
    summary="My saved views",
    **operation(READ, {200: (SavedViewList, "All of them, by name; there are never more than a hundred.")}),
)
async def list_views(app: TheApp, who: Who) -> Response:
    """The views of whoever asks."""
    return reply(await app.views.list(who.tenant_id, who.actor.actor_id))


@router.get(
    "/{view}",
    operation_id="showView",
    summary="A saved view",
    **operation(READ, {200: (SavedView, "The view.")}, refusals=(404,)),
)
async def show(view: str, app: TheApp, who: Who) -> Response:
    """One of my views."""
    return reply(await app.views.get(who.tenant_id, who.actor.actor_id, view))


@router.put(
    "/{view}",
    operation_id="saveView",
    summary="Save a view",
    **operation(READ, {200: (SavedView, "The view as it is kept.")}, body=ViewContent),
)
async def save(view: str, request: Request, app: TheApp, who: Who) -> Response:
    """Keep a view under this name; one that had it before is replaced."""
    content = await read(request, ViewContent, who)
    return reply(await app.views.put(who.tenant_id, who.actor.actor_id, view, content))


@router.delete(
    "/{view}",
    operation_id="deleteView",
    summary="Forget a view",
    **operation(READ, {204: (None, "It is gone.")}),
)
async def remove(view: str, app: TheApp, who: Who) -> Response:
    """Forget one of my views; harmless when there is none of this name."""
    await app.views.remove(who.tenant_id, who.actor.actor_id, view)
    return Response(status_code=204)
