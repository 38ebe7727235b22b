"""A function that is killed anywhere in a call: the effect happens once, and the Task gets its answer."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.workflows.stepfunctions import flows_app
from tests.workflows.stepfunctions.conftest import Account, called, started

from remit.core.task import Actor, Task
from remit.testing import BOSS

LEASE_S = 1


def killed(account: Account, event: dict[str, Any], fault: str) -> None:
    """The function is called and killed at that point."""
    die(account, fault, "call", json.dumps(event))


def die(account: Account, fault: str, *arguments: str) -> None:
    """A process of the deployment does this, and is killed at that point."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("victim.py")), *arguments],
        env={
            **os.environ,
            "REMIT_FAULT": fault,
            "REMIT_HOME": str(account.home),
            "REMIT_STORE": f"sqlite:///{account.home}/remit.db",
            "REMIT_APP": str(Path(flows_app.__file__)),
            "REMIT_DEPLOYMENT": "acme-dev",
            "REMIT_ENGINE": "stepfunctions",
            "REMIT_LEASE_TTL_S": str(LEASE_S),
            "AWS_ENDPOINT_URL": account.server.url,
            "AWS_REGION": "eu-west-1",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param("before:append:TaskCalled", marks=pytest.mark.nightly),
        pytest.param("after:append:TaskCalled", marks=pytest.mark.nightly),
        "after:append:ChildStarted",
        "after:append:EffectDone",
        "before:reply:Pay",
        "after:reply:Pay",
    ],
)
async def test_a_killed_agent_is_found_again(account: Account, fault: str) -> None:
    """Step Functions calls once more with another token, and the outcome of the first call is its answer."""
    async with account.app(lease_ttl_s=LEASE_S) as app:
        run_id = await started(app, "payment", {"ref": "a"})
        execution = account.execution
        entered = execution.enter("Pay")
        first = execution.call("Pay", "agent", "charger", {"ref": "a"}, entered=entered)
        await asyncio.to_thread(killed, account, first, fault)
        answered = execution.tokens[first["remit"]["task_token"]]
        if answered is None:
            execution.add(
                "TaskFailed",
                "taskFailed",
                resourceType="lambda",
                resource="invoke",
                error="Lambda.Unknown",
                cause="",
            )
            again = execution.call("Pay", "agent", "charger", {"ref": "a"}, entered=entered, retry=1)
            await called(app, again)
            answered = execution.tokens[again["remit"]["task_token"]]
        assert answered == ("", {"charged": "a"})
        execution.leave("Pay", output={"charged": "a"})
        execution.end({"charged": "a"})
        await ended(app, run_id)
        view = await app.runs.view(run_id, "local")
    assert account.lines("charged") == ["a"]
    assert (view.status, len(view.children)) == ("success", 1)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param("before:execution", marks=pytest.mark.nightly),
        "after:execution",
        pytest.param("after:append:ExecutionStarted", marks=pytest.mark.nightly),
    ],
)
async def test_a_run_that_is_killed_while_it_starts_has_one_execution(account: Account, fault: str) -> None:
    """Whoever takes it up starts it again, which starts nothing."""
    async with account.app(lease_ttl_s=LEASE_S) as app:
        task = Task("t1", "payment", input={"ref": "a"}, actor_context=Actor("alice"))
        run_id = await app.runs.submit(task)
        await asyncio.to_thread(die, account, fault, "advance", run_id)
        async with asyncio.timeout(20):
            while await app.engine.advance(run_id) == "busy":
                await app.store.changed(run_id, after=1 << 40, timeout_s=0.1)
        account.execution.end("done")
        await ended(app, run_id)
        found = await app.runs.result(run_id, "local")
    assert found is not None
    assert (found.status, found.result_payload) == ("success", "done")


async def test_an_effect_without_an_outcome_waits_for_a_person_and_fails_nothing(account: Account) -> None:
    """Killed between the effect and its record: nobody can know, so a person says it, and the Task goes on waiting for that."""
    async with account.app(lease_ttl_s=LEASE_S) as app:
        run_id = await started(app, "payment", {"ref": "a"})
        execution = account.execution
        entered = execution.enter("Pay")
        first = execution.call("Pay", "agent", "charger", {"ref": "a"}, entered=entered)
        await asyncio.to_thread(killed, account, first, "after:effect:charge")
        again = execution.call("Pay", "agent", "charger", {"ref": "a"}, entered=entered, retry=1)
        assert (await called(app, again))["status"] == "waiting"
        assert execution.tokens[again["remit"]["task_token"]] is None
        (asked,) = (await app.approvals.list("local")).items
        assert asked["reason"] == "in_doubt"
        await app.approvals.decide(
            asked["approval_id"], "local", BOSS, "reject", rationale="it is on the statement"
        )
        async with asyncio.timeout(20):
            while execution.tokens[again["remit"]["task_token"]] is None:
                await app.worker.run_until_idle(run_id)
                await app.store.changed(run_id, after=1 << 40, timeout_s=0.1)
    error, value = execution.tokens[again["remit"]["task_token"]]
    assert (error, value["note"]) == ("", "it is on the statement")
    assert account.lines("charged") == ["a"]


async def test_nobody_calls_again_and_the_run_goes_on_all_the_same(account: Account) -> None:
    """Once a call is written down, whoever advances what is due brings it to its answer."""
    async with account.app(lease_ttl_s=LEASE_S) as app:
        run_id = await started(app, "direct", {"ref": "a"})
        execution = account.execution
        event = execution.call("Charge", "tool", "charge", {"ref": "a"}, entered=execution.enter("Charge"))
        await asyncio.to_thread(killed, account, event, "after:append:TaskCalled")
        async with asyncio.timeout(20):
            while execution.tokens[event["remit"]["task_token"]] is None:
                await app.worker.run_until_idle(run_id)
                await app.store.changed(run_id, after=1 << 40, timeout_s=0.1)
    assert execution.tokens[event["remit"]["task_token"]] == ("", {"charged": "a"})
    assert account.lines("charged") == ["a"]


async def ended(app: Any, run_id: str) -> None:
    """Until the run has ended; a lease of the dead runs out first."""
    async with asyncio.timeout(20):
        while await app.engine.advance(run_id) != "ended":
            await app.store.changed(run_id, after=1 << 40, timeout_s=0.1)
