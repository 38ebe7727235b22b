"""The workflows of this pack, as documents of the Amazon States Language: the same file runs here and in Step Functions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from remit.sdk import Agent, CodeAgent, FunctionTool

FOLDER = Path(__file__).parent


class Document:
    """A workflow whose document is a file beside this one; its agents come with the pack."""

    tools: Sequence[FunctionTool] = ()
    agents: Sequence[Agent | CodeAgent] = ()
    workflows: Sequence[Document] = ()

    def __init__(self, name: str, description: str) -> None:
        self.spec_name = name
        self.description = description

    @cached_property
    def document(self) -> dict[str, Any]:
        """The States Language document."""
        read: dict[str, Any] = json.loads((FOLDER / f"{self.spec_name}.asl.json").read_text("utf-8"))
        return read


RESEARCH = Document("research-report", "Research, analysis and summary of a topic, by three agents in a row.")
