"""Slack's incoming webhooks."""

from __future__ import annotations

from typing import Any

from remit.adapters.notify.http import Poster
from remit.core.codec import encode
from remit.core.notification import Notification, RuleLine, facts_text

MARKS = {"FAILED": ":red_circle:", "ERROR": ":warning:", "RECOVERED": ":large_green_circle:"}
MOST_BLOCKS = 40
"""Slack takes fifty at most, and texts of 3,000 characters."""


class SlackChannel:
    """Posts to an incoming webhook. Slack keeps no keys: after a broken connection nobody knows whether it is there."""

    def __init__(self, poster: Poster) -> None:
        self._poster = poster

    async def send(self, notification: Notification, target: str, *, signing_key: str = "") -> str:
        """Post it."""
        whom = f"the Slack webhook of notifier `{notification.notifier_id}`"
        headers = {"Content-Type": "application/json"}
        return await self._poster.post(target, encode(blocks_of(notification)), headers, whom=whom)


def blocks_of(notification: Notification) -> dict[str, Any]:
    """The message in Slack's blocks; nothing in it becomes a link, a mention or markup."""
    head = {"type": "plain_text", "text": _cut(notification.subject, 150), "emoji": False}
    shown = notification.lines[:MOST_BLOCKS]
    left = notification.more + len(notification.lines) - len(shown)
    foot = [f"{left:,} more"] if left else []
    foot += [f"run {_safe(notification.agent_run)}"] if notification.agent_run else []
    blocks: list[dict[str, Any]] = [{"type": "header", "text": head}, *(_section(line) for line in shown)]
    if foot:
        blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": " · ".join(foot)}]})
    return {"text": _safe(notification.subject), "blocks": blocks, "unfurl_links": False}


def _section(line: RuleLine) -> dict[str, Any]:
    title = f"{MARKS[line.state]} *{_safe(line.config_id)}* v{line.version} ({_safe(line.validation_type)}) {line.state}"
    text = "\n".join(part for part in (title, _safe(facts_text(line)), f"run {_safe(line.run_id)}") if part)
    return {"type": "section", "text": {"type": "mrkdwn", "text": _cut(text, 2900)}}


def _safe(text: str) -> str:
    """The text without Slack's control characters; a zero-width space keeps `*_~` and backticks from being markup."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\u200b{c}" if c in "*~`" else c for c in escaped if c.isprintable())


def _cut(text: str, size: int) -> str:
    return text if len(text) <= size else text[: size - 1] + "…"
