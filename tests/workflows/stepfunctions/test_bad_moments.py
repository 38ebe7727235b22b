"""What Step Functions must not get wrong when a function, or AWS itself, fails at a bad moment."""

from __future__ import annotations

import asyncio
import json

import pytest
from tests.workflows.stepfunctions.conftest import Account, called, started
from tests.workflows.stepfunctions.test_kills import killed

from remit.core.errors import StoreError
from remit.core.task import Actor, Task
from remit.testing import BOSS


def retried(account: Account, workflow: str, state: str) -> set[str]:
    """The errors at which Step Functions makes a call of this state again by itself."""
    (found,) = [d for arn, d in account.server.definitions.items() if arn.endswith(f"-{workflow}")]
    return {name for retrier in found["States"][state]["Retry"] for name in retrier["ErrorEquals"]}


async def test_trouble_after_a_call_was_written_down_does_not_fail_its_task(account: Account) -> None:
    """The effect happened, and its answer could not be sent: the Task goes on waiting, and whoever comes next sends it."""
    async with account.app() as app:
        run_id = await started(app, "direct", {"ref": "a"})
        execution = account.execution
        event = execution.call("Charge", "tool", "charge", {"ref": "a"}, entered=execution.enter("Charge"))
        account.server.faults = [("SendTaskSuccess", 500, "InternalError")] * 3
        assert await called(app, event) == {"run_id": run_id, "status": "goes on"}
        account.server.faults = []
        await app.engine.advance(run_id)
    assert execution.tokens[event["remit"]["task_token"]] == ("", {"charged": "a"})
    assert account.lines("charged") == ["a"]


async def test_trouble_before_a_call_was_written_down_has_it_made_again(account: Account) -> None:
    """The function fails under a name at which the state machine calls once more."""
    async with account.app() as app:
        await started(app, "direct", {"ref": "a"})
        execution = account.execution
        event = execution.call("Charge", "tool", "charge", {"ref": "a"}, entered=execution.enter("Charge"))
        event["remit"]["execution"] = execution.arn.replace("acme-dev-direct:", "acme-dev-direct/Each:")
        account.server.faults = [("DescribeExecution", 500, "InternalError")] * 3
        with pytest.raises(Exception, match="E658") as raised:
            await called(app, event)
    assert type(raised.value).__name__ in retried(account, "direct", "Charge")


async def test_an_execution_of_an_older_run_is_not_taken_for_this_one(account: Account) -> None:
    """The tables were restored to an earlier day, or made anew: what another input came to is nobody's result."""
    async with account.app() as app:
        run_id = await app.runs.submit(Task("t1", "direct", input={"ref": "new"}, actor_context=Actor("a")))
        machine = "arn:aws:states:eu-west-1:123456789012:stateMachine:acme-dev-direct"
        account.server._StartExecution(
            {"stateMachineArn": machine, "name": run_id, "input": json.dumps({"ref": "old"})}
        )
        account.execution.end({"charged": "old"})
        assert await app.engine.advance(run_id) == "ended"
        view = await app.runs.view(run_id, "local")
    assert view.status == "failure"
    assert view.result.result_payload is None
    assert view.result.problem is not None
    assert view.result.problem.code == "E697"


async def test_a_history_with_a_hole_is_read_up_to_it(account: Account) -> None:
    """GetExecutionHistory follows a moment later: an event that is missing yet is not skipped for ever."""
    async with account.app() as app:
        run_id = await started(app, "pipeline", {"topic": "mass"})
        execution = account.execution
        execution.enter("Research")
        execution.leave("Research", output=1)
        late = execution.events.pop(1)
        await app.engine.advance(run_id)
        execution.events.insert(1, late)
        execution.end({"done": True})
        assert await app.engine.advance(run_id) == "ended"
        view = await app.runs.view(run_id, "local")
    assert [(s.state, s.status) for s in view.states] == [("Research", "succeeded")]


async def test_a_run_does_not_end_while_its_execution_goes_on(account: Account) -> None:
    """StopExecution was refused: the run is cancelled when the execution is, and not before."""
    async with account.app() as app:
        run_id = await started(app, "direct", {"ref": "a"})
        await app.runs.cancel(run_id, "local", BOSS, "enough")
        account.server.faults = [("StopExecution", 400, "ValidationException")]
        with pytest.raises(StoreError, match="E658"):
            await app.engine.advance(run_id)
        assert account.execution.status == "RUNNING"
        assert await app.engine.advance(run_id) == "ended"
    assert account.execution.status == "ABORTED"


async def test_an_answer_is_written_down_before_it_is_sent(account: Account) -> None:
    """Killed in between, the journal says what Step Functions was told, and not what the same question gave later."""
    async with account.app(lease_ttl_s=1) as app:
        run_id = await started(app, "caught", {"ref": "a"})
        execution = account.execution
        event = execution.call("Buy", "tool", "sold_out", {"ref": "a"}, entered=execution.enter("Buy"))
        await asyncio.to_thread(killed, account, event, "after:reply:Buy")
        assert execution.tokens[event["remit"]["task_token"]] == ("OutOfStock", "no a left")
        bodies = [entry.body for entry in await app.store.read(run_id)]
    assert any(b'"EffectFailed"' in body for body in bodies)
