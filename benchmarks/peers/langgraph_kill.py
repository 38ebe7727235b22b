"""LangGraph's side of the kill test: an agent graph whose tool charges the bank. Run under `.bench/langgraph`.

SqliteSaver, write-ahead log, synchronous FULL, durability "sync": the safest setting there is. The idempotency key is
the tool call's id within the thread, which the checkpoint keeps stable over a resume. Recovery: invoke the thread with
no new input, as LangGraph documents.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from pathlib import Path
from typing import Any

os.environ["LANGSMITH_TRACING"] = "false"
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.bank_client import charge
from common.killable import FINISHED, Job, kill_point, reference, serve
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, MessagesState, StateGraph


class RecordPoints(SqliteSaver):
    """The saver, with the point `after_record`: the checkpoint that holds the tool's answer has been committed."""

    def put(self, config: Any, checkpoint: Any, metadata: Any, new_versions: Any) -> Any:
        saved = super().put(config, checkpoint, metadata, new_versions)
        messages = checkpoint["channel_values"].get("messages", [])
        if messages and isinstance(messages[-1], ToolMessage):
            kill_point("after_record", len(messages) // 2 - 1)
        return saved


def route(state: MessagesState) -> str:
    """To the tool while the model asks for one, else to the end."""
    return "tools" if state["messages"][-1].tool_calls else END


def build(job: Job, saver: SqliteSaver) -> Any:
    """The agent: a scripted model that asks for `job.effects` charges, and the tool that makes them."""

    def model(state: MessagesState) -> dict[str, Any]:
        turn = len(state["messages"]) // 2
        call = {"name": "charge", "args": {"n": turn}, "id": f"call-{turn}"}
        return {"messages": [AIMessage("", tool_calls=[call] if turn < job.effects else [])]}

    def tools(state: MessagesState) -> dict[str, Any]:
        call = state["messages"][-1].tool_calls[0]
        index = call["args"]["n"]
        kill_point("before_effect", index)
        entry = charge(job.bank, reference(job.run, index), f"{job.run}/{call['id']}")
        kill_point("after_effect", index)
        return {"messages": [ToolMessage(str(entry["seq"]), tool_call_id=call["id"])]}

    graph = StateGraph(MessagesState)
    graph.add_node("model", model)
    graph.add_node("tools", tools)
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", route, ["tools", END])
    graph.add_edge("tools", "model")
    return graph.compile(checkpointer=saver)


def attempt(job: Job) -> int:
    """Start the thread, or resume it from its last checkpoint."""
    connection = sqlite3.connect(job.database, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    graph = build(job, RecordPoints(connection))
    config = {"configurable": {"thread_id": job.run}, "recursion_limit": 4 * job.effects}
    begun = graph.get_state(config).values
    graph.invoke(None if begun else {"messages": [HumanMessage("charge")]}, config, durability="sync")
    return FINISHED


if __name__ == "__main__":
    serve(attempt)
