"""SIGKILL at every point of an effect inside a framework's own code, and at random instants: nothing doubles."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from benchmarks.common.killing import Engine, kill_test

from conftest import installed

PROGRAM = Path(__file__).parent / "frameworklib" / "charging.py"
BANKS = {"plain": ["--plain"], "keyed": ["--keyed"], "lookup": ["--plain", "--lookup"]}
FRAMEWORKS = [name for name in installed() if name != "remit"]
EVERY_COMMIT = {("langgraph", "keyed"), ("strands", "plain"), ("agent_framework", "lookup")}
CASES = [
    pytest.param(name, effect, marks=[] if (name, effect) in EVERY_COMMIT else [pytest.mark.nightly])
    for name in FRAMEWORKS
    for effect in BANKS
]


@pytest.mark.slow
@pytest.mark.parametrize(("framework", "effect"), CASES)
def test_a_killed_team_does_no_effect_twice_and_loses_none(framework: str, effect: str) -> None:
    """Killed before an effect, right after it, after its record and at random, then resumed: each effect once, or a person is asked."""
    engine = Engine(framework, [sys.executable, str(PROGRAM), framework, effect])
    found = kill_test(engine, BANKS[effect], [10], 2)
    assert found["kills"] >= 3
    assert (found["doubled"], found["lost"]) == (0, 0), found
    assert found["finished"] + found["in_doubt"] == found["runs"], found
    if effect != "plain":
        assert found["in_doubt"] == 0, "a tool that can be sent again or asked needs no person"
