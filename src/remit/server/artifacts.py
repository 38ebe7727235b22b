"""The artifacts of a run: what it made, to look at and to download."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from msgspec import Struct

from remit.core.task import Artifact
from remit.server.auth import READ, TheApp, Who
from remit.server.schemas import operation, reply

router = APIRouter(prefix="/api/v1/runs", tags=["runs"])

PAGE, SVG = "text/html", "image/svg+xml"
PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"})

NOTHING = "sandbox; default-src 'none'"
DRAWING = "sandbox; default-src 'none'; style-src 'unsafe-inline'"
FRAMED = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)
"""Charts draw themselves by a script of their own. It has no origin, so no cookie and no storage, and no address that it could ask."""

Inline = Annotated[
    bool, Query(description="Show a picture, or a page in a frame, instead of downloading it.")
]

_BYTES = {200: {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}


class ArtifactList(Struct, frozen=True):
    """What a run made, in order."""

    items: list[Artifact]


COMPONENTS = (ArtifactList,)
"""Types that OpenAPI names."""


@router.get(
    "/{run_id}/artifacts",
    operation_id="listArtifacts",
    summary="List what a run made",
    **operation(READ, {200: (ArtifactList, "Its artifacts, in order.")}, refusals=(404,)),
)
async def list_artifacts(run_id: str, app: TheApp, who: Who) -> Response:
    """Names, media types, sizes and digests."""
    return reply(ArtifactList(list(await app.runs.artifacts(run_id, who.tenant_id))))


@router.get(
    "/{run_id}/artifacts/{reference}",
    operation_id="readArtifact",
    summary="Download or show what a run made",
    **operation(READ, {200: (None, "Its bytes.")}, refusals=(404,), media=_BYTES),
)
async def read_artifact(
    run_id: str, reference: str, request: Request, app: TheApp, who: Who, inline: Inline = False
) -> Response:
    """An artifact by its digest, or the newest with a name.

    What agents made is foreign: it is a download, and opens nowhere as a page of ours. With `inline` a picture is one, and a page is
    shown to a frame of the console alone, where it runs without an origin and reaches nothing.
    """
    artifact, data = await app.runs.artifact(run_id, who.tenant_id, reference)
    media, policy = _shown(artifact.media_type, request) if inline else ("", "")
    way = "inline" if media else "attachment"
    headers = {
        "Content-Disposition": f"{way}; filename*=UTF-8''{quote(artifact.name, safe='')}",
        "Content-Security-Policy": policy or NOTHING,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "private, no-store",
    }
    return Response(data, headers=headers, media_type=media or "application/octet-stream")


def _shown(media_type: str, request: Request) -> tuple[str, str]:
    """As what an artifact is shown and under which policy; empty texts for what is only downloaded.

    A page asks for a frame: in a tab of its own it could pass for one of ours.
    """
    kind = media_type.partition(";")[0].strip().lower()
    if kind in PICTURES:
        return kind, NOTHING
    if kind == SVG:
        return kind, DRAWING
    if kind == PAGE and request.headers.get("sec-fetch-dest") == "iframe":
        return f"{PAGE}; charset=utf-8", FRAMED
    return "", ""
