"""Exit codes are a contract: 0 success, 1 failed, 2 usage, 3 configuration, 4 denied, 5 waiting, 130 interrupted."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Remit

MORE = ("--app", "more.py")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["run", "hello", "Ada"], 0, "success"),
        (["version"], 0, ""),
        (["run", "broken", *MORE], 1, "the reason"),
        (["run", "hello", "--wat"], 2, "--wat"),
        (["nonsense"], 2, "nonsense"),
        (["run", "hello", "--input", "{"], 2, "not JSON"),
        (["run", "hello", "--input", "@missing.json"], 2, "missing.json"),
        (["run", "hello", "--approve", "--no-wait"], 2, "exclude each other"),
        (["chat", "nobody"], 2, "error[E104]: there is no agent `nobody`"),
        (["run", "nobody"], 2, "known agents and workflows: `hello`"),
        (["runs", "show", "run_x"], 2, "no run `run_x`"),
        (["approvals", "show", "apr_x"], 2, "no approval `apr_x`"),
        (["runs", "verify", "run_x", "--head", "7"], 2, "is no head"),
        (["run", "hello", "--app", "missing.py"], 3, "missing.py"),
        (["run", "hello", "Ada", "--profile", "missing"], 3, "missing"),
        (["init", "."], 3, "nothing was written"),
        (["init", "agents.py/x"], 3, "error[E1098]: `agents.py/x/"),
        (["runs", "list", "--home", "agents.py/x"], 3, "error[E1097]: folder `agents.py/x` cannot be made"),
        (["run", "hello", "Ada", "--profile", "closed"], 4, "nobody-starts-anything"),
        (["run", "hello", "Ada", "--profile", "house"], 5, "remit approvals approve"),
        (["run", "hello", "Ada", "--profile", "house", "--no-wait"], 5, "needs_approval"),
        (["run", "boss", *MORE], 5, "needs_approval"),
        (["run", "wiper", "--approve", *MORE], 0, "because of --approve"),
        (["run", "boss", "--approve", *MORE], 0, "wiper"),
        (["policy", "check"], 0, "valid"),
        (["policy", "test", "policies/cases.toml"], 0, ""),
        (["policy", "test", "policies/house"], 2, "folder `policies/house` holds no cases"),
        (["policy", "test", "policies/house/profile.toml"], 2, "holds no cases"),
        (["policy", "test", "policies/gone.toml"], 2, "there is no file `policies/gone.toml`"),
        (["doctor"], 0, ""),
    ],
)
def test_how_a_command_ends(remit: Remit, arguments: list[str], code: int, says: str) -> None:
    """Each way to end has its code, and says why on stderr."""
    answer = remit(*arguments)
    assert (answer.code, says in answer.err) == (code, True), answer.err
    assert "Traceback" not in answer.err


@pytest.mark.parametrize(
    ("change", "arguments", "says"),
    [
        (("remit.toml", 'stroe = "x"'), ["runs", "list"], "remit.toml"),
        (("policies/house/policy.cedar", "permit wat"), ["policy", "check"], "policy.cedar"),
        (("agents.py", "1/0"), ["run", "hello"], "ZeroDivisionError"),
    ],
)
def test_a_broken_file_is_named(
    remit: Remit, project: Path, change: tuple[str, str], arguments: list[str], says: str
) -> None:
    """Exit 3, one sentence with the code, and no traceback."""
    (project / change[0]).write_text(change[1])
    answer = remit(*arguments)
    assert answer.code == 3
    assert answer.err.startswith("error[E2")
    assert says in answer.err


def test_a_failing_policy_test_ends_with_1(remit: Remit, project: Path) -> None:
    """A case that decides otherwise is a failure."""
    cases = project / "policies" / "cases.toml"
    cases.write_text(cases.read_text().replace('"needs_approval"', '"allow"'))
    answer = remit("policy", "test", "policies")
    assert (answer.code, "FAIL" in answer.out) == (1, True)


def test_a_damaged_run_ends_with_1(remit: Remit, project: Path) -> None:
    """`runs verify` names the first bad event."""
    run_id = remit("run", "hello", "Ada", "--json").document["run_id"]
    kept = remit("runs", "verify", run_id).out.splitlines()[1].removeprefix("head ")
    assert remit("runs", "verify", run_id, "--head", kept).code == 0
    answer = remit("runs", "verify", run_id, "--head", f"3:{'0' * 64}")
    assert (answer.code, "event 2" in answer.out) == (1, True)


def test_a_run_that_differs_from_its_archive_ends_with_1(remit: Remit, project: Path) -> None:
    """`runs archive` copies and compares; `runs verify --archive` only compares."""
    run_id = remit("run", "hello", "Ada", "--json").document["run_id"]
    assert (remit("runs", "verify", run_id, "--archive").code) == 1
    first = remit("runs", "archive", run_id)
    assert (first.code, "in the archive, as in the journal" in first.out) == (0, True)
    assert remit("runs", "archive", run_id).err.startswith("0 events archived")
    assert remit("runs", "verify", run_id, "--archive", "--json").document["ok"] is True
    (kept,) = project.rglob("archive/**/*.jsonl")
    kept.chmod(0o644)
    kept.write_bytes(kept.read_bytes().replace(b"Ada", b"Eve"))
    answer = remit("runs", "verify", run_id, "--archive")
    assert (answer.code, "in the archive" in answer.out) == (1, True)


def test_nobody_approves_their_own_request(remit: Remit) -> None:
    """Exit 4; another person may."""
    remit("run", "hello", "Ada", "--profile", "house")
    (item,) = remit("approvals", "list", "--json").document["items"]
    own = remit("approvals", "approve", item["approval_id"], "--as", "local")
    assert (own.code, own.err.startswith("error[E311]")) == (4, True)
    assert remit("approvals", "approve", item["approval_id"], "--role", "guest").code == 4
    assert remit("approvals", "approve", item["approval_id"]).code == 0
    assert remit("runs", "resume", item["run_id"]).code == 0
    again = remit("approvals", "reject", item["approval_id"])
    assert (again.code, "E405" in again.err) == (1, True)


def test_ctrl_c_ends_with_130_and_the_run_is_kept(start: Callable[..., Popen[str]], remit: Remit) -> None:
    """The run goes on later; the command says how."""
    process = start("run", "slow", *MORE)
    assert process.stderr is not None
    first = process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, "Traceback" in err) == (130, False), err
    run_id = first.split()[-1]
    assert f"remit runs resume {run_id}" in err
    assert remit("runs", "show", run_id, "--json").document["status"] == "running"


def test_a_traceback_only_on_request(remit: Remit) -> None:
    """REMIT_LOG=debug shows where an error came from; without it there is none."""
    plain = remit("runs", "list", REMIT_STORE="nope:")
    debug = remit("runs", "list", REMIT_STORE="nope:", REMIT_LOG="debug")
    assert (plain.code, debug.code) == (3, 3)
    assert plain.err.startswith("error[E204]: `nope:` names no store\nhelp: ")
    assert ("Traceback" in plain.err, "Traceback" in debug.err) == (False, True)


@pytest.mark.parametrize(
    ("setting", "code", "says"),
    [
        ("REMIT_LOG=loud", "E203", "help: set it to one of `debug`"),
        ("REMIT_MODEL=bedrock", "E1099", "help: name one of the provider's: REMIT_MODEL=bedrock:MODEL-ID"),
        ("REMIT_MODEL=anthropic:some-model", "E1100", "has no key: ANTHROPIC_API_KEY is not set"),
        ("REMIT_MODEL=openai:some-model", "E1100", "help: export OPENAI_API_KEY=..."),
        ("REMIT_STORE=sqlite:///agents.py/x/y.db", "E1097", "help: name one that you may write"),
    ],
)
def test_a_mistake_in_the_environment_is_told_before_anything_runs(
    remit: Remit, monkeypatch: pytest.MonkeyPatch, setting: str, code: str, says: str
) -> None:
    """Exit 3, a code and what to set; no run is begun that could only fail."""
    for name in (
        "ANTHROPIC_API_KEY",
        "OPENAI_API_KEY",
        "ANTHROPIC_BASE_URL",
        "OPENAI_BASE_URL",
        "BEDROCK_MODEL_ID",
    ):
        monkeypatch.delenv(name, raising=False)
    name, _, value = setting.partition("=")
    monkeypatch.setenv(name, value)
    answer = remit("run", "hello", "Ada")
    assert (answer.code, answer.err.startswith(f"error[{code}]: "), says in answer.err) == (3, True, True), (
        answer.err
    )
    monkeypatch.delenv(name)
    assert remit("runs", "list", "--json").document["items"] == []


@pytest.mark.parametrize(
    ("added", "says"),
    [
        (
            "import nowhere_to_be_found",
            "line {line} cannot be loaded: ModuleNotFoundError: No module named 'nowhere_to_be_found'",
        ),
        ("def broken(:", "line {line} cannot be loaded: SyntaxError: invalid syntax"),
        ("tool(lambda wish: wish)", "line {line}: "),
    ],
    ids=["import", "syntax", "tool"],
)
def test_a_mistake_in_an_app_file_is_told_with_its_line(
    remit: Remit, project: Path, added: str, says: str
) -> None:
    """And what to do, whether Python finds it or Remit."""
    file = project / "agents.py"
    file.write_text(f"{file.read_text()}\n{added}\n")
    answer = remit("run", "hello", "Ada")
    assert (answer.code, says.format(line=len(file.read_text().splitlines())) in answer.err) == (3, True), (
        answer.err
    )
    assert "help: " in answer.err


def test_an_agent_that_raises_is_told_with_its_line(remit: Remit, project: Path) -> None:
    """The deepest line of the author's own code."""
    lines = (project / "more.py").read_text().splitlines()
    at = next(n for n, line in enumerate(lines, 1) if "the reason" in line)
    assert f"raised ValueError: the reason (more.py line {at})" in remit("run", "broken", *MORE).err
