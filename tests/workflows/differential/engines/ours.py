"""Our interpreter, in memory: tasks are tools of their function's name, and the clock jumps over waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import UNSET
from tests.workflows.differential.cases import REFUSED, Answer, Case, Seen

from remit.core.errors import ConfigError
from remit.testing.workflows import TaskFailure, run_document

DEADLINE_S = 30.0


class Ours:
    async def run(self, cases: Sequence[Case]) -> list[Seen]:
        """What it makes of each case, one after another."""
        return [await self._case(case) for case in cases]

    async def _case(self, case: Case) -> Seen:
        tasks = {name: _task(answers) for name, answers in case.tasks.items()}
        try:
            async with asyncio.timeout(DEADLINE_S):
                objects = {place: text.encode() for place, text in case.objects.items()}
                ran = await run_document(
                    case.document, case.input, tasks, workflows=case.machines, objects=objects
                )
        except ConfigError as error:
            if error.code != "E632":
                raise
            return Seen(error=REFUSED, cause=str(error))
        except TimeoutError:
            return Seen(error="never ends")
        if ran.status == "SUCCEEDED":
            return Seen(ran.output, path=ran.path)
        return Seen(error=ran.error, cause=ran.cause, path=ran.path)


def _task(answers: list[Answer]) -> Callable[[Any], Any]:
    calls = 0

    async def task(given: Any) -> Any:
        nonlocal calls
        answer = _chosen(answers, given, calls)
        calls += 1
        if answer.slow_s:
            await asyncio.sleep(answer.slow_s)
        if answer.error:
            raise TaskFailure(answer.error, answer.cause)
        return answer.of(given)

    return task


def _chosen(answers: list[Answer], given: Any, calls: int) -> Answer:
    if any(answer.when is not UNSET for answer in answers):
        fits = [answer for answer in answers if answer.when == given]
        return (fits or [answer for answer in answers if answer.when is UNSET])[0]
    return answers[min(calls, len(answers) - 1)]
