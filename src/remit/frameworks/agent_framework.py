"""Agents and workflows of Microsoft's Agent Framework, AutoGen's successor, as agents of Remit.

Every chat client is asked, and every function called, through one method of its base class. Outside a run of Remit they do
what they always did.
"""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Unpack

from remit.core.errors import ConfigError, InputError, ToolError
from remit.core.message import Block, Text, ToolResult, ToolUse
from remit.core.message import Message as Said
from remit.core.tool import ToolSpec
from remit.frameworks.bridge import Bridge, asking, current, in_thread
from remit.frameworks.conversation import ending_with_a_user, not_text, raw_arguments, urged, use_of
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
    from agent_framework import (
        BaseAgent,
        BaseChatClient,
        ChatResponse,
        ChatResponseUpdate,
        Content,
        FunctionTool,
        Message,
        Workflow,
    )
except ImportError as error:
    raise missing("agent-framework-core", "agentframework", error) from error

__all__ = ["agent", "colleague"]

_invoke = FunctionTool._invoke_function
_get_response = BaseChatClient.get_response


def agent(
    given: Any,
    *,
    name: str,
    tools: Iterable[FunctionTool] = (),
    ask: Callable[[Any], Any] | None = None,
    answer: Callable[[Any], Any] | None = None,
    **governance: Unpack[Governance],
) -> CodeAgent:
    """An agent, or a function that builds an agent or a workflow, as the agent `name`. A workflow keeps state, so it is built.

    `tools` are those that its agents do not hold from the start. `ask` makes the prompt of the task's input; `answer`
    makes the agent's answer of the result, by default its value or its text, and for a workflow its last output.
    Raises ConfigError E695, E960, E961.
    """
    install()
    build = (lambda: given) if isinstance(given, BaseAgent) else given
    first = given if isinstance(given, BaseAgent) else built(given, "Agent Framework")
    found = {t.name: t for t in (*_tools(first), *tools)}
    steering = {n for n, t in found.items() if _steers(t)} | set(governance.pop("steering", ()))

    def work(bridge: Bridge, input: Any) -> Any:
        asked = ask(input) if ask else text_of(input)
        return bridge.run_async(functools.partial(_run, build, asked, answer))

    return team(name, map(_described, found.values()), work, {**governance, "steering": steering})


def colleague(agent: str, description: str = "") -> FunctionTool:
    """A tool with which a model hands a task to an agent of Remit. Name the agent under `delegates` as well."""

    def delegate(objective: str) -> str:
        raise ConfigError(f"agent `{agent}` is there in a run of Remit only", code="E963")

    return FunctionTool(
        name=delegate_name(agent),
        description=description or f"Hand a task to the agent `{agent}` and get its result.",
        func=delegate,
    )


def install() -> None:
    """Put the seams in place. Doing it again changes nothing."""
    FunctionTool._invoke_function = _call
    BaseChatClient.get_response = _ask


@functools.wraps(_invoke)
async def _call(self: FunctionTool, call_kwargs: Mapping[str, Any]) -> Any:
    bridge = current()
    if bridge is None or not bridge.governs(self.name) or _steers(self):
        return await _invoke(self, call_kwargs)
    handed = {self._context_parameter_name} & call_kwargs.keys()

    async def perform(arguments: dict[str, Any]) -> Any:
        return await _invoke(self, {**{k: call_kwargs[k] for k in handed}, **arguments})

    arguments = {k: to_json(v) for k, v in call_kwargs.items() if k not in handed}
    answer = await bridge.call(self.name, arguments, perform)
    return told(answer) if isinstance(answer, ToolError) else answer


@functools.wraps(_get_response)
def _ask(self: BaseChatClient[Any], messages: Sequence[Message], **kwargs: Any) -> Any:
    bridge = asking()
    if bridge is None:
        return _get_response(self, messages, **kwargs)
    asked = copy.copy(self)  # all that the client does about a question stays; only who answers it is another
    asked._inner_get_response = functools.partial(_answered, asked, bridge)
    return _get_response(asked, messages, **kwargs)


def _answered(
    self: BaseChatClient[Any],
    bridge: Bridge,
    *,
    messages: Sequence[Message],
    stream: bool = False,
    options: Mapping[str, Any],
    **kwargs: Any,
) -> Any:
    format = options.get("response_format")

    async def whole() -> Any:
        said = await bridge.chat(**_question(messages, options))
        contents = list(_contents(said))
        finish: Any = "tool_calls" if said.tool_uses else "stop"
        return ChatResponse(
            messages=[Message("assistant", contents)], finish_reason=finish, response_format=format
        )

    async def pieces() -> AsyncIterator[ChatResponseUpdate]:
        made = await whole()
        yield ChatResponseUpdate(
            contents=made.messages[0].contents, role="assistant", finish_reason=made.finish_reason
        )

    return self._build_response_stream(pieces(), response_format=format) if stream else whole()


# a call


def _described(tool: FunctionTool) -> Described:
    async def alone(arguments: dict[str, Any]) -> Any:
        return await in_thread(lambda: tool(**arguments), tool=True)

    async def alone_async(arguments: dict[str, Any]) -> Any:
        return await _invoke(tool, arguments)

    is_async = inspect.iscoroutinefunction(tool.func)
    return Described(tool, tool.name, tool.description, tool.parameters(), alone_async if is_async else alone)


def _tools(thing: Any) -> Iterator[FunctionTool]:
    """The functions of an agent, or of a workflow's agents."""
    if isinstance(thing, Workflow):
        for executor in thing.executors.values():
            for part in vars(executor).values():
                if isinstance(part, BaseAgent | Workflow):
                    yield from _tools(part)
        return
    for tool in (getattr(thing, "default_options", None) or {}).get("tools") or ():
        if isinstance(tool, FunctionTool):
            yield tool
            yield from (t for cell in _cells(tool) if isinstance(cell, BaseAgent) for t in _tools(cell))


def _steers(tool: FunctionTool) -> bool:
    """Whether a function is an agent used as a tool, or hands over to one."""
    return tool.name.startswith("handoff_to_") or any(isinstance(cell, BaseAgent) for cell in _cells(tool))


def _cells(tool: FunctionTool) -> list[Any]:
    """What a tool's function holds on to."""
    return [cell.cell_contents for cell in getattr(tool.func, "__closure__", None) or ()]


# a question to a model


def _question(messages: Sequence[Message], options: Mapping[str, Any]) -> dict[str, Any]:
    system = [options.get("instructions") or ""]
    turns: list[tuple[Any, list[Block]]] = []
    for each in messages:
        if each.role == "system":
            system.append(each.text)
            continue
        speaker = "assistant" if each.role == "assistant" else "user"
        if not turns or turns[-1][0] != speaker:
            turns.append((speaker, []))
        turns[-1][1].extend(b for content in each.contents for b in _blocks(content))
    mode = options.get("tool_choice")
    wish: Any = mode.get("mode") if isinstance(mode, Mapping) else mode
    if isinstance(mode, Mapping) and mode.get("required_function_name"):
        wish = {"function": {"name": mode["required_function_name"]}}
    return {
        "messages": ending_with_a_user([Said(role, tuple(blocks)) for role, blocks in turns if blocks]),
        "tools": [_spec(t) for t in options.get("tools") or ()],
        "system": urged("\n\n".join(filter(None, system)), wish),
        "output_schema": _wanted(options.get("response_format")),
        "temperature": options.get("temperature"),
        "max_tokens": options.get("max_tokens"),
    }


def _spec(tool: Any) -> ToolSpec:
    if not isinstance(tool, FunctionTool):
        raise InputError(
            "a tool that runs at a model's provider cannot be governed",
            code="E965",
            help="give the agent a function that does the same",
        )
    return ToolSpec(tool.name, tool.description, tool.parameters())


def _blocks(content: Content) -> Iterator[Block]:
    kind = content.type
    if kind == "text":
        yield Text(content.text or "")
    elif kind == "function_call":
        yield use_of(content.call_id or "", content.name or "", content.arguments or {})
    elif kind == "function_result":
        result = content.result if content.exception is None else content.exception
        text = result if isinstance(result, str) else text_of(to_json(result))
        yield ToolResult(content.call_id or "", text, content.exception is not None)
    elif kind not in ("text_reasoning", "usage"):
        raise not_text(str(kind))


def _contents(said: Said) -> Iterator[Content]:
    for block in said.blocks:
        if isinstance(block, Text):
            yield Content.from_text(block.text)
        elif isinstance(block, ToolUse):
            yield Content.from_function_call(block.id, block.name, arguments=raw_arguments(block))


def _wanted(format: Any) -> dict[str, Any] | None:
    if isinstance(format, type):
        made: dict[str, Any] = format.model_json_schema()  # type: ignore[attr-defined]
        return made
    return dict(format) if isinstance(format, Mapping) else None


# a run


async def _run(build: Callable[[], Any], asked: Any, answer: Callable[[Any], Any] | None) -> Any:
    result = await build().run(asked)
    pending = getattr(result, "user_input_requests", None) or _requests(result)
    if pending:
        raise unanswerable("the agent asks a person itself")
    return to_json(answer(result) if answer else _answer(result))


def _requests(result: Any) -> Any:
    return result.get_request_info_events() if hasattr(result, "get_request_info_events") else ()


def _answer(result: Any) -> Any:
    if hasattr(result, "get_outputs"):
        outputs = result.get_outputs()
        if not outputs:
            raise InputError(
                "the workflow ended without an output", code="E966", help="let one of its steps give one"
            )
        return _answer(outputs[-1])
    if isinstance(result, list):
        return _answer(result[-1]) if result else ""
    if isinstance(result, Message):
        return result.text
    value = getattr(result, "value", None)
    if value is None and getattr(result, "messages", None):
        return result.messages[-1].text
    return result if value is None else value
