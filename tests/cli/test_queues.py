"""The run queues of a deployment from a terminal, on the emulator: `eval "$(scripts/ci/ministack.sh)"`."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

import pytest
from tests.adapters import emulator

from remit.adapters.driving.names import dead_queue, run_queue


def test_without_a_deployment_nothing_is_shown(project: Path, remit, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says how to name one."""
    monkeypatch.delenv("REMIT_DEPLOYMENT", raising=False)
    answer = remit("queues", "list")
    assert answer.code == 3
    assert "REMIT_DEPLOYMENT" in answer.err


@pytest.mark.service
def test_queues_are_listed_and_redriven(project: Path, remit, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was given up is counted, and sent once more."""
    clients = emulator.emulated(monkeypatch)
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulator.URL)
    name, sqs = f"remit-{secrets.token_hex(4)}", clients("sqs")
    for queue in (run_queue(name, "echo"), dead_queue(name, "echo")):
        url = sqs.create_queue(QueueName=queue)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody='{"run_id": "run_1"}')

    def listed() -> list[dict[str, object]]:
        answer = remit("queues", "list", "--deployment", name, "--json")
        found: list[dict[str, object]] = json.loads(answer.out)["items"]
        return found

    assert listed() == [{"agent": "echo", "waiting": 0, "delayed": 0, "in_flight": 0, "dead": 1}]
    assert "echo" in remit("queues", "list", "--deployment", name).out
    answer = remit("queues", "redrive", "echo", "--deployment", name)
    assert (answer.code, "1 message" in answer.err) == (0, True)
    assert listed() == [{"agent": "echo", "waiting": 1, "delayed": 0, "in_flight": 0, "dead": 0}]
