"""Asking for a validation: the task that checks a table or a rule."""

from __future__ import annotations

from remit.core.task import Actor, Task
from remit.core.validation import TriggeredBy
from remit.engine.schedules import VALIDATE, VALIDATION_PROFILE


def validation_task(
    tenant_id: str,
    actor: Actor,
    task_id: str,
    *,
    table_id: str = "",
    config_id: str = "",
    triggered_by: TriggeredBy = "api",
) -> Task:
    """The task that runs every enabled rule of a table, or one rule, and records what came of it."""
    subject = {"config_id": config_id} if config_id else {"table_id": table_id}
    return Task(
        task_id=task_id,
        agent=VALIDATE,
        objective=f"validate `{config_id or table_id}`",
        input={**subject, "triggered_by": triggered_by},
        tenant_id=tenant_id,
        actor_context=actor,
        policy_profile=VALIDATION_PROFILE,
    )
