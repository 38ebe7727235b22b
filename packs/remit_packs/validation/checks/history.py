"""What a rule came to before, for checks that compare with it."""

from __future__ import annotations

from typing import Any

from msgspec import to_builtins

from remit.sdk import ToolContext, tool
from remit_packs.validation.control import control


@tool(max_output_bytes=1_000_000)
async def last_passed(config_id: str, version: int, context: ToolContext) -> Any:
    """The newest PASSED run of a version of a rule, or null."""
    with control(context) as platform:
        return to_builtins(await platform.last_passed(config_id, version))
