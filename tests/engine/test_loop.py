"""The loop of an LLM agent: model, tools, model, ... until an answer that fits, or a limit."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec import Struct

from remit import Agent, tool
from remit.bootstrap import App
from remit.core.codec import decode
from remit.core.errors import ConfigError, ConflictError, InputError, ModelError, NotFoundError, ToolError
from remit.core.message import Message, ToolResult, ToolUse
from remit.core.task import Actor, Constraints, Result
from remit.core.tool import Retry
from remit.engine import loading
from remit.ports.model import Delta, ModelReply, ModelRequest, OnDelta
from remit.sdk import json_schema
from remit.testing import FakeClock, ScriptedModel, app_for_tests, call, calls, task

ALICE = Actor("alice")


class Report(Struct):
    """A typed answer."""

    title: str
    score: int


@tool
def add(a: int, b: int) -> int:
    """Add."""
    return a + b


adder = Agent("adder", instructions="Add.", tools=[add])


async def asked(*replies: Any, agent: Agent = adder, **fields: Any) -> tuple[Result, ScriptedModel]:
    """The result of one run with these replies, and the model with what it was asked."""
    model = ScriptedModel(replies)
    async with app_for_tests(agent, model=model) as app:
        return await app.run(task(agent, **fields)), model


def told(model: ScriptedModel) -> list[ToolResult]:
    """The tool results that the model was last given."""
    return [b for b in model.requests[-1].messages[-1].blocks if isinstance(b, ToolResult)]


async def test_a_model_calls_a_tool_and_answers() -> None:
    """Model, tool, model: the tool's answer is what the model reads next, and its text is the result."""
    result, model = await asked(call("add", a=1, b=2), "three")
    assert (result.status, result.result_payload) == ("success", "three")
    assert [r.content for r in told(model)] == [3]
    assert (result.cost_usage.model_calls, result.cost_usage.tool_calls) == (2, 1)


async def test_parallel_calls_run_at_once_and_answer_in_order() -> None:
    """Calls of one turn run concurrently: each waits here for the other; results come in the order asked."""
    meet = asyncio.Barrier(3)

    @tool
    async def wait(name: str) -> str:
        await meet.wait()
        return name

    waiter = Agent("waiter", instructions="", tools=[wait])
    turn = calls(*(("wait", {"name": n}) for n in "abc"))
    _, model = await asked(turn, "ok", agent=waiter)
    assert [r.content for r in told(model)] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("turn", "code"),
    [
        (call("subtract", a=1), "E702"),
        (call("add", a="one", b=2), "E703"),
        (call("add", a=1), "E703"),
        (call("add", a=1, b=2, c=3), "E703"),
        (Message("assistant", (ToolUse("c", "add", {}, malformed="{a: 1"),)), "E701"),
        (call("delegate_to_nobody", objective="x"), "E702"),
    ],
    ids=["unknown", "wrong type", "missing", "extra", "malformed", "unknown delegate"],
)
async def test_a_call_that_cannot_be_made_is_told_to_the_model(turn: Message, code: str) -> None:
    """The model hears why, with a stable code, and the run goes on."""
    result, model = await asked(turn, "sorry")
    (answer,) = told(model)
    assert answer.is_error
    assert code in answer.content
    assert (result.status, result.cost_usage.tool_calls) == ("success", 0)


async def test_a_tool_of_another_agent_is_not_callable() -> None:
    """A tool that exists but was not declared by this agent is unknown to it."""

    @tool
    def secret_plans() -> str:
        return "plans"

    owner = Agent("owner", instructions="", tools=[secret_plans])
    model = ScriptedModel([call("secret_plans"), "ok"])
    async with app_for_tests(adder, owner, model=model) as app:
        await app.run(task(adder))
    assert "E702" in told(model)[0].content
    assert [t.name for t in model.requests[0].tools] == ["add"]


async def test_malformed_arguments_again_and_again_end_the_run() -> None:
    """After the repairs are used up the run fails with E621."""
    bad = Message("assistant", (ToolUse("c", "add", {}, malformed="{"),))
    result, model = await asked(bad, bad, bad, bad, "never")
    assert result.problem is not None
    assert (result.problem.code, len(model.requests)) == ("E621", 3)


# structured output


reporter = Agent("reporter", instructions="Report.", output=Report)


@pytest.mark.parametrize(
    "answer",
    ['{"title": "t", "score": 3}', '```json\n{"title": "t", "score": 3}\n```', '  {"score":3,"title":"t"} '],
)
async def test_a_typed_answer_is_parsed(answer: str) -> None:
    """JSON that fits is the result as a value, with or without a fence around it."""
    result, _ = await asked(answer, agent=reporter)
    assert result.result_payload == {"title": "t", "score": 3}


async def test_an_answer_that_does_not_fit_is_sent_back_with_the_reason() -> None:
    """The model hears what is wrong and may repair it."""
    result, model = await asked("no json", '{"title": "t"}', '{"title": "t", "score": 1}', agent=reporter)
    assert result.result_payload == {"title": "t", "score": 1}
    assert "score" in model.requests[2].messages[-1].text


async def test_repairs_are_bounded() -> None:
    """After two repairs the run fails with E622."""
    result, model = await asked("a", "b", "c", "d", agent=reporter)
    assert result.problem is not None
    assert (result.problem.code, len(model.requests)) == ("E622", 3)


async def test_a_task_may_ask_for_an_output_of_its_own() -> None:
    """`output_schema` of the task holds for an agent that has none."""
    schema = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
    result, _ = await asked("hm", '{"n": 1}', output_schema=schema)
    assert result.result_payload == {"n": 1}


async def test_a_delegate_with_an_output_schema_that_is_none_is_refused() -> None:
    """A model that asks a delegate for an impossible schema hears E703, and no child run is made."""
    boss = Agent("boss_agent", instructions="", delegates=[adder])
    ask = call("delegate_to_adder", objective="x", output_schema={"type": "nonsense"})
    model = ScriptedModel([ask, "ok"])
    async with app_for_tests(boss, adder, model=model) as app:
        result = await app.run(task(boss))
        assert (result.status, (await app.runs.view(result.run_id, "local")).children) == ("success", ())
    assert "E703" in told(model)[0].content


async def test_a_delegate_answers_like_a_tool() -> None:
    """The parent's model reads the child's result; the handoff names both agents, objective and trace."""
    boss = Agent("boss_agent", instructions="", delegates=[adder])
    replies = [call("delegate_to_adder", objective="add", input={"a": 1}), "child says 1", "done"]
    async with app_for_tests(boss, adder, replies=replies) as app:
        result = await app.run(task(boss))
        view = await app.runs.view(result.run_id, "local")
        child = await app.runs.view(view.children[0], "local")
        assert (child.result.result_payload, child.parent_run) == ("child says 1", result.run_id)
        page = await app.store.query("agent_handoff", "by_run", (result.run_id,))
        (handoff,) = page.items
        assert (handoff["from_agent"], handoff["to_agent"], handoff["objective"]) == (
            "boss_agent",
            "adder",
            "add",
        )
        assert handoff["trace_id"] == child.task.trace_id == view.task.trace_id


@pytest.mark.parametrize(
    "asks", [{}, {"output_schema": {"type": "object", "required": ["title"]}}], ids=["declared", "asked"]
)
async def test_a_handoff_says_what_output_is_expected(asks: dict[str, Any]) -> None:
    """What the call asks for, else what the other agent declares; the record and the child's journal agree."""
    reporter = Agent("reporter", instructions="", output=Report)
    boss = Agent("boss_agent", instructions="", delegates=[reporter])
    replies = [call("delegate_to_reporter", objective="report", **asks), '{"title": "a", "score": 1}', "done"]
    async with app_for_tests(boss, reporter, replies=replies) as app:
        result = await app.run(task(boss))
        (handoff,) = (await app.store.query("agent_handoff", "by_run", (result.run_id,))).items
        assert handoff["expected_output_schema"] == asks.get("output_schema", json_schema(Report))
        created, _ = await loading.start(app.store, handoff["child_run"])
        assert created.handoff is not None
        assert created.handoff.expected_output_schema == created.agent.output_schema
        assert created.handoff.expected_output_schema == handoff["expected_output_schema"]


# tools that go wrong


def shaky(failures: list[Exception], **spec: Any) -> tuple[Agent, list[int]]:
    """An agent with a tool that raises these, one a call, and then answers."""
    tries: list[int] = []

    @tool(**spec)
    async def shaky_tool() -> str:
        tries.append(1)
        if len(tries) <= len(failures):
            raise failures[len(tries) - 1]
        return "done"

    return Agent("shaky_agent", instructions="", tools=[shaky_tool]), tries


@pytest.mark.parametrize(
    ("failures", "spec", "tries", "says"),
    [
        ([ToolError("busy", retryable=True)] * 2, {}, 3, "done"),
        ([ToolError("busy", retryable=True)] * 3, {}, 3, "E700"),
        ([ToolError("no")], {}, 1, "E700"),
        ([ToolError("no", code="E799")], {"risk": "L1"}, 1, "E799"),
        ([RuntimeError("odd")] * 2, {}, 3, "done"),
        ([RuntimeError("odd")] * 3, {}, 3, "E708"),
        ([RuntimeError("odd")] * 3, {"retry": Retry(attempts=1)}, 1, "E708"),
        ([RuntimeError("odd")] * 2, {"risk": "L1", "effect": "keyed"}, 3, "done"),
    ],
)
async def test_retries_follow_what_the_tool_says(
    failures: list[Exception], spec: dict[str, Any], tries: int, says: str
) -> None:
    """What is retryable or harmless is tried again within the tool's retry budget; nothing else is."""
    shaky_agent, ran = shaky(failures, **spec)
    _, model = await asked(call("shaky_tool"), "ok", agent=shaky_agent)
    assert len(ran) == tries
    assert says in str(told(model)[0].content)


async def test_waits_between_tries_grow_and_are_jittered() -> None:
    """Full jitter: half of 0.2 s, then half of 0.4 s on a clock whose jitter is one half."""
    shaky_agent, _ = shaky([ToolError("busy", retryable=True)] * 2)
    clock = FakeClock()
    async with app_for_tests(shaky_agent, replies=[call("shaky_tool"), "ok"], clock=clock) as app:
        await app.run(task(shaky_agent))
    assert clock.slept == [pytest.approx(0.1), pytest.approx(0.2)]


async def test_a_tool_that_does_not_answer_in_time_is_given_up() -> None:
    """`timeout_s` bounds one attempt; a read that never answers fails with E712."""

    @tool(timeout_s=0.01, retry=Retry(attempts=2))
    async def hang() -> str:
        await asyncio.Event().wait()
        return ""

    hanging = Agent("hanging", instructions="", tools=[hang])
    _, model = await asked(call("hang"), "ok", agent=hanging)
    assert "E712" in told(model)[0].content


async def test_an_effect_that_timed_out_is_in_doubt() -> None:
    """A plain effect without an answer is never repeated: a person is asked."""

    @tool(risk="L1", timeout_s=0.01)
    async def fire() -> str:
        await asyncio.Event().wait()
        return ""

    gunner = Agent("gunner", instructions="", tools=[fire])
    result, _ = await asked(call("fire"), agent=gunner)
    assert result.status == "needs_approval"


async def test_a_tool_that_keeps_failing_rests() -> None:
    """After five failures in a row a tool is refused with E705 until its breaker closes again."""
    shaky_agent, ran = shaky([RuntimeError("odd")] * 99, retry=Retry(attempts=1))
    clock = FakeClock()
    replies = [*[call("shaky_tool")] * 7, "ok", call("shaky_tool"), "ok"]
    async with app_for_tests(shaky_agent, replies=replies, clock=clock) as app:
        view = await app.runs.view((await app.run(task(shaky_agent))).run_id, "local")
        assert [s.problem[1:5] for s in view.steps if s.kind == "tool"] == ["E708"] * 5 + ["E705"] * 2
        clock.advance(31)
        await app.run(task(shaky_agent, "t2"))
        assert len(ran) == 6


async def test_large_output_becomes_an_artifact() -> None:
    """Above `max_output_bytes` the model sees a preview; the whole output is a blob by digest."""

    @tool(max_output_bytes=1000)
    def dump() -> str:
        return "x" * 50_000

    dumper = Agent("dumper", instructions="", tools=[dump])
    model = ScriptedModel([call("dump"), "ok"])
    async with app_for_tests(dumper, model=model) as app:
        result = await app.run(task(dumper))
        (artifact,) = result.artifacts
        content = told(model)[0].content
        assert (content["truncated"], content["artifact"]) == (True, artifact.digest)
        assert len(str(content)) < 3000
        assert decode(await app.blobs.get(artifact.digest), str) == "x" * 50_000


async def test_output_is_checked_against_its_schema() -> None:
    """A read whose answer is not what it declares fails with E706; an effect's answer is kept with a warning."""

    def make(**spec: Any) -> Agent:
        @tool(**spec)
        def lie() -> int:
            return "text"  # type: ignore[return-value]

        return Agent("liar", instructions="", tools=[lie])

    _, model = await asked(call("lie"), "ok", agent=make())
    assert "E706" in told(model)[0].content
    _, model = await asked(call("lie"), "ok", agent=make(risk="L1"))
    assert told(model)[0].content["output"] == "text"
    assert "warning" in told(model)[0].content


# the model goes wrong


async def test_a_model_that_fails_for_good_ends_the_run() -> None:
    """The run fails with the model's own code."""
    result, _ = await asked(ModelError("refused", code="E602"))
    assert result.problem is not None
    assert (result.status, result.problem.code) == ("failure", "E602")


async def test_a_model_that_stumbles_is_asked_again() -> None:
    """A retryable failure is retried; the answer counts."""
    result, model = await asked(ModelError("busy", code="E603", retryable=True), "fine")
    assert (result.result_payload, len(model.requests)) == ("fine", 2)


async def test_an_answer_cut_off_by_its_token_limit_is_a_failure() -> None:
    """`max_tokens` as a stop reason is E620, never half an answer."""

    class Cut(ScriptedModel):
        async def ask(self, request: ModelRequest, on_delta: OnDelta | None = None) -> ModelReply:
            reply = await super().ask(request, on_delta)
            return ModelReply(reply.message, "max_tokens", reply.usage)

    async with app_for_tests(adder, model=Cut(["half an ans"])) as app:
        result = await app.run(task(adder))
        assert result.problem is not None
        assert result.problem.code == "E620"


# cancelling and deadlines


class Thinking(ScriptedModel):
    """A model that never answers; `started` says when it was asked."""

    def __init__(self) -> None:
        super().__init__([])
        self.started = asyncio.Event()

    async def ask(self, request: ModelRequest, on_delta: OnDelta | None = None) -> ModelReply:
        self.started.set()
        await asyncio.Event().wait()
        raise AssertionError


async def problem_of(app: App, run_id: str) -> str:
    """The code with which a run ended."""
    result = await app.runs.result(run_id, "local")
    assert result is not None
    assert result.problem is not None
    return result.problem.code


async def test_cancelling_interrupts_a_model_that_thinks() -> None:
    """A cancel request ends a run within a heartbeat, though its model never answers."""
    clock, model = FakeClock(), Thinking()
    async with app_for_tests(adder, model=model, clock=clock) as app:
        run_id = await app.runs.submit(task(adder))
        working = asyncio.create_task(app.worker.run_until_idle())
        await model.started.wait()
        await app.runs.cancel(run_id, "local", ALICE, "enough")
        clock.advance(2)
        await working
        assert await problem_of(app, run_id) == "E520"
        await app.runs.cancel(run_id, "local", ALICE, "again")
        await app.worker.run_until_idle()
        assert await problem_of(app, run_id) == "E520"


async def test_cancelling_a_waiting_run_ends_it() -> None:
    """A run that waits for a person ends when it is cancelled."""

    @tool(risk="L3")
    def launch() -> str:
        raise AssertionError

    pilot = Agent("pilot", instructions="", tools=[launch])
    async with app_for_tests(pilot, replies=[call("launch")]) as app:
        run_id = (await app.run(task(pilot))).run_id
        await app.runs.cancel(run_id, "local", ALICE, "no")
        await app.worker.run_until_idle()
        assert await problem_of(app, run_id) == "E520"


async def test_cancelling_ends_children_first() -> None:
    """No orphan: the children of a cancelled run have ended before it has, at any depth."""

    @tool(risk="L3")
    def launch() -> str:
        raise AssertionError

    pilot = Agent("pilot", instructions="", tools=[launch])
    crew = Agent("crew", instructions="", delegates=[pilot])
    base = Agent("base", instructions="", delegates=[crew])
    replies = [
        call("delegate_to_crew", objective="x"),
        call("delegate_to_pilot", objective="x"),
        call("launch"),
    ]
    async with app_for_tests(base, crew, pilot, replies=replies) as app:
        run_id = (await app.run(task(base))).run_id
        await app.runs.cancel(run_id, "local", ALICE, "no")
        await app.worker.run_until_idle()
        page = await app.runs.list("local")
        assert [r["status"] for r in page.items] == ["failure"] * 3
        assert await problem_of(app, run_id) == "E520"


async def test_a_deadline_ends_a_run_and_its_children_without_spinning() -> None:
    """At the deadline a waiting tree ends; a parent that waits for its children to stop writes no event in a loop."""

    @tool(risk="L3")
    def launch() -> str:
        raise AssertionError

    pilot = Agent("pilot", instructions="", tools=[launch])
    base = Agent("base", instructions="", delegates=[pilot])
    clock = FakeClock()
    replies = [call("delegate_to_pilot", objective="x"), call("launch")]
    async with app_for_tests(base, pilot, replies=replies, clock=clock) as app:
        limits = Constraints(deadline_ts=clock.now() + 60_000)
        run_id = (await app.run(task(base, constraints=limits))).run_id
        clock.advance(60)
        await app.worker.run_until_idle()
        assert await problem_of(app, run_id) == "E511"
        assert len(await app.runs.events(run_id, "local")) < 20


async def test_a_stopping_parent_waits_quietly_for_its_child() -> None:
    """Past its deadline, a parent whose child cannot stop yet is woken by the child, not by the clock."""
    base = Agent("base", instructions="", delegates=[adder])
    clock = FakeClock()
    async with app_for_tests(
        base, adder, replies=[call("delegate_to_adder", objective="x")], clock=clock
    ) as app:
        run_id = await app.runs.submit(task(base, constraints=Constraints(deadline_ts=clock.now() + 60_000)))
        assert await app.engine.advance(run_id) == "waiting"
        clock.advance(60)
        assert await app.engine.advance(run_id) == "waiting"
        assert run_id not in await app.store.due(limit=10)


# looking on


async def test_tokens_stream_to_whoever_listens() -> None:
    """`deltas` gives the tokens of a run as they come."""
    async with app_for_tests(adder, replies=["one two three"]) as app:
        run_id = await app.runs.submit(task(adder))
        heard: list[Delta] = []

        async def listen() -> None:
            async for delta in app.runs.deltas(run_id):
                heard.append(delta)
                if "three" in delta.text:
                    return

        listening = asyncio.create_task(listen())
        await asyncio.sleep(0)
        await app.worker.run_until_idle()
        await asyncio.wait_for(listening, 5)
        assert "".join(d.text for d in heard) == "one two three"


async def test_following_a_run_ends_with_it() -> None:
    """`follow` gives every event once, in order, and ends after the run's last one."""
    async with app_for_tests(adder, replies=[call("add", a=1, b=2), "3"]) as app:
        run_id = await app.runs.submit(task(adder))
        working = asyncio.create_task(app.worker.run_until_idle())
        seen = [e async for e in app.runs.follow(run_id, "local")]
        await working
        assert [e.seq for e in seen] == list(range(len(seen)))
        assert seen[-1].type == "RunFinished"


async def test_a_session_remembers_what_was_said() -> None:
    """The next run of a session begins with the conversation so far, without tool calls cut in half."""
    model = ScriptedModel([call("add", a=1, b=2), "it is three", "you asked for 1 + 2"])
    async with app_for_tests(adder, model=model) as app:
        await app.run(task(adder, "t1", objective="what is 1 + 2?", session_id="s"))
        await app.run(task(adder, "t2", objective="what did I ask?", session_id="s"))
        texts = [m.text for m in model.requests[-1].messages if m.text]
        assert texts[0] == "what is 1 + 2?"
        assert texts[-2:] == ["it is three", "what did I ask?"]
        await app.run(task(adder, "t3", objective="alone"))
        assert len(model.requests[-1].messages) == 1


async def test_the_same_task_twice_is_one_run() -> None:
    """Submitting again gives the first run's id; another content under the same id is E404."""
    async with app_for_tests(adder, replies=["ok"], cycle=True) as app:
        first = await app.runs.submit(task(adder, "t1"))
        assert await app.runs.submit(task(adder, "t1")) == first
        with pytest.raises(ConflictError) as conflict:
            await app.runs.submit(task(adder, "t1", objective="something else"))
        assert conflict.value.code == "E404"
        assert await app.runs.submit(task(adder, "t1", tenant_id="other")) != first
        with pytest.raises(NotFoundError, match="no agent `ghost`"):
            await app.runs.submit(task("ghost"))


# values that no journal could hold


async def test_half_a_character_does_not_stop_a_run() -> None:
    """Lone surrogates, as streams that are cut produce them, become `?` in prompts, arguments, outputs and answers."""
    heard: list[str] = []

    @tool
    def say(text: str) -> str:
        heard.append(text)
        return "out\ud83d"

    sayer = Agent("sayer", instructions="", tools=[say])
    result, model = await asked(call("say", text="in\ud83d"), "end\ud83d", agent=sayer, objective="go\ud83d")
    assert (result.status, result.result_payload, heard) == ("success", "end?", ["in?"])
    assert told(model)[0].content == "out?"
    assert model.requests[0].messages[0].text == "go?"


@pytest.mark.parametrize("bad", [{"type": "nonsense"}, {"$ref": "https://example.com/x"}, {"minimum": "a"}])
async def test_a_schema_that_is_none_is_refused_before_anything_runs(bad: dict[str, Any]) -> None:
    """A task with an impossible output schema is E129 and makes no run; an agent with one is refused at load."""
    async with app_for_tests(adder, replies=["{}"]) as app:
        with pytest.raises(InputError) as refused:
            await app.runs.submit(task(adder, output_schema=bad))
        assert refused.value.code == "E129"
        assert (await app.runs.list("local")).items == []
    with pytest.raises(ConfigError):
        app_for_tests(Agent("odd", instructions="", output=bad))


async def test_an_input_too_deep_for_json_is_refused() -> None:
    """Input nested without end is E101, not a crash."""
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    async with app_for_tests(adder) as app:
        with pytest.raises(InputError) as refused:
            await app.runs.submit(task(adder, input=deep))
        assert refused.value.code == "E101"
