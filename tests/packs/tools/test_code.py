"""`run_python` as an agent uses it: values, files in and out, and labels."""

from __future__ import annotations

import os
from typing import Any

import pytest

if os.environ.get("CI") != "true":
    pytest.importorskip("pydantic_monty", reason='the extra "remit[sandbox]" is not installed')

from remit import agent, tool
from remit.core.provenance import Label
from remit.core.task import Result
from remit.engine.loading import load
from remit.sdk import ToolContext
from remit.settings import SandboxSettings
from remit.testing import app_for_tests, task
from remit_packs.tools.code import MOST_CHARS, run_python

MONTY = SandboxSettings(provider="monty")


@tool(trust="untrusted", sensitivity="private")
def foreign(context: ToolContext) -> str:
    """A page from elsewhere."""
    return context.keep("page.txt", b"6 7", "text/plain")


async def ran(
    *calls: tuple[str, dict[str, Any]], sandbox: SandboxSettings = MONTY
) -> tuple[Result, list[bytes], dict[str, Label]]:
    """What came of calls in one run: its result, its artifacts, and the label of each tool's last answer."""

    @agent(tools=[run_python, foreign])
    async def coder(input: Any, memory: Any, context: Any) -> Any:
        return [await context.call(name, **arguments) for name, arguments in calls]

    async with app_for_tests(coder, sandbox=sandbox) as app:
        result = await app.run(task(coder))
        run, _ = await load(app.kit.store, result.run_id)
        artifacts = [await app.blobs.get(artifact.digest) for artifact in result.artifacts]
        return result, artifacts, {step.name: step.label for step in run.steps.values() if step.label}


async def test_it_answers_value_output_and_files() -> None:
    """The files are artifacts of the run."""
    code = "print('hello')\nopen('a.csv', 'w').write('x,y')\n6 * 7"
    result, artifacts, _ = await ran(("run_python", {"code": code}))
    (answer,) = result.result_payload
    assert (answer["ending"], answer["stdout"], answer["value"], answer["sandbox"]) == (
        "ok",
        "hello\n",
        "42",
        "monty",
    )
    (file,) = answer["files"]
    (artifact,) = result.artifacts
    assert (file["name"], file["media_type"], file["size"]) == ("a.csv", "text/csv", 3)
    assert artifact.digest == file["digest"]
    assert artifacts == [b"x,y"]


async def test_artifacts_of_the_run_go_in_by_name() -> None:
    """What one call left, the next one finds."""
    first = ("run_python", {"code": "open('n.txt', 'w').write('20')"})
    second = ("run_python", {"code": "int(open('n.txt').read()) + 1", "files": ["n.txt"]})
    result, _, _ = await ran(first, second)
    assert result.result_payload[1]["value"] == "21"
    assert result.result_payload[1]["files"] == []


async def test_what_the_run_has_not_made_does_not_go_in() -> None:
    """A digest alone opens nothing; the error lists what there is."""
    result, _, _ = await ran(("foreign", {}), ("run_python", {"code": "1", "files": ["sha256:" + "0" * 64]}))
    assert result.status == "failure"
    assert result.problem.code == "E916"
    assert "page.txt" in result.problem.help


async def test_an_error_of_the_code_is_an_answer() -> None:
    """The model reads it and mends the code."""
    result, _, _ = await ran(("run_python", {"code": "1 / 0"}))
    (answer,) = result.result_payload
    assert answer["ending"] == "error"
    assert "ZeroDivisionError" in answer["stderr"]


async def test_long_output_is_cut() -> None:
    """An answer is something to read; the whole belongs in a file."""
    result, _, _ = await ran(("run_python", {"code": "print('x' * 50_000)"}))
    (answer,) = result.result_payload
    assert len(answer["stdout"]) == MOST_CHARS
    assert answer["truncated"]


async def test_an_answer_is_as_trusted_and_as_private_as_what_the_run_has_read() -> None:
    """Code does not launder text: after foreign content every answer is foreign, with or without that content as a file."""
    code = {"code": "1"}
    reading = {"code": "open('page.txt').read()", "files": ["page.txt"]}
    _, _, alone = await ran(("run_python", code))
    _, _, after = await ran(("foreign", {}), ("run_python", code))
    _, _, of_it = await ran(("foreign", {}), ("run_python", reading))
    assert (alone["run_python"].trust, alone["run_python"].sensitivity) == ("trusted", "public")
    for labels in (after, of_it):
        assert (labels["run_python"].trust, labels["run_python"].sensitivity) == ("untrusted", "private")


async def test_without_a_sandbox_nothing_runs() -> None:
    """The error names the setting."""
    result, _, _ = await ran(("run_python", {"code": "1"}), sandbox=SandboxSettings(provider="none"))
    assert result.problem.code == "E880"
    assert "sandbox.provider" in result.problem.help
