"""`remit demo`: the minute that `make run` shows, whole and twice."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Remit

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
    """Approval, a kill between effect and record, one refund, the chain, a comparison; again without anybody, the refund waits."""
    home = ("--home", str(tmp_path / "demo"))
    code, said = tour(start, "--approve", *home)
    assert code == 0, said
    for part in (*ALWAYS, *APPROVED):
        assert part in said
    assert "✗ worker" not in said
    assert "\x1b[" not in said
    code, said = tour(start, *home)
    assert (code, "It waits, without a thread" in said) == (0, True), said
    for part in ALWAYS:
        assert part in said


ALWAYS = (
    "issue_refund (L2) waits for a person",
    "verified by a script without Remit: GOOD",
    "the files differ in amount",
    "of three rules one holds",
    "one notification went to the webhook of `desk`",
    "orders-status version 2 is active",
    "3 of 3 rules hold",
)

APPROVED = (
    "approve by approver@local",
    "was killed (SIGKILL) at `after:effect:issue_refund`",
    "still 1 refund, under one idempotency key",
)


def test_the_demo_empties_no_folder_but_its_own(remit: Remit, tmp_path: Path) -> None:
    """A folder with something else in it is left alone."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    said = remit("demo", "--once", "--approve", "--home", str(tmp_path / "mine"))
    assert (said.code, "error[E253]" in said.err) == (3, True), said.err
    assert (tmp_path / "mine" / "thesis.txt").exists()


@pytest.mark.parametrize("name", ["REMIT_STORE", "REMIT_MODEL", "REMIT_APP"])
def test_the_demo_refuses_settings_that_are_not_its_own(remit: Remit, tmp_path: Path, name: str) -> None:
    """It must not touch a real store or call a real model."""
    arguments = ("demo", "--once", "--approve", "--home", str(tmp_path / "demo"))
    said = remit(*arguments, **{name: "anthropic:x"})
    assert (said.code, f"env -u {name} remit demo" in said.err) == (3, True), said.err
