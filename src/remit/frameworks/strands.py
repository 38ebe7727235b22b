"""Strands agents, graphs and swarms as agents of Remit.

Every model is asked and every tool is called through the two stages of the middleware registry. Outside a run of Remit
they do what they always did.
"""

from __future__ import annotations

import functools
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from typing import Any, Unpack

from remit.core.errors import ConfigError, InputError, ToolError
from remit.core.message import Block, Message, Text, ToolResult, ToolUse
from remit.core.tool import ToolSpec
from remit.frameworks.bridge import Bridge, asking, current
from remit.frameworks.conversation import ending_with_a_user, not_text, raw_arguments, urged
from remit.frameworks.team import (
    Described,
    Governance,
    built,
    delegate_name,
    missing,
    team,
    text_of,
    unanswerable,
)
from remit.frameworks.tools import told
from remit.frameworks.values import to_json
from remit.sdk import CodeAgent

try:
    import strands
    from strands.middleware._registry import MiddlewareRegistry
    from strands.middleware.stages import ExecuteToolStage, InvokeModelStage
    from strands.models import Model
    from strands.multiagent.base import MultiAgentBase
    from strands.types._events import ToolInterruptEvent, ToolResultEvent
    from strands.types.tools import AgentTool
except ImportError as error:
    raise missing("strands-agents", "strands", error) from error

__all__ = ["agent", "colleague"]

_compose = MiddlewareRegistry.compose
_STEERING = frozenset({"_AgentAsTool", "StructuredOutputTool"})
_HAND_OFF = "handoff_to_agent"


def agent(
    build: Callable[[], Any],
    *,
    name: str,
    tools: Iterable[AgentTool] = (),
    ask: Callable[[Any], Any] | None = None,
    answer: Callable[[Any], Any] | None = None,
    **governance: Unpack[Governance],
) -> CodeAgent:
    """What `build` makes, an agent, a graph or a swarm, as the agent `name`: a new one each time, since it keeps its messages.

    `tools` are those that its agents do not hold from the start. `ask` makes the prompt of the task's input; `answer`
    makes the agent's answer of the result, by default its structured output or its text, and for a team the text of the
    node that came last. Raises ConfigError E695, E960, E961.
    """
    install()
    found = {t.tool_name: t for t in (*_tools(built(build, "strands")), *tools)}
    steering = {n for n, t in found.items() if _steers(t)} | set(governance.pop("steering", ()))

    def work(bridge: Bridge, input: Any) -> Any:
        asked = ask(input) if ask else text_of(input)
        return bridge.run_async(functools.partial(_run, build, asked, answer))

    return team(name, map(_described, found.values()), work, {**governance, "steering": steering})


def colleague(agent: str, description: str = "") -> AgentTool:
    """A tool with which a model hands a task to an agent of Remit. Name the agent under `delegates` as well."""

    def delegate(objective: str) -> str:
        """Hand over."""
        raise ConfigError(f"agent `{agent}` is there in a run of Remit only", code="E963")

    made: AgentTool = strands.tool(
        name=delegate_name(agent),
        description=description or f"Hand a task to the agent `{agent}` and get its result.",
    )(delegate)
    return made


def install() -> None:
    """Put the seams in place. Doing it again changes nothing."""
    MiddlewareRegistry.compose = _governed


@functools.wraps(_compose)
def _governed(self: MiddlewareRegistry, stage: Any, terminal: Any) -> Any:
    if stage is InvokeModelStage:
        terminal = functools.partial(_ask, terminal)
    elif stage is ExecuteToolStage:
        terminal = functools.partial(_call, terminal)
    return _compose(self, stage, terminal)


async def _ask(terminal: Any, context: Any) -> AsyncIterator[Any]:
    bridge = asking()
    asked = context if bridge is None else context.replace(model=_Asking(bridge))
    async for event in terminal(asked):
        yield event


async def _call(terminal: Any, context: Any) -> AsyncIterator[Any]:
    use, bridge = context.tool_use, current()
    if bridge is None or not bridge.governs(use["name"]) or type(context.tool).__name__ in _STEERING:
        async for event in terminal(context):
            yield event
        return

    async def perform(arguments: dict[str, Any]) -> Any:
        return await _performed(terminal(context.replace(tool_use={**use, "input": arguments})))

    given = use.get("input")
    answer = await bridge.call(use["name"], to_json(given) if isinstance(given, dict) else {}, perform)
    yield ToolResultEvent(_result(str(use.get("toolUseId")), answer))


# a call


async def _performed(events: AsyncIterator[Any]) -> Any:
    """What a tool answers, as it is journaled; what it raised is raised."""
    last: Any = None
    async for event in events:
        if isinstance(event, ToolInterruptEvent):
            raise unanswerable("a tool asks a person by `interrupt`")
        last = event
    error = getattr(last, "exception", None)
    if error is not None:
        raise error
    result = last.tool_result if isinstance(last, ToolResultEvent) else last
    content = result["content"]
    if result["status"] == "success" and len(content) == 1 and content[0].keys() == {"text"}:
        return content[0]["text"]
    return {"status": result["status"], "content": to_json(content)}


def _result(use_id: str, answer: Any) -> Any:
    if isinstance(answer, ToolError):
        return {"toolUseId": use_id, "status": "error", "content": [{"text": told(answer)}]}
    if isinstance(answer, dict) and answer.keys() == {"status", "content"}:
        return {"toolUseId": use_id, **answer}
    content = {"text": answer} if isinstance(answer, str) else {"json": answer}
    return {"toolUseId": use_id, "status": "success", "content": [content]}


def _described(tool: AgentTool) -> Described:
    spec: Mapping[str, Any] = tool.tool_spec

    async def alone(arguments: dict[str, Any]) -> Any:
        return await _performed(
            tool.stream({"toolUseId": "alone", "name": tool.tool_name, "input": arguments}, {})
        )

    return Described(tool, tool.tool_name, spec["description"], spec["inputSchema"]["json"], alone)


def _tools(thing: Any) -> Iterator[AgentTool]:
    """The tools of an agent, or of a team's agents."""
    if isinstance(thing, MultiAgentBase):
        for node in getattr(thing, "nodes", {}).values():
            yield from _tools(node.executor)
        return
    for tool in thing.tool_registry.registry.values():
        yield tool
        inner = getattr(tool, "_agent", None)
        if type(tool).__name__ == "_AgentAsTool" and inner is not None:
            yield from _tools(inner)


def _steers(tool: AgentTool) -> bool:
    return type(tool).__name__ in _STEERING or tool.tool_name == _HAND_OFF


# a question to a model


class _Asking(Model):
    """The run's model in the place of the agent's."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge

    def update_config(self, **model_config: Any) -> None:
        """Nothing is set here: the route is."""

    def get_config(self) -> dict[str, Any]:
        """Nothing is set here: the route is."""
        return {}

    async def structured_output(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        """Agents ask by `stream`."""
        raise InputError("ask for a structured output by `structured_output_model`", code="E965")
        yield

    async def stream(
        self, messages: Any, tool_specs: Any = None, system_prompt: str | None = None, **kwargs: Any
    ) -> AsyncIterator[Any]:
        """The answer of the run's model, as a stream of one piece."""
        choice = next(iter((kwargs.get("tool_choice") or {"auto": {}}).items()))
        wish = {"function": choice[1]} if choice[0] == "tool" else choice[0]
        said = await self._bridge.chat(
            _conversation(messages),
            tools=[ToolSpec(s["name"], s["description"], s["inputSchema"]["json"]) for s in tool_specs or ()],
            system=urged(system_prompt or "", wish),
        )
        for event in _stream(said):
            yield event


def _stream(said: Message) -> Iterator[Any]:
    yield {"messageStart": {"role": "assistant"}}
    for block in said.blocks:
        if isinstance(block, Text):
            yield {"contentBlockStart": {"start": {}}}
            yield {"contentBlockDelta": {"delta": {"text": block.text}}}
            yield {"contentBlockStop": {}}
        elif isinstance(block, ToolUse):
            yield {"contentBlockStart": {"start": {"toolUse": {"name": block.name, "toolUseId": block.id}}}}
            yield {"contentBlockDelta": {"delta": {"toolUse": {"input": raw_arguments(block)}}}}
            yield {"contentBlockStop": {}}
    yield {"messageStop": {"stopReason": "tool_use" if said.tool_uses else "end_turn"}}


def _conversation(messages: Iterable[Mapping[str, Any]]) -> list[Message]:
    made = [Message(m["role"], tuple(b for part in m["content"] for b in _blocks(part))) for m in messages]
    return ending_with_a_user([m for m in made if m.blocks])


def _blocks(part: Mapping[str, Any]) -> Iterator[Block]:
    if "text" in part:
        yield Text(part["text"])
    elif "toolUse" in part:
        use = part["toolUse"]
        yield ToolUse(use["toolUseId"], use["name"], to_json(use["input"]))
    elif "toolResult" in part:
        result = part["toolResult"]
        text = "\n".join(map(_told, result["content"]))
        yield ToolResult(result["toolUseId"], text, result.get("status") == "error")
    elif not part.keys() & {"reasoningContent", "cachePoint"}:
        raise not_text(next(iter(part), "content of no type"))


def _told(part: Mapping[str, Any]) -> str:
    if "text" in part:
        return str(part["text"])
    if "json" in part:
        return json.dumps(to_json(part["json"]))
    raise not_text(next(iter(part), "content of no type"))


# a run


async def _run(build: Callable[[], Any], asked: Any, answer: Callable[[Any], Any] | None) -> Any:
    result = await build().invoke_async(asked)
    if getattr(result, "interrupts", None):
        raise unanswerable("the agent stopped at an `interrupt`")
    return to_json(answer(result) if answer else _answer(result))


def _answer(result: Any) -> Any:
    nodes = getattr(result, "results", None)
    if nodes is None:
        structured = getattr(result, "structured_output", None)
        return str(result).strip() if structured is None else structured
    for node in nodes.values():
        if isinstance(node.result, Exception):
            raise node.result
    if not nodes:
        raise InputError(f"the team ended as `{result.status.value}` without an answer", code="E966")
    history = getattr(result, "node_history", None) or getattr(result, "execution_order", None)
    last = history[-1].node_id if history else list(nodes)[-1]
    return _answer(nodes[last].result)
