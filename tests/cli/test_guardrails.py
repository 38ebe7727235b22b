"""`remit guardrails test` tells what a file would do with a text."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.conftest import Remit

FILE = """
blocked_output = "Sorry."
[personal]
mask = ["email"]
[words]
custom = ["tiger"]
[grounding]
threshold = 0.7
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "guardrails.toml"
    path.write_text(FILE)
    return str(path)


@pytest.mark.parametrize(
    ("arguments", "code", "outcome", "text"),
    [
        (["--text", "Hello."], 0, "passed", "Hello."),
        (["--text", "Mail ann@acme.example"], 0, "masked", "Mail {EMAIL}"),
        (["--text", "A tiger!"], 1, "blocked", "I cannot help with that."),
        (["--text", "A tiger!", "--output"], 1, "blocked", "Sorry."),
    ],
)
def test_a_text_is_judged(
    remit: Remit, file: str, arguments: list[str], code: int, outcome: str, text: str
) -> None:
    """What goes on in its place on stdout, why on stderr; exit 1 when it is blocked."""
    told = remit("guardrails", "test", file, *arguments)
    assert (told.code, told.out.strip()) == (code, text)
    assert outcome in told.err
    document = remit("guardrails", "test", file, *arguments, "--json").document
    assert (document["outcome"], document["text"]) == (outcome, text)


def test_an_answer_is_judged_by_its_sources(remit: Remit, file: str, tmp_path: Path) -> None:
    """`--source` makes it an answer."""
    source = tmp_path / "page.txt"
    source.write_text("The price is 20 euros.")
    for price, code in (("20", 0), ("30", 1)):
        text = f"The price is {price} euros."
        assert remit("guardrails", "test", file, "--source", str(source), "--text", text).code == code


def test_a_file_that_is_wrong_exits_3(remit: Remit, tmp_path: Path) -> None:
    """With the code that says so."""
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("[content.anger]")
    told = remit("guardrails", "test", str(wrong), "--text", "x")
    assert (told.code, "E973" in told.err) == (3, True)
    gone = remit("guardrails", "test", str(tmp_path / "none.toml"), "--text", "x")
    assert (gone.code, "E974" in gone.err) == (3, True)
