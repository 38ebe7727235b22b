"""Telling people: what to tell is planned once, then sent by its channel. These are the only tools of the pack that reach outwards unasked."""

from __future__ import annotations

from typing import Any

from remit.sdk import ToolContext, tool
from remit_packs.validation.control import control


@tool(risk="L1", effect="keyed", outward=False, timeout_s=60, max_output_bytes=4_000_000)
async def plan_notifications(run_ids: list[str], context: ToolContext) -> list[dict[str, Any]]:
    """What to tell whom about these runs: failures and recoveries, without what was told before or is muted."""
    with control(context) as platform:
        return await platform.plan_notifications(run_ids)


@tool(risk="L1", timeout_s=60)
async def send_mail(notification_id: str, context: ToolContext) -> dict[str, Any]:
    """Send a planned notification by e-mail. Mail cannot be asked whether it went out: in doubt, a person decides."""
    return await _send(notification_id, context)


@tool(risk="L1", timeout_s=60)
async def send_slack(notification_id: str, context: ToolContext) -> dict[str, Any]:
    """Post a planned notification to Slack. An incoming webhook forgets what it got: in doubt, a person decides."""
    return await _send(notification_id, context)


@tool(risk="L1", effect="keyed", timeout_s=60)
async def send_webhook(notification_id: str, context: ToolContext) -> dict[str, Any]:
    """Post a planned notification to a webhook, under an id by which the receiver knows a repetition."""
    return await _send(notification_id, context)


@tool(risk="L1", timeout_s=60)
async def send_sns(notification_id: str, context: ToolContext) -> dict[str, Any]:
    """Publish a planned notification to a topic of Amazon SNS. A topic cannot be asked what it got: in doubt, a person decides."""
    return await _send(notification_id, context)


async def _send(notification_id: str, context: ToolContext) -> dict[str, Any]:
    with control(context) as platform:
        return await platform.send_notification(notification_id)


CHANNELS = {"email": send_mail, "slack": send_slack, "webhook": send_webhook, "sns": send_sns}
"""The tool of each channel."""
