"""An example that is killed on its way comes to the same end, and pays once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from tests.examples.systems import System

SYSTEM = "support-bot"
TWICE = '{"customer_id": 20137, "message": "I was charged twice for order 100821, please refund one."}'
PROGRAM = (sys.executable, "-c", "from remit.cli.main import main; main()")


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault",
    [
        "before:append:StateEntered#3",
        "after:append:TaskScheduled#4",
        "before:effect:issue_refund",
        "after:effect:issue_refund",
    ],
)
def test_a_refund_is_paid_once_wherever_the_process_dies(
    system: System, rows: Callable[..., list[tuple[Any, ...]]], fault: str
) -> None:
    """Killed, then taken up by another worker: one refund, of what was agreed to."""
    env = {**os.environ, "REMIT_LEASE_TTL_S": "1"}
    killed = subprocess.run(
        [*PROGRAM, "run", SYSTEM, "--input", TWICE, "--approve"],
        env={**env, "REMIT_FAULT": fault},
        capture_output=True,
        timeout=60,
    )
    assert killed.returncode == -signal.SIGKILL
    for _ in range(20):  # a worker finds nothing to do until the lease of the dead one has run out
        subprocess.run(
            [*PROGRAM, "worker", "--until-idle"], env=env, check=True, capture_output=True, timeout=60
        )
        (run,) = bots(system)
        if run["status"] == "waiting":
            # None is asked for where the process died between the approval and what it lets through.
            for asked in system.approvals():
                assert system.remit("approvals", "approve", asked).code == 0
        elif run["status"] != "running":
            break
    paid = rows(".remit/shop.db", "SELECT order_id, amount_cents FROM refunds")
    assert paid == [(100821, 4290)]
    assert run["status"] == "success"


def bots(system: System) -> list[dict[str, Any]]:
    """The runs of the bot."""
    items = system.remit("runs", "list", "--json").document["items"]
    return [run for run in items if run["agent_id"] == SYSTEM]
