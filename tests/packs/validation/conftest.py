"""The pack's comparison without a gateway."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the helpers stand beside the tests


class LocalContext:
    """The tools of the pack without a gateway."""

    run_id = "run"

    async def call_many(self, calls: list[tuple[str, dict[str, Any]]]) -> list[Any]:
        from remit.core.task import Actor
        from remit.ports.agents import ToolContext
        from remit_packs.validation.compare import compare

        tools = {tool.spec.name: tool for tool in compare.tools}
        context: Any = ToolContext("run", "s", "local", Actor(), "compare", "k", 1, None, None)  # type: ignore[arg-type]
        return [await tools[name].call(arguments, context) for name, arguments in calls]


@pytest.fixture
def compared() -> Callable[..., Any]:
    """Run the comparison on an input."""

    async def run(source: str, target: str, **more: Any) -> dict[str, Any]:
        from remit_packs.validation.compare import act

        context: Any = LocalContext()
        memory: Any = None
        return await act({"source": source, "target": target, **more}, memory, context)

    return run
