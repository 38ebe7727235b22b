"""Calls of Step Functions are steps of the run: done once, answered by token, whatever happens to their function."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import pytest
from tests.workflows.stepfunctions.conftest import Account, called, started
from tests.workflows.stepfunctions.states_server import Execution

from remit.adapters.driving.polling import PollingDriver
from remit.core.budget import Budget
from remit.core.errors import ConfigError, ConflictError
from remit.core.states.history import ENDS
from remit.core.task import Actor, Constraints, Task
from remit.functions import task as task_function
from remit.testing import BOSS


def answer_of(account: Account, event: dict[str, Any]) -> Any:
    """What Step Functions was told about a call: error and value; None if nothing."""
    return account.execution.tokens[event["remit"]["task_token"]]


async def test_a_run_starts_the_machine_of_its_workflow_once(account: Account) -> None:
    """Its execution is named after the run, has the task's input as it is, and the run goes along with it to its end."""
    async with account.app() as app:
        run_id = await started(app, "pipeline", {"topic": "mass"})
        await app.engine.advance(run_id)
        execution = account.execution
        assert execution.arn == f"arn:aws:states:eu-west-1:123456789012:execution:acme-dev-pipeline:{run_id}"
        assert execution.input == '{"topic":"mass"}'
        assert account.server.asked.count("StartExecution") == 1
        entered = execution.enter("Research", input={"topic": "mass"})
        event = execution.call("Research", "agent", "research", {"topic": "mass"}, entered=entered)
        assert (await called(app, event))["status"] == "answered"
        assert answer_of(account, event) == ("", {"topic": "mass", "facts": [4, 3, 1]})
        execution.leave("Research", output={"done": True})
        execution.end({"done": True})
        assert await app.engine.advance(run_id) == "ended"
        view = await app.runs.view(run_id, "local")
    assert (view.status, view.result.result_payload, view.execution) == (
        "success",
        {"done": True},
        execution.arn,
    )
    assert [(s.state, s.status) for s in view.states] == [("Research", "succeeded")]
    assert len(view.children) == 1
    assert view.usage.children == 1


async def test_being_killed_around_the_start_starts_one_execution(account: Account) -> None:
    """The name makes the second start harmless, and an execution that ended meanwhile is still the run's own."""
    async with account.app() as app:
        run_id = await started(app, "payment", {"ref": "a"})
        arn = account.execution.arn
        await app.kit.machines.start(arn, {"ref": "a"})  # type: ignore[union-attr]
        account.execution.end("over")
        await app.kit.machines.start(arn, {"ref": "a"})  # type: ignore[union-attr]
        assert await app.engine.advance(run_id) == "ended"
    assert len(account.server.executions) == 1


async def test_a_call_that_is_delivered_twice_is_one(account: Account) -> None:
    """The same token: the effect happens once, and Step Functions is answered once."""
    async with account.app() as app:
        await started(app, "direct", {"ref": "a"})
        execution = account.execution
        entered = execution.enter("Charge")
        event = execution.call("Charge", "tool", "charge", {"ref": "a"}, entered=entered)
        await called(app, event)
        await called(app, event)
    assert account.lines("charged") == ["a"]
    assert len(account.server.answers) == 1


async def test_a_function_that_died_is_called_again_and_finds_its_call(account: Account) -> None:
    """Step Functions repeats it with another token: the same step answers both, and the effect happened once."""
    async with account.app() as app:
        run_id = await started(app, "direct", {"ref": "a"})
        execution = account.execution
        entered = execution.enter("Charge")
        first = execution.call("Charge", "tool", "charge", {"ref": "a"}, entered=entered)
        await called(app, first)
        execution.add(
            "TaskFailed",
            "taskFailed",
            resourceType="lambda",
            resource="invoke",
            error="Lambda.Unknown",
            cause="",
        )
        second = execution.call("Charge", "tool", "charge", {"ref": "a"}, entered=entered, retry=1)
        await called(app, second)
        view = await app.runs.view(run_id, "local")
    assert answer_of(account, second) == ("", {"charged": "a"})
    assert account.lines("charged") == ["a"]
    assert [s.step for s in view.steps] == ["c0"]


async def test_an_agent_begins_nothing_that_its_function_might_not_see_the_end_of(account: Account) -> None:
    """Its second charge would be cut off in the middle, and nobody would know whether it happened: it is left for the next."""
    async with account.app() as app:
        app.driver = PollingDriver()  # there are no queues
        run_id = await started(app, "payments", {})
        entered = account.execution.enter("Pay")
        event = account.execution.call("Pay", "agent", "patient", {}, entered=entered)
        ends = time.monotonic() + 6.0
        told = await task_function.answer(app, event, lambda: ends - time.monotonic())
        assert told == {"run_id": run_id, "status": "goes on"}
        assert account.lines("charged") == ["a"]
        assert (await called(app, event))["status"] == "answered"
        assert answer_of(account, event) == ("", [{"charged": "a"}, {"charged": "b"}])
        assert account.lines("charged") == ["a", "b"]


async def test_a_retry_of_the_author_is_another_call(account: Account) -> None:
    """It follows an error that was told, so it is done again."""
    async with account.app() as app:
        run_id = await started(app, "caught", {"ref": "a"})
        execution = account.execution
        entered = execution.enter("Buy")
        for retry in range(2):
            event = execution.call("Buy", "tool", "sold_out", {"ref": "a"}, entered=entered, retry=retry)
            await called(app, event)
            assert answer_of(account, event) == ("OutOfStock", "no a left")
        view = await app.runs.view(run_id, "local")
    assert [s.step for s in view.steps] == ["c0", "c1"]


async def test_calls_of_items_that_were_entered_in_the_same_moment_are_several(account: Account) -> None:
    """Same state, same millisecond, same input: each has a step, and repeated ones find a step each."""
    async with account.app() as app:
        run_id = await started(app, "many", {"refs": ["a", "a"]})
        execution = account.execution
        entered = execution.enter("Note")
        events = [
            execution.call("Note", "tool", "note", {"ref": "a"}, entered=entered, retry=retry)
            for retry in (0, 0, 1, 1)
        ]
        for event in events:
            await called(app, event)
        view = await app.runs.view(run_id, "local")
    assert account.lines("noted") == ["a", "a"]
    assert [s.step for s in view.steps] == ["c0", "c1"]
    assert all(answer_of(account, event) == ("", {"noted": "a"}) for event in events)


async def test_a_person_decides_while_no_function_runs(account: Account) -> None:
    """The agent needs an approval: its function returns, the Task goes on waiting, and the decision answers it."""
    async with account.app() as app:
        run_id = await started(app, "transfer", {"amount": 5})
        execution = account.execution
        entered = execution.enter("Move")
        event = execution.call("Move", "agent", "banker", {"amount": 5}, entered=entered)
        assert (await called(app, event))["status"] == "waiting"
        assert answer_of(account, event) is None
        waits = await app.runs.result(run_id, "local")
        assert waits is not None
        assert waits.status == "needs_approval"
        (asked,) = (await app.approvals.list("local")).items
        await app.approvals.decide(asked["approval_id"], "local", BOSS, "approve")
        await app.worker.run_until_idle(run_id)
    assert answer_of(account, event) == ("", {"wired": 5})


@pytest.mark.parametrize(("kind", "told"), [("approve", "approve"), ("reject", "reject")])
async def test_a_gate_is_answered_by_whoever_decides(account: Account, kind: Any, told: str) -> None:
    """With the structured decision, as in the interpreter."""
    async with account.app() as app:
        await started(app, "gated", {"n": 1})
        execution = account.execution
        entered = execution.enter("Ask")
        event = execution.call(
            "Ask", "gate", "release", {"Message": "Release?", "Payload": {"n": 1}}, entered=entered
        )
        assert (await called(app, event))["status"] == "waiting"
        (asked,) = (await app.approvals.list("local")).items
        await app.approvals.decide(asked["approval_id"], "local", BOSS, kind, rationale="so")
        await app.worker.run_until_idle()
    error, value = answer_of(account, event)
    assert (error, value["decision"], value["payload"], value["approver"]) == ("", told, {"n": 1}, "boss")


async def test_policy_and_budget_hold_for_a_task(account: Account) -> None:
    """A call that the task's limits do not allow fails under Remit's name for that, without any effect."""
    async with account.app() as app:
        limits = Constraints(Budget(max_tool_calls=0), max_risk="L0")
        await app.engine.advance(
            await app.runs.submit(
                Task("t1", "direct", input={}, actor_context=Actor("a"), constraints=limits)
            )
        )
        execution = account.execution
        entered = execution.enter("Charge")
        event = execution.call("Charge", "tool", "charge", {"ref": "a"}, entered=entered)
        await called(app, event)
        assert answer_of(account, event)[0] == "Remit.Denied"
        wrong = execution.call("Charge", "tool", "charge", {"nothing": 1}, entered=execution.enter("Charge"))
        await called(app, wrong)
        assert answer_of(account, wrong)[0] == "Remit.InvalidInput"
    assert account.lines("charged") == []


async def test_cancelling_stops_the_execution_and_what_works_for_it(account: Account) -> None:
    """Calls that come too late are told so, and do nothing."""
    async with account.app() as app:
        run_id = await started(app, "transfer", {"amount": 5})
        execution = account.execution
        entered = execution.enter("Move")
        await called(app, execution.call("Move", "agent", "banker", {"amount": 5}, entered=entered))
        await app.runs.cancel(run_id, "local", BOSS, "enough")
        await app.worker.run_until_idle(run_id)
        view = await app.runs.view(run_id, "local")
        child = await app.runs.view(view.children[0], "local")
        assert (execution.status, execution.cause) == ("ABORTED", "cancelled by `boss`: enough")
        assert (view.status, view.result.problem.code, child.status) == ("failure", "E520", "failure")  # type: ignore[union-attr]
        execution.status = "RUNNING"
        late = execution.call("Move", "agent", "banker", {"amount": 5}, entered=entered)
        await called(app, late)
    assert answer_of(account, late)[0] == "Remit.Cancelled"


async def test_an_execution_that_nobody_submitted_becomes_a_run(account: Account) -> None:
    """Started in the console: its first task makes the run, which has its input, is governed, and ends with it."""
    async with account.app() as app:
        arn = "arn:aws:states:eu-west-1:123456789012:execution:acme-dev-direct:by-hand"
        machine = "arn:aws:states:eu-west-1:123456789012:stateMachine:acme-dev-direct"
        account.server._StartExecution(
            {"stateMachineArn": machine, "name": "by-hand", "input": '{"ref":"z"}'}
        )
        execution = account.execution
        entered = execution.enter("Charge", input={"ref": "z"})
        event = execution.call("Charge", "tool", "charge", {"ref": "z"}, entered=entered)
        run_id = (await called(app, event))["run_id"]
        execution.leave("Charge", output={"charged": "z"})
        execution.end({"charged": "z"})
        detail = {"executionArn": arn, "status": "SUCCEEDED"}
        assert await task_function.changed(app, {"source": "aws.states", "detail": detail}, lambda: 20.0) == {
            "run_id": run_id
        }
        view = await app.runs.view(run_id, "local")
    assert (view.status, view.task.input, view.task.actor_context.actor_id) == (
        "success",
        {"ref": "z"},
        "stepfunctions",
    )
    assert account.server.asked.count("StartExecution") == 0
    assert account.lines("charged") == ["z"]


async def test_a_call_of_somebody_elses_machine_is_refused(account: Account) -> None:
    """It fails at once, with the reason, and nothing is done."""
    async with account.app() as app:
        machine = "arn:aws:states:eu-west-1:123456789012:stateMachine:other"
        account.server._StartExecution({"stateMachineArn": machine, "name": "x", "input": "{}"})
        execution = account.execution
        event = execution.call("S", "tool", "charge", {"ref": "a"}, entered=1)
        assert (await called(app, event))["status"] == "refused"
        assert answer_of(account, event)[0] == "Remit.InvalidInput"
    assert account.lines("charged") == []


async def test_a_machine_of_another_version_is_not_started(account: Account) -> None:
    """The run goes by the version that it recorded: Remit's own interpreter runs it."""
    for arn, definition in account.server.definitions.items():
        account.server.definitions[arn] = {**definition, "Comment": "changed"}
    async with account.app() as app:
        run_id = await started(app, "pipeline", {"topic": "mass"})
        await app.worker.run_until_idle(run_id)
        view = await app.runs.view(run_id, "local")
    assert (view.status, view.execution, view.result.result_payload) == ("success", "", "mass: 4")
    assert account.server.executions == {}


async def test_aws_being_away_loses_nothing(account: Account) -> None:
    """Throttled, failing or silent, the run is advanced again later, and the call is answered then."""
    async with account.app() as app:
        await started(app, "direct", {"ref": "a"})
        execution = account.execution
        entered = execution.enter("Charge")
        event = execution.call("Charge", "tool", "charge", {"ref": "a"}, entered=entered)
        account.server.faults = [("GetExecutionHistory", 400, "ThrottlingException")] * 3
        account.server.faults += [("SendTaskSuccess", 500, "InternalError")] * 3
        assert (await called(app, event))["status"] == "goes on"
        account.server.faults = []
        await called(app, event)
    assert answer_of(account, event) == ("", {"charged": "a"})
    assert account.lines("charged") == ["a"]


async def test_somebody_outside_answers_through_remit(account: Account) -> None:
    """`.waitForTaskToken`: the tool was given the token; the answer to Remit's API goes on to Step Functions."""
    async with account.app() as app:
        await started(app, "outside", {})
        execution = account.execution
        entered = execution.enter("Order")
        event = execution.call("Order", "tool", "note", {"ref": "x"}, entered=entered)
        token = event["remit"]["task_token"]
        event["input"]["ref"] = token
        await called(app, event, 4.0)
        assert account.lines("noted") == [token]
        assert answer_of(account, event) is None
        await app.callbacks.heartbeat(token, "local")
        await app.worker.run_until_idle()
        assert account.server.beats == [token]
        await app.callbacks.succeed(token, {"ok": 1}, "local")
        await app.worker.run_until_idle()
    assert answer_of(account, event) == ("", {"ok": 1})


async def test_a_call_without_a_token_is_answered_by_the_function(account: Account) -> None:
    """As compiled without `governed`: the result is returned, an error is an exception of its name."""
    async with account.app() as app:
        await started(app, "caught", {"ref": "a"})
        execution = account.execution
        event = execution.call("Buy", "tool", "sold_out", {"ref": "a"}, entered=execution.enter("Buy"))
        del event["remit"]["task_token"]
        with pytest.raises(task_function.TaskFailed, match="no a left") as raised:
            await called(app, event)
    assert type(raised.value).__name__ == "OutOfStock"


async def test_a_process_that_was_told_of_no_machines_leaves_such_a_run_alone(account: Account) -> None:
    """It says so; the run is as it was."""
    async with account.app() as app:
        run_id = await started(app, "direct", {"ref": "a"})
    async with account.app(engine="local") as other:
        with pytest.raises(ConfigError, match="E698"):
            await other.engine.advance(run_id)


def test_every_end_of_a_history_is_known() -> None:
    """The four types that AWS documents."""
    assert {"ExecutionSucceeded", "ExecutionFailed", "ExecutionTimedOut", "ExecutionAborted"} == ENDS


async def test_such_a_run_is_not_forked(account: Account) -> None:
    """What it did is known to Step Functions, which can go on with it, and to nobody else."""
    async with account.app() as app:
        run_id = await started(app, "direct", {"ref": "a"})
        with pytest.raises(ConflictError, match="E713"):
            await app.forks.fork(run_id, "local", Actor("alice"), "s0")


async def test_branches_share_the_budget_alike(account: Account) -> None:
    """Calls of a Map come one by one, and each child is given an equal part of what is left."""
    budget = Budget(max_cost_usd=Decimal(1))
    async with account.app() as app:
        task = Task(
            "t1", "crowd", input=[1, 2, 3], actor_context=Actor("alice"), constraints=Constraints(budget)
        )
        run_id = await app.runs.submit(task)
        await app.engine.advance(run_id)
        execution = account.execution
        execution.enter("Each", "Map")
        begun = execution.add("MapStateStarted", "mapStateStarted", length=3)
        events = []
        for index in range(3):
            execution.add(
                "MapIterationStarted", "mapIterationStarted", previous=begun, name="Each", index=index
            )
            entered = execution.enter("Move", input={"amount": index})
            events.append(execution.call("Move", "agent", "banker", {"amount": index}, entered=entered))
        for event in events:
            assert (await called(app, event))["status"] == "waiting"
        view = await app.runs.view(run_id, "local")
        children = [await app.runs.view(child, "local") for child in view.children]
    assert {child.budget.max_cost_usd for child in children} == {Decimal("0.25")}
    assert [s.frame for s in view.states] == ["", "s0.0.0", "s0.0.1", "s0.0.2"]


async def test_items_of_a_distributed_map_belong_to_the_run_of_the_map(account: Account) -> None:
    """Each is an execution of its own on AWS; its calls are steps of the one run, and hold to its budget and policy."""
    async with account.app() as app:
        run_id = await started(app, "many", {"refs": ["a"]})
        parent = account.execution
        arn = parent.arn.replace(f":{run_id}", "/Each:item-1")
        item = account.server.executions[arn] = Execution(arn, "{}")
        event = item.call("Note", "tool", "note", {"ref": "a"}, entered=item.enter("Note"))
        assert await called(app, event) == {"run_id": run_id, "status": "answered"}
    assert account.lines("noted") == ["a"]
    assert parent.tokens == {}


async def test_the_picture_says_whom_a_state_waits_for(account: Account) -> None:
    """As for a workflow that runs here."""
    async with account.app() as app:
        run_id = await started(app, "gated", {"n": 1})
        execution = account.execution
        entered = execution.enter("Ask")
        await called(app, execution.call("Ask", "gate", "release", {"Message": "?"}, entered=entered))
        picture = await app.workflows.picture_of_run("local", run_id)
    status = picture.statuses["/States/Ask"]
    assert (status.phase, status.note) == ("waiting", "waits for a person")


async def test_what_a_state_gave_up_on_is_stopped(account: Account) -> None:
    """Its time ran out while a person was asked: nobody is asked any more, and the execution goes on."""
    async with account.app() as app:
        run_id = await started(app, "transfer", {"amount": 5})
        execution = account.execution
        entered = execution.enter("Move")
        event = execution.call("Move", "agent", "banker", {"amount": 5}, entered=entered)
        await called(app, event)
        execution.add(
            "TaskTimedOut", "taskTimedOut", resourceType="lambda", resource="invoke", error="States.Timeout"
        )
        execution.leave("Move", output={"late": True})
        await app.engine.advance(run_id)
        await app.worker.run_until_idle(run_id)
        view = await app.runs.view(run_id, "local")
        child = await app.runs.view(view.children[0], "local")
        assert (await app.approvals.list("local")).items == []
    assert child.status == "failure"
    assert execution.tokens[event["remit"]["task_token"]] is None
    assert view.status in ("running", "waiting")
