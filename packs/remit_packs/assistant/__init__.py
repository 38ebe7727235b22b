"""An assistant that reasons and acts: the time, arithmetic and a small database; and research by three agents in a row."""

from __future__ import annotations

from pathlib import Path

from remit.sdk import Pack
from remit_packs.assistant.agents import AGENTS
from remit_packs.assistant.rules import RULES
from remit_packs.assistant.workflows import RESEARCH

__all__ = ["pack"]


def pack(home: Path | str | None = None) -> Pack:
    """The pack. Its database ships with it and is only read, so `home` is not used."""
    del home
    return Pack(
        "assistant",
        description="A general assistant with tools, and a workflow of research, analysis and summary.",
        agents=AGENTS,
        workflows=[RESEARCH],
        rules=RULES,
    )
