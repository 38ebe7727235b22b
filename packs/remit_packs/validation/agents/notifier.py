"""`notifier`: tells people about failures and recoveries, each once."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, convert

from remit.sdk import CodeAgent, Memory, RunContext, ToolError, agent
from remit_packs.validation.agents.calling import call_bounded
from remit_packs.validation.agents.sending import CHANNELS, plan_notifications


class Told(Struct, frozen=True, forbid_unknown_fields=True):
    """Runs of the run log that people may have to hear about."""

    run_ids: list[str]


async def act(input: Any, memory: Memory, context: RunContext) -> dict[str, Any]:
    """Plan what to tell, then send each by its channel. What cannot be sent is said, and keeps nothing else from being sent."""
    del memory
    planned = await context.call("plan_notifications", run_ids=convert(input, Told).run_ids)
    known = [p for p in planned if p["channel"] in CHANNELS]
    calls = [(CHANNELS[p["channel"]].spec.name, {"notification_id": p["notification_id"]}) for p in known]
    answers = await call_bounded(context, calls)
    sent = [_line(p) for p, a in zip(known, answers, strict=True) if not isinstance(a, ToolError)]
    failed = [
        {**_line(p), "code": a.code, "problem": a.message}
        for p, a in zip(known, answers, strict=True)
        if isinstance(a, ToolError)
    ]
    failed += [
        {**_line(p), "code": "E599", "problem": f"there is no channel `{p['channel']}`"}
        for p in planned
        if p["channel"] not in CHANNELS
    ]
    return {"sent": sent, "failed": failed}


def _line(planned: dict[str, Any]) -> dict[str, Any]:
    return {name: planned.get(name, "") for name in ("notification_id", "channel", "notifier", "subject")}


notifier: CodeAgent = agent(
    act,
    name="notifier",
    description="Tells people about failed and recovered rules by e-mail, Slack or webhook, each once.",
    tools=[plan_notifications, *CHANNELS.values()],
)
