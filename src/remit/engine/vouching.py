"""What a run vouches for when it hands something on: a task to another agent, or its own result to whoever asked for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from remit.core.flow import Trace
from remit.core.run import Run
from remit.engine.kit import Kit


def vouched(kit: Kit, run: Run, handed: Any) -> tuple[str, ...]:
    """The parts of what is handed on that somebody trusted had said; nothing where the run is trusted as a whole."""
    if not run.labels.untrusted:
        return ()

    def schema(name: str) -> Mapping[str, Any]:
        tool = kit.catalogue.tools.get(name)
        return tool.spec.input_schema if tool is not None else {}

    return Trace(run, schema).vouched(handed)
