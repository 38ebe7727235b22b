"""Asking for a validation: the tasks that check a table or a rule, and that propose rules."""

from __future__ import annotations

from remit.core.task import Actor, Task
from remit.core.validation import TriggeredBy
from remit.engine.schedules import VALIDATE, VALIDATION_PROFILE

SUGGESTER = "suggester"
"""The agent that looks at a table's data and proposes rules."""


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


def suggestion_task(tenant_id: str, actor: Actor, task_id: str, table_id: str, schedule: str) -> Task:
    """The task that looks at a table's data, and keeps the rules that hold for it as drafts."""
    return Task(
        task_id=task_id,
        agent=SUGGESTER,
        objective=f"propose rules for `{table_id}`",
        input={"table": table_id, "write": True, "schedule": schedule},
        tenant_id=tenant_id,
        actor_context=actor,
        policy_profile=VALIDATION_PROFILE,
    )
