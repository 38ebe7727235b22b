"""Researcher, analyst, coder, reviewer: sent back until the cases hold, and no longer than the bound."""

from __future__ import annotations

from tests.examples.systems import System

SYSTEM = "team"


def test_the_reviewer_sends_back_until_every_case_holds(system: System) -> None:
    """The code that is handed in does all four cases; it took three rounds, each journaled."""
    ran, shown = system.follow_readme()
    assert (ran.code, shown.code) == (0, 0), ran.err
    found = ran.document
    assert (found["rounds"], found["cases"]) == (3, 4)
    made: dict = {}
    exec(found["code"], made)
    assert made["convert"](" Über   uns! ") == "uber-uns"
    agents = [
        run["agent_id"] for run in system.remit("runs", "list", "--limit", "200", "--json").document["items"]
    ]
    assert (agents.count("coder"), agents.count("reviewer"), agents.count("analyst")) == (3, 3, 1)


def test_work_that_is_right_at_once_is_not_sent_back(system: System) -> None:
    """One round."""
    found = system.run("research-team", {"topic": "constant"})["result_payload"]
    assert (found["rounds"], found["cases"]) == (1, 2)


def test_the_loop_is_bounded(system: System) -> None:
    """Notes that no function can fulfil end after five rounds, by name."""
    notes = system.folder / "notes.md"
    notes.write_text(notes.read_text() + "\n## riddle\nImpossible.\n`a` becomes `b`\n`A` becomes `c`\n")
    result = system.run("research-team", {"topic": "riddle"})
    assert result["result_payload"]["Error"] == "Remit.RoundsExhausted"
    agents = [
        run["agent_id"] for run in system.remit("runs", "list", "--limit", "200", "--json").document["items"]
    ]
    assert agents.count("coder") == 5


def test_a_topic_without_notes_ends_before_any_code(system: System) -> None:
    """The author's own error goes by its name, and nobody is paid for nothing."""
    result = system.run("research-team", {"topic": "unheard-of"})
    assert result["result_payload"]["Error"] == "NothingFound"
    agents = [
        run["agent_id"] for run in system.remit("runs", "list", "--limit", "200", "--json").document["items"]
    ]
    assert "coder" not in agents
