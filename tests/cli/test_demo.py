"""`remit demo`: the minute that `make run` shows, whole and twice."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

PACKS = Path(__file__).parents[2] / "packs"
Start = Callable[..., subprocess.Popen[str]]


def tour(start: Start, *arguments: str) -> tuple[int, str]:
    """Run the demo in a process of its own."""
    path = os.pathsep.join(filter(None, [str(PACKS), os.environ.get("PYTHONPATH")]))
    process = start("demo", "--once", *arguments, PYTHONPATH=path)
    out, err = process.communicate(timeout=120)
    return process.returncode, out + err


@pytest.mark.slow
def test_the_demo_shows_what_it_says_and_can_be_repeated(start: Start, tmp_path: Path) -> None:
    """Approval, a kill between effect and record, one refund, the chain, a comparison; and the same again."""
    for _ in range(2):
        code, said = tour(start, "--approve", "--home", str(tmp_path / "demo"))
        assert code == 0, said
        for part in (
            "issue_refund (L2) waits for a person",
            "approve by approver@local",
            "was killed (SIGKILL) at `after:effect:issue_refund`",
            "still 1 refund, under one idempotency key",
            "verified by a script without Remit: GOOD",
            "the files differ in amount",
            "of three rules one holds",
            "one notification went to the webhook of `desk`",
            "orders-status version 2 is active",
            "3 of 3 rules hold",
        ):
            assert part in said
        assert "✗ worker" not in said
        assert "\x1b[" not in said


@pytest.mark.slow
def test_without_anybody_the_refund_waits(start: Start, tmp_path: Path) -> None:
    """Not a terminal and no --approve: the second customer's run waits, and the rest goes on."""
    code, said = tour(start, "--home", str(tmp_path / "demo"))
    assert (code, "It waits, without a thread" in said) == (0, True), said


def test_the_demo_empties_no_folder_but_its_own(start: Start, tmp_path: Path) -> None:
    """A folder with something else in it is left alone."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    code, said = tour(start, "--approve", "--home", str(tmp_path / "mine"))
    assert (code, "error[E253]" in said) == (3, True), said
    assert (tmp_path / "mine" / "thesis.txt").exists()


@pytest.mark.parametrize("name", ["REMIT_STORE", "REMIT_MODEL", "REMIT_APP"])
def test_the_demo_refuses_settings_that_are_not_its_own(start: Start, tmp_path: Path, name: str) -> None:
    """It must not touch a real store or call a real model."""
    process = start("demo", "--once", "--approve", "--home", str(tmp_path / "demo"), **{name: "anthropic:x"})
    _, err = process.communicate(timeout=60)
    assert (process.returncode, f"env -u {name} remit demo" in err) == (3, True), err
