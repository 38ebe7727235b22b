"""`remit deploy status`, `logs` and `promote` as a customer types them, on Template 1 as it is deployed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.deploy import test_end_to_end as end_to_end
from tests.deploy.customer import Remit
from tests.deploy.test_end_to_end import NAME, TARGET, World, ended, submitted

from remit_deploy.deployment import RELEASE

pytestmark = [pytest.mark.service, pytest.mark.slow, pytest.mark.nightly, pytest.mark.timeout(3600)]

world = end_to_end.world
LIMIT_S = 60


def status(remit: Remit, *options: str, code: int = 0) -> Any:
    """What `remit deploy status` says as JSON."""
    return json.loads(remit("deploy", "status", *TARGET, *options, "--json", code=code))


def lines(remit: Remit, *options: str) -> list[dict[str, Any]]:
    """Log lines that the command prints as JSON."""
    said = remit("deploy", "logs", *TARGET, "--minutes", "30", *options, "--json")
    return [json.loads(line) for line in said.splitlines()]


def test_the_status_finds_what_was_changed_by_hand(world: World) -> None:
    """Nothing drifted just after deploying; a changed function is named, and the command fails until it is as deployed."""
    found = status(world.remit, "--drift")
    assert (found["drifted"], found["uncompared"], found["release"] != "") == ([], [], True)
    client, name = world.aws("lambda"), f"{NAME}-agent-clerk"
    was = client.get_function_configuration(FunctionName=name)["Timeout"]
    client.update_function_configuration(FunctionName=name, Timeout=was + 1)
    assert status(world.remit, "--drift", code=1)["drifted"] == [f"{name} is modified: Timeout"]
    assert f"CHANGED BY HAND: {name}" in world.remit("deploy", "status", *TARGET, "--drift", code=1)
    assert status(world.remit)["drifted"] is None
    client.update_function_configuration(FunctionName=name, Timeout=was)
    assert status(world.remit, "--drift")["drifted"] == []


def test_logs_of_a_run_and_of_an_agent(world: World) -> None:
    """Lines of one run come by themselves and in order, those of an agent are of its function, and an unknown agent is told."""
    mine, other = (ended(world, submitted(world, "watcher", task_id=f"logged-{n}"))["run_id"] for n in (1, 2))
    found = lines(world.remit, "--run", mine)
    assert found
    assert all(mine in line["text"] and other not in line["text"] for line in found)
    assert [line["ts"] for line in found] == sorted(line["ts"] for line in found)
    of_watcher = lines(world.remit, "--agent", "watcher")
    assert {line["function"] for line in of_watcher} == {"agent-watcher"}
    assert any(other in line["text"] for line in of_watcher)
    assert {"api", "agent-watcher"} <= {line["function"] for line in lines(world.remit)}
    assert lines(world.remit, "--run", mine, "--grep", 'no such "words"') == []
    world.remit("deploy", "logs", *TARGET, "--agent", "nobody", code=2)


@pytest.fixture
def following(world: World) -> Iterator[subprocess.Popen[str]]:
    """`remit deploy logs -f`, which is ended in any case."""
    command = [
        str(Path(sys.executable).with_name("remit")),
        "deploy",
        "logs",
        *TARGET,
        "-f",
        "--agent",
        "watcher",
    ]
    own = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "REMIT_"))}
    env = {**own, **world.remit.variables, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [*command, "--json"], cwd=world.remit.root, env=env, stdout=subprocess.PIPE, text=True
    )
    yield process
    process.kill()
    process.wait()


def test_logs_are_followed_until_ctrl_c(world: World, following: subprocess.Popen[str]) -> None:
    """With `-f` lines of a run that begins later come too, once each, and Ctrl-C ends it without a traceback."""
    run = ended(world, submitted(world, "watcher", task_id="followed"))["run_id"]
    assert following.stdout is not None
    seen = []
    for line in following.stdout:
        seen.append(json.loads(line)["id"])
        if run in line:
            break
    assert len(seen) == len(set(seen)) > 0
    following.send_signal(signal.SIGINT)
    rest, _ = following.communicate(timeout=LIMIT_S)
    assert following.returncode == 130
    assert all(json.loads(line)["id"] not in seen for line in rest.splitlines())


def test_a_release_goes_from_dev_to_stage_and_no_further_by_itself(world: World) -> None:
    """Promoting is asked for, says what it would do, repeats nothing, and leaves the stage alone when dev goes on."""
    remit, stage = world.remit, ("--env", "stage", *TARGET)
    remit("deploy", "promote", "--to", "dev", *TARGET, "--yes", code=2)
    remit("deploy", "promote", "--from", "stage", "--to", "prod", *TARGET, "--yes", code=3)
    remit("deploy", "promote", "--to", "stage", *TARGET, code=3)
    remit("deploy", "status", *stage, code=3)

    first = remit.data("deploy", "promote", "--to", "stage", *TARGET, "--yes")
    assert status(remit, "--env", "stage", "--drift")["release"] == status(remit)["release"]
    assert remit.data("deploy", "promote", "--to", "stage", *TARGET, "--yes") == first, "nothing to do"

    agents = remit.root / "agents.py"
    agents.write_text(agents.read_text().replace("Say what was ordered.", "Say who ordered what."))
    remit("deploy", "apply", *TARGET, code=3)
    sets = world.aws("cloudformation").list_change_sets(StackName=NAME)["Summaries"]
    assert [s for s in sets if s["ExecutionStatus"] == "AVAILABLE"] == [], "a plan that nobody agreed to"
    remit("deploy", "apply", *TARGET, "--yes")
    assert status(remit, "--env", "stage")["release"] == first[RELEASE] != status(remit)["release"]
    second = remit.data("deploy", "promote", "--to", "stage", *TARGET, "--yes")
    assert second[RELEASE] == status(remit)["release"]
    assert second["ApiUrl"] == first["ApiUrl"]
    gone = remit.data("deploy", "destroy", *stage, "--name", "shop-stage", "--delete-data")
    assert gone["left"] == []
    assert status(remit)["stack"].endswith("_COMPLETE"), "the dev environment is as it was"
