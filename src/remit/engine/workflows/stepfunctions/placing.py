"""Where a workflow's run runs: on the state machine that was deployed for it, or in Remit's own interpreter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from remit.engine.kit import Kit
from remit.engine.workflows.names import INLINE


async def execution_for(kit: Kit, name: str, document: Mapping[str, Any] | None, run_id: str) -> str:
    """The execution that will move a new run; the empty string for an agent, and for a workflow that the interpreter runs.

    That is one with no state machine, or whose machine was made of another version: a run goes by the version that it
    recorded. Raises ConfigError, StoreError.
    """
    if kit.machines is None or document is None or name == INLINE:
        return ""
    return await kit.machines.execution_for(name, document, run_id)
