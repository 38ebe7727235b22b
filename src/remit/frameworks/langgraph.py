"""LangGraph graphs, and LangChain agents, which are such graphs, as agents of Remit."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Unpack

from remit.frameworks.bridge import Bridge
from remit.frameworks.team import Governance, missing, team, text_of, unanswerable
from remit.frameworks.values import to_json
from remit.sdk import CodeAgent

try:
    from langchain_core.messages import BaseMessage
    from langchain_core.tools import BaseTool
    from langgraph.pregel import Pregel

    from remit.frameworks import langchain
except ImportError as error:
    raise missing("langgraph", "langgraph", error) from error

__all__ = ["agent", "colleague"]

colleague = langchain.colleague


def agent(
    graph: Any,
    *,
    name: str,
    tools: Iterable[BaseTool] = (),
    ask: Callable[[Any], Any] | None = None,
    answer: Callable[[Any], Any] | None = None,
    config: Mapping[str, Any] | None = None,
    **governance: Unpack[Governance],
) -> CodeAgent:
    """A compiled graph, or a function that builds one, as the agent `name`.

    `tools` are those that its nodes call by themselves; tools of tool nodes are found. `ask` makes the graph's input of
    the task's, by default a message of a user, or the object itself; `answer` makes the agent's answer of the last state,
    by default its last message, or the state. `config` is handed to the graph. A checkpointer of the graph is left out:
    the journal is the checkpoint, and the graph runs again from the start on what it recorded.
    Raises ConfigError E695, E961.
    """
    langchain.install()
    built = _built(graph)
    found = {t.name: t for t in (*_tools(built), *tools)}
    steering = {t.name for t in found.values() if _steers(t)} | set(governance.pop("steering", ()))
    given = dict(config or {})

    def work(bridge: Bridge, input: Any) -> Any:
        made = built if built is graph else _built(graph)
        asked = ask(input) if ask else _asked(made, input)
        return bridge.run_async(functools.partial(_run, made, asked, given, answer))

    return team(name, map(langchain.described, found.values()), work, {**governance, "steering": steering})


async def _run(graph: Pregel[Any, Any, Any, Any], asked: Any, config: Any, answer: Any) -> Any:
    state = await graph.ainvoke(asked, config)
    if isinstance(state, dict) and state.get("__interrupt__"):
        raise unanswerable("the graph stopped at an `interrupt`")
    return to_json(answer(state) if answer else _answer(state))


def _built(graph: Any) -> Pregel[Any, Any, Any, Any]:
    made: Pregel[Any, Any, Any, Any] = graph if isinstance(graph, Pregel) else graph()
    return made.copy(update={"checkpointer": None}) if made.checkpointer else made


def _asked(graph: Pregel[Any, Any, Any, Any], input: Any) -> Any:
    if isinstance(input, dict) or "messages" not in graph.channels:
        return input
    return {"messages": [{"role": "user", "content": text_of(input)}]}


def _answer(state: Any) -> Any:
    if not isinstance(state, dict) or not state.get("messages"):
        return state
    last = state["messages"][-1]
    if state.get("structured_response") is not None:
        return state["structured_response"]
    return str(last.text) if isinstance(last, BaseMessage) else last


def _tools(thing: Any) -> Iterator[BaseTool]:
    """The tools of a graph's tool nodes, those of graphs inside it too."""
    if isinstance(thing, Pregel):
        for node in thing.nodes.values():
            yield from _tools(node.bound)
    elif hasattr(thing, "tools_by_name"):
        yield from thing.tools_by_name.values()
    for part in getattr(thing, "steps", ()):
        yield from _tools(part)


def _steers(tool: BaseTool) -> bool:
    """Whether a tool says that it hands the graph over."""
    code = getattr(tool, "func", None) or getattr(tool, "coroutine", None)
    returns = getattr(code, "__annotations__", {}).get("return", "")
    return "Command" in str(returns) or "__handoff_destination" in (tool.metadata or {})
