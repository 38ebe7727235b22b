"""A state machine written for Step Functions, imported unchanged."""

from __future__ import annotations

import json

from tests.examples.systems import System

SYSTEM = "step-functions"


def test_the_imported_machine_runs_and_compiles_to_itself(system: System) -> None:
    """Its functions are the agents of their names; written back for AWS it is the same document."""
    imported, ran, compiled = system.follow_readme()
    assert (imported.code, ran.code, compiled.code) == (0, 0, 0), imported.err + ran.err + compiled.err
    assert ran.out.strip() == (
        "Planets by density: Earth comes first with 5493, Saturn last with 619. 8 were compared."
    )
    before = json.loads((system.folder / "state-machine.json").read_text())
    after = json.loads((system.folder / "build" / "research-report.asl.json").read_text())
    assert after == before
    policy = json.loads((system.folder / "build" / "research-report.policy.json").read_text())
    assert {action for s in policy["Statement"] for action in s["Action"]} == {"lambda:InvokeFunction"}


def test_an_error_that_a_function_names_is_caught_by_its_name(system: System) -> None:
    """As on AWS, where the class of what a function raises is the name."""
    system.follow_readme()
    result = system.run("research-report", {"topic": "colour"})
    assert result["result_payload"] == {
        "Error": "NothingFound",
        "Cause": "there are no sources on this topic",
    }
