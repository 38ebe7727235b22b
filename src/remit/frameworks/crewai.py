"""CrewAI crews as agents of Remit.

Each model class has its own `call`, so all of them are wrapped, those that are loaded later too; tools have a few base
classes. Outside a run of Remit they do what they always did.
"""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Unpack

from remit.core.errors import ConfigError, ToolError
from remit.core.message import Message
from remit.frameworks.bridge import Bridge, asking, current, in_thread
from remit.frameworks.conversation import conversation, offered, tool_calls
from remit.frameworks.team import Described, Governance, built, delegate_name, missing, team
from remit.frameworks.tools import told
from remit.frameworks.values import to_json
from remit.sdk import CodeAgent

try:
    from crewai import Crew
    from crewai.llms.base_llm import BaseLLM
    from crewai.tools import BaseTool, tool
    from crewai.tools.agent_tools.base_agent_tools import BaseAgentTool
    from crewai.tools.base_tool import Tool
    from crewai.tools.structured_tool import CrewStructuredTool
    from crewai.utilities.string_utils import sanitize_tool_name
except ImportError as error:
    raise missing("crewai", "crewai", error) from error

__all__ = ["agent", "colleague"]

_SEAM = "_remit_seam"
_ASKED = tuple(inspect.signature(BaseLLM.call).parameters)[2:]


def agent(
    build: Callable[[], Crew],
    *,
    name: str,
    tools: Iterable[BaseTool] = (),
    ask: Callable[[Any], dict[str, Any]] | None = None,
    answer: Callable[[Any], Any] | None = None,
    **governance: Unpack[Governance],
) -> CodeAgent:
    """The crew that `build` makes as the agent `name`: a new one each time, since a crew keeps what its tasks came to.

    `tools` are those that its agents and tasks do not hold from the start. `ask` makes the crew's inputs of the task's
    input, by default the object itself, or `{"input": ...}`; `answer` makes the agent's answer of the crew's output, by
    default its model, its object or its text. Raises ConfigError E695, E960, E961.
    """
    install()
    found = {sanitize_tool_name(t.name): t for t in (*_tools(built(build, "CrewAI")), *tools)}
    steering = {n for n, t in found.items() if isinstance(t, BaseAgentTool)} | set(
        governance.pop("steering", ())
    )

    def work(bridge: Bridge, input: Any) -> Any:
        install()
        inputs = ask(input) if ask else (input if isinstance(input, dict) else {"input": input})
        crew = build()
        made = bridge.run(functools.partial(crew.kickoff, inputs=inputs))
        return to_json(answer(made) if answer else _answer(made))

    described = (_described(n, t) for n, t in found.items())
    return team(name, described, work, {**governance, "steering": steering})


def colleague(agent: str, description: str = "") -> BaseTool:
    """A tool with which a model hands a task to an agent of Remit. Name the agent under `delegates` as well."""

    def delegate(objective: str) -> str:
        """Hand over."""
        raise ConfigError(f"agent `{agent}` is there in a run of Remit only", code="E963")

    delegate.__doc__ = description or f"Hand a task to the agent `{agent}` and get its result."
    made: BaseTool = tool(delegate_name(agent))(delegate)
    return made


def install() -> None:
    """Put the seams in place, also in the model classes that were loaded since. Doing it again changes nothing."""
    for owner in (BaseTool, Tool):
        _wrap(owner, "run", _run)
        _wrap(owner, "arun", _arun)
    _wrap(CrewStructuredTool, "invoke", _invoke)
    _wrap(CrewStructuredTool, "ainvoke", _ainvoke)
    for model in _subclasses(BaseLLM):
        _wrap(model, "call", _model)
        _wrap(model, "acall", _amodel)
    kept = BaseLLM.__dict__["_wrap_call_method"].__func__
    if not hasattr(kept, _SEAM):

        def wrapped(cls: type[BaseLLM], method: str) -> None:
            kept(cls, method)
            _wrap(cls, method, _model if method == "call" else _amodel)

        setattr(wrapped, _SEAM, True)
        BaseLLM._wrap_call_method = classmethod(wrapped)


def _wrap(owner: type, method: str, seam: Callable[..., Any]) -> None:
    original = owner.__dict__.get(method)
    if original is None or hasattr(original, _SEAM):
        return
    made = functools.wraps(original)(seam(original))
    setattr(made, _SEAM, True)
    setattr(owner, method, made)


def _subclasses(of: type[Any]) -> Iterator[type[Any]]:
    for each in of.__subclasses__():
        yield each
        yield from _subclasses(each)


# a call


def _governing(tool: Any) -> tuple[Bridge, str] | None:
    bridge, name = current(), sanitize_tool_name(tool.name)
    original = getattr(tool, "_original_tool", None) or tool
    if bridge is None or not bridge.governs(name) or isinstance(original, BaseAgentTool):
        return None
    return bridge, name


def _run(original: Callable[..., Any]) -> Callable[..., Any]:
    def run(self: BaseTool, *args: Any, **kwargs: Any) -> Any:
        governed = _governing(self)
        if governed is None:
            return original(self, *args, **kwargs)
        bridge, name = governed

        async def perform(arguments: dict[str, Any]) -> Any:
            return await in_thread(lambda: original(self, **arguments), tool=True)

        return _told(bridge.call_now(name, _arguments(self, args, kwargs), perform))

    return run


def _arun(original: Callable[..., Any]) -> Callable[..., Any]:
    async def arun(self: BaseTool, *args: Any, **kwargs: Any) -> Any:
        governed = _governing(self)
        if governed is None:
            return await original(self, *args, **kwargs)
        bridge, name = governed

        async def perform(arguments: dict[str, Any]) -> Any:
            return await original(self, **arguments)

        return _told(await bridge.call(name, _arguments(self, args, kwargs), perform))

    return arun


def _invoke(original: Callable[..., Any]) -> Callable[..., Any]:
    def invoke(self: CrewStructuredTool, input: Any, *args: Any, **kwargs: Any) -> Any:
        governed = _governing(self)
        if governed is None:
            return original(self, input, *args, **kwargs)
        bridge, name = governed

        async def perform(arguments: dict[str, Any]) -> Any:
            return await in_thread(lambda: original(self, arguments, *args, **kwargs), tool=True)

        return _told(bridge.call_now(name, _object(input), perform))

    return invoke


def _ainvoke(original: Callable[..., Any]) -> Callable[..., Any]:
    async def ainvoke(self: CrewStructuredTool, input: Any, *args: Any, **kwargs: Any) -> Any:
        governed = _governing(self)
        if governed is None:
            return await original(self, input, *args, **kwargs)
        bridge, name = governed

        async def perform(arguments: dict[str, Any]) -> Any:
            return await original(self, arguments, *args, **kwargs)

        return _told(await bridge.call(name, _object(input), perform))

    return ainvoke


def _arguments(tool: BaseTool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    names = list(tool.args_schema.model_fields)
    return {
        **dict(zip(names, map(to_json, args), strict=False)),
        **{k: to_json(v) for k, v in kwargs.items()},
    }


def _object(input: Any) -> dict[str, Any]:
    if isinstance(input, str):
        try:
            input = json.loads(input)
        except ValueError:
            return {"input": input}
    return {k: to_json(v) for k, v in input.items()} if isinstance(input, dict) else {}


def _told(answer: Any) -> Any:
    return told(answer) if isinstance(answer, ToolError) else answer


def _described(name: str, tool: BaseTool) -> Described:
    is_async = inspect.iscoroutinefunction(getattr(tool, "func", None))

    async def alone(arguments: dict[str, Any]) -> Any:
        if is_async:
            return await tool.arun(**arguments)
        return await in_thread(lambda: tool.run(**arguments), tool=True)

    about = getattr(tool, "description", "")
    return Described(tool, name, about, tool.args_schema.model_json_schema(), alone)


def _tools(crew: Crew) -> Iterator[BaseTool]:
    for holder in (*crew.agents, *crew.tasks, *filter(None, [crew.manager_agent])):
        yield from (t for t in getattr(holder, "tools", None) or () if isinstance(t, BaseTool))


# a question to a model


def _model(original: Callable[..., Any]) -> Callable[..., Any]:
    def call(self: BaseLLM, messages: Any, *args: Any, **kwargs: Any) -> Any:
        bridge = asking()
        if bridge is None:
            return original(self, messages, *args, **kwargs)
        given = _given(args, kwargs)
        said = bridge.chat_now(**_question(self, messages, given))
        return _said(self, said, given)

    return call


def _amodel(original: Callable[..., Any]) -> Callable[..., Any]:
    async def acall(self: BaseLLM, messages: Any, *args: Any, **kwargs: Any) -> Any:
        bridge = asking()
        if bridge is None:
            return await original(self, messages, *args, **kwargs)
        given = _given(args, kwargs)
        said = await bridge.chat(**_question(self, messages, given))
        return _said(self, said, given)

    return acall


def _given(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a question by name; classes of users often take them as they come."""
    return {**dict(zip(_ASKED, args, strict=False)), **kwargs}


def _question(model: BaseLLM, messages: Any, given: dict[str, Any]) -> dict[str, Any]:
    said = [{"role": "user", "content": messages}] if isinstance(messages, str) else messages
    system, turns = conversation(said)
    wanted = given.get("response_model")
    most = model.max_tokens
    return {
        "messages": turns,
        "tools": offered(given.get("tools") or ()),
        "system": system,
        "output_schema": wanted.model_json_schema() if wanted is not None else None,
        "temperature": model.temperature,
        "max_tokens": most if isinstance(most, int) else None,
    }


def _said(model: BaseLLM, said: Message, given: dict[str, Any]) -> Any:
    """The answer in the form that CrewAI's own model classes give it."""
    functions = given.get("available_functions") or {}
    for use in said.tool_uses:
        if use.name in functions:
            return functions[use.name](**use.input)
    if said.tool_uses:
        return tool_calls(said)
    text = model._apply_stop_words(said.text)
    wanted = given.get("response_model")
    return text if wanted is None else model._validate_structured_output(text, wanted)


def _answer(made: Any) -> Any:
    structured = made.pydantic if made.pydantic is not None else made.json_dict
    return made.raw if structured is None else structured
