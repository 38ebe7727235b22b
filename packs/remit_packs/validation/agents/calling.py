"""Calling colleagues and tools: several at once but not all at once, and what to make of the answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from remit.sdk import Result, RunContext, ToolError

AT_ONCE = 8

T = TypeVar("T")


def batches(things: Sequence[T], size: int = AT_ONCE) -> Iterator[Sequence[T]]:
    """The things, `size` at a time."""
    for start in range(0, len(things), size):
        yield things[start : start + size]


async def call_bounded(context: RunContext, calls: Sequence[tuple[str, dict[str, Any]]]) -> list[Any]:
    """Answers in order, or the ToolError in the place of a call that failed; at most `AT_ONCE` are under way."""
    answers: list[Any] = []
    for batch in batches(calls):
        answers += await context.call_all(list(batch))
    return answers


def payload(result: Result) -> Any:
    """What a colleague answered. Raises ToolError with what went wrong there."""
    if result.status == "success":
        return result.result_payload
    problem = result.problem
    if problem is None:
        raise ToolError(f"run `{result.run_id}` ended as `{result.status}`", code="E598")
    raise ToolError(problem.message, code=problem.code, help=problem.help)
