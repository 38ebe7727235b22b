"""Starting a validation, or a search for rules, over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi.responses import Response
from msgspec import Meta, Struct

from remit.bootstrap import App
from remit.engine.keys import Identity
from remit.engine.validating import suggestion_task, validation_task
from remit.server.runs import standing

_RequestId = Annotated[str, Meta(max_length=200)]


class Validate(Struct, frozen=True, forbid_unknown_fields=True):
    """How to validate now. The same `request_id` again is the same run."""

    request_id: _RequestId = ""


class Suggest(Struct, frozen=True, forbid_unknown_fields=True):
    """How to propose rules now; `schedule` is when they would run. The same `request_id` again is the same run."""

    schedule: Annotated[str, Meta(min_length=1, max_length=200)] = "daily"
    request_id: _RequestId = ""


async def start(
    app: App, who: Identity, asked: Validate, *, table_id: str = "", config_id: str = ""
) -> Response:
    """Submit the validation of a table or a rule; 202 with its run."""
    task_id = f"validate:{asked.request_id}" if asked.request_id else app.clock.new_id("validate")
    task = validation_task(who.tenant_id, who.actor, task_id, table_id=table_id, config_id=config_id)
    return await standing(app, who, await app.runs.submit(task))


async def suggest(app: App, who: Identity, asked: Suggest, table_id: str) -> Response:
    """Submit a look at a table's data that leaves proposals; 202 with its run."""
    task_id = f"suggest:{asked.request_id}" if asked.request_id else app.clock.new_id("suggest")
    task = suggestion_task(who.tenant_id, who.actor, task_id, table_id, asked.schedule)
    return await standing(app, who, await app.runs.submit(task))
