"""What a tool asks to keep becomes an artifact of its call, stored before the outcome is recorded."""

from __future__ import annotations

from typing import Any

from remit import agent, tool
from remit.core.errors import ToolError
from remit.core.tool import Retry
from remit.sdk import ToolContext
from remit.testing import app_for_tests, task

TRIES: list[int] = []


@tool
def report(text: str, context: ToolContext) -> str:
    """Keep a text and answer its digest."""
    return context.keep("report.txt", text.encode(), "text/plain")


@tool(retry=Retry(attempts=3, base_s=0.0))
def flaky(context: ToolContext) -> str:
    """Keeps something in every try, and succeeds in the second."""
    TRIES.append(context.attempt)
    context.keep(f"try-{context.attempt}.txt", b"x", "text/plain")
    if len(TRIES) < 2:
        raise ToolError("not yet", code="E700", retryable=True)
    return "done"


async def test_what_a_tool_keeps_is_stored_and_listed_in_the_result() -> None:
    """The digest the tool answered finds the bytes, and the result names artifact, type, size and step."""

    @agent(tools=[report])
    async def writer(input: Any, memory: Any, context: Any) -> str:
        return str(await context.call("report", text="all is well"))

    async with app_for_tests(writer) as app:
        result = await app.run(task(writer))
        (kept,) = result.artifacts
        assert (kept.name, kept.media_type, kept.size) == ("report.txt", "text/plain", 11)
        assert kept.digest == result.result_payload
        assert await app.blobs.get(kept.digest) == b"all is well"


async def test_only_what_the_answering_try_kept_counts() -> None:
    """A try that failed leaves no artifact behind in the result."""
    TRIES.clear()

    @agent(tools=[flaky])
    async def writer(input: Any, memory: Any, context: Any) -> str:
        return str(await context.call("flaky"))

    async with app_for_tests(writer) as app:
        result = await app.run(task(writer))
        assert [a.name for a in result.artifacts] == ["try-2.txt"]
