"""Changing rules: anybody may propose a draft; making it the active version is a person's decision."""

from __future__ import annotations

from typing import Any

from remit.sdk import ToolContext, tool
from remit_packs.validation.control import control


@tool
async def show_rule(config_id: str, context: ToolContext) -> Any:
    """The active version of a rule: its table, type, parameters and schedule."""
    with control(context) as platform:
        return await platform.validation(config_id)


@tool(max_output_bytes=64_000_000)
async def rules_of_table(table_id: str, context: ToolContext) -> list[dict[str, Any]]:
    """The active rules of a table, those that are switched off too: their ids, types and parameters."""
    with control(context) as platform:
        return [
            {"config_id": r.config_id, "validation_type": r.validation_type, "parameters": r.parameters}
            for r in await platform.validations(table_id)
        ]


@tool(risk="L1", effect="keyed", outward=False)
async def propose_rule_change(
    config_id: str, parameters: dict[str, Any], reason: str, context: ToolContext
) -> dict[str, Any]:
    """Write a draft of the rule's next version: `parameters` replace those of the same name. The active version stays."""
    with control(context) as platform:
        rule = await platform.validation(config_id)
        body = {
            "table_id": rule.table_id,
            "validation_type": rule.validation_type,
            "parameters": {**rule.parameters, **parameters},
            "schedule": rule.schedule,
        }
        version = await platform.draft_validation(config_id, body, author=_author(context), reason=reason)
        return {"config_id": config_id, "version": version, "status": "draft", "active": rule.version}


@tool(risk="L1", effect="keyed", outward=False)
async def propose_rule(
    config_id: str,
    table_id: str,
    validation_type: str,
    parameters: dict[str, Any],
    reason: str,
    context: ToolContext,
    schedule: str = "",
) -> dict[str, Any]:
    """Write a draft of a new rule. It is checked against its type, and not run until a person promotes it."""
    body = {
        "table_id": table_id,
        "validation_type": validation_type,
        "parameters": parameters,
        "schedule": schedule,
    }
    with control(context) as platform:
        version = await platform.draft_validation(config_id, body, author=_author(context), reason=reason)
        return {"config_id": config_id, "version": version, "status": "draft"}


@tool(risk="L3", effect="keyed")
async def activate_rule_change(
    config_id: str, version: int, reason: str, context: ToolContext
) -> dict[str, Any]:
    """Make a drafted version of a rule the active one, which it then is checked by. Always needs a person."""
    with control(context) as platform:
        await platform.activate_validation(config_id, version, author=_author(context), reason=reason)
        return {"config_id": config_id, "version": version, "status": "active"}


def _author(context: ToolContext) -> str:
    """On whose behalf, and through which agent."""
    return f"{context.actor.actor_id} (agent {context.agent})"
