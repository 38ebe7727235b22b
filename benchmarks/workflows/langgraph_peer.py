"""LangGraph: the machine of 20 states and a fan-out, with its SQLite saver. Run under `.bench/langgraph`.

A state that adds is a node, a choice is a conditional edge, as LangGraph has it: an edge is no step and is not stored.
"""

from __future__ import annotations

import asyncio
import itertools
import operator
import os
import sqlite3
import statistics
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any, TypedDict

os.environ["LANGSMITH_TRACING"] = "false"
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import aiosqlite
from common.measure import Json, at_once, emit, options, sample, scratch, seconds_of, spread_ms, versions
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

ADDS = 10
STATES = 2 * ADDS
FANNED = 1000


class Count(TypedDict):
    """What goes through the machine."""

    n: int


class Fan(TypedDict):
    """What goes through the fan-out."""

    items: list[int]
    done: Annotated[list[int], operator.add]


def add(state: Count) -> Count:
    """One more."""
    return {"n": state["n"] + 1}


async def aadd(state: Count) -> Count:
    """One more, on the event loop."""
    return {"n": state["n"] + 1}


def machine(node: Any, saver: Any) -> Any:
    """Ten nodes, each followed by a choice."""
    graph = StateGraph(Count)
    for n in range(ADDS):
        graph.add_node(f"add{n}", node)
    graph.add_edge(START, "add0")
    for n in range(ADDS):
        after = f"add{n + 1}" if n + 1 < ADDS else END
        graph.add_conditional_edges(
            f"add{n}", lambda state, n=n: "on" if state["n"] > n else "off", {"on": after, "off": END}
        )
    return graph.compile(checkpointer=saver)


def fan(saver: Any) -> Any:
    """A node for each item, all in one step."""
    graph = StateGraph(Fan)
    graph.add_node("add", lambda n: {"done": [n + 1]})
    graph.add_conditional_edges(START, lambda state: [Send("add", n) for n in state["items"]], ["add"])
    graph.add_edge("add", END)
    return graph.compile(checkpointer=saver)


def config(thread: object) -> Json:
    """A run's configuration."""
    return {"configurable": {"thread_id": str(thread)}, "recursion_limit": 10 * STATES}


def connect(path: Path, synchronous: str) -> sqlite3.Connection:
    """A connection for SqliteSaver, write-ahead log, at the given `PRAGMA synchronous`."""
    connection = sqlite3.connect(path, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA synchronous={synchronous}")
    return connection


def run(graph: Any, thread: object, durability: str) -> None:
    """One run in this thread."""
    assert graph.invoke({"n": 0}, config(thread), durability=durability) == {"n": ADDS}


def alone(path: Path, synchronous: str, durability: str, runs: int) -> list[float]:
    """Wall seconds of each of several runs, one after another."""
    connection, names = connect(path, synchronous), itertools.count()
    graph = machine(add, SqliteSaver(connection))
    times = sample(lambda: run(graph, next(names), durability), runs)
    connection.close()
    return times


def threaded(path: Path, synchronous: str, durability: str, width: int, batches: int) -> list[float]:
    """Wall seconds of batches of runs in a pool of 16 threads."""
    connection, names = connect(path, synchronous), itertools.count()
    graph = machine(add, SqliteSaver(connection))

    def batch() -> None:
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda n: run(graph, n, durability), itertools.islice(names, width)))

    times = sample(batch, batches, warmup=1)
    connection.close()
    return times


async def gathered(path: Path, synchronous: str, durability: str, width: int, batches: int) -> list[float]:
    """Wall seconds of batches of runs on one event loop."""
    async with aiosqlite.connect(path) as connection:
        await connection.execute("PRAGMA journal_mode=WAL")
        await connection.execute(f"PRAGMA synchronous={synchronous}")
        graph, clock, times = machine(aadd, AsyncSqliteSaver(connection)), asyncio.get_running_loop().time, []
        for batch in range(batches + 1):
            started = clock()
            runs = [
                graph.ainvoke({"n": 0}, config(f"{batch}-{n}"), durability=durability) for n in range(width)
            ]
            assert await asyncio.gather(*runs) == [{"n": ADDS}] * width
            times.append(clock() - started)
    return times[1:]


def durable(synchronous: str, durability: str, quick: bool) -> Json:
    """Alone and many at once, the better of threads and event loop, each on a fresh database."""
    runs, width, batches = (3, 10, 1) if quick else (50, 100, 3)
    how = (synchronous, durability)
    with scratch() as directory:
        single = alone(directory / "a.db", *how, runs)
        ways = {
            "threads": threaded(directory / "b.db", *how, width, batches),
            "event loop": asyncio.run(gathered(directory / "c.db", *how, width, batches)),
        }
    best = min(ways, key=lambda way: statistics.median(ways[way]))
    return {
        "transition_ms": spread_ms(single, STATES),
        "transitions_per_second": round(STATES / statistics.median(single), 1),
        "at_once": {**at_once(ways[best], width, STATES), "way": best},
    }


def fanned(quick: bool) -> Json:
    """A step of 1,000 nodes."""
    size = 50 if quick else FANNED
    with scratch() as directory:
        connection = connect(directory / "fan.db", "NORMAL")
        graph, names = fan(SqliteSaver(connection)), itertools.count()

        def once() -> None:
            made = graph.invoke(
                {"items": list(range(size)), "done": []}, config(next(names)), durability="sync"
            )
            assert len(made["done"]) == size

        seconds = [seconds_of(once) for _ in range(1 if quick else 3)]
        connection.close()
    median = statistics.median(seconds)
    return {"branches": size, "seconds": round(median, 3), "branches_per_second": round(size / median)}


def measure(quick: bool) -> Json:
    """All of LangGraph's figures."""
    return {
        "peer": "langgraph",
        "versions": versions("langgraph", "langgraph-checkpoint-sqlite"),
        "durable": {
            "wal_normal": durable("NORMAL", "sync", quick),
            "wal_full": durable("FULL", "sync", quick),
            "wal_normal_exit": durable("NORMAL", "exit", quick),
            "wal_full_exit": durable("FULL", "exit", quick),
        },
        "fanned": fanned(quick),
        "notes": [
            "exit = durability='exit': nothing is stored before the run's end, so nothing survives a crash"
        ],
    }


if __name__ == "__main__":
    quick = options(__doc__).quick
    emit(lambda: measure(quick))
