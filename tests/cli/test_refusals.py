"""What a person mistyped is refused before anything is written or shown, and told what there is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import remit as package

FTP = ("tables", "add", "t", "ftp://x/y")
NIGHTLY = ("schedules", "add", "s", "daily", "helo")
RULE = ("rules", "add", "x", "--pattern", '{"type": ["a"]}', "--target", "helo")


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (FTP, "`ftp` is no source that can be read: `athena`", "nothing was changed"),
        (NIGHTLY, "E1110", "`hello`"),
        (RULE, "E1110", "`hello`"),
        (("runs", "list", "--status", "nope"), "E1114", "`waiting`"),
        (("runs", "list", "--cursor", "nope"), "E103", "without a cursor"),
        (("approvals", "list", "--status", "nope"), "E1114", "`pending`"),
        (("policy", "decisions", "--verdict", "nope"), "E1114", "`deny`"),
        (("policy", "tools", "--agent", "helo"), "E1110", "`hello`"),
        (("events", "dead-letters", "list", "--rule", "nope"), "E104", "remit rules list"),
        (("events", "publish", "x", "--data", "@missing"), "E1111", "check its path"),
        (("validations", "list", "--table", "nope"), "E104", "remit tables list"),
        (
            ("validations", "delete", "nope", "--why", "old"),
            "there is no rule `nope`",
            "remit validations list",
        ),
        (("rules", "remove", "nope"), "there is no rule `nope`", "remit rules list"),
        (("workflow", "show", "nope"), "there is no workflow `nope`", "remit workflow list"),
        (("documents", "add", "missing.txt"), "E1111", "check its path"),
        (("apply", "-f", "missing"), "E1111", "check its path"),
        (("notifiers", "add", "n", "carrier-pigeon", "x"), "E102", "`webhook`"),
    ],
    ids=lambda value: " ".join(value[:3]) if isinstance(value, tuple) else "",
)
def test_a_mistake_names_what_there_is(remit, arguments: tuple[str, ...], code: str, told: str) -> None:
    """Exit code 2, the code or the domain's own words, and the way on; stdout stays empty."""
    said = remit(*arguments)
    assert (said.code, said.out) == (2, ""), said.err
    assert code in said.err
    assert told in said.err.partition("help: ")[2]


def test_what_was_refused_was_not_written(remit) -> None:
    """None of it would have failed at night: it is not there."""
    for arguments, nouns in ((FTP, "tables"), (NIGHTLY, "schedules")):
        assert remit(*arguments).code == 2
        assert remit(nouns, "list", "--json").document["items"] == []
    assert remit(*RULE).code == 2
    assert "rule:x" not in remit("rules", "list").out


def test_an_unknown_crash_point_is_refused(remit) -> None:
    """A fault that is never reached would be a test that tests nothing."""
    said = remit("worker", "--until-idle", "--fault", "after:apend:EffectDone")
    assert (said.code, "E1112" in said.err, "before:model" in said.err) == (3, True, True)


def test_a_misspelt_setting_is_told_its_neighbour(project: Path, remit) -> None:
    """Of `remit.toml`, without naming anything of Remit's own source."""
    (project / "remit.toml").write_text('stor = "sqlite:///x.db"\n')
    said = remit("runs", "list")
    assert (said.code, "E201" in said.err, "known fields: `store`" in said.err) == (3, True, True), said.err
    assert "contracts/" not in said.err


def test_no_color_means_no_styles_on_a_terminal(at_terminal) -> None:
    """The live view writes neither colour nor bold nor dim."""
    code, seen = at_terminal(["run", "hello", "Ada"], NO_COLOR="1")
    assert code == 0, seen
    assert not [n for n in (1, 2, 31, 32, 33, 36) if f"\x1b[{n}m" in seen]


@pytest.mark.parametrize(("text", "told"), [(None, "cannot be read"), ("{}", "'run_id' is missing")])
def test_an_auditor_is_told_what_is_wrong_with_a_file(tmp_path: Path, text: str | None, told: str) -> None:
    """The stand-alone verifier ends in a sentence, never in a traceback."""
    file = tmp_path / "run.json"
    if text is not None:
        file.write_text(text)
    script = Path(package.__file__).parent / "data" / "verify_export.py"
    done = subprocess.run(
        [sys.executable, str(script), str(file)], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert told in done.stdout
