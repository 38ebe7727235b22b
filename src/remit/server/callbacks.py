"""Callbacks: answers to tasks of workflows that wait with a task token. A token is a credential and never stands in a URL."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from msgspec import Struct

from remit.server.auth import RUN, TheApp, Who
from remit.server.schemas import operation, read

router = APIRouter(prefix="/api/v1/callbacks", tags=["callbacks"])


class TaskSucceeded(Struct, frozen=True, forbid_unknown_fields=True):
    """The task is done, with this output."""

    token: str
    output: Any = None


class TaskFailed(Struct, frozen=True, forbid_unknown_fields=True):
    """The task failed. `error` is the name that Retry and Catch match, States.TaskFailed unless it is given."""

    token: str
    error: str = ""
    cause: str = ""


class TaskHeartbeat(Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody still works on the task."""

    token: str


COMPONENTS = (TaskSucceeded, TaskFailed, TaskHeartbeat)

DONE: dict[int, tuple[type[Any] | None, str]] = {204: (None, "It counts; the workflow goes on by itself.")}


@router.post(
    "/succeed",
    operation_id="succeedTask",
    summary="A task is done",
    **operation(RUN, DONE, body=TaskSucceeded, refusals=(404,)),
)
async def succeed(request: Request, app: TheApp, who: Who) -> Response:
    """Answer a task. The first answer counts; a second one finds nobody waiting (404)."""
    asked = await read(request, TaskSucceeded, who)
    await app.callbacks.succeed(asked.token, asked.output, who.tenant_id)
    return Response(status_code=204)


@router.post(
    "/fail",
    operation_id="failTask",
    summary="A task failed",
    **operation(RUN, DONE, body=TaskFailed, refusals=(404,)),
)
async def fail(request: Request, app: TheApp, who: Who) -> Response:
    """Fail a task."""
    asked = await read(request, TaskFailed, who)
    await app.callbacks.fail(asked.token, asked.error, asked.cause, who.tenant_id)
    return Response(status_code=204)


@router.post(
    "/heartbeat",
    operation_id="heartbeatTask",
    summary="A task is still worked on",
    **operation(RUN, {204: (None, "Noted; its time begins anew.")}, body=TaskHeartbeat, refusals=(404,)),
)
async def heartbeat(request: Request, app: TheApp, who: Who) -> Response:
    """Keep a task that has `HeartbeatSeconds` from timing out. 404: nobody waits for it any more, so stop."""
    asked = await read(request, TaskHeartbeat, who)
    await app.callbacks.heartbeat(asked.token, who.tenant_id)
    return Response(status_code=204)
