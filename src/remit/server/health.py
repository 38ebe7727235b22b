"""Is it alive, is it ready, and how does it do: for load balancers and Prometheus. None of these needs a key.

`/metrics` names agents, tools and models, never a tenant or a run; keep it off the public side of a proxy.
"""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from fastapi.responses import Response
from msgspec import Struct

from remit import __version__
from remit.adapters.telemetry.many import exposition
from remit.adapters.telemetry.prometheus import CONTENT_TYPE
from remit.server.auth import TheApp
from remit.server.schemas import PUBLIC, operation, reply

router = APIRouter(tags=["health"])


class Health(Struct, frozen=True):
    """The process answers."""

    status: Literal["ok"]
    version: str


@router.get(
    "/health",
    operation_id="health",
    summary="Alive",
    **operation(PUBLIC, {200: (Health, "The process answers.")}),
)
async def health() -> Response:
    """Answers as long as the process does; touches nothing else."""
    return reply(Health("ok", __version__))


@router.get(
    "/ready",
    operation_id="ready",
    summary="Ready for work",
    **operation(PUBLIC, {200: (Health, "A write would be accepted now.")}, refusals=(503,)),
)
async def ready(app: TheApp) -> Response:
    """Asks the store; 503 while a write would not be accepted."""
    await app.store.ping()
    return reply(Health("ok", __version__))


@router.get(
    "/metrics",
    operation_id="metrics",
    summary="Metrics for Prometheus",
    **operation(
        PUBLIC,
        {200: (None, "Prometheus text format 0.0.4.")},
        media={200: {"text/plain": {"schema": {"type": "string"}}}},
    ),
)
async def metrics(app: TheApp) -> Response:
    """Counters, gauges and histograms of this process."""
    return Response(exposition(app.telemetry), media_type=CONTENT_TYPE)
