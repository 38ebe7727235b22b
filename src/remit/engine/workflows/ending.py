"""How a workflow's run ends that has come to an output."""

from __future__ import annotations

from typing import Any

from remit.core.run import Finished, Run
from remit.core.task import Problem
from remit.engine.schemas import Validator


def ended_with(run: Run, output: Any, now: int) -> Finished:
    """A success, if the output fits the schema that the task asks for."""
    schema = run.agent.output_schema
    problems = Validator(schema).problems(output) if schema is not None else ()
    if problems:
        return Finished(
            "failure", output, Problem("E622", f"the output does not fit its schema: {problems[0]}"), now
        )
    return Finished("success", output, None, now)
