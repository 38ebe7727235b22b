"""LangChain's seams: every chat model is asked, and every tool is called, through a few methods of its base classes.

Outside a run of Remit they do what they always did.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.llms import BaseLLM
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage, convert_to_openai_messages
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import BaseTool, StructuredTool, Tool
from langchain_core.utils.function_calling import convert_to_openai_tool

from remit.core.errors import ConfigError, InputError, ToolError
from remit.core.message import Message
from remit.frameworks.bridge import asking, current, in_thread
from remit.frameworks.conversation import conversation, offered, raw_arguments, urged
from remit.frameworks.team import Described, delegate_name
from remit.frameworks.tools import told
from remit.frameworks.values import to_json

_run, _arun = BaseTool.run, BaseTool.arun
_generate, _agenerate = BaseChatModel._generate_with_cache, BaseChatModel._agenerate_with_cache
_BLOCKING = (BaseTool._arun, StructuredTool._arun, Tool._arun)


@functools.wraps(_run)
def run(self: BaseTool, tool_input: Any, *args: Any, **kwargs: Any) -> Any:
    """Call a tool, in a run through its gateway."""
    bridge = current()
    if bridge is None or not bridge.governs(self.name):
        return _run(self, tool_input, *args, **kwargs)
    arguments, injected = _split(self, tool_input)

    async def perform(agreed: dict[str, Any]) -> Any:
        work = functools.partial(_run, self, {**injected, **agreed}, *args, **kwargs)
        return _kept(self, await in_thread(work, tool=True))

    return _answer(self, bridge.call_now(self.name, arguments, perform), kwargs.get("tool_call_id"))


@functools.wraps(_arun)
async def arun(self: BaseTool, tool_input: Any, *args: Any, **kwargs: Any) -> Any:
    """Call a tool, in a run through its gateway."""
    bridge = current()
    if bridge is None or not bridge.governs(self.name):
        return await _arun(self, tool_input, *args, **kwargs)
    arguments, injected = _split(self, tool_input)

    async def perform(agreed: dict[str, Any]) -> Any:
        return _kept(self, await _arun(self, {**injected, **agreed}, *args, **kwargs))

    return _answer(self, await bridge.call(self.name, arguments, perform), kwargs.get("tool_call_id"))


@functools.wraps(_generate)
def generate(
    self: BaseChatModel, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
) -> ChatResult:
    """Ask a model, in a run the run's own."""
    bridge = asking()
    if bridge is None:
        return _generate(self, messages, stop, run_manager, **kwargs)
    return _result(bridge.chat_now(**_asked(self, messages, kwargs)), kwargs)


@functools.wraps(_agenerate)
async def agenerate(
    self: BaseChatModel, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
) -> ChatResult:
    """Ask a model, in a run the run's own."""
    bridge = asking()
    if bridge is None:
        return await _agenerate(self, messages, stop, run_manager, **kwargs)
    return _result(await bridge.chat(**_asked(self, messages, kwargs)), kwargs)


def _quiet(original: Callable[..., bool]) -> Callable[..., bool]:
    """A run streams its model's answers itself, so a model that is asked to stream answers in one piece."""

    @functools.wraps(original)
    def streams(self: Any, **kwargs: Any) -> bool:
        return asking() is None and original(self, **kwargs)

    return streams


def _closed(original: Callable[..., Any]) -> Callable[..., Any]:
    """What would get past a run's gateway."""

    @functools.wraps(original)
    def refused(self: Any, *args: Any, **kwargs: Any) -> Any:
        if asking() is not None:
            raise InputError(
                f"`{type(self).__name__}` is asked in a way that a run cannot govern",
                code="E965",
                help="ask a chat model, by `invoke` or `stream`",
            )
        return original(self, *args, **kwargs)

    return refused


def install() -> None:
    """Put the seams in place. Doing it again changes nothing."""
    if BaseTool.run is run:
        return
    BaseTool.run, BaseTool.arun = run, arun
    BaseChatModel._generate_with_cache = generate
    BaseChatModel._agenerate_with_cache = agenerate
    BaseChatModel._should_stream = _quiet(BaseChatModel._should_stream)
    for owner, name in (
        (BaseChatModel, "_iter_v2_events"),
        (BaseChatModel, "_aiter_v2_events"),
        (BaseLLM, "generate"),
        (BaseLLM, "agenerate"),
    ):
        if hasattr(owner, name):
            setattr(owner, name, _closed(getattr(owner, name)))


def described(tool: BaseTool) -> Described:
    """A LangChain tool as Remit registers it."""

    async def alone(arguments: dict[str, Any]) -> Any:
        if getattr(tool, "coroutine", None) is None and type(tool)._arun in _BLOCKING:
            return _kept(tool, await in_thread(functools.partial(_run, tool, arguments), tool=True))
        return _kept(tool, await _arun(tool, arguments))

    return Described(tool, tool.name, tool.description, _schema(tool), alone)


def colleague(agent: str, description: str = "") -> StructuredTool:
    """A tool with which a model hands a task to an agent of Remit. Name the agent under `delegates` as well."""

    def delegate(**arguments: Any) -> Any:
        raise ConfigError(f"agent `{agent}` is there in a run of Remit only", code="E963")

    schema = {
        "title": delegate_name(agent),
        "type": "object",
        "properties": {
            "objective": {"type": "string", "description": "What the other agent should achieve."}
        },
        "required": ["objective"],
    }
    return StructuredTool.from_function(
        delegate,
        name=delegate_name(agent),
        description=description or f"Hand a task to the agent `{agent}` and get its result.",
        args_schema=schema,
    )


# a call


def _split(tool: BaseTool, given: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a model may say of a call, as JSON, and what the framework hands its tool besides: state, stores, ids."""
    names = _names(tool)
    if not isinstance(given, dict):
        return {(names or ("input",))[0]: to_json(given)}, {}
    hidden = tool._injected_args_keys
    injected = {k: v for k, v in given.items() if k in hidden or (k not in names and not _is_json(v))}
    return {k: to_json(v) for k, v in given.items() if k not in injected}, injected


def _names(tool: BaseTool) -> tuple[str, ...]:
    schema = tool.args_schema
    if hasattr(schema, "model_fields"):
        return tuple(schema.model_fields)
    return tuple(_schema(tool).get("properties", ()))


def _schema(tool: BaseTool) -> dict[str, Any]:
    """What a model is shown of a tool's arguments."""
    shown = tool.tool_call_schema
    schema: dict[str, Any] = shown if isinstance(shown, dict) else shown.model_json_schema()
    return schema


def _is_json(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str | list | dict)


def _kept(tool: BaseTool, answer: Any) -> Any:
    """An answer as it is journaled. Raises ConfigError E963 for one that steers the graph."""
    if type(answer).__name__ in ("Command", "Send"):
        raise ConfigError(
            f"tool `{tool.name}` steers the graph",
            code="E963",
            help="list it under `steering`: it is no effect",
        )
    if not isinstance(answer, ToolMessage):
        return to_json(answer)
    content = to_json(answer.content)
    if answer.status == "success" and answer.artifact is None:
        return content
    return {"content": content, "status": answer.status, "artifact": to_json(answer.artifact)}


def _answer(tool: BaseTool, answer: Any, call_id: str | None) -> Any:
    """An answer as the framework expects it: a message where a model asked."""
    if isinstance(answer, ToolError):
        if call_id is None:
            raise answer
        return ToolMessage(told(answer), name=tool.name, tool_call_id=call_id, status="error")
    if call_id is None:
        return answer
    if isinstance(answer, dict) and answer.keys() == {"content", "status", "artifact"}:
        return ToolMessage(**answer, name=tool.name, tool_call_id=call_id)
    text = answer if isinstance(answer, str | list) else json.dumps(answer)
    return ToolMessage(text, name=tool.name, tool_call_id=call_id)


# a question to a model


def _asked(model: BaseChatModel, messages: Sequence[BaseMessage], kwargs: dict[str, Any]) -> dict[str, Any]:
    said = convert_to_openai_messages(messages)
    system, turns = conversation(said if isinstance(said, list) else [said])
    tools = [convert_to_openai_tool(t) for t in kwargs.get("tools") or ()]
    temperature = kwargs.get("temperature", getattr(model, "temperature", None))
    most = kwargs.get("max_tokens", getattr(model, "max_tokens", None))
    return {
        "messages": turns,
        "tools": offered(tools),
        "system": urged(system, kwargs.get("tool_choice")),
        "output_schema": _wanted(kwargs.get("response_format")),
        "temperature": temperature if isinstance(temperature, int | float) else None,
        "max_tokens": most if isinstance(most, int) else None,
    }


def _wanted(format: Any) -> dict[str, Any] | None:
    """The schema that an answer must fit, from OpenAI's `response_format`."""
    if isinstance(format, type) and hasattr(format, "model_json_schema"):
        made: dict[str, Any] = format.model_json_schema()
        return made
    if isinstance(format, dict):
        schema: dict[str, Any] | None = (format.get("json_schema") or {}).get("schema")
        return schema
    return None


def _result(answer: Message, kwargs: dict[str, Any]) -> ChatResult:
    message = AIMessage(
        answer.text,
        tool_calls=[
            {"id": u.id, "name": u.name, "args": u.input} for u in answer.tool_uses if u.malformed is None
        ],
        invalid_tool_calls=[
            {"id": u.id, "name": u.name, "args": raw_arguments(u), "error": "no JSON object"}
            for u in answer.tool_uses
            if u.malformed is not None
        ],
    )
    format = kwargs.get("response_format")
    if isinstance(format, type) and hasattr(format, "model_validate_json"):
        message.additional_kwargs["parsed"] = format.model_validate_json(answer.text)
    return ChatResult(generations=[ChatGeneration(message=message)])
