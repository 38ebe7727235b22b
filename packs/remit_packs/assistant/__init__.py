"""An assistant that reasons and acts, with databases, the web, documents, code, charts and memory; and research by three agents."""

from __future__ import annotations

from pathlib import Path

from remit.sdk import Pack
from remit_packs.assistant.agents import RESEARCHERS, assistant_with
from remit_packs.assistant.rules import RULES
from remit_packs.assistant.shop import shop_database
from remit_packs.assistant.workflows import RESEARCH
from remit_packs.tools.sql import database_tools

__all__ = ["pack"]


def pack(home: Path | str | None = None) -> Pack:
    """The pack. The e-commerce database that it may be asked about is made under `home` on first use, and only read."""
    return Pack(
        "assistant",
        description="A general assistant with tools, and a workflow of research, analysis and summary.",
        agents=[assistant_with(database_tools(shop_database(home))), *RESEARCHERS],
        workflows=[RESEARCH],
        rules=RULES,
    )
