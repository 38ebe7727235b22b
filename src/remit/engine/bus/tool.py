"""`publish_event`: the tool by which agents publish, through the gateway like any other effect."""

from __future__ import annotations

from typing import Any

from remit.core.cloudevent import CloudEvent
from remit.core.errors import InputError, ToolError
from remit.core.rule import PUBLISH, hops_of
from remit.core.tool import Retry, ToolSpec
from remit.engine.bus.publishing import Publisher
from remit.engine.bus.records import AGENTS, said_of
from remit.ports.agents import Found, ToolContext

SPEC = ToolSpec(
    name=PUBLISH,
    description="Publish an event of one of the declared types; whoever subscribed to it gets it.",
    input_schema={
        "type": "object",
        "properties": {
            "type": {"type": "string", "minLength": 1, "maxLength": 256, "description": "The event's type."},
            "data": {"description": "What happened, as JSON."},
            "key": {
                "type": "string",
                "maxLength": 256,
                "description": "Events with the same key are handled in order.",
            },
            "subject": {"type": "string", "maxLength": 1024, "description": "What it is about."},
        },
        "required": ["type"],
        "additionalProperties": False,
    },
    risk="L1",
    effect="keyed",
    timeout_s=30.0,
    retry=Retry(),
    outward=True,
)


class PublishTool:
    """Publishes under the call's idempotency key: sent again, it is the same event."""

    spec = SPEC
    can_reconcile = False

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def call(self, arguments: dict[str, Any], context: ToolContext) -> Any:
        """Publish. Raises ToolError for what is no event."""
        event = CloudEvent(
            id=context.idempotency_key,
            source=AGENTS + context.agent,
            type=arguments["type"],
            data=arguments.get("data"),
            subject=arguments.get("subject", ""),
            partitionkey=arguments.get("key", ""),
            hops=hops_of(context.actor.via),
            extensions=said_of(context.run_id, context.actor.origin, context.labels),
        )
        try:
            (published,) = await self._publisher.publish(context.tenant_id, [event])
        except InputError as error:
            raise ToolError(error.message, code=error.code, help=error.help) from error
        return {"event_id": published.event.id, "type": event.type}

    async def reconcile(self, arguments: dict[str, Any], context: ToolContext) -> Found:
        """Never asked: sending again is harmless."""
        raise ToolError(f"tool `{PUBLISH}` has no `reconcile`", code="E704")

    def context_facts(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """None."""
        return {}
