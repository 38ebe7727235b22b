"""The artifacts of a run: what it made, to look at and to download."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import APIRouter
from fastapi.responses import Response
from msgspec import Struct

from remit.core.task import Artifact
from remit.server.auth import READ, TheApp, Who
from remit.server.schemas import operation, reply

router = APIRouter(prefix="/api/v1/runs", tags=["runs"])

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
    summary="Download what a run made",
    **operation(READ, {200: (None, "Its bytes.")}, refusals=(404,), media=_BYTES),
)
async def read_artifact(run_id: str, reference: str, app: TheApp, who: Who) -> Response:
    """An artifact by its digest, or the newest with a name. What agents made is foreign: it opens nowhere as a page of ours."""
    artifact, data = await app.runs.artifact(run_id, who.tenant_id, reference)
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(artifact.name, safe='')}",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-store",
    }
    return Response(data, media_type="application/octet-stream", headers=headers)
