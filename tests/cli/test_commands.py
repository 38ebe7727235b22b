"""What the commands do and print."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Remit

MORE = ("--app", "more.py")


def waiting(remit: Remit) -> tuple[str, str]:
    """A run that waits, and its approval."""
    remit("run", "hello", "Ada", "--profile", "house")
    (item,) = remit("approvals", "list", "--json").document["items"]
    return item["run_id"], item["approval_id"]


def test_the_scaffold_runs_and_its_own_test_passes(remit: Remit, project: Path) -> None:
    """`remit init` gives a project that works offline."""
    assert remit("run", "hello", "Ada").out.startswith("Hello, Ada!")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio", "tests"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_init_replaces_nothing_unasked(remit: Remit, project: Path) -> None:
    """--force is needed to overwrite."""
    (project / "agents.py").write_text("mine")
    assert remit("init", str(project)).code == 3
    assert (project / "agents.py").read_text() == "mine"
    assert remit("init", str(project), "--force").code == 0
    assert (project / "agents.py").read_text() != "mine"


def test_the_answer_is_on_stdout_and_the_story_on_stderr(remit: Remit) -> None:
    """Data can be piped; the talk cannot get into it."""
    answer = remit("run", "hello", "Ada")
    assert answer.out == "Hello, Ada! (said by a rule, not by a language model)\n"
    for part in ("hello  “Ada”", "greeting", "policy allow by tools-run", "✓", "remit runs show run_"):
        assert part in answer.err


def test_the_story_of_a_child_is_told_too(remit: Remit) -> None:
    """A delegated run is shown under its parent, with the approval it needed."""
    answer = remit("run", "boss", "--approve", *MORE)
    for part in ("→ wiper", "wipe (L3) waits for a person", "approve by approver@local", "wiped disk"):
        assert part in answer.err
    assert answer.out == "wiped disk\n"


def test_input_comes_from_a_file_or_json(remit: Remit, project: Path) -> None:
    """--input takes JSON or @file."""
    (project / "in.json").write_text('{"a": [1]}')
    for given in ('{"a": [1]}', "@in.json"):
        run_id = remit("run", "hello", "--input", given, "--json").document["run_id"]
        assert remit("runs", "show", run_id, "--json").document["task"]["input"] == {"a": [1]}


def test_the_same_task_again_is_the_same_run(remit: Remit) -> None:
    """--task-id makes sending it twice harmless."""
    first = remit("run", "hello", "Ada", "--task-id", "t1", "--json").document
    again = remit("run", "hello", "Ada", "--task-id", "t1", "--json").document
    assert (again["run_id"], again["cost_usage"]) == (first["run_id"], first["cost_usage"])
    assert remit("run", "hello", "Eve", "--task-id", "t1").code == 1


def test_a_detached_run_is_driven_by_a_worker(remit: Remit) -> None:
    """--detach only submits."""
    run_id = remit("run", "hello", "Ada", "--detach").out.strip()
    assert remit("runs", "show", run_id, "--json").document["status"] == "running"
    assert remit("worker", "--until-idle").code == 0
    assert remit("runs", "show", run_id, "--json").document["status"] == "success"


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "hello", "Ada"],
        ["run", "wiper", *MORE],
        ["run", "hello", "Ada", "--detach"],
        ["runs", "list"],
        ["approvals", "list"],
        ["keys", "create", "--actor", "ana", "--role", "viewer"],
        ["keys", "list"],
        ["policy", "check"],
        ["policy", "test", "policies/cases.toml"],
        ["doctor"],
    ],
)
def test_json_is_one_document(remit: Remit, arguments: list[str]) -> None:
    """--json: stdout holds one JSON document and nothing else."""
    assert remit(*arguments, "--json").document is not None


def test_json_of_one_run(remit: Remit) -> None:
    """Everything about a run as data; followed events are one line each."""
    run_id = remit("run", "hello", "Ada", "--json").document["run_id"]
    assert remit("runs", "show", run_id, "--json").document["run_id"] == run_id
    events = remit("runs", "events", run_id, "--json").document["items"]
    assert [e["seq"] for e in events] == list(range(len(events)))
    lines = remit("runs", "events", run_id, "--follow", "--json").out.splitlines()
    assert [json.loads(line)["seq"] for line in lines] == list(range(len(events)))
    assert remit("runs", "verify", run_id, "--json").document["ok"] is True


def test_a_run_step_by_step_beside_another_and_kept(remit: Remit, project: Path) -> None:
    """Steps come page by page; a run beside itself differs in nothing; a case is a draft, and a file."""
    run_id = remit("run", "hello", "Ada", "--json").document["run_id"]
    steps = remit("runs", "steps", run_id, "--json").document["items"]
    after = remit("runs", "steps", run_id, "--after", str(steps[0]["seq"]), "--json").document["items"]
    assert after == steps[1:]
    assert steps[0]["step"] in remit("runs", "steps", run_id).out
    same = remit("runs", "compare", run_id, run_id, "--json").document
    assert same["same"] == len(steps)
    assert (
        remit("runs", "golden", run_id, "--name", "ada", "--out", "case.json", "--json").document["status"]
        == "draft"
    )
    assert json.loads((project / "case.json").read_text())["source_run"] == run_id


def test_runs_are_paged(remit: Remit) -> None:
    """--limit and --cursor walk through all of them, once each."""
    made = {remit("run", "hello", name, "--json").document["run_id"] for name in ("a", "b", "c")}
    first = remit("runs", "list", "--limit", "2", "--json").document
    rest = remit("runs", "list", "--limit", "2", "--cursor", first["cursor"], "--json").document
    assert [len(first["items"]), len(rest["items"]), rest["cursor"]] == [2, 1, None]
    assert {i["run_id"] for i in first["items"] + rest["items"]} == made


def test_an_export_is_verified_by_the_script_it_names(remit: Remit, project: Path) -> None:
    """`runs export` prints the exact command that proves the file elsewhere."""
    run_id = remit("run", "hello", "Ada", "--json").document["run_id"]
    answer = remit("runs", "export", run_id, "--out", "a.json")
    (line,) = [text for text in answer.err.splitlines() if "verify_export.py" in text]
    command = [sys.executable, *line.split()[1:]]
    good = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (good.returncode, good.stdout[:4]) == (0, "GOOD")
    (project / "a.json").write_text((project / "a.json").read_text().replace("Hello, Ada", "Hello, Eve"))
    bad = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (bad.returncode, "event" in bad.stdout) == (1, True)


def test_ask_answer_constrain(remit: Remit) -> None:
    """A question and its answer, then a decision with other arguments; the agent acts on those."""
    run_id, approval_id = waiting(remit)
    assert (
        remit("approvals", "ask", approval_id, "who is she?", "--json").document["status"] == "info_requested"
    )
    assert remit("approvals", "answer", approval_id, "a countess", "--json").document["status"] == "pending"
    shown = remit("approvals", "show", approval_id)
    assert "asked: “who is she?”  answered: “a countess”" in shown.out
    done = remit(
        "approvals", "constrain", approval_id, '{"name": "Countess"}', "--why", "the title", "--json"
    )
    assert done.document["status"] == "constrained"
    assert remit("runs", "resume", run_id).out.startswith("Hello, Countess!")


def test_a_decision_sent_twice_counts_once(remit: Remit) -> None:
    """--decision-id makes a retry harmless."""
    _, approval_id = waiting(remit)
    for _ in range(2):
        answer = remit("approvals", "approve", approval_id, "--decision-id", "d1", "--json")
        assert (answer.document["status"], len(answer.document["votes"])) == ("approved", 1)


def test_a_rejected_call_does_not_happen(remit: Remit) -> None:
    """The agent is told, and the run ends without the effect."""
    remit("run", "wiper", *MORE)
    (item,) = remit("approvals", "list", "--json").document["items"]
    remit("approvals", "reject", item["approval_id"], "--why", "no")
    answer = remit("runs", "resume", item["run_id"], *MORE)
    events = remit("runs", "events", item["run_id"], "--json").document["items"]
    assert "EffectIntended" not in {e["type"] for e in events}
    assert answer.code == 4


def test_a_cancelled_run_ends(remit: Remit) -> None:
    """What waits is ended by its next worker."""
    run_id, _ = waiting(remit)
    assert remit("runs", "cancel", run_id, "--reason", "enough").code == 0
    remit("worker", "--until-idle")
    assert remit("runs", "show", run_id, "--json").document["status"] == "failure"


def test_keys_are_shown_once_and_end(remit: Remit) -> None:
    """The secret is printed by `create` only; a revoked key says so."""
    secret = remit("keys", "create", "--actor", "ana", "--role", "operator").out.strip()
    key_id = secret.split("_")[1]
    listed = remit("keys", "list")
    assert (key_id in listed.out, secret in listed.out, "active" in listed.out) == (True, False, True)
    assert remit("keys", "revoke", key_id).code == 0
    assert "revoked" in remit("keys", "list").out


def test_another_tenant_sees_nothing(remit: Remit) -> None:
    """--tenant separates runs and approvals."""
    run_id, approval_id = waiting(remit)
    assert remit("runs", "list", "--tenant", "other", "--json").document["items"] == []
    for arguments in (
        ["runs", "show", run_id],
        ["runs", "verify", run_id],
        ["approvals", "approve", approval_id],
    ):
        assert remit(*arguments, "--tenant", "other").code == 2


def test_a_chat_is_a_session(remit: Remit) -> None:
    """Lines in, answers out, and the conversation is kept."""
    answer = remit("chat", "hello", "--session", "s1", "--no-steps", typed="Ada\n\n/quit\nEve\n")
    assert (answer.code, answer.out.count("Hello, ")) == (0, 1), answer.err
    assert len(remit("runs", "list", "--session", "s1", "--json").document["items"]) == 1


def test_doctor_names_the_fix(remit: Remit, project: Path) -> None:
    """Each problem comes with the command that mends it; nothing broken means exit 0."""
    (project / "remit.toml").write_text('[models.default]\nprovider = "anthropic"\nmodel = "m"\n')
    answer = remit("doctor")
    assert answer.code == 3, answer.out
    assert "fix: export ANTHROPIC_API_KEY=" in answer.out


def test_up_serves_works_and_stops_on_ctrl_c(
    start: Callable[..., Popen[str]], project: Path, remit: Remit
) -> None:
    """One command is API and worker; Ctrl-C is its normal end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = start("up", "--port", str(port))
    assert process.stderr is not None
    address = next(line for line in process.stderr if "http://" in line)
    assert f"http://127.0.0.1:{port}" in address
    run_id = remit("run", "hello", "Ada", "--detach").out.strip()
    key = (project / ".remit" / "local.key").read_text().strip()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/v1/runs/{run_id}", headers={"Authorization": f"Bearer {key}"}
    )
    deadline = time.monotonic() + 30
    status = ""
    while status != "success" and time.monotonic() < deadline:
        time.sleep(0.1)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                status = json.load(answer)["status"]
        except urllib.error.URLError:
            continue
    assert status == "success"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, "Traceback" in err) == (0, False), err
