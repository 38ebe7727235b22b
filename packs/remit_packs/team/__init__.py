"""A research team: researcher, analyst, coder and reviewer answer a question with sources, a calculated table and a chart."""

from __future__ import annotations

from pathlib import Path

from remit.sdk import Pack
from remit_packs.team.agents import AGENTS
from remit_packs.team.rules import RULES

__all__ = ["pack"]


def pack(home: Path | str | None = None) -> Pack:
    """The pack. It keeps nothing of its own, so `home` is not used."""
    del home
    from remit_packs.team.workflow import flow

    return Pack(
        "team",
        description="A research team: a question becomes a cited report with a calculated table and a chart.",
        agents=AGENTS,
        workflows=[flow],
        rules=RULES,
    )
