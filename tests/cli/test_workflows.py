"""Workflows from a terminal: looked at, checked, run, forked, answered from outside, and taken over from AWS and to it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from remit.cli import text
from remit.cli.canvas import in_view

if TYPE_CHECKING:
    from conftest import Remit, Terminal

FLOWS = '''
from pathlib import Path
from remit import Pack, ToolError, Workflow, agent, tool

@tool(effect="read")
def price(item: str) -> int:
    """What an item costs."""
    return len(item) * 10

@tool(effect="keyed")
def ship(item: str) -> str:
    """Ship an item."""
    with Path("shipped").open("a") as ledger:
        ledger.write(item + "\\n")
    if Path("closed").exists():
        raise ToolError("the shop is closed", code="Closed")
    return f"shipped {item}"

@agent
async def greeter(input, memory, context):
    """Greets."""
    return {"hi": input}

order = Workflow("order", description="Prices and ships")
order.node("price", price, input={"item": "{% $states.input.item %}"}, output="{% $states.input %}") >> order.node(
    "ship", ship, input={"item": "{% $states.input.item %}"}
)
pack = Pack("flows", agents=[greeter], tools=[price, ship], workflows=[order])
'''

BY_HAND = """\
Comment: Somebody outside does a part
QueryLanguage: JSONata
StartAt: Measure
States:
  Measure:
    Type: Task
    Resource: remit:activity:measure
    Next: Done
  Done:
    Type: Succeed
"""

WRONG = """\
QueryLanguage: JSONata
StartAt: Mesure
States:
  Measure:
    Type: Task
    Resource: remit:tool:prise
    End: true
"""

STEP = {
    "StartAt": "Greet",
    "States": {
        "Greet": {
            "Type": "Task",
            "Resource": "arn:aws:lambda:us-east-1:123456789012:function:greeter",
            "End": True,
        }
    },
}


@pytest.fixture
def flows(project: Path) -> Path:
    """The project with a workflow of code, and documents in files."""
    (project / "flows.py").write_text(FLOWS)
    (project / "remit.toml").write_text('app = "flows.py"\npolicies = ["policies"]\n')
    (project / "by_hand.yaml").write_text(BY_HAND)
    (project / "wrong.yaml").write_text(WRONG)
    (project / "step.json").write_text(json.dumps(STEP))
    return project


def finished(remit: Remit, run_id: str) -> Any:
    """A run's view after whatever can be done has been done."""
    assert remit("worker", "--until-idle").code == 0
    return remit("runs", "show", run_id, "--json").document


# looking


def test_a_workflow_of_code_is_listed_and_drawn(flows: Path, remit: Remit) -> None:
    """With its version, where it comes from, and what its resources lead to."""
    (found,) = remit("workflow", "list", "--json").document["items"]
    assert (found["name"], found["source"], found["states"]) == ("order", "code", 2)
    assert "item" in remit("workflow", "input", "order").document["properties"]
    assert "order" in remit("workflow", "list").out
    shown = remit("workflow", "show", "order")
    assert "● price  tool price" in shown.out
    assert "remit:tool:ship   tool ship" in shown.out
    assert remit("workflow", "show", "order", "--json").document["document"]["StartAt"] == "price"
    assert remit("workflow", "show", "order", "--mermaid").out.startswith("flowchart")
    assert remit("workflow", "show", "order", "--yaml").out.startswith("Comment: ")
    assert remit("workflow", "show", "order", "--svg", "order.svg").code == 0
    assert (flows / "order.svg").read_text().lstrip().startswith("<svg")
    assert remit("workflow", "show", "order", "--svg", "-").out.lstrip().startswith("<svg")


def test_a_file_is_drawn_as_well(flows: Path, remit: Remit) -> None:
    """It need not be registered; what it names and is not here is said."""
    assert "● Measure  activity measure" in remit("workflow", "show", "by_hand.yaml").out
    (flows / "elsewhere.yaml").write_text(WRONG.replace("Mesure", "Measure"))
    shown = remit("workflow", "show", "elsewhere.yaml")
    assert "nothing here" in shown.out
    assert "there is no tool `prise` here" in shown.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("show", "greeter"), 2, "E649"),
        (("show", "nobody"), 2, "E104"),
        (("show",), 2, "--run"),
        (("show", "order", "--follow"), 2, "--follow"),
        (("show", "gone.yaml"), 3, "E254"),
        (("run", "greeter"), 2, "E649"),
        (("run", "wrong.yaml"), 2, ""),
        (("compile", "order", "--target", "airflow"), 2, "--target"),
        (("import", "by_hand.yaml", "--set", "x"), 2, "--set"),
    ],
)
def test_what_is_refused(flows: Path, remit: Remit, arguments: tuple[str, ...], code: int, said: str) -> None:
    """An exit code and one sentence."""
    answer = remit("workflow", *arguments)
    assert (answer.code, said in answer.err) == (code, True), answer.err


# checking


def test_validate_says_all_that_is_wrong_with_its_place(flows: Path, remit: Remit) -> None:
    """FILE:LINE:COLUMN, a sentence and what to do; exit code 2. A right document is not spoken of."""
    answer = remit("workflow", "validate", "wrong.yaml", "by_hand.yaml")
    assert answer.code == 2
    lines = answer.out.splitlines()
    assert lines[0].startswith("wrong.yaml:2:1: error: there is no state `Mesure`")
    assert lines[1] == "  help: did you mean `Measure`?"
    assert any(line.startswith("wrong.yaml:6:5: error: there is no tool `prise`") for line in lines)
    assert "by_hand" not in answer.out
    assert "in 2 files" in answer.err
    assert remit("workflow", "validate", "by_hand.yaml").code == 0


def test_validate_for_programs(flows: Path, remit: Remit) -> None:
    """One JSON document; --no-names leaves out what only this installation knows."""
    found = remit("workflow", "validate", "wrong.yaml", "--json")
    assert (found.code, found.document["ok"]) == (2, False)
    assert found.document["problems"][0] | {"message": "", "help": ""} == {
        "file": "wrong.yaml",
        "pointer": "/StartAt",
        "line": 2,
        "column": 1,
        "message": "",
        "help": "",
    }
    without = remit("workflow", "validate", "wrong.yaml", "--json", "--no-names").document["problems"]
    assert [p["pointer"] for p in without] == ["/StartAt"] or all(
        "prise" not in p["message"] for p in without
    )


def test_validate_takes_what_apply_takes_and_what_is_no_document(flows: Path, remit: Remit) -> None:
    """The places are those of the file; broken text is a problem with its place."""
    inner = "".join(f"  {line}\n" for line in WRONG.splitlines())
    (flows / "applied.yaml").write_text(f"kind: workflow\nname: wrong\nspec:\n{inner}")
    assert "applied.yaml:5:3: error" in remit("workflow", "validate", "applied.yaml").out
    (flows / "broken.json").write_text('{"StartAt": "A",\n "States": }')
    answer = remit("workflow", "validate", "broken.json")
    assert (answer.code, answer.out.startswith("broken.json:2:12: error: ")) == (2, True), answer.out


# running


def test_a_workflow_is_run_and_its_states_are_told(flows: Path, remit: Remit) -> None:
    """Lines for states and calls on stderr, the output on stdout; `runs show` and the picture say the same afterwards."""
    answer = remit("workflow", "run", "order", "--input", '{"item": "pen"}')
    assert (answer.code, answer.out.strip()) == (0, "shipped pen")
    assert "● price" in answer.err
    assert "● ship" in answer.err
    (item,) = remit("runs", "list", "--json").document["items"]
    shown = remit("runs", "show", item["run_id"]).out
    assert "s0       succeeded price" in shown
    drawn = remit("workflow", "show", "--run", item["run_id"])
    assert drawn.out.count("✓") == 2
    states = remit("workflow", "show", "order", "--run", item["run_id"], "--json").document
    assert states["states"]["/States/ship"]["phase"] == "succeeded"
    assert states["ended"]
    assert "fill" in remit("workflow", "show", "--run", item["run_id"], "--mermaid").out
    assert remit("workflow", "show", "--run", item["run_id"], "--yaml").out.startswith("Comment")
    wrong = remit("workflow", "show", "other", "--run", item["run_id"])
    assert (wrong.code, "E649" in wrong.err) == (2, True)


def test_input_comes_from_an_argument_a_file_or_stdin(flows: Path, remit: Remit) -> None:
    """`-` reads stdin."""
    (flows / "in.json").write_text('{"item": "cup"}')
    assert remit("workflow", "run", "order", "--input", "@in.json").out.strip() == "shipped cup"
    typed = '{"item": "hat"}'
    assert remit("workflow", "run", "order", "--input", "-", typed=typed).out.strip() == "shipped hat"


def test_a_document_in_a_file_runs_and_survives_a_kill(flows: Path, remit: Remit, start: Any) -> None:
    """Its run carries it: killed, and with the file gone, another process ends the run."""
    (flows / "slow.yaml").write_text(
        "QueryLanguage: JSONata\nStartAt: Pause\nStates:\n"
        "  Pause: {Type: Wait, Seconds: 3, Next: Ship}\n"
        "  Ship: {Type: Task, Resource: 'remit:tool:ship', End: true}\n"
    )
    process = start("workflow", "run", "slow.yaml", "--input", '{"item": "ink"}')
    for line in process.stderr:
        if "waits until" in line:
            break
    process.kill()
    process.communicate()
    (flows / "slow.yaml").unlink()
    (item,) = remit("runs", "list", "--json").document["items"]
    assert item["agent_id"] == "workflow:inline"
    resumed = remit("runs", "resume", item["run_id"], "--json")
    assert (resumed.code, resumed.document["result_payload"]) == (0, "shipped ink")
    assert (flows / "shipped").read_text() == "ink\n"


def test_policy_may_keep_documents_out(flows: Path, remit: Remit) -> None:
    """A profile that forbids `workflow:inline` lets registered workflows run and no others."""
    profile = flows / "policies" / "strict"
    profile.mkdir()
    (profile / "profile.toml").write_text('name = "strict"\nextends = "default"\n')
    (profile / "policy.cedar").write_text(
        '@id("no-inline")\nforbid (principal, action == Action::"start_run", resource == Agent::"workflow:inline");\n'
    )
    denied = remit("workflow", "run", "by_hand.yaml", "--profile", "strict")
    assert (denied.code, "E301" in denied.err) == (4, True), denied.err
    allowed = remit("workflow", "run", "order", "--input", '{"item": "pen"}', "--profile", "strict")
    assert allowed.code == 0


def test_following_draws_on_a_terminal(flows: Path, at_terminal: Terminal, on_screen: Any) -> None:
    """The picture stays when the run has ended; NO_COLOR takes its colours away."""
    code, seen = at_terminal(["workflow", "run", "order", "--input", '{"item": "pen"}', "--follow"])
    assert (code, "✓ ship" in text.seen(seen)) == (0, True), seen
    assert "\x1b[32m✓" in seen
    code, seen = on_screen("workflow", "run", "order", "--input", '{"item": "pen"}', "--follow", NO_COLOR="1")
    assert (code, "\x1b[32m" in seen, "✓ ship" in seen) == (0, False, True), seen


def test_following_a_run_that_others_drive(flows: Path, remit: Remit, start: Any) -> None:
    """`show --run --follow` ends with the run, and shows how it ended."""
    run_id = remit("workflow", "run", "order", "--input", '{"item": "pen"}', "--detach").out.strip()
    looking = start("workflow", "show", "--run", run_id, "--follow")
    assert remit("worker", "--until-idle").code == 0
    out, err = looking.communicate(timeout=60)
    assert (looking.returncode, out.count("✓")) == (0, 2), err


def test_a_picture_that_is_too_long_shows_where_the_work_is() -> None:
    """As many rows as the terminal has, with the first state at work among them."""
    rows = [f"✓ s{i}" for i in range(100)]
    rows[60] = "│ ▶ s60"
    shown = in_view(rows, 20)
    assert (len(shown), "│ ▶ s60" in shown) == (20, True)
    assert in_view(rows[:10], 20) == rows[:10]
    assert in_view([f"✓ s{i}" for i in range(50)], 20)[-1] == "✓ s49"


def test_a_picture_of_a_failure_says_what_failed(flows: Path, remit: Remit) -> None:
    """The state's error beside it, and in `runs show`."""
    (flows / "closed").touch()
    answer = remit("workflow", "run", "order", "--input", '{"item": "pen"}', "--json")
    assert answer.code == 1
    run_id = answer.document["run_id"]
    drawn = remit("workflow", "show", "--run", run_id).out
    assert "✗ ship" in drawn
    assert "Closed" in drawn
    assert "problem Closed: the shop is closed" in remit("runs", "show", run_id).out


# forks


def test_a_failed_run_is_retried_without_repeating_what_was_done(flows: Path, remit: Remit) -> None:
    """The new run says where it comes from; one that has not failed is not retried."""
    (flows / "closed").touch()
    failed = remit("workflow", "run", "order", "--input", '{"item": "pen"}', "--json").document["run_id"]
    (flows / "closed").unlink()
    answer = remit("runs", "retry", failed, "--json")
    assert (answer.code, answer.document["result_payload"]) == (0, "shipped pen")
    shown = remit("runs", "show", answer.document["run_id"]).out
    assert f"forked     from {failed}" in shown
    again = remit("runs", "retry", answer.document["run_id"])
    assert (again.code, "E646" in again.err) == (1, True)


def test_a_run_is_forked_from_a_state_with_another_input(flows: Path, remit: Remit) -> None:
    """By the state's name or by its visit; the same fork id gives the same run."""
    run_id = remit("workflow", "run", "order", "--input", '{"item": "pen"}', "--json").document["run_id"]
    made = remit("runs", "fork", run_id, "--from", "ship", "--input", '{"item": "cup"}', "--json")
    assert (made.code, made.document["result_payload"]) == (0, "shipped cup")
    first, second = (
        remit("runs", "fork", run_id, "--from", "s1", "--fork-id", "a", "--detach", "--json").document[
            "run_id"
        ]
        for _ in range(2)
    )
    assert first == second != run_id
    for place, code in (("nowhere", "E645"), ("s9", "E645")):
        answer = remit("runs", "fork", run_id, "--from", place)
        assert (answer.code, code in answer.err) == (2, True), answer.err


def test_the_run_of_an_agent_in_code_is_not_forked(flows: Path, remit: Remit) -> None:
    """Its own code says what comes next, and there are no states to draw."""
    run_id = remit("run", "greeter", "--json").document["run_id"]
    answer = remit("runs", "fork", run_id, "--from", "s0")
    assert (answer.code, "E1014" in answer.err) == (2, True), answer.err
    drawn = remit("workflow", "show", "--run", run_id, "--follow")
    assert (drawn.code, "E649" in drawn.err) == (2, True), drawn.err


# answers from outside


def by_hand(remit: Remit, **input: Any) -> str:
    """A run that waits for a worker of the activity `measure`."""
    run_id = remit("workflow", "run", "by_hand.yaml", "--input", json.dumps(input), "--detach").out.strip()
    assert remit("worker", "--until-idle").code == 0
    return run_id


def test_a_task_is_taken_and_answered_by_hand(flows: Path, remit: Remit) -> None:
    """Token and input are printed; success and failure go by the token; the second answer finds nobody."""
    run_id = by_hand(remit, n=2)
    taken = remit("activities", "take", "measure", "--json").document
    assert (taken["input"], taken["state"], taken["run_id"]) == ({"n": 2}, "Measure", run_id)
    assert "waits for activity measure" in remit("workflow", "show", "--run", run_id).out
    assert remit("callbacks", "heartbeat", taken["token"]).code == 0
    assert remit("callbacks", "succeed", taken["token"], "--output", '{"cm": 12}').code == 0
    assert finished(remit, run_id)["result"]["result_payload"] == {"cm": 12}
    gone = remit("callbacks", "succeed", taken["token"])
    assert (gone.code, "E642" in gone.err) == (2, True)
    nothing = remit("activities", "take", "measure", "--wait", "0")
    assert (nothing.code, nothing.out) == (1, "")


def test_a_token_may_come_from_stdin(flows: Path, remit: Remit) -> None:
    """So that it stands in no list of processes."""
    run_id = by_hand(remit)
    token = remit("activities", "take", "measure").out.splitlines()[0]
    failed = remit("callbacks", "fail", "-", "--error", "Broken", "--cause", "no ruler", typed=token + "\n")
    assert failed.code == 0, failed.err
    ended = finished(remit, run_id)["result"]
    assert ended["result_payload"] == {"Error": "Broken", "Cause": "no ruler"}


@pytest.mark.parametrize(
    ("command", "result"),
    [
        ("tr 1 2", {"n": 2}),
        ("echo plain text", "plain text"),
        ("true", None),
        ("echo no ruler >&2; echo at all >&2; exit 3", {"Error": "States.TaskFailed", "Cause": "at all"}),
        ("exit 4", {"Error": "States.TaskFailed", "Cause": "the command ended with exit code 4"}),
        (
            "head -c 300000 /dev/zero | tr '\\\\0' x",
            {
                "Error": "States.DataLimitExceeded",
                "Cause": "the output of the task is larger than 262,144 bytes",
            },
        ),
    ],
)
def test_any_program_is_a_worker(flows: Path, remit: Remit, command: str, result: Any) -> None:
    """Input on stdin, output on stdout as JSON or text; an exit code other than 0 fails the task with what stderr said last."""
    run_id = by_hand(remit, n=1)
    worked = remit("activities", "work", "measure", "--command", command, "--until-idle")
    assert (worked.code, "worked on 1 task" in worked.err) == (0, True), worked.err
    assert finished(remit, run_id)["result"]["result_payload"] == result


def test_a_worker_says_that_it_is_alive(flows: Path, remit: Remit, start: Any) -> None:
    """A task with heartbeats lasts longer than they may be apart; without a worker it ends."""
    document = BY_HAND.replace("    Next:", "    HeartbeatSeconds: 3\n    Next:", 1)
    (flows / "by_hand.yaml").write_text(document)
    run_id = by_hand(remit)
    driving = start("worker")
    try:
        worked = remit(
            "activities",
            "work",
            "measure",
            "--command",
            "sleep 4; echo 1",
            "--heartbeat",
            "0.5",
            "--until-idle",
        )
        assert "done" in worked.err, worked.err
        deadline = time.monotonic() + 20
        while (view := remit("runs", "show", run_id, "--json").document)["ended_ts"] is None:
            assert time.monotonic() < deadline
    finally:
        driving.terminate()
        driving.communicate(timeout=30)
    assert view["result"]["result_payload"] == 1


def test_a_worker_stops_what_nobody_waits_for(
    flows: Path, remit: Remit, start: Callable[..., subprocess.Popen[str]]
) -> None:
    """The heartbeat of a cancelled run's task is refused, and the command is killed with all that it started."""
    run_id = by_hand(remit)
    worker = start(
        "activities",
        "work",
        "measure",
        "--command",
        "echo $$ > began; sleep 300",
        "--heartbeat",
        "0.3",
        "--until-idle",
    )
    deadline = time.monotonic() + 20
    while not (flows / "began").exists() or not (flows / "began").read_text():
        assert time.monotonic() < deadline
    assert remit("runs", "cancel", run_id).code == 0
    assert remit("worker", "--until-idle").code == 0
    out, err = worker.communicate(timeout=30)
    assert (worker.returncode, "given up" in err) == (0, True), out + err
    with pytest.raises(ProcessLookupError):
        os.kill(int((flows / "began").read_text()), 0)


def test_a_worker_that_is_stopped_gives_its_task_back_as_failed(
    flows: Path, remit: Remit, start: Any
) -> None:
    """So that Retry and Catch can act at once, and need not wait for a missed heartbeat."""
    run_id = by_hand(remit)
    worker = start("activities", "work", "measure", "--command", "touch began; sleep 300")
    deadline = time.monotonic() + 20
    while not (flows / "began").exists():
        assert time.monotonic() < deadline
    worker.send_signal(2)
    _, err = worker.communicate(timeout=30)
    assert (worker.returncode, "stopped" in err) == (0, True), err
    ended = finished(remit, run_id)["result"]["result_payload"]
    assert ended == {
        "Error": "States.TaskFailed",
        "Cause": "the worker was stopped before the command had ended",
    }


# AWS


def test_a_state_machine_of_aws_is_taken_over_and_runs(flows: Path, remit: Remit) -> None:
    """Printed for `remit apply`, or registered; a Lambda function is the tool or agent of its name."""
    printed = remit("workflow", "import", "step.json", "--name", "hello")
    assert (printed.code, printed.out.startswith("kind: workflow\nname: hello\n")) == (0, True), printed.err
    (flows / "hello.yaml").write_text(printed.out)
    assert remit("apply", "-f", "hello.yaml", "--why", "taken over").code == 0
    said = remit("workflow", "import", "step.json", "--name", "hello", "--apply", "--why", "taken over")
    assert (said.code, "agent greeter" in said.out) == (0, True), said.err
    ran = remit("workflow", "run", "hello", "--input", '{"n": 1}', "--json")
    assert ran.document["result_payload"] == {"hi": {"n": 1}}


def test_what_describe_state_machine_prints_is_taken_over(flows: Path, remit: Remit) -> None:
    """Under the state machine's own name; what is not here is said, and what is wrong is refused with its place."""
    document = json.loads(json.dumps(STEP).replace("function:greeter", "function:elsewhere"))
    described = {"name": "described", "definition": json.dumps(document)}
    (flows / "described.json").write_text(json.dumps(described))
    found = remit("workflow", "import", "described.json", "--json")
    assert (found.document["name"], found.document["links"][0]["found"]) == ("described", False)
    assert "missing: arn:aws:lambda:us-east-1:123456789012:function:elsewhere" in found.err
    (flows / "bad.json").write_text(json.dumps({**STEP, "StartAt": "Nowhere"}))
    refused = remit("workflow", "import", "bad.json", "--apply")
    assert (refused.code, "bad.json:/StartAt: error" in refused.out) == (2, True), refused.out
    assert [w["name"] for w in remit("workflow", "list", "--json").document["items"]] == ["order"]


def test_a_workflow_is_written_for_step_functions(flows: Path, remit: Remit) -> None:
    """The document with ARNs, and the policy of its role; without an account, with CloudFormation's placeholders."""
    there = ("--account", "123456789012", "--region", "eu-west-1")
    made = remit("workflow", "compile", "order", *there, "--out", "aws")
    assert made.code == 0, made.err
    document = json.loads((flows / "aws" / "order.asl.json").read_text())
    assert document["States"]["price"]["Resource"].startswith(
        "arn:aws:lambda:eu-west-1:123456789012:function:"
    )
    policy = json.loads((flows / "aws" / "order.policy.json").read_text())
    assert policy["Statement"][0]["Action"] == ["lambda:InvokeFunction"]
    (flows / "bound.yaml").write_text("functions:\n  remit:tool:price: my-price\n")
    bound = remit("workflow", "compile", "order", *there, "--bindings", "bound.yaml").document
    assert bound["States"]["price"]["Resource"].endswith("function:my-price")
    both = remit("workflow", "compile", "order", "--json").document
    assert "${AWS::Region}" in both["document"]["States"]["price"]["Resource"]
    (flows / "odd.yaml").write_text("funktions: {}\n")
    odd = remit("workflow", "compile", "order", "--bindings", "odd.yaml")
    assert (odd.code, "E255" in odd.err) == (2, True)


def test_what_step_functions_cannot_do_is_refused(flows: Path, remit: Remit) -> None:
    """With every reason; nothing is written."""
    waits = BY_HAND.replace("remit:activity:measure", "remit:event:paid.waitForEvent")
    (flows / "waits.yaml").write_text(waits)
    refused = remit("workflow", "compile", "waits.yaml", "--out", "aws")
    assert (refused.code, "Step Functions cannot" in refused.out) == (2, True), refused.out
    assert not (flows / "aws").exists()


# completion


@pytest.mark.parametrize("shell", ["bash"])
def test_names_and_files_are_completed(flows: Path, remit: Remit, shell: str) -> None:
    """Workflows there are, and documents."""
    words = {
        "COMP_WORDS": "remit workflow show ",
        "COMP_CWORD": "3",
        "_TYPER_COMPLETE_ARGS": "remit workflow show ",
    }
    answer = remit(_REMIT_COMPLETE=f"complete_{shell}", **words)
    assert {"order", "by_hand.yaml", "step.json"} <= set(answer.out.split()), answer.out
