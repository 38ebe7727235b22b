"""`remit deploy status` as a customer types it, on Template 1 as it is deployed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.deploy import test_end_to_end as end_to_end
from tests.deploy.customer import Remit
from tests.deploy.test_end_to_end import NAME, TARGET, World

pytestmark = [pytest.mark.service, pytest.mark.slow, pytest.mark.nightly, pytest.mark.timeout(3600)]

world = end_to_end.world


def status(remit: Remit, *options: str, code: int = 0) -> Any:
    """What `remit deploy status` says as JSON."""
    return json.loads(remit("deploy", "status", *TARGET, *options, "--json", code=code))


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
