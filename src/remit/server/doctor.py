"""What `remit doctor` says, of the server that runs."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response
from msgspec import Struct

from remit.core.finding import Finding
from remit.server.auth import ADMIN, TheApp
from remit.server.schemas import operation, reply

router = APIRouter(prefix="/api/v1/doctor", tags=["settings"])


class Findings(Struct, frozen=True):
    """What was looked at, in order, and how it is."""

    items: list[Finding]


COMPONENTS = (Findings,)
"""Types that OpenAPI names."""


@router.get(
    "",
    operation_id="examine",
    summary="Does everything here work",
    **operation(ADMIN, {200: (Findings, "Each check, its verdict and what mends it.")}),
)
async def examine(app: TheApp) -> Response:
    """Look at everything there is. Nothing leaves the machine, and no model is called; the first time, hostile probes try the sandbox."""
    from remit.bootstrap.doctor import examine_running

    return reply(Findings(await examine_running(app)))
