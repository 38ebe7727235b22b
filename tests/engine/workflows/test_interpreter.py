"""Workflows on the journal: concurrency, waiting, gates, answers from outside, children, stops."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from remit.bootstrap import App
from remit.core.errors import ConflictError, NotFoundError
from remit.core.run import Run
from remit.core.task import Actor, Result, Task
from remit.engine import loading
from remit.engine.schedules import ScheduleSpec
from remit.engine.workflows.forking import Forks
from remit.sdk import Pack, ToolError, agent, tool
from remit.testing import BOSS, FakeClock, app_for_tests
from remit.testing.workflows import AnyTool, Named, TaskFailure, run_document

Document = dict[str, Any]
ECHO = {"echo": lambda event: event}


def machine(start: str, /, **states: Any) -> Document:
    """A document in JSONata whose first state is `start`."""
    return {"QueryLanguage": "JSONata", "StartAt": start, "States": states}


def call(name: str, **fields: Any) -> dict[str, Any]:
    """A Task that calls a tool; it ends unless it says where to go."""
    ends = {} if "Next" in fields else {"End": True}
    return {"Type": "Task", "Resource": f"remit:tool:{name}", **ends, **fields}


@contextlib.asynccontextmanager
async def running(
    document: Document, *, tools: list[Any] | None = None, agents: list[Any] | None = None, **settings: Any
) -> AsyncIterator[App]:
    """An app with this document as workflow `flow`."""
    flows = settings.pop("flows", [])
    pack = Pack("p", tools=tools or [], agents=agents or [], workflows=[Named("flow", document), *flows])
    async with app_for_tests(packs=[pack], **settings) as app:
        yield app


def clock_of(app: App) -> FakeClock:
    """The clock that the test owns."""
    assert isinstance(app.kit.clock, FakeClock)
    return app.kit.clock


async def start(app: App, input: Any = None, task_id: str = "t1") -> Result:
    """Run the workflow as far as it goes now."""
    return await app.run(Task(task_id, "flow", input=input, actor_context=Actor("alice")))


async def folded(app: App, run_id: str) -> Run:
    """The run as its journal says."""
    return (await loading.load(app.store, run_id))[0]


async def go_on(app: App, run_id: str) -> Result:
    """Advance what is due, and give the result as it stands."""
    await app.worker.run_until_idle(run_id)
    found = await app.runs.result(run_id, "local")
    assert found is not None
    return found


# concurrency and time


async def test_branches_run_at_the_same_time() -> None:
    """A branch goes on while a sibling's call is in flight: each waits here for the other."""
    first, second = asyncio.Event(), asyncio.Event()

    async def one(event: Any) -> str:
        first.set()
        await second.wait()
        return "one"

    async def two(event: Any) -> str:
        await first.wait()
        second.set()
        return "two"

    document = machine(
        "both",
        both={
            "Type": "Parallel",
            "End": True,
            "Branches": [machine("a", a=call("one")), machine("b", b=call("two"))],
        },
    )
    for branch in document["States"]["both"]["Branches"]:
        del branch["QueryLanguage"]
    ran = await asyncio.wait_for(run_document(document, {}, {"one": one, "two": two}), 20)
    assert ran.output == ["one", "two"]


async def test_a_timer_fires_while_a_sibling_works() -> None:
    """A short Wait does not wait for a slow call in the next branch."""
    woken = asyncio.Event()
    clock = FakeClock()

    async def slow(event: Any) -> str:
        for _ in range(9):  # let the workflow come to rest: its timer counts from then
            await asyncio.sleep(0)
        clock.advance(3)
        await woken.wait()
        return "slow"

    def wake(event: Any) -> str:
        woken.set()
        return "woken"

    wait = {"Type": "Wait", "Seconds": 2, "Next": "wake"}
    document = machine(
        "both",
        both={
            "Type": "Parallel",
            "End": True,
            "Branches": [
                {"StartAt": "slow", "States": {"slow": call("slow")}},
                {"StartAt": "pause", "States": {"pause": wait, "wake": call("wake")}},
            ],
        },
    )
    async with running(document, tools=[AnyTool("slow", slow), AnyTool("wake", wake)], clock=clock) as app:
        assert (await asyncio.wait_for(start(app), 20)).result_payload == ["slow", "woken"]


async def test_max_concurrency_is_kept() -> None:
    """A Map with MaxConcurrency 3 never has more than three calls in flight, and keeps the order of its items."""
    inside, most = 0, 0

    async def work(event: Any) -> Any:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0)
        inside -= 1
        return event * 2

    each = {"StartAt": "work", "States": {"work": call("work")}}
    document = machine(
        "each",
        each={
            "Type": "Map",
            "Items": "{% $states.input %}",
            "ItemProcessor": each,
            "MaxConcurrency": 3,
            "End": True,
        },
    )
    ran = await run_document(document, list(range(20)), {"work": work})
    assert ran.output == [n * 2 for n in range(20)]
    assert 1 < most <= 3


async def test_a_waiting_run_holds_nothing_and_wakes_in_time() -> None:
    """A Wait parks the run with its wake-up time; nothing is left in the worker."""
    document = machine(
        "pause", pause={"Type": "Wait", "Seconds": 3600, "Next": "done"}, done={"Type": "Succeed"}
    )
    async with running(document) as app:
        run_id = await app.runs.submit(Task("t1", "flow", input={"a": 1}))
        await app.worker.run_until_idle(run_id)
        head = await app.store.head(run_id)
        assert head is not None
        assert (head.status, head.wake_ts) == ("waiting", head.created_ts + 3_600_000)
        clock_of(app).advance(3599)
        await app.worker.run_until_idle(run_id)
        assert (await folded(app, run_id)).finished is None
        clock_of(app).advance(1)
        assert (await go_on(app, run_id)).result_payload == {"a": 1}


async def test_retries_wait_as_long_as_the_document_says() -> None:
    """IntervalSeconds times BackoffRate to the power of the attempt, at most MaxDelaySeconds; then the error is final."""
    times: list[int] = []
    clock = FakeClock()

    def fails(event: Any) -> None:
        times.append(clock.now())
        raise TaskFailure("Busy", "try later")

    retry = {
        "ErrorEquals": ["Busy"],
        "IntervalSeconds": 2,
        "BackoffRate": 3,
        "MaxAttempts": 3,
        "MaxDelaySeconds": 10,
    }
    document = machine("t", t=call("fails", Retry=[retry]))
    async with running(document, tools=[AnyTool("fails", fails)], clock=clock) as app:
        run_id = await app.runs.submit(Task("t1", "flow", input={}))
        for _ in range(5):
            await app.worker.run_until_idle(run_id)
            head = await app.store.head(run_id)
            if head is not None and head.wake_ts is not None and head.status == "waiting":
                clock.advance(max(0, head.wake_ts - clock.now()) / 1000)
        result = await go_on(app, run_id)
    assert [b - a for a, b in itertools.pairwise(times)] == [2000, 6000, 10000]
    assert result.result_payload == {"Error": "Busy", "Cause": "try later"}


async def test_a_machine_that_lasts_too_long_times_out() -> None:
    """TimeoutSeconds of the document ends the run with States.Timeout, whatever it waits for."""
    document = machine("pause", pause={"Type": "Wait", "Seconds": 100, "End": True})
    ran = await run_document({**document, "TimeoutSeconds": 10})
    assert (ran.status, ran.error) == ("FAILED", "States.Timeout")


async def test_a_loop_without_an_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A workflow may enter so many states and no more."""
    monkeypatch.setattr("remit.core.states.failures.VISITS", 50)
    leave = {"Condition": "{% false %}", "Next": "end"}
    document = machine(
        "a",
        a={"Type": "Pass", "Next": "b"},
        b={"Type": "Choice", "Choices": [leave], "Default": "a"},
        end={"Type": "Succeed"},
    )
    ran = await run_document(document)
    assert (ran.error, len(ran.path)) == ("States.Runtime", 50)


# gates

GATE = machine(
    "ask",
    ask={
        "Type": "Task",
        "Resource": "remit:gate:refund",
        "Arguments": {
            "Message": "Refund this?",
            "Payload": {"amount": "{% $states.input.amount %}"},
            "Schema": {"type": "object", "properties": {"amount": {"type": "number", "maximum": 100}}},
            "ExpiresSeconds": 60,
        },
        "End": True,
    },
)


async def asked(app: App) -> str:
    """Start the gate's workflow and give the approval's id."""
    result = await start(app, {"amount": 90})
    assert result.status == "needs_approval"
    return result.waiting_on[0].removeprefix("approval:")


@pytest.mark.parametrize(
    ("kind", "arguments", "decision", "payload"),
    [
        ("approve", None, "approve", {"amount": 90}),
        ("reject", None, "reject", {"amount": 90}),
        ("constrain", {"amount": 20}, "constrain", {"amount": 20}),
    ],
)
async def test_a_gate_answers_with_the_decision(
    kind: Any, arguments: Any, decision: str, payload: Any
) -> None:
    """Approve, reject and constrain are outputs that the workflow goes on with."""
    async with running(GATE) as app:
        approval_id = await asked(app)
        await app.approvals.decide(approval_id, "local", BOSS, kind, rationale="because", arguments=arguments)
        run_id = (await app.approvals.get(approval_id, "local")).run_id
        output = (await go_on(app, run_id)).result_payload
    assert (output["decision"], output["payload"]) == (decision, payload)
    assert (output["approver"], output["rationale"]) == ("boss", "because")


async def test_a_gate_that_nobody_answers_expires() -> None:
    """After ExpiresSeconds the decision is `expired`, and voting is too late."""
    async with running(GATE) as app:
        approval_id = await asked(app)
        run_id = (await app.approvals.get(approval_id, "local")).run_id
        clock_of(app).advance(61)
        assert (await go_on(app, run_id)).result_payload["decision"] == "expired"
        with pytest.raises(ConflictError):
            await app.approvals.decide(approval_id, "local", BOSS, "approve", rationale="")


async def test_what_a_gate_agreed_to_must_fit_its_schema() -> None:
    """An edited payload that does not fit `Schema` is refused when it is given, and the gate still asks."""
    async with running(GATE) as app:
        approval_id = await asked(app)
        with pytest.raises(Exception, match="E107"):
            await app.approvals.decide(approval_id, "local", BOSS, "constrain", arguments={"amount": 500})
        assert (await app.approvals.get(approval_id, "local")).open


async def test_a_question_is_answered_and_then_decided() -> None:
    """With OnRequestInfo `wait` the gate waits for the answer and the decision; both are in its output."""
    async with running(GATE) as app:
        approval_id = await asked(app)
        run_id = (await app.approvals.get(approval_id, "local")).run_id
        await app.approvals.decide(approval_id, "local", BOSS, "request_info", rationale="why?")
        assert (await go_on(app, run_id)).status == "needs_info"
        await app.approvals.answer(approval_id, "local", Actor("alice"), "it broke")
        await app.approvals.decide(approval_id, "local", BOSS, "approve", rationale="fine")
        output = (await go_on(app, run_id)).result_payload
    assert (output["decision"], output["question"], output["answer"]) == ("approve", "why?", "it broke")


async def test_a_question_can_be_the_answer() -> None:
    """With OnRequestInfo `return` the workflow goes on with the question, and the approval is closed."""
    document = machine("ask", ask={**GATE["States"]["ask"]})
    document["States"]["ask"]["Arguments"] = {**GATE["States"]["ask"]["Arguments"], "OnRequestInfo": "return"}
    async with running(document) as app:
        approval_id = await asked(app)
        run_id = (await app.approvals.get(approval_id, "local")).run_id
        await app.approvals.decide(approval_id, "local", BOSS, "request_info", rationale="why?")
        output = (await go_on(app, run_id)).result_payload
        assert (output["decision"], output["question"]) == ("request-info", "why?")
        assert (await app.approvals.get(approval_id, "local")).status == "cancelled"


async def test_nobody_passes_their_own_gate() -> None:
    """Who started the workflow may not decide at its gates."""
    async with running(GATE) as app:
        approval_id = await asked(app)
        with pytest.raises(Exception, match="E311"):
            await app.approvals.decide(approval_id, "local", Actor("alice", ("approver",)), "approve")


async def test_a_gate_names_who_decides() -> None:
    """With `ApproverRoles`, one of those roles decides, and no other one does; a tool's approval is another matter."""
    ask = {**GATE["States"]["ask"]}
    ask["Arguments"] = {**ask["Arguments"], "ApproverRoles": ["lead"]}
    async with running(machine("ask", ask=ask)) as app:
        approval_id = await asked(app)
        with pytest.raises(Exception, match="E312"):
            await app.approvals.decide(approval_id, "local", BOSS, "approve")
        decided = await app.approvals.decide(approval_id, "local", Actor("lea", ("lead",)), "approve")
    assert decided.status == "approved"


async def test_a_gate_with_an_unknown_field_fails_as_invalid_input() -> None:
    """A misspelt argument of a gate is an error that the document can catch, not an approval of something else."""
    document = machine(
        "ask", ask={"Type": "Task", "Resource": "remit:gate:g", "Arguments": {"Mesage": "?"}, "End": True}
    )
    ran = await run_document(document)
    assert ran.error == "Remit.InvalidInput"
    assert "Mesage" in ran.cause


# answers from outside

CALLBACK = machine(
    "send",
    send={
        "Type": "Task",
        "Resource": "remit:tool:send.waitForTaskToken",
        "Arguments": {"event": "{% $states.context.Task.Token %}"},
        "TimeoutSeconds": 100,
        "HeartbeatSeconds": 30,
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "caught", "Output": "{% $states.errorOutput %}"}],
        "End": True,
    },
    caught={"Type": "Pass", "End": True},
)


async def sent(app: App, tokens: list[Any]) -> tuple[str, str]:
    """Start the callback's workflow: its run, and the token that was sent."""
    run_id = await app.runs.submit(Task("t1", "flow", input={}))
    await app.worker.run_until_idle(run_id)
    return run_id, tokens[0]["event"]


async def test_a_callback_is_answered_with_its_token() -> None:
    """The output is what somebody outside answers; a second answer finds nobody waiting."""
    tokens: list[Any] = []
    async with running(CALLBACK, tools=[AnyTool("send", tokens.append)]) as app:
        run_id, token = await sent(app, tokens)
        assert (await folded(app, run_id)).waiting_on == ("callback:s0",)
        await app.callbacks.succeed(token, {"paid": True}, "local")
        assert (await go_on(app, run_id)).result_payload == {"paid": True}
        with pytest.raises(NotFoundError, match="E642"):
            await app.callbacks.succeed(token, {}, "local")


async def test_a_callback_of_another_tenant_is_unknown() -> None:
    """A token is worth nothing to another tenant."""
    tokens: list[Any] = []
    async with running(CALLBACK, tools=[AnyTool("send", tokens.append)]) as app:
        _, token = await sent(app, tokens)
        for answer in (app.callbacks.succeed(token, 1, "acme"), app.callbacks.heartbeat(token, "acme")):
            with pytest.raises(NotFoundError, match="E642"):
                await answer


async def test_a_failed_callback_can_be_caught() -> None:
    """Error and cause of a failed callback are what Catch sees."""
    tokens: list[Any] = []
    async with running(CALLBACK, tools=[AnyTool("send", tokens.append)]) as app:
        run_id, token = await sent(app, tokens)
        await app.callbacks.fail(token, "Declined", "no money", "local")
        assert (await go_on(app, run_id)).result_payload == {"Error": "Declined", "Cause": "no money"}


async def test_heartbeats_keep_a_callback_alive_until_its_timeout() -> None:
    """Without a heartbeat it fails after HeartbeatSeconds, with them after TimeoutSeconds."""
    tokens: list[Any] = []
    async with running(CALLBACK, tools=[AnyTool("send", tokens.append)]) as app:
        run_id, token = await sent(app, tokens)
        for _ in range(3):
            clock_of(app).advance(25)
            await app.callbacks.heartbeat(token, "local")
            await app.worker.run_until_idle(run_id)
        assert (await folded(app, run_id)).finished is None
        clock_of(app).advance(25)
        assert (await go_on(app, run_id)).result_payload["Error"] == "States.Timeout"
    tokens.clear()
    async with running(CALLBACK, tools=[AnyTool("send", tokens.append)]) as app:
        run_id, token = await sent(app, tokens)
        clock_of(app).advance(31)
        assert (await go_on(app, run_id)).result_payload["Error"] == "States.HeartbeatTimeout"
        with pytest.raises(NotFoundError, match="E642"):
            await app.callbacks.succeed(token, {}, "local")


async def test_an_activity_is_taken_once() -> None:
    """A worker takes the oldest task of an activity, nobody gets it twice, and its answer goes to the workflow."""
    document = machine(
        "dig", dig={"Type": "Task", "Resource": "remit:activity:dig", "Arguments": {"deep": 3}, "End": True}
    )
    async with running(document) as app:
        run_id = await app.runs.submit(Task("t1", "flow", input={}))
        await app.worker.run_until_idle(run_id)
        assert await app.callbacks.take("dig", "acme") is None
        taken = await app.callbacks.take("dig", "local", "worker-1")
        assert taken is not None
        assert (taken.input, await app.callbacks.take("dig", "local", "worker-2")) == ({"deep": 3}, None)
        await app.callbacks.succeed(taken.token, "gold", "local")
        assert (await go_on(app, run_id)).result_payload == "gold"


# agents, workflows, versions


async def test_agents_and_workflows_are_children_with_their_own_runs() -> None:
    """An agent's payload is the state's result; a workflow's error is the state's error, by its own name."""

    @agent
    async def doubler(input: Any) -> Any:
        return input["n"] * 2

    inner = machine("f", f={"Type": "Fail", "Error": "Inner.Broke", "Cause": "because"})
    document = machine(
        "a",
        a={"Type": "Task", "Resource": "remit:agent:doubler", "Next": "b"},
        b={
            "Type": "Task",
            "Resource": "remit:workflow:inner",
            "Catch": [
                {
                    "ErrorEquals": ["Inner.Broke"],
                    "Next": "c",
                    "Output": "{% [$states.input, $states.errorOutput.Cause] %}",
                }
            ],
            "End": True,
        },
        c={"Type": "Succeed"},
    )
    async with running(document, agents=[doubler], flows=[Named("inner", inner)]) as app:
        result = await start(app, {"n": 21})
        view = await app.runs.view(result.run_id, "local")
    assert result.result_payload == [42, "because"]
    assert len(view.children) == 2


async def test_an_edited_workflow_leaves_runs_in_flight_alone() -> None:
    """A run goes by the version it began with; the next run by the new one."""
    old = machine(
        "w", w={"Type": "Wait", "Seconds": 10, "Next": "p"}, p={"Type": "Pass", "Output": "old", "End": True}
    )
    new = machine("w", w={"Type": "Pass", "Output": "new", "End": True})
    async with app_for_tests() as app:
        await app.registry.create("local", "workflow", "flow", old, actor=BOSS, reason="first")
        run_id = await app.runs.submit(Task("t1", "flow", input={}))
        await app.worker.run_until_idle(run_id)
        await app.registry.edit("local", "workflow", "flow", new, actor=BOSS, reason="second")
        clock_of(app).advance(11)
        assert (await go_on(app, run_id)).result_payload == "old"
        later = await start(app, {}, "t2")
        run = await folded(app, later.run_id)
        assert (later.result_payload, [d.version for d in run.start.definitions]) == ("new", [2])


async def test_a_failing_branch_stops_its_siblings() -> None:
    """The error of a branch is the Parallel's; an approval that a sibling waits for is withdrawn, and its answer changes nothing."""
    gate = {"Type": "Task", "Resource": "remit:gate:g", "Arguments": {"Message": "?"}, "End": True}
    document = machine(
        "both",
        both={
            "Type": "Parallel",
            "Branches": [
                {"StartAt": "g", "States": {"g": gate}},
                {
                    "StartAt": "w",
                    "States": {
                        "w": {"Type": "Wait", "Seconds": 5, "Next": "f"},
                        "f": {"Type": "Fail", "Error": "Off"},
                    },
                },
            ],
            "Catch": [{"ErrorEquals": ["Off"], "Next": "after"}],
            "End": True,
        },
        after={"Type": "Pass", "Output": "went on", "End": True},
    )
    async with running(document) as app:
        first = await start(app)
        approval_id = first.waiting_on[0].removeprefix("approval:")
        clock_of(app).advance(6)
        assert (await go_on(app, first.run_id)).result_payload == "went on"
        assert (await app.approvals.get(approval_id, "local")).status == "cancelled"
        statuses = {v.state: v.status for v in (await folded(app, first.run_id)).workflow.visits.values()}  # type: ignore[union-attr]
    assert statuses == {
        "both": "caught",
        "g": "aborted",
        "w": "succeeded",
        "f": "failed",
        "after": "succeeded",
    }


async def test_a_failing_branch_stops_the_run_of_its_sibling() -> None:
    """A child that works for a branch which is stopped is cancelled; the workflow ends when the child has."""

    @agent
    async def waits(input: Any, memory: Any, context: Any) -> Any:
        return await context.call("held")

    @tool(risk="L3")
    def held() -> str:
        return "done"

    document = machine(
        "both",
        both={
            "Type": "Parallel",
            "Branches": [
                {
                    "StartAt": "c",
                    "States": {"c": {"Type": "Task", "Resource": "remit:agent:waiter", "End": True}},
                },
                {
                    "StartAt": "w",
                    "States": {
                        "w": {"Type": "Wait", "Seconds": 5, "Next": "f"},
                        "f": {"Type": "Fail", "Error": "Off"},
                    },
                },
            ],
            "End": True,
        },
    )
    waiter = agent(waits, name="waiter", tools=[held])
    async with running(document, agents=[waiter]) as app:
        first = await start(app)
        clock_of(app).advance(6)
        result = await go_on(app, first.run_id)
        child = (await app.runs.view(first.run_id, "local")).children[0]
        ended = await app.runs.result(child, "local")
    assert result.result_payload == {"Error": "Off", "Cause": ""}
    assert ended is not None
    assert ended.problem is not None
    assert ended.problem.code == "E520"


# effects


async def test_a_retry_never_repeats_an_effect_in_doubt() -> None:
    """A plain effect of unknown outcome asks a person first; that it did not happen lets it be done once more."""
    done: list[str] = []

    @tool(risk="L1", effect="plain")
    def charge() -> str:
        done.append("charged")
        if len(done) == 1:
            raise RuntimeError("the line went dead")
        return "ok"

    document = machine("c", c=call("charge", Arguments={}, Retry=[{"ErrorEquals": ["States.ALL"]}]))
    async with running(document, tools=[charge]) as app:
        first = await start(app)
        assert (first.status, len(done)) == ("needs_approval", 1)
        clock_of(app).advance(3600)
        assert (await go_on(app, first.run_id)).status == "needs_approval"
        approval_id = first.waiting_on[0].removeprefix("approval:")
        await app.approvals.decide(
            approval_id, "local", BOSS, "reject", rationale="the bank says it went through"
        )
        assert (await go_on(app, first.run_id)).status == "success"
    assert done == ["charged"]


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (ToolError("none left", code="OutOfStock"), "OutOfStock"),
        (ToolError("it broke"), "Remit.ToolFailed"),
    ],
)
async def test_errors_of_tools_have_names(error: ToolError, name: str) -> None:
    """An author's own code is the error's name; any other failure of a tool is Remit.ToolFailed."""

    @tool
    def fails() -> str:
        raise error

    async with running(machine("t", t=call("fails", Arguments={})), tools=[fails]) as app:
        assert (await start(app)).result_payload["Error"] == name


async def test_a_tool_that_is_too_slow_times_out() -> None:
    """TimeoutSeconds of a Task bounds a reading tool: the error is States.Timeout."""

    async def hangs(event: Any) -> None:
        await asyncio.Event().wait()

    ran = await run_document(machine("t", t=call("hangs", TimeoutSeconds=1)), {}, {"hangs": hangs})
    assert ran.error == "States.Timeout"


async def test_policy_refuses_a_tool_of_a_workflow_like_any_other() -> None:
    """A tool that needs approval parks the workflow; a rejection is the error Remit.Rejected."""

    @tool(risk="L3")
    def wipe() -> str:
        raise AssertionError

    async with running(machine("t", t=call("wipe", Arguments={})), tools=[wipe]) as app:
        first = await start(app)
        approval_id = first.waiting_on[0].removeprefix("approval:")
        await app.approvals.decide(approval_id, "local", BOSS, "reject", rationale="no")
        assert (await go_on(app, first.run_id)).result_payload["Error"] == "Remit.Rejected"


async def test_cancelling_a_workflow_ends_it() -> None:
    """A cancelled workflow fails with E520, and what it waited for is closed."""
    async with running(GATE) as app:
        approval_id = await asked(app)
        run_id = (await app.approvals.get(approval_id, "local")).run_id
        await app.runs.cancel(run_id, "local", Actor("alice"), "enough")
        result = await go_on(app, run_id)
        assert result.problem is not None
        assert result.problem.code == "E520"
        assert (await app.approvals.get(approval_id, "local")).status == "cancelled"


# forks

STEPS = machine(
    "a",
    a=call("work", Next="m"),
    m={
        "Type": "Map",
        "Items": "{% [1, 2, 3] %}",
        "ItemProcessor": {"StartAt": "i", "States": {"i": call("item", Next="j"), "j": call("fragile")}},
        "Next": "z",
    },
    z=call("work"),
)


async def test_a_fork_takes_over_what_was_done(tmp_path: Path) -> None:
    """A fork from any state gives the same output, and calls only what comes after that state."""
    called: list[str] = []

    def noted(name: str) -> AnyTool:
        def answer(event: Any) -> Any:
            called.append(name)
            return event

        return AnyTool(name, answer)

    tools = [noted(n) for n in ("work", "item", "fragile")]
    async with running(STEPS, tools=tools) as app:
        first = await start(app, {"x": 1})
        visits = list((await folded(app, first.run_id)).workflow.visits.values())  # type: ignore[union-attr]
        forks = Forks(app.kit)
        for visit in visits:
            called.clear()
            fork = await forks.fork(first.run_id, "local", Actor("alice"), visit.visit)
            assert (await go_on(app, fork)).result_payload == first.result_payload
            assert len(called) < 8 or visit.state == "a"
        last = await forks.fork(first.run_id, "local", Actor("alice"), visits[-1].visit, input="other")
        assert (await go_on(app, last)).result_payload == "other"
        assert called[-1:] == ["work"]


async def test_a_retry_does_again_what_failed_and_nothing_else() -> None:
    """After the cause is mended, a failed run is taken up where it failed: what had succeeded is not done again."""
    called: list[Any] = []
    broken = True

    def fragile(event: Any) -> Any:
        called.append(event)
        if broken and event == 2:
            raise TaskFailure("Broken", "for now")
        return event

    tools = [AnyTool("work", lambda e: e), AnyTool("item", lambda e: e), AnyTool("fragile", fragile)]
    document = {**STEPS, "States": {**STEPS["States"], "m": {**STEPS["States"]["m"], "MaxConcurrency": 1}}}
    async with running(document, tools=tools) as app:
        first = await start(app, {"x": 1})
        assert first.result_payload["Error"] == "Broken"
        broken = False
        again = await Forks(app.kit).retry(first.run_id, "local", Actor("alice"))
        assert (await go_on(app, again)).result_payload == [1, 2, 3]
        with pytest.raises(ConflictError, match="E646"):
            await Forks(app.kit).retry(again, "local", Actor("alice"))
    assert called == [1, 2, 2, 3]


# schedules


async def test_a_schedule_starts_a_workflow_once_for_each_slot() -> None:
    """A workflow is scheduled like an agent: its slot gives one run, whoever looks and however often."""
    document = machine("p", p={"Type": "Pass", "Output": "{% $states.input.n + 1 %}", "End": True})
    async with running(document) as app:
        spec = ScheduleSpec("hourly", "flow", {"n": 1})
        await app.schedules.put("local", "every-hour", spec, actor=Actor("ann"))
        clock_of(app).advance(3600)
        await app.scheduler.tick()
        await app.scheduler.tick()
        await app.worker.run_until_idle()
        runs = (await app.runs.list("local", agent="flow")).items
        result = await app.runs.result(runs[0]["run_id"], "local")
    assert result is not None
    assert (len(runs), result.result_payload) == (1, 2)


# names


async def test_an_alias_of_a_state_machine_is_the_alias_of_its_workflow() -> None:
    """A nested execution may name the alias that it wants; without one it gets the active version."""
    arn = "arn:aws:states:us-east-1:123456789012:stateMachine:inner"
    run_it = "arn:aws:states:::states:startExecution.sync:2"
    document = machine(
        "now",
        now={
            "Type": "Task",
            "Resource": run_it,
            "Arguments": {"StateMachineArn": arn},
            "Assign": {"now": "{% $states.result.Output %}"},
            "Next": "old",
        },
        old={
            "Type": "Task",
            "Resource": run_it,
            "Arguments": {"StateMachineArn": f"{arn}:old"},
            "Output": "{% [$now, $states.result.Output] %}",
            "End": True,
        },
    )

    def gives(what: str) -> Document:
        return machine("p", p={"Type": "Pass", "Output": what, "End": True})

    async with running(document) as app:
        await app.registry.create("local", "workflow", "inner", gives("first"), actor=BOSS, reason="new")
        await app.registry.set_alias("local", "workflow", "inner", "old", 1, actor=BOSS, reason="kept")
        await app.registry.edit("local", "workflow", "inner", gives("second"), actor=BOSS, reason="better")
        assert (await start(app)).result_payload == ["second", "first"]


async def test_an_input_with_a_field_named_data_is_published_whole() -> None:
    """Only an object of nothing but `data`, `key` and `subject` says how an event is published."""
    document = machine("tell", tell={"Type": "Task", "Resource": "remit:event:told", "End": True})
    async with running(document) as app:
        assert (await start(app, {"data": 1, "more": 2})).status == "success"
        page = await app.bus.events("local", type_="told")
    assert [e.event.data for e in page.items] == [{"data": 1, "more": 2}]
