"""`remit memories`: facts from a terminal."""

from __future__ import annotations

import json
from pathlib import Path


def test_facts_are_added_listed_shown_and_forgotten(project: Path, remit) -> None:
    """As a person says them; what is forgotten leaves an id and no text."""
    added = remit(
        "memories",
        "add",
        "refunds",
        "Two people sign",
        "--scope",
        "team:desk",
        "--tag",
        "procedure",
        "--as",
        "ana",
    )
    fact_id = added.out.strip()
    assert (added.code, fact_id[:5]) == (0, "fact_")
    listed = remit("memories", "list", "--scope", "team:desk")
    assert "Two people sign" in listed.out
    (item,) = json.loads(remit("memories", "list", "--subject", "REFUNDS", "--json").out)["items"]
    assert (item["fact_id"], item["provenance"]["actor"]) == (fact_id, "ana")
    shown = remit("memories", "show", f"memory:{fact_id}").out
    assert "Two people sign" in shown
    assert "procedure" in shown
    gone = remit("memories", "forget", "Refunds")
    assert (gone.code, "1 fact forgotten" in gone.err) == (0, True)
    shown = remit("memories", "show", fact_id).out
    assert "Two people" not in shown
    assert "its text was erased" in shown


def test_mistakes_end_in_a_sentence(project: Path, remit) -> None:
    """With the code, what is wrong, and exit code 2."""
    for arguments in (
        ("show", "fact_none"),
        ("add", "s", "t", "--tag", "A B"),
        ("add", "s", "t", "--scope", "all"),
    ):
        answer = remit("memories", *arguments)
        assert answer.code == 2
        assert "error[E" in answer.err
