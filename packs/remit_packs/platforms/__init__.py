"""Tools for the platforms that people work with: GitHub, Slack, Jira, ServiceNow.

Every tool says its tier: 0 reads, 1 is a bounded write, 2 is privileged and always waits for a person. As a pack
(`packs = ["platforms"]`) it has them all, for agents of the registry, which name their tools.
"""

from __future__ import annotations

from pathlib import Path

from remit.sdk import Pack
from remit_packs.platforms.github import GITHUB
from remit_packs.platforms.jira import JIRA
from remit_packs.platforms.servicenow import SERVICENOW
from remit_packs.platforms.slack import SLACK

__all__ = ["GITHUB", "JIRA", "SERVICENOW", "SLACK", "pack"]


def pack(home: Path | str | None = None) -> Pack:
    """The tools as a pack. They keep nothing of their own, so `home` is not used."""
    del home
    return Pack(
        "platforms",
        tools=(*GITHUB, *SLACK, *JIRA, *SERVICENOW),
        description="GitHub, Slack, Jira, ServiceNow.",
    )
