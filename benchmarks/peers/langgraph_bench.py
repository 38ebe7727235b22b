"""LangGraph: cost of a turn, of a durable step, of a parked run. Run under `.bench/langgraph`.

The headline graph is the cheapest the framework allows for an agent: two plain node functions (model, tool) on
`MessagesState`, no prebuilt agent around them, so nothing but LangGraph itself is measured. The prebuilt agent is
reported beside it. A run is 10 turns: 10 model calls that ask for `add`, 10 tool calls, one final answer = 21 steps.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sqlite3
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

os.environ["LANGSMITH_TRACING"] = "false"
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import aiosqlite
from common.measure import (
    Json,
    at_once,
    build_us,
    database_bytes,
    emit,
    import_ms,
    one_by_one,
    options,
    parked_runs,
    rss_bytes,
    sample,
    scratch,
    seconds_of,
    spread_ms,
    versions,
)
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import create_react_agent
from langgraph.types import interrupt

TURNS = 10
STEPS = 2 * TURNS + 1
QUESTION = {"messages": [HumanMessage("add")]}
IMPORTS = {
    "graph": "from langgraph.graph import END, START, MessagesState, StateGraph",
    "graph_and_sqlite_saver": "from langgraph.graph import END, START, MessagesState, StateGraph; "
    "from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver",
    "prebuilt_agent": "from langgraph.prebuilt import create_react_agent; from langchain_core.tools import tool",
}


def next_message(messages: list[BaseMessage]) -> AIMessage:
    """The scripted model: asks for `add` ten times, then answers. Two messages a turn say where it is."""
    turn = len(messages) // 2
    if turn == TURNS:
        return AIMessage("done")
    return AIMessage("", tool_calls=[{"name": "add", "args": {"a": turn, "b": 1}, "id": f"call-{turn}"}])


def model(state: MessagesState) -> Json:
    """Model node."""
    return {"messages": [next_message(state["messages"])]}


def tools(state: MessagesState) -> Json:
    """Tool node: adds the two numbers of the newest call."""
    call = state["messages"][-1].tool_calls[0]
    return {"messages": [ToolMessage(str(call["args"]["a"] + call["args"]["b"]), tool_call_id=call["id"])]}


async def amodel(state: MessagesState) -> Json:
    """Model node for the event loop (a plain function would cost a thread hop each step)."""
    return model(state)


async def atools(state: MessagesState) -> Json:
    """Tool node for the event loop."""
    return tools(state)


def parked_tools(state: MessagesState) -> Json:
    """Tool node that waits for a person first."""
    interrupt({"approve": state["messages"][-1].tool_calls[0]})
    return tools(state)


def route(state: MessagesState) -> str:
    """To the tool while the model asks for one, else to the end."""
    return "tools" if state["messages"][-1].tool_calls else END


def build(model_node: Any = model, tool_node: Any = tools, saver: Any = None) -> Any:
    """The two-node agent graph."""
    graph = StateGraph(MessagesState)
    graph.add_node("model", model_node)
    graph.add_node("tools", tool_node)
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", route, ["tools", END])
    graph.add_edge("tools", "model")
    return graph.compile(checkpointer=saver)


class ScriptedChat(BaseChatModel):
    """The same script as a chat model, for the prebuilt agent."""

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **kwargs: Any) -> ScriptedChat:
        return self

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=next_message(messages))])


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def build_prebuilt() -> Any:
    """The prebuilt ReAct agent with one tool."""
    return create_react_agent(ScriptedChat(), [add])


def config(thread: object) -> Json:
    """A run's configuration: its thread, and room for all its steps."""
    return {"configurable": {"thread_id": str(thread)}, "recursion_limit": 4 * STEPS}


def checked(result: Json) -> Json:
    """The result, if all turns really ran."""
    assert len(result["messages"]) == 2 * TURNS + 2, len(result["messages"])
    return result


def in_memory(quick: bool) -> Json:
    """Milliseconds a turn without a checkpointer: the two-node graph and the prebuilt agent."""
    runs = 3 if quick else 20
    minimal, prebuilt = build(), build_prebuilt()
    return {
        "minimal_graph": spread_ms(sample(lambda: checked(minimal.invoke(QUESTION, config(0))), runs), TURNS),
        "prebuilt_agent": spread_ms(
            sample(lambda: checked(prebuilt.invoke(QUESTION, config(0))), runs), TURNS
        ),
    }


def open_database(path: Path, synchronous: str) -> sqlite3.Connection:
    """A connection for SqliteSaver, write-ahead log, at the given `PRAGMA synchronous`."""
    connection = sqlite3.connect(path, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA synchronous={synchronous}")
    return connection


def alone(path: Path, synchronous: str, durability: str, runs: int) -> Json:
    """One run after another with SqliteSaver: milliseconds a turn and durable steps a second."""
    connection = open_database(path, synchronous)
    graph, threads = build(saver=SqliteSaver(connection)), iter(range(10_000))
    times = sample(
        lambda: checked(graph.invoke(QUESTION, config(next(threads)), durability=durability)), runs
    )
    pragmas = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    connection.close()
    size = database_bytes(path) // (runs + 2)
    return one_by_one(times, TURNS, STEPS) | {"pragma_read_back": pragmas, "database_bytes_per_run": size}


def threaded(path: Path, synchronous: str, durability: str, concurrent: int, repeats: int) -> Json:
    """Concurrent runs in a pool of 16 threads on one SqliteSaver."""
    connection = open_database(path, synchronous)
    graph = build(saver=SqliteSaver(connection))
    names = itertools.count()

    def run(name: int) -> Json:
        return checked(graph.invoke(QUESTION, config(name), durability=durability))

    def batch() -> None:
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(run, itertools.islice(names, concurrent)))

    times = sample(batch, repeats, warmup=1)
    connection.close()
    return at_once(times, concurrent, STEPS)


async def gathered(
    path: Path, synchronous: str, durability: str, concurrent: int, repeats: int
) -> list[float]:
    """Wall seconds of each batch of `asyncio.gather`ed runs on one event loop and one AsyncSqliteSaver."""
    async with aiosqlite.connect(path) as connection:
        await connection.execute("PRAGMA journal_mode=WAL")
        await connection.execute(f"PRAGMA synchronous={synchronous}")
        graph = build(amodel, atools, AsyncSqliteSaver(connection))
        times = [await gather_once(graph, repeat, concurrent, durability) for repeat in range(repeats + 1)]
    return times[1:]


def gather_times(path: Path, synchronous: str, durability: str, concurrent: int, repeats: int) -> list[float]:
    """`gathered`, on an event loop of its own."""
    return asyncio.run(gathered(path, synchronous, durability, concurrent, repeats))


async def gather_once(graph: Any, repeat: int, concurrent: int, durability: str) -> float:
    """Wall seconds of one batch of concurrent runs."""
    started = time.perf_counter()
    runs = [
        graph.ainvoke(QUESTION, config(f"{repeat}-{n}"), durability=durability) for n in range(concurrent)
    ]
    for result in await asyncio.gather(*runs):
        checked(result)
    return time.perf_counter() - started


def checkpointed(synchronous: str, durability: str, quick: bool) -> Json:
    """Alone and with 100 runs at once, with the blocking and the asynchronous saver, each on a fresh database."""
    runs, concurrent, repeats = (2, 10, 1) if quick else (20, 100, 3)
    how = (synchronous, durability)
    with scratch() as directory:
        return {
            "alone_sync_saver": alone(directory / "a.db", *how, runs),
            "alone_async_saver": one_by_one(gather_times(directory / "b.db", *how, 1, runs), TURNS, STEPS),
            "concurrent_gather": at_once(
                gather_times(directory / "c.db", *how, concurrent, repeats), concurrent, STEPS
            ),
            "concurrent_threads": threaded(directory / "d.db", *how, concurrent, repeats),
        }


def parked(count: int) -> Json:
    """Memory and disk of runs that wait at an interrupt."""
    with scratch() as directory:
        connection = open_database(directory / "parked.db", "NORMAL")
        graph = build(tool_node=parked_tools, saver=SqliteSaver(connection))
        graph.invoke(QUESTION, config("warm"), durability="sync")
        empty, before = database_bytes(directory / "parked.db"), rss_bytes()
        seconds = seconds_of(
            lambda: [graph.invoke(QUESTION, config(n), durability="sync") for n in range(count)]
        )
        grown = rss_bytes() - before
        assert graph.get_state(config(count - 1)).next == ("tools",)
        connection.close()
        return parked_runs(count, seconds, grown, database_bytes(directory / "parked.db") - empty)


def measure(quick: bool) -> Json:
    """All of LangGraph's figures."""
    builds = 20 if quick else 200
    imports = {"graph": IMPORTS["graph"]} if quick else IMPORTS
    return {
        "peer": "langgraph",
        "versions": versions("langgraph", "langgraph-checkpoint-sqlite", "langchain-core", "aiosqlite"),
        "sqlite": sqlite3.sqlite_version,
        "turns_per_run": TURNS,
        "steps_per_run": STEPS,
        "import_ms": {name: import_ms(line, 1 if quick else 5) for name, line in imports.items()},
        "parked": parked(50 if quick else 10_000),
        "build_us": {
            "minimal_graph": build_us(build, builds),
            "prebuilt_agent": build_us(build_prebuilt, builds),
        },
        "turn_ms": in_memory(quick),
        "durable": {
            "wal_normal_sync": checkpointed("NORMAL", "sync", quick),
            "wal_full_sync": checkpointed("FULL", "sync", quick),
            "wal_full_async": checkpointed("FULL", "async", quick),
        },
        "notes": [
            "parked is measured first, before other work leaves free memory that would hide its growth",
            "minimal_graph = two plain node functions on MessagesState: the cheapest agent graph LangGraph allows",
            "wal_full_async = durability='async', the framework's default: a step may run before the last is on disk",
            "all concurrent runs share one connection and one saver, as both savers are made to be used",
            "concurrent_threads (16 threads, SqliteSaver) beats concurrent_gather: compare with the better of the two",
            "beta DeltaChannel state was tried: within 10% of MessagesState at 21 steps, so the stable one is used",
        ],
    }


if __name__ == "__main__":
    quick = options(__doc__).quick
    emit(lambda: measure(quick))
