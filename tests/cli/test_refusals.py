"""What a person mistyped is refused before anything is written or shown, and told what there is."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

import remit as package
from remit.cli.run import answer

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
        (("rules", "test", "--event", "{"), "E623", "--event"),
        (("notifiers", "sent", "--status", "nope"), "E1114", "`failed`"),
        (("runs", "steps", "run_1", "--kind", "nope"), "E1114", "`delegate`"),
        (("validations", "runs", "--table", "nope"), "E104", "remit tables list"),
        (("validations", "runs", "--rule", "nope"), "E104", "remit validations list"),
        (("validations", "proposals", "--table", "nope"), "E104", "remit tables list"),
        (("memories", "list", "--scope", "nope"), "E940", "user:"),
        (("run", "hello"), "E1143", 'remit run hello "..."'),
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


def test_an_event_is_tried_from_a_file_or_as_it_stands(remit, project: Path) -> None:
    """As `events publish` takes it; both mean the same."""
    (project / "event.json").write_text('{"type": "order.placed"}')
    rule = ("rules", "add", "orders", "--pattern", '{"type": ["order.placed"]}', "--target", "hello")
    assert remit(*rule).code == 0
    for event in ("event.json", "@event.json", '{"type": "order.placed"}'):
        (found,) = remit("rules", "test", "--event", event, "--json").document["items"]
        assert (found["name"], found["matches"]) == ("rule:orders", True)


def test_an_agent_without_its_mcp_server_stops_nothing_but_itself(remit, project: Path) -> None:
    """Its server is gone from remit.toml: other commands go on with a warning, its runs are refused; a mistyped tool is not a server."""
    own = (
        "from remit import Agent\npack_agent = Agent('desk', instructions='Help.', tools=['tickets__find'])\n"
    )
    file = project / "agents.py"
    file.write_text(f"{file.read_text()}\n{own}")
    listed = remit("runs", "list", "--json")
    assert (listed.code, listed.document["items"]) == (0, [])
    assert "agent `desk` cannot run: remit.toml has no MCP server `tickets`" in listed.err
    assert remit("run", "hello", "Ada").code == 0
    refused = remit("run", "desk", "Find ticket 7")
    assert (refused.code, "error[E1141]" in refused.err, "[mcp.tickets]" in refused.err) == (4, True, True)
    file.write_text(file.read_text().replace("tickets__find", "greting"))
    refused = remit("runs", "list")
    assert (refused.code, "error[E1094]" in refused.err, "`greeting`" in refused.err) == (3, True, True)


def test_a_password_in_a_request_is_told_as_what_it_is(remit, project: Path) -> None:
    """It was taken out of the task; the reason says how it is written instead."""
    (project / "remit.toml").write_text('packs = ["validation"]\n')
    given = '{"source": "postgresql://nobody:hunter2pass@h:1/x/t", "target": "a.csv"}'
    said = remit("run", "compare", "--input", given)
    assert (said.code, "hunter2pass" in said.out + said.err) == (1, False)
    assert "write it as ${secret:NAME}" in said.err


def test_times_say_their_zone(remit, monkeypatch: pytest.MonkeyPatch) -> None:
    """As options that take a time read it."""
    run_id = remit("run", "hello", "Ada", "--json").document["run_id"]
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        shown = remit("runs", "show", run_id).out
        (started,) = re.findall(r"started +(\S+ \S+\+05:30)", shown)
        assert remit("runs", "list", "--ids", "--since", started).out.split() == [run_id]
    finally:
        monkeypatch.undo()
        time.tzset()


def test_the_marks_of_an_answer_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    """Beside the answer, which stays what it is."""
    answer("Carla bought for 1,250.00 [[r1.total]].")
    said = capsys.readouterr()
    assert said.out == "Carla bought for 1,250.00 [[r1.total]].\n"
    assert said.err.startswith("[[r1.total]] is the cell of a query's result")
    answer("a list: [[1, 2]]")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("mistyped", "meant"),
    [
        (("rnu", "hello"), "'run'"),
        (("runs", "lits"), "'list'"),
        (("resume", "run_1"), "`remit runs resume` or `remit schedules resume`"),
    ],
)
def test_a_mistyped_command_is_told_what_may_be_meant(remit, mistyped: tuple[str, ...], meant: str) -> None:
    """Spelt alike, or below a noun."""
    said = remit(*mistyped)
    assert (said.code, meant in said.err.partition("Did you mean ")[2]) == (2, True), said.err
