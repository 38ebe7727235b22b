"""Agents written in Python: any object with a name and `act`, and the gateway as their only way out."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from pathlib import Path
from typing import Any, cast

import pytest

from remit import Agent, Pack, agent, open_app, tool
from remit.bootstrap import App
from remit.bootstrap.doctor import examine_running
from remit.core.errors import ConfigError, ToolError
from remit.core.task import Actor, Result
from remit.ports.model import ModelReply, ModelRequest, OnDelta
from remit.sdk import BlockingContext
from remit.settings import Settings
from remit.testing import BOSS, FakeClock, ScriptedModel, app_for_tests, task

CALLS: list[str] = []


@pytest.fixture(autouse=True)
def _calls() -> None:
    CALLS.clear()


@tool
def double(n: int) -> int:
    """Twice n."""
    CALLS.append(f"double {n}")
    return 2 * n


@tool(risk="L3")
def launch(pad: str = "1") -> str:
    """Privileged."""
    CALLS.append(f"launch {pad}")
    return "launched"


async def ran(made: Any, *replies: Any, **fields: Any) -> Result:
    """The result of one run."""
    async with app_for_tests(made, *fields.pop("others", ()), replies=replies) as app:
        return await app.run(task(made, **fields))


@agent(tools=[double])
async def as_function(input: Any, memory: Any, context: Any) -> Any:
    """An async function."""
    return await context.call("double", n=input)


@agent(tools=[double])
def as_blocking(input: Any, memory: Any, context: Any) -> Any:
    """A blocking function: the same verbs, without await."""
    return context.call("double", n=input)


@agent(tools=[double])
class AsClass:
    """A class with a name and `act`."""

    name = "as_class"

    async def act(self, input: Any, memory: Any, context: Any) -> Any:
        return await context.call("double", n=input)


@pytest.mark.parametrize("made", [as_function, as_blocking, AsClass], ids=lambda a: a.spec.name)
async def test_an_agent_is_a_function_a_blocking_function_or_a_class(made: Any) -> None:
    """All three act through the same gateway."""
    result = await ran(made, input=21)
    assert (result.result_payload, result.cost_usage.tool_calls) == (42, 1)


async def test_an_agent_needs_only_its_input() -> None:
    """`act(input)` and `act(input, memory)` are enough; without an input it gets the objective."""

    @agent
    def shout(input: Any) -> str:
        return str(input).upper()

    @agent
    def count(input: Any, memory: Any) -> int:
        return len(memory.messages)

    assert (await ran(shout)).result_payload == "GO"
    assert (await ran(count)).result_payload == 1


async def test_several_calls_at_once_are_answered_in_order() -> None:
    """`call_many` settles all of them, then raises the first failure."""

    @agent(tools=[double])
    async def many(input: Any, memory: Any, context: Any) -> Any:
        good = await context.call_many([("double", {"n": 1}), ("double", {"n": 2})])
        try:
            await context.call_many([("double", {"n": "x"}), ("double", {"n": 3})])
        except ToolError as error:
            return [good, error.code]

    assert (await ran(many)).result_payload == [[2, 4], "E703"]
    assert sorted(CALLS) == ["double 1", "double 2", "double 3"]


async def test_a_model_is_asked_for_text_or_for_a_value() -> None:
    """`ask` gives text; with a schema it gives the value, or E622."""
    schema = {"type": "object", "required": ["n"]}

    @agent
    async def asker(input: Any, memory: Any, context: Any) -> Any:
        return [await context.ask("hello"), await context.ask("n?", output_schema=schema)]

    assert (await ran(asker, "hi", '{"n": 1}')).result_payload == ["hi", {"n": 1}]
    failed = await ran(asker, "hi", "no")
    assert failed.problem is not None
    assert failed.problem.code == "E622"


async def test_a_schema_that_its_author_changes_holds_as_it_is_now() -> None:
    """An answer is held against the schema of its own question, though the object was met before."""
    schema: dict[str, Any] = {"type": "object"}

    @agent
    async def asker(input: Any, memory: Any, context: Any) -> Any:
        first = await context.ask("n?", output_schema=schema)
        schema["required"] = ["n"]
        return [first, await context.ask("n, now?", output_schema=schema)]

    failed = await ran(asker, "{}", "{}")
    assert failed.problem is not None
    assert failed.problem.code == "E622"


async def test_delegating_gives_a_result() -> None:
    """`delegate` waits for the other agent without a thread and gives its Result."""
    helper = Agent("helper", instructions="Help.")

    @agent(delegates=[helper])
    async def boss(input: Any, memory: Any, context: Any) -> Any:
        result = await context.delegate("helper", "help me", input={"a": 1})
        return [result.status, result.result_payload]

    assert (await ran(boss, "helped", others=[helper])).result_payload == ["success", "helped"]


async def test_an_undeclared_delegate_is_refused() -> None:
    """Another agent that was not declared cannot be called."""
    helper = Agent("helper", instructions="Help.")

    @agent
    async def boss(input: Any, memory: Any, context: Any) -> Any:
        return await context.delegate("helper", "help me")

    result = await ran(boss, others=[helper])
    assert result.problem is not None
    assert result.problem.code == "E702"


async def test_what_was_done_is_not_done_again_after_a_wait() -> None:
    """An agent is replayed after a wait: recorded answers are given again, memory too, and nothing happens twice."""

    @agent(tools=[double, launch])
    async def steady(input: Any, memory: Any, context: Any) -> Any:
        twice = await context.call("double", n=4)
        said = await context.ask("and?")
        await context.remember("seen", [twice, said])
        await context.call("launch")
        return memory.get("seen")

    async with app_for_tests(steady, replies=["well"]) as app:
        run_id = (await app.run(task(steady))).run_id
        await approve_all(app)
        view = await app.runs.view(run_id, "local")
        assert (view.result.result_payload, view.usage.model_calls) == ([8, "well"], 1)
        assert CALLS == ["double 4", "launch 1"]


async def approve_all(app: App) -> None:
    """Approve whatever waits, and drive on."""
    for item in (await app.approvals.list("local")).items:
        await app.approvals.decide(item["approval_id"], "local", BOSS, "approve")
    await app.worker.run_until_idle()


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (("double", {"n": 1}), ("double", {"n": 2})),
        (("double", {"n": 1}), ("launch", {"pad": "9"})),
        (("double", {"n": 1}), "ask"),
        ("ask", ("double", {"n": 1})),
        ("ask", "ask otherwise"),
        (("nothing", {}), ("double", {"n": 1})),
    ],
    ids=["arguments", "tool", "tool to model", "model to tool", "prompt", "refused to tool"],
)
async def test_an_agent_that_is_not_deterministic_is_stopped(first: Any, then: Any) -> None:
    """A replay that makes another call than was recorded ends with E408 before anything happens."""
    passes: list[int] = []

    async def make(context: Any, what: Any) -> None:
        with contextlib.suppress(ToolError):
            await (context.ask(what) if isinstance(what, str) else context.call(what[0], **what[1]))

    @agent(tools=[double, launch])
    async def fickle(input: Any, memory: Any, context: Any) -> Any:
        passes.append(1)
        await make(context, first if len(passes) == 1 else then)
        await context.call("launch")

    async with app_for_tests(fickle, replies=["a", "b"]) as app:
        run_id = (await app.run(task(fickle))).run_id
        before = list(CALLS)
        await approve_all(app)
        result = await app.runs.result(run_id, "local")
        assert result is not None
        assert result.problem is not None
        assert (result.problem.code, CALLS) == ("E408", before)


async def test_a_call_that_waits_cannot_turn_into_a_model_call() -> None:
    """Divergence at the very step that waits is E408 too, so that an intent is never forgotten."""
    passes: list[int] = []

    @agent(tools=[launch])
    async def fickle(input: Any, memory: Any, context: Any) -> Any:
        passes.append(1)
        return await (context.call("launch") if len(passes) == 1 else context.ask("instead"))

    async with app_for_tests(fickle, replies=["a"]) as app:
        run_id = (await app.run(task(fickle))).run_id
        await approve_all(app)
        result = await app.runs.result(run_id, "local")
        assert result is not None
        assert result.problem is not None
        assert result.problem.code == "E408"


@pytest.mark.parametrize("broken", [ValueError("odd"), KeyError("k"), RecursionError("deep")])
async def test_an_agent_that_raises_fails_its_run(broken: Exception) -> None:
    """The run ends with E710 and the error's text; the worker goes on."""

    @agent
    def bad(input: Any) -> Any:
        raise broken

    result = await ran(bad)
    assert result.problem is not None
    assert (result.status, result.problem.code) == ("failure", "E710")


async def test_an_agent_may_report_failure() -> None:
    """A payload with status FAILED or ERROR is a failed run that keeps its payload."""

    @agent
    def judge(input: Any) -> Any:
        return {"status": "FAILED", "reason": "2 rows missing"}

    result = await ran(judge)
    assert result.problem is not None
    assert (result.status, result.problem.message) == ("failure", "2 rows missing")
    assert result.result_payload["status"] == "FAILED"


async def test_what_an_agent_leaves_behind_is_settled_before_its_run_ends() -> None:
    """An effect that an agent started and did not wait for is recorded before the run's last event."""
    go = asyncio.Event()

    @tool(risk="L1")
    async def slow() -> str:
        await go.wait()
        return "slow"

    @tool
    def quick() -> str:
        asyncio.get_running_loop  # noqa: B018
        return "quick"

    @agent(tools=[slow, quick])
    async def careless(input: Any, memory: Any, context: Any) -> str:
        left = asyncio.ensure_future(context.call("slow"))
        await context.call("quick")
        asyncio.get_running_loop().call_soon(go.set)
        left.add_done_callback(lambda task: task.exception())
        return "done"

    async with app_for_tests(careless) as app:
        run_id = (await app.run(task(careless))).run_id
        events = [e.type for e in await app.runs.events(run_id, "local")]
        assert events[-1] == "RunFinished"
        assert events.count("EffectDone") == 2


async def test_a_parked_branch_waits_for_its_sibling() -> None:
    """Where one branch must wait for a person, the effect of another branch is recorded before the run parks."""

    @tool(risk="L1")
    async def note() -> str:
        await asyncio.sleep(0)
        CALLS.append("note")
        return "noted"

    @agent(tools=[note, launch])
    async def forked(input: Any, memory: Any, context: Any) -> Any:
        return await asyncio.gather(context.call("launch"), context.call("note"))

    async with app_for_tests(forked) as app:
        run_id = (await app.run(task(forked))).run_id
        view = await app.runs.view(run_id, "local")
        assert {s.name: s.state for s in view.steps} == {"launch": "awaiting", "note": "done"}
        await approve_all(app)
        assert (await app.runs.view(run_id, "local")).result.result_payload == ["launched", "noted"]
        assert CALLS == ["note", "launch 1"]


async def test_branches_of_several_calls_are_replayed_each_in_its_own_order() -> None:
    """Branches that interleave, one of them parked for a person, go on after the approval without another first call."""

    @tool(risk="L1")
    async def slow(n: int) -> int:
        for _ in range(10 - n):  # later branches answer first
            await asyncio.sleep(0)
        CALLS.append(f"slow {n}")
        return n

    @agent(tools=[slow, double, launch])
    async def forked(input: Any, memory: Any, context: Any) -> Any:
        async def branch(n: int) -> Any:
            first = await context.call("slow", n=n)
            second = await context.call("launch", pad=str(n)) if n == 1 else None
            inner = await asyncio.gather(*(deep(n * 10 + k) for k in range(2)))
            return [first, second, inner, await context.call("double", n=n)]

        async def deep(n: int) -> Any:
            await context.call("double", n=n)
            return await context.call("slow", n=5) + n

        answers = await asyncio.gather(*(branch(n) for n in range(4)))
        return [*answers, await context.call("double", n=100)]

    async with app_for_tests(forked) as app:
        run_id = (await app.run(task(forked))).run_id
        await approve_all(app)
        view = await app.runs.view(run_id, "local")
        assert view.result is not None
        assert view.result.result_payload == [
            *([n, "launched" if n == 1 else None, [n * 10 + 5, n * 10 + 6], 2 * n] for n in range(4)),
            200,
        ]
        assert sorted(CALLS) == sorted(
            [f"slow {n}" for n in range(4)]
            + ["launch 1", "double 100"]
            + ["slow 5"] * 8
            + [f"double {n}" for n in range(4)]
            + [f"double {n * 10 + k}" for n in range(4) for k in range(2)]
        )
        names = {s.step for s in view.steps}
        assert {"s0", "s1", "s2", "s3", "s4", "s1.1", "s1.2", "s1.2.1", "s1.3", "s1.3.1", "s1.4"} <= names


async def test_a_task_in_the_background_does_not_renumber_what_goes_on_in_front() -> None:
    """Calls of the agent itself and of a task it started keep their names when recorded answers come at once."""

    @agent(tools=[double, launch])
    async def busy(input: Any, memory: Any, context: Any) -> Any:
        async def behind() -> Any:
            return [await context.call("double", n=n) for n in (10, 11, 12)]

        task = asyncio.create_task(behind())
        front = [await context.call("double", n=n) for n in (1, 2)]
        return [front, await context.call("launch"), await task]

    async with app_for_tests(busy) as app:
        run_id = (await app.run(task(busy))).run_id
        await approve_all(app)
        view = await app.runs.view(run_id, "local")
        assert view.result is not None
        assert view.result.result_payload == [[2, 4], "launched", [20, 22, 24]]
        assert {s.step for s in view.steps} == {"s0", "s1", "s1.1", "s1.2", "s2", "s3"}


async def each_a_task(input: Any, memory: Any, context: Any) -> Any:
    """Calls one after another, each within a time limit and so in a task of its own."""
    return [await asyncio.wait_for(context.call("double", n=n), 5) for n in range(3)]


def in_a_thread(input: Any, memory: Any, context: Any) -> Any:
    """Blocking calls one after another."""
    return [context.call("double", n=n) for n in range(3)]


@pytest.mark.parametrize("act", [each_a_task, in_a_thread], ids=lambda a: a.__name__)
async def test_one_call_after_another_is_numbered_from_zero(act: Any) -> None:
    """Sequential agents have the steps `s0`, `s1` ..., also where each call is a task of its own."""
    made = agent(name="counter", tools=[double])(act)
    async with app_for_tests(made) as app:
        run_id = (await app.run(task(made))).run_id
        view = await app.runs.view(run_id, "local")
        assert [s.step for s in view.steps] == ["s0", "s1", "s2"]


async def test_cancelling_a_blocking_agent_that_asks_a_model_leaves_nothing_behind() -> None:
    """The model call of a blocking agent is taken back with it: no event follows the run's last one."""
    started, ended = asyncio.Event(), threading.Event()

    class Thinking(ScriptedModel):
        async def ask(self, request: ModelRequest, on_delta: OnDelta | None = None) -> ModelReply:
            started.set()
            await asyncio.Event().wait()
            raise AssertionError

    @agent
    def stubborn(input: Any, memory: Any, context: Any) -> Any:
        try:
            for _ in range(3):
                try:
                    context.ask("think")
                except Exception:
                    continue
        finally:
            ended.set()

    clock = FakeClock()
    async with app_for_tests(stubborn, model=Thinking([]), clock=clock) as app:
        run_id = await app.runs.submit(task(stubborn))
        working = asyncio.create_task(app.worker.run_until_idle())
        await started.wait()
        await app.runs.cancel(run_id, "local", Actor("alice"), "enough")
        clock.advance(2)
        await working
        assert await asyncio.to_thread(ended.wait, 5)
        events = [e.type for e in await app.runs.events(run_id, "local")]
        assert (events.count("ModelAsked"), events[-1]) == (1, "RunFinished")


async def test_a_call_made_while_its_context_closes_is_taken_back() -> None:
    """A blocking agent's thread may have started a call that `close` could not see yet; the call must not go on alone."""
    begun = asyncio.Event()

    class Context:
        run_id = "run_1"

        async def ask(self, prompt: str) -> str:
            begun.set()
            await asyncio.Event().wait()
            return prompt

    class ClosesFirst(set[Any]):
        def add(self, call: Any) -> None:
            view.close()
            super().add(call)

    view = BlockingContext(cast(Any, Context()), asyncio.get_running_loop())
    view._calls = ClosesFirst()
    asking = asyncio.create_task(asyncio.to_thread(view.ask, "think"))
    await begun.wait()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(asking, 10)


PLAIN = '''
from remit import Pack, agent

class Base:
    def act(self, input, memory):
        """Nothing is an agent that has no name."""

class Echo(Base):
    """Say it again."""
    name = "echo"
    def act(self, input, memory):
        return f"{input} {input}"

class Clock:
    name = "clock"
    async def act(self, input, memory, context):
        return context.run_id

class Twice:
    def __init__(self, name):
        self.name = name
    def act(self, input):
        return self.name

kept = Clock()
wrapped = agent(kept, description="Tell the time.")
first = again = Twice("first")
pack = Pack("mine", agents=[Twice("packed"), first])
'''


async def test_what_has_a_name_and_acts_is_an_agent_without_a_decorator(tmp_path: Path) -> None:
    """Objects and classes, in a pack and at module level of an app file; each once, however often it is named there."""
    (tmp_path / "plain.py").write_text(PLAIN)
    async with open_app(Settings(home=tmp_path, store="memory:"), app_file=str(tmp_path / "plain.py")) as app:
        assert sorted(app.catalogue.agents) == ["clock", "echo", "first", "packed"]
        assert app.catalogue.agents["clock"].spec.description == "Tell the time."
        said = [(await app.run(task(n, n, input="hi"))).result_payload for n in ("echo", "first", "packed")]
        assert said == ["hi hi", "first", "packed"]


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Pack("p", agents=[object()]), "[E241]"),
        (lambda: Pack("p", tools=[len]), "[E1095] `len` is no tool"),
        (lambda: Agent("a", instructions="", tools=[len]), "[E1095] `len` is no tool"),
        (lambda: tool(risk="L9", name="t")(lambda: 1), "[E1096] `risk` of tool `t` is `L9`"),
        (
            lambda: tool(effect="sometimes", name="t")(lambda: 1),
            "[E1096] `effect` of tool `t` is `sometimes`",
        ),
        (lambda: tool(trust="much", name="t")(lambda: 1), "[E1096] `trust`"),
        (lambda: tool(sensitivity="high", name="t")(lambda: 1), "[E1096] `sensitivity`"),
    ],
    ids=["agent", "tool of a pack", "tool of an agent", "risk", "effect", "trust", "sensitivity"],
)
def test_what_is_no_agent_or_no_tool_is_told_where_it_is_written(make: Any, told: str) -> None:
    """Not by a call that fails at night."""
    with pytest.raises(ConfigError) as refused:
        make()
    assert told in str(refused.value)
    assert refused.value.help


def test_a_tool_that_is_not_there_is_told_when_the_app_opens() -> None:
    """Every agent and tool, and what was meant; a tool of another pack is there."""
    good = Agent("good", instructions="", tools=["double"])
    bad = Agent("bad", instructions="", tools=["doubel", "ghost", "publish_event"])
    with pytest.raises(ConfigError) as refused:
        app_for_tests(good, bad, tools=[double])
    assert refused.value.code == "E1094"
    assert refused.value.message.splitlines() == [
        "agents name tools that are not there:",
        "agent `bad` names `doubel`",
        "agent `bad` names `ghost`",
    ]
    assert "did you mean `double`?" in refused.value.help


async def test_the_doctor_finds_delegates_that_are_nowhere() -> None:
    """Neither in the code nor in the registry, which may have what the code has not."""
    boss = Agent("chief", instructions="", delegates=["writr", "nobody", "stored@live"])
    writer = Agent("writer", instructions="")
    async with app_for_tests(boss, writer) as app:
        body = {"instructions": "x", "model": "default"}
        await app.registry.create("local", "agent", "stored", body, actor=BOSS, reason="new")
        found = [f for f in await examine_running(app) if f.check == "delegates"]
    assert [(f.verdict, f.result.split(",")[0], f.fix) for f in found] == [
        ("note", "`writr`", "did you mean `writer`?"),
        ("note", "`nobody`", "correct `delegates`, or define it: `remit apply`"),
    ]
