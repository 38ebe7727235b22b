"""What teams of each framework are made of besides an agent with tools: branches, hand-offs, agents as tools, structured answers."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import pytest
from frameworklib.teams import Team

from remit.bootstrap import App
from remit.core.errors import ConfigError
from remit.core.message import assistant
from remit.frameworks import Contract, served_call
from remit.ports.model import ModelRequest
from remit.testing import BOSS, FakeClock, ScriptedModel, app_for_tests, call, task

READ = Contract(risk="L0", trust="trusted")
ACT = Contract(risk="L1", trust="trusted")
ASK = Contract(risk="L3", trust="trusted")
LEDGER: list[str] = []


@pytest.fixture(autouse=True)
def _ledger() -> None:
    LEDGER.clear()


def pay(cents: int) -> str:
    """Pay."""
    LEDGER.append(f"paid {cents}")
    return f"paid {cents}"


async def approve_all(app: App) -> None:
    """Approve what waits, until nothing does."""
    while items := (await app.approvals.list("local")).items:
        for item in items:
            await app.approvals.decide(item["approval_id"], "local", BOSS, "approve")
        await app.worker.run_until_idle()


def by_prompt(**answers: Any) -> Any:
    """A model that answers by a word of the last message or of its instructions."""

    def answer(request: ModelRequest) -> Any:
        said = str(request.messages[-1]) + request.system
        return next(a for word, a in answers.items() if word in said)

    return answer


# all of them


def test_a_contract_for_a_tool_that_is_not_there_is_refused(team: Team) -> None:
    """A name in `contracts` that no tool has is a typing mistake that would leave a tool ungoverned: E961."""
    if team.name == "remit":
        pytest.skip("its tools carry their contracts")
    with pytest.raises(ConfigError, match="refnud") as refused:
        team.agent([pay], {"refnud": ACT})
    assert refused.value.code == "E961"


async def test_outside_a_run_a_tool_serves_no_call() -> None:
    """What a tool may ask of its call, it may ask in a run only."""
    with pytest.raises(ConfigError):
        served_call()


async def test_many_runs_of_one_team_at_once_do_not_mix(team: Team) -> None:
    """Twenty runs at once each see their own conversation."""

    def double(n: int) -> int:
        """Twice n."""
        return 2 * n

    def answer(request: ModelRequest) -> Any:
        said = request.messages
        number = int("".join(c for c in said[0].text if c.isdigit()))
        return assistant(str(said[-1].blocks[0].content)) if len(said) > 1 else call("double", n=number)  # type: ignore[union-attr]

    desk = team.agent([double], {"double": READ})
    async with app_for_tests(desk, model=ScriptedModel([answer], cycle=True)) as app:
        asked = [task(desk, f"t{n}", objective=f"{n}") for n in range(20)]
        results = await asyncio.gather(*(app.run(t) for t in asked))
    assert [str(r.result_payload) for r in results] == [str(2 * n) for n in range(20)]


async def test_an_exception_that_says_nothing_happened_settles_the_call(team: Team) -> None:
    """An exception under `refusals` is an answer, and no doubt."""
    if team.name == "remit":
        pytest.skip("its tools raise ToolError")

    def send(cents: int) -> str:
        """Send."""
        raise PermissionError("account closed")

    contract = Contract(risk="L1", trust="trusted", refusals=(PermissionError,))
    desk, model = team.agent([send], {"send": contract}), ScriptedModel([call("send", cents=1), "Closed."])
    async with app_for_tests(desk, model=model) as app:
        assert (await app.run(task(desk))).result_payload == "Closed."
    assert "account closed" in str(model.requests[-1].messages)


async def test_any_other_exception_of_an_effect_leaves_it_in_doubt(team: Team) -> None:
    """A tool that raises may have done it: a person is asked."""

    def send(cents: int) -> str:
        """Send."""
        raise ConnectionError("reset")

    desk = team.agent([send], {"send": ACT})
    async with app_for_tests(desk, replies=[call("send", cents=1)]) as app:
        assert (await app.run(task(desk))).status == "needs_approval"


class Silent(ScriptedModel):
    """A model that never answers."""

    def __init__(self) -> None:
        super().__init__([])
        self.asked = asyncio.Event()

    async def ask(self, request: ModelRequest, on_delta: Any = None) -> Any:
        self.asked.set()
        await asyncio.Event().wait()


async def test_a_team_is_cancelled_while_its_model_thinks(team: Team) -> None:
    """Cancelling reaches a team that waits for a model in a thread of its own."""
    desk, model, clock = team.agent([pay], {"pay": ACT}), Silent(), FakeClock()
    async with app_for_tests(desk, model=model, clock=clock) as app:
        run_id = await app.runs.submit(task(desk))
        advancing = asyncio.ensure_future(app.engine.advance(run_id))
        await model.asked.wait()
        await app.runs.cancel(run_id, "local", BOSS, "enough")
        while not advancing.done():
            clock.advance(1.1)
            await asyncio.sleep(0)
        found = await app.runs.result(run_id, "local")
    assert found is not None
    assert found.problem is not None
    assert found.problem.code == "E520"


# LangGraph


async def test_branches_of_a_graph_are_matched_whatever_their_order() -> None:
    """Branches that run at once, in threads and on the loop, go on after a wait with their own answers."""
    pytest.importorskip("langgraph")
    from langchain_core.language_models import FakeListChatModel
    from langchain_core.tools import tool
    from langgraph.graph import END, START, StateGraph
    from typing_extensions import TypedDict

    from remit.frameworks import langgraph

    model, paying = FakeListChatModel(responses=["never asked"]), tool(pay)

    class State(TypedDict, total=False):
        left: str
        right: str
        sum: str

    def left(state: State) -> State:
        return {"left": model.invoke("left?").text + paying.invoke({"cents": 1})}

    async def right(state: State) -> State:
        answer = await model.ainvoke("right?")
        return {"right": answer.text + await paying.ainvoke({"cents": 2})}

    def joined(state: State) -> State:
        return {"sum": f"{state['left']}, {state['right']}"}

    graph = StateGraph(State)
    for node in (left, right, joined):
        graph.add_node(node.__name__, node)
    graph.add_edge(START, "left")
    graph.add_edge(START, "right")
    graph.add_edge(["left", "right"], "joined")
    graph.add_edge("joined", END)
    desk = langgraph.agent(
        graph.compile(),
        name="desk",
        tools=[paying],
        contracts={"pay": ASK},
        answer=lambda state: state["sum"],
    )
    answers = by_prompt(left=assistant("L "), right=assistant("R "))
    scripted = ScriptedModel([answers], cycle=True)
    async with app_for_tests(desk, model=scripted) as app:
        result = await app.run(task(desk, input={}))
        await approve_all(app)
        found = await app.runs.result(result.run_id, "local")
    assert found is not None
    assert found.result_payload == "L paid 1, R paid 2"
    assert sorted(LEDGER) == ["paid 1", "paid 2"]
    assert len(scripted.requests) == 2


async def test_a_tool_that_steers_a_graph_is_no_call() -> None:
    """A tool that answers with a Command is run as it is; what the graph then calls is governed."""
    pytest.importorskip("langgraph")
    from langchain_core.language_models import FakeListChatModel
    from langchain_core.tools import tool
    from langgraph.graph import END, START, MessagesState, StateGraph
    from langgraph.prebuilt import ToolNode
    from langgraph.types import Command

    from remit.frameworks import langgraph

    model, paying = FakeListChatModel(responses=["never asked"]), tool(pay)

    def to_cashier(reason: str):  # type: ignore[no-untyped-def]
        """Hand over to the cashier."""
        return Command(goto="cashier", graph=Command.PARENT)

    to_cashier.__annotations__ = {"reason": str, "return": Command}  # as in a module that imports it

    def desk(state: MessagesState) -> Any:
        return {"messages": [model.invoke(state["messages"])]}

    def cashier(state: MessagesState) -> Any:
        return {"messages": [("assistant", paying.invoke({"cents": 3}))]}

    inner = StateGraph(MessagesState)
    inner.add_node("desk", desk)
    inner.add_node("tools", ToolNode([tool(to_cashier)]))
    inner.add_edge(START, "desk")
    inner.add_edge("desk", "tools")
    graph = StateGraph(MessagesState)
    graph.add_node("inner", inner.compile())
    graph.add_node("cashier", cashier)
    graph.add_edge(START, "inner")
    graph.add_edge("cashier", END)
    made = langgraph.agent(graph.compile(), name="desk", tools=[paying], contracts={"pay": ACT})
    assert [t.spec.name for t in made.tools] == ["pay"]
    async with app_for_tests(made, replies=[call("to_cashier", reason="money")]) as app:
        assert (await app.run(task(made))).result_payload == "paid 3"
    assert LEDGER == ["paid 3"]


async def test_a_graph_that_interrupts_says_what_to_do_instead() -> None:
    """`interrupt` asks a person in a way that nothing answers here: E965."""
    pytest.importorskip("langgraph")
    from langgraph.checkpoint.memory import InMemorySaver
    from langgraph.graph import START, MessagesState, StateGraph
    from langgraph.types import interrupt

    from remit.frameworks import langgraph

    def ask(state: MessagesState) -> Any:
        return {"messages": [("assistant", interrupt("ok?"))]}

    graph = StateGraph(MessagesState)
    graph.add_node("ask", ask)
    graph.add_edge(START, "ask")
    desk = langgraph.agent(graph.compile(checkpointer=InMemorySaver()), name="desk")
    async with app_for_tests(desk) as app:
        problem = (await app.run(task(desk))).problem
    assert problem is not None
    assert problem.code == "E965"


async def test_a_tool_gets_what_its_graph_hands_it_besides_arguments() -> None:
    """State that a graph injects reaches the tool and not the journal."""
    pytest.importorskip("langgraph")
    from langchain.agents import create_agent
    from langchain_core.language_models import FakeListChatModel
    from langchain_core.tools import tool
    from langgraph.prebuilt import InjectedState

    from remit.frameworks import langgraph

    def count(word, state):  # type: ignore[no-untyped-def]
        """Count messages."""
        return f"{word}: {len(state['messages'])}"

    count.__annotations__ = {"word": str, "state": Annotated[dict, InjectedState], "return": str}

    class Model(FakeListChatModel):
        def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
            return self.bind(tools=tools, **kwargs)

    desk = langgraph.agent(
        create_agent(Model(responses=["never asked"]), [tool(count)]), name="desk", contracts={"count": READ}
    )
    model = ScriptedModel([call("count", word="now"), "Two."])
    async with app_for_tests(desk, model=model) as app:
        result = await app.run(task(desk))
        (step,) = [s for s in (await app.runs.view(result.run_id, "local")).steps if s.kind == "tool"]
    assert step.arguments == {"word": "now"}
    assert "now: 2" in str(model.requests[-1].messages)


async def test_a_structured_answer_of_a_graph_is_the_agents_answer() -> None:
    """`response_format` of a LangChain agent gives the agent an object as its answer."""
    pytest.importorskip("langgraph")
    from langchain.agents import create_agent
    from langchain.agents.structured_output import ToolStrategy
    from langchain_core.language_models import FakeListChatModel
    from pydantic import BaseModel

    from remit.frameworks import langgraph

    class Total(BaseModel):
        """A total."""

        cents: int

    class Model(FakeListChatModel):
        def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
            return self.bind(tools=tools, **kwargs)

    graph = create_agent(Model(responses=["never asked"]), [], response_format=ToolStrategy(Total))
    desk = langgraph.agent(graph, name="desk")
    async with app_for_tests(desk, replies=[call("Total", cents=7)]) as app:
        assert (await app.run(task(desk))).result_payload == {"cents": 7}


async def test_a_langchain_model_outside_a_run_is_the_model_itself() -> None:
    """The seams do nothing where no run of Remit is."""
    pytest.importorskip("langgraph")
    from langchain_core.language_models import FakeListChatModel
    from langchain_core.tools import tool

    from remit.frameworks import langchain

    langchain.install()
    assert FakeListChatModel(responses=["itself"]).invoke("who?").text == "itself"
    assert tool(pay).invoke({"cents": 5}) == "paid 5"


# Strands


def _strands_model() -> Any:
    from strands.models import Model

    class Unasked(Model):
        def update_config(self, **config: Any) -> None: ...

        def get_config(self) -> Any:
            return {}

        async def structured_output(self, *args: Any, **kwargs: Any) -> Any:
            raise AssertionError
            yield

        async def stream(self, *args: Any, **kwargs: Any) -> Any:
            raise AssertionError
            yield

    return Unasked()


async def test_a_swarm_of_strands_hands_over_and_is_governed() -> None:
    """A swarm's hand-off is no call; the tool of the agent that it goes to waits for a person."""
    pytest.importorskip("strands")
    from strands import Agent, tool
    from strands.multiagent import Swarm

    from remit.frameworks import strands

    paying = tool(pay)

    def build() -> Swarm:
        clerk = Agent(model=_strands_model(), name="clerk", system_prompt="clerk", callback_handler=None)
        teller = Agent(
            model=_strands_model(),
            name="teller",
            system_prompt="teller",
            tools=[paying],
            callback_handler=None,
        )
        return Swarm([clerk, teller])

    desk = strands.agent(build, name="desk", contracts={"pay": ASK})
    assert [t.spec.name for t in desk.tools] == ["pay"]
    replies = [
        call("handoff_to_agent", agent_name="teller", message="pay 3"),
        assistant("handed over"),
        call("pay", cents=3),
        assistant("paid"),
    ]
    model = ScriptedModel(replies)
    async with app_for_tests(desk, model=model) as app:
        result = await app.run(task(desk))
        assert (result.status, LEDGER) == ("needs_approval", [])
        await approve_all(app)
        found = await app.runs.result(result.run_id, "local")
    assert found is not None
    assert (found.status, found.result_payload, LEDGER) == ("success", "paid", ["paid 3"])
    assert len(model.requests) == len(replies)


async def test_an_agent_of_strands_used_as_a_tool_is_governed_inside() -> None:
    """An agent used as a tool runs as it is, and its own tool goes through the gateway."""
    pytest.importorskip("strands")
    from strands import Agent, tool

    from remit.frameworks import strands

    paying = tool(pay)

    def build() -> Agent:
        teller = Agent(
            model=_strands_model(), name="teller", description="Pays.", tools=[paying], callback_handler=None
        )
        return Agent(model=_strands_model(), tools=[teller.as_tool()], callback_handler=None)

    desk = strands.agent(build, name="desk", contracts={"pay": ASK})
    replies = [call("teller", input="pay 3"), call("pay", cents=3), "paid by the teller", "all done"]
    async with app_for_tests(desk, replies=replies) as app:
        result = await app.run(task(desk))
        assert (result.status, LEDGER) == ("needs_approval", [])
        await approve_all(app)
        found = await app.runs.result(result.run_id, "local")
    assert found is not None
    assert (found.result_payload, LEDGER) == ("all done", ["paid 3"])


async def test_a_structured_answer_of_strands_is_the_agents_answer() -> None:
    """`structured_output_model` of a Strands agent gives the agent an object as its answer."""
    pytest.importorskip("strands")
    from pydantic import BaseModel
    from strands import Agent

    from remit.frameworks import strands

    class Total(BaseModel):
        """A total."""

        cents: int

    def build() -> Agent:
        return Agent(model=_strands_model(), structured_output_model=Total, callback_handler=None)

    desk = strands.agent(build, name="desk")
    async with app_for_tests(desk, replies=[call("Total", cents=7)]) as app:
        assert (await app.run(task(desk))).result_payload == {"cents": 7}


def test_an_agent_that_keeps_its_messages_must_be_built() -> None:
    """A Strands agent given as it is would carry one run's messages into the next: E960."""
    pytest.importorskip("strands")
    from strands import Agent

    from remit.frameworks import strands

    with pytest.raises(ConfigError) as refused:
        strands.agent(Agent(model=_strands_model(), callback_handler=None), name="desk")  # type: ignore[arg-type]
    assert refused.value.code == "E960"


# Agent Framework


def _client() -> Any:
    from agent_framework import BaseChatClient, FunctionInvocationLayer

    class Unasked(FunctionInvocationLayer, BaseChatClient):  # type: ignore[misc]
        def _inner_get_response(self, **kwargs: Any) -> Any:
            raise AssertionError

    return Unasked()


async def test_a_workflow_of_agent_framework_is_governed_step_by_step() -> None:
    """Agents of a workflow ask the run's model one after another, and a tool of the second waits for a person."""
    pytest.importorskip("agent_framework")
    from agent_framework import Agent, WorkflowBuilder, tool

    from remit.frameworks import agent_framework

    paying = tool(pay)

    def build() -> Any:
        clerk = Agent(client=_client(), name="clerk", instructions="clerk")
        teller = Agent(client=_client(), name="teller", instructions="teller", tools=[paying])
        return WorkflowBuilder(start_executor=clerk).add_edge(clerk, teller).build()

    desk = agent_framework.agent(build, name="desk", contracts={"pay": ASK})
    assert [t.spec.name for t in desk.tools] == ["pay"]
    model = ScriptedModel(["pay 3, teller", call("pay", cents=3), "paid"])
    async with app_for_tests(desk, model=model) as app:
        result = await app.run(task(desk))
        assert (result.status, LEDGER) == ("needs_approval", [])
        await approve_all(app)
        found = await app.runs.result(result.run_id, "local")
    assert found is not None
    assert (found.status, found.result_payload, LEDGER) == ("success", "paid", ["paid 3"])
    assert len(model.requests) == 3


async def test_an_agent_of_agent_framework_used_as_a_tool_is_governed_inside() -> None:
    """An agent used as a tool runs as it is, and its own tool goes through the gateway."""
    pytest.importorskip("agent_framework")
    from agent_framework import Agent, tool

    from remit.frameworks import agent_framework

    teller = Agent(
        client=_client(), name="teller", description="Pays.", instructions="teller", tools=[tool(pay)]
    )
    lead = Agent(client=_client(), instructions="lead", tools=[teller.as_tool()])
    desk = agent_framework.agent(lead, name="desk", contracts={"pay": ASK})
    replies = [call("teller", task="pay 3"), call("pay", cents=3), "paid by the teller", "all done"]
    async with app_for_tests(desk, replies=replies) as app:
        result = await app.run(task(desk))
        assert (result.status, LEDGER) == ("needs_approval", [])
        await approve_all(app)
        found = await app.runs.result(result.run_id, "local")
    assert found is not None
    assert (found.result_payload, LEDGER) == ("all done", ["paid 3"])


# CrewAI


def _unasked(*, functions: bool) -> Any:
    """A model of a crew, which nobody asks: the run's route answers in its place."""
    from crewai import BaseLLM

    class Unasked(BaseLLM):
        def call(self, *args: Any, **kwargs: Any) -> Any:
            raise AssertionError

        def supports_function_calling(self) -> bool:
            return functions

    return Unasked(model="x")


async def test_a_crew_delegates_between_its_agents_and_is_governed() -> None:
    """Work that one agent of a crew gives another is no call; the other's tool waits for a person."""
    pytest.importorskip("crewai")
    from crewai import Agent, Crew, Task
    from crewai.tools import tool

    from remit.frameworks import crewai

    model = _unasked(functions=True)
    paying = tool("pay")(pay)

    def build() -> Crew:
        lead = Agent(role="lead", goal="g", backstory="b", allow_delegation=True, llm=model)
        teller = Agent(role="teller", goal="g", backstory="b", tools=[paying], llm=model)
        return Crew(
            agents=[lead, teller],
            tasks=[Task(description="{input}", expected_output="an answer", agent=lead)],
        )

    desk = crewai.agent(build, name="desk", contracts={"pay": ASK})
    asked = {"task": "pay 3", "context": "none", "coworker": "teller"}
    replies = [
        call("delegate_work_to_coworker", **asked),
        call("pay", cents=3),
        "paid by the teller",
        "all done",
    ]
    async with app_for_tests(desk, replies=replies) as app:
        result = await app.run(task(desk))
        assert (result.status, LEDGER) == ("needs_approval", [])
        await approve_all(app)
        found = await app.runs.result(result.run_id, "local")
    assert found is not None
    assert (found.result_payload, LEDGER) == ("all done", ["paid 3"])


async def test_a_crew_whose_model_writes_its_calls_as_text_is_governed() -> None:
    """A model class without function calling works too: its calls stand in its text."""
    pytest.importorskip("crewai")
    from crewai import Agent, Crew, Task
    from crewai.tools import tool

    from remit.frameworks import crewai

    model = _unasked(functions=False)
    paying = tool("pay")(pay)

    def build() -> Crew:
        clerk = Agent(role="clerk", goal="g", backstory="b", tools=[paying], llm=model)
        return Crew(
            agents=[clerk], tasks=[Task(description="{input}", expected_output="an answer", agent=clerk)]
        )

    desk = crewai.agent(build, name="desk", contracts={"pay": ACT})
    replies = [
        'Thought: I pay.\nAction: pay\nAction Input: {"cents": 3}\nObservation: made up',
        "Thought: I know.\nFinal Answer: done",
    ]
    async with app_for_tests(desk, replies=replies) as app:
        assert (await app.run(task(desk))).result_payload == "done"
    assert LEDGER == ["paid 3"]
