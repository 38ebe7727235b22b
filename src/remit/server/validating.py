"""Starting a validation over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi.responses import Response
from msgspec import Meta, Struct

from remit.bootstrap import App
from remit.engine.keys import Identity
from remit.engine.validating import validation_task
from remit.server.runs import Submitted
from remit.server.schemas import reply


class Validate(Struct, frozen=True, forbid_unknown_fields=True):
    """How to validate now. The same `request_id` again is the same run."""

    request_id: Annotated[str, Meta(max_length=200)] = ""


async def start(
    app: App, who: Identity, asked: Validate, *, table_id: str = "", config_id: str = ""
) -> Response:
    """Submit the validation of a table or a rule; 202 with its run."""
    task_id = f"validate:{asked.request_id}" if asked.request_id else app.clock.new_id("validate")
    task = validation_task(who.tenant_id, who.actor, task_id, table_id=table_id, config_id=config_id)
    run_id = await app.runs.submit(task)
    view = await app.runs.view(run_id, who.tenant_id)
    location = {"Location": f"/api/v1/runs/{run_id}"}
    return reply(Submitted(run_id, view.task.task_id, view.status), 202, location)
