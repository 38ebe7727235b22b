"""A team that charges a bank again and again, as a process that can be killed at any instant (see `common.killable`).

Usage: python charging.py FRAMEWORK EFFECT. The bank, the points and the supervisor are those of benchmarks/kill.py.
"""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "benchmarks"))

from benchmarks.kill import looked_up
from common.bank_client import charge
from common.killable import FAILED, FINISHED, IN_DOUBT, Job, kill_point, reference, serve

import remit.adapters.store.sqlite  # noqa: F401  (before the fork, not in every attempt)
from frameworklib.teams import Team
from remit import CodeAgent, Pack, Task, open_app
from remit.adapters.model.scripted import ScriptedModel
from remit.core.message import Message, ToolUse, assistant
from remit.engine.models import Route
from remit.frameworks import Contract, served_call
from remit.ports.model import ModelRequest
from remit.settings import Settings


def next_charge(request: ModelRequest) -> Message:
    """The scripted model: asks for the next charge until there have been enough."""
    turn = sum(m.role == "assistant" for m in request.messages)
    wanted = re.search(r"charge (\d+)", request.messages[0].text)
    assert wanted is not None
    if turn >= int(wanted.group(1)):
        return assistant("done")
    return Message("assistant", (ToolUse(f"call-{turn}", "charge_once", {"index": turn}),))


def charger(framework: str, job: Job, effect: Any) -> CodeAgent:
    """The team, whose tool charges the bank of the job and dies where the job says."""

    def charge_once(index: int) -> int:
        """Charge the account."""
        kill_point("before_effect", index)
        entry = charge(job.bank, reference(job.run, index), served_call().idempotency_key)
        kill_point("after_effect", index)
        return int(entry["seq"])

    contract = Contract(
        risk="L1",
        effect="plain" if effect == "lookup" else effect,
        trust="trusted",
        # A lookup that says no is believed only when the first call can no longer be on its way.
        timeout_s=2 if effect == "lookup" else 30,
        reconcile=(lambda key: looked_up(job.bank, key)) if effect == "lookup" else None,
    )
    if framework == "langgraph":
        return node_of_langgraph(charge_once, contract)
    made = Team(framework).agent([charge_once], {"charge_once": contract})
    assert isinstance(made, CodeAgent)
    return made


def node_of_langgraph(function: Any, contract: Contract) -> CodeAgent:
    """A graph of two nodes, of which one calls the tool by itself."""
    from langchain_core.language_models import FakeListChatModel
    from langchain_core.messages import ToolMessage
    from langchain_core.tools import tool
    from langgraph.graph import END, START, MessagesState, StateGraph

    from remit.frameworks import langgraph

    model, charge_tool = FakeListChatModel(responses=["never asked"]), tool(function)

    def think(state: MessagesState) -> Any:
        return {"messages": [model.invoke(state["messages"])]}

    def act(state: MessagesState) -> Any:
        (asked,) = state["messages"][-1].tool_calls
        return {"messages": [ToolMessage(str(charge_tool.invoke(asked["args"])), tool_call_id=asked["id"])]}

    graph = StateGraph(MessagesState)
    graph.add_node("think", think)
    graph.add_node("act", act)
    graph.add_edge(START, "think")
    graph.add_conditional_edges(
        "think", lambda s: "act" if s["messages"][-1].tool_calls else END, ["act", END]
    )
    graph.add_edge("act", "think")
    return langgraph.agent(
        graph.compile(),
        name="desk",
        tools=[charge_tool],
        contracts={"charge_once": contract},
        config={"recursion_limit": 200},
    )


async def drive(framework: str, job: Job, effect: str) -> int:
    """Submit, which finds a run that is there, and advance: under its own name a worker takes its run up at once."""
    database, (name, _, index) = Path(job.database), job.kill_point.partition(":")
    fault = f"after:append:EffectDone#{int(index) + 1}" if name == "after_record" else ""
    app = open_app(
        Settings(home=database.parent, store=f"sqlite:///{database}", durability="full", fault=fault),
        packs=[Pack("kill", agents=[charger(framework, job, effect)])],
        models={"scripted": ScriptedModel([next_charge], cycle=True)},
        routes={"default": Route("scripted", "script")},
        worker_id="kill",
    )
    async with app:
        task = Task(task_id=job.run, agent="desk", objective=f"charge {job.effects}")
        run_id = await app.runs.submit(task)
        await app.engine.advance(run_id)
        result = await app.runs.result(run_id, task.tenant_id)
        if result is None:
            return FAILED
        return FINISHED if result.status == "success" else IN_DOUBT if result.waiting_on else FAILED


if __name__ == "__main__":
    framework, effect = sys.argv[1:]
    charger(framework, Job("import", "", "", 0), effect)  # its imports, once and not in every attempt
    serve(lambda job: asyncio.run(drive(framework, job, effect)))
