"""Forks: new runs that take over what another run had done."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from msgspec import UNSET, Meta, Struct, UnsetType

from remit.core.errors import InputError
from remit.server.agents import TaskId
from remit.server.auth import RUN, TheApp, Who
from remit.server.runs import LINKS, Submitted, standing
from remit.server.schemas import operation, read

router = APIRouter(prefix="/api/v1/runs", tags=["runs"])


class ForkRun(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a run is to go on once more: `from_state` is a visit (`s4`), or a state that it entered once.

    Or `from_step`, a step of an agent's loop: `m2` asks the model again, `m2.0` makes the first call of that turn again.
    `input` is what the state is entered with instead of what it was; of a call its arguments, of `m0` the task's input, of a
    later question to the model a text that it reads besides. Give a `fork_id` to make sending this twice harmless.
    """

    from_state: Annotated[str, Meta(max_length=200)] = ""
    from_step: Annotated[str, Meta(max_length=200)] = ""
    input: Any | UnsetType = UNSET
    fork_id: TaskId | UnsetType = UNSET


class RetryRun(Struct, frozen=True, forbid_unknown_fields=True):
    """Give a `fork_id` to make sending this twice harmless."""

    fork_id: TaskId | UnsetType = UNSET


COMPONENTS = (ForkRun, RetryRun)

ANSWERS: dict[int, tuple[type[Any] | None, str]] = {202: (Submitted, "The new run goes on by itself.")}


@router.post(
    "/{run_id}/fork",
    operation_id="forkRun",
    summary="Go on from a state or step of a run, as a new run",
    **operation(RUN, ANSWERS, body=ForkRun, refusals=(404, 409, 429), links=LINKS),
)
async def fork(run_id: str, request: Request, app: TheApp, who: Who) -> Response:
    """A new run that takes over what came before the state or step, and does nothing of it again."""
    asked = await read(request, ForkRun, who)
    if bool(asked.from_state) == bool(asked.from_step):
        raise InputError(
            "a fork goes on from one place", code="E1016", help="give either `from_state` or `from_step`"
        )
    given = {} if asked.input is UNSET else {"input": asked.input}
    given = {**given, "fork_id": _or_empty(asked.fork_id)}
    if asked.from_step:
        made = await app.forks.fork_step(run_id, who.tenant_id, who.actor, asked.from_step, **given)
    else:
        visit = await app.workflows.visit(who.tenant_id, run_id, asked.from_state)
        made = await app.forks.fork(run_id, who.tenant_id, who.actor, visit, **given)
    return await standing(app, who, made)


@router.post(
    "/{run_id}/retry",
    operation_id="retryRun",
    summary="Do again what failed, as a new run",
    **operation(RUN, ANSWERS, body=RetryRun, body_required=False, refusals=(404, 409, 429), links=LINKS),
)
async def retry(run_id: str, request: Request, app: TheApp, who: Who) -> Response:
    """A new run that takes over all that a failed one had done."""
    asked = await read(request, RetryRun, who)
    made = await app.forks.retry(run_id, who.tenant_id, who.actor, fork_id=_or_empty(asked.fork_id))
    return await standing(app, who, made)


def _or_empty(text: str | UnsetType) -> str:
    return "" if text is UNSET else text
