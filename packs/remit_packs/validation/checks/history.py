"""What a rule came to before, for checks that compare with it."""

from __future__ import annotations

from typing import Any

from msgspec import to_builtins

from remit.sdk import ToolContext, tool
from remit_packs.validation.control import control

LOOKED_AT = 1000
"""Runs of the table that are looked through, newest first."""


@tool(max_output_bytes=1_000_000)
async def last_passed(config_id: str, table_id: str, context: ToolContext) -> Any:
    """The newest PASSED run of a rule among the last runs of its table, or null."""
    with control(context) as platform:
        runs = await platform.runs(table_id, limit=LOOKED_AT)
    found = next((run for run in runs if run.config_id == config_id and run.status == "PASSED"), None)
    return to_builtins(found)
