"""What an author of agents, tools and packs sees.

from remit import Agent, Pack, tool

@tool
def order_status(order_id: int) -> str:
    "The status of an order."
    ...

helper = Agent("helper", instructions="Answer about orders.", tools=[order_status])
"""

from __future__ import annotations

import contextvars
import copy
import functools
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol, get_args, get_type_hints, overload

import msgspec

from remit.core.agent import AgentSpec
from remit.core.errors import (
    ArgumentsError,
    ConfigError,
    ConflictError,
    DeniedError,
    InputError,
    NotFoundError,
    RemitError,
    ToolError,
)
from remit.core.extras import how_to_install as how_to_install
from remit.core.message import Message, Text, ToolResult, ToolUse, assistant
from remit.core.provenance import Label, Sensitivity, Trust
from remit.core.rule import check_declared, with_publishing
from remit.core.scorecard import score
from remit.core.task import Result, Task
from remit.core.tool import Effect, Retry, Risk, ToolSpec
from remit.core.validation import Score, Table, TableValidation, ValidationRun, ValidationType
from remit.ports.agents import Found, Memory, RunContext, ToolContext
from remit.ports.connections import Connections, PlatformReply, RateLimit
from remit.ports.documents import Passage
from remit.ports.facilities import Facilities
from remit.ports.memories import Fact, Memories
from remit.ports.model import ModelRequest
from remit.ports.platform import Platform
from remit.ports.sandbox import Outcome, SandboxFile, SandboxLimits
from remit.ports.shared_state import SharedState, StateValue
from remit.ports.web import Hit, Page, Reply

if TYPE_CHECKING:
    import asyncio  # at run time where a loop runs already: it is half of what importing this module would take

__all__ = [
    "Agent",
    "ArgumentsError",
    "CodeAgent",
    "ConfigError",
    "ConflictError",
    "Connections",
    "DeniedError",
    "Facilities",
    "Fact",
    "Found",
    "FunctionTool",
    "Hit",
    "InputError",
    "Label",
    "Memories",
    "Memory",
    "Message",
    "ModelRequest",
    "NotFoundError",
    "Outcome",
    "Pack",
    "Page",
    "Passage",
    "Platform",
    "PlatformReply",
    "RateLimit",
    "RemitError",
    "Reply",
    "Result",
    "Retry",
    "Rule",
    "RunContext",
    "SandboxFile",
    "SandboxLimits",
    "Score",
    "SharedState",
    "StateValue",
    "Table",
    "TableValidation",
    "Task",
    "Text",
    "ToolContext",
    "ToolError",
    "ToolResult",
    "ToolUse",
    "ValidationRun",
    "ValidationType",
    "agent",
    "assistant",
    "json_schema",
    "score",
    "tool",
]

_TOOL_THREADS = ThreadPoolExecutor(64, "remit-tool")
_AGENT_THREADS = ThreadPoolExecutor(256, "remit-agent")
"""Two pools: a blocking agent holds its thread while it waits for a tool, which must then find a free one."""

TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")

Rule = Callable[[ModelRequest], Message | None]
"""One rule of the offline `rules` model: an answer to a request, or None to let the next rule try."""


class FunctionTool:
    """A Python function as a tool. Made by `tool`; still callable as the plain function it wraps."""

    def __init__(
        self, function: Callable[..., Any], spec: ToolSpec, arguments: type[msgspec.Struct], context: str = ""
    ) -> None:
        """`context` names the parameter that is given the ToolContext, if there is one."""
        self.function = function
        self.spec = spec
        self._arguments = arguments
        self._context = context
        self._is_async = inspect.iscoroutinefunction(function)
        self._reconcile: Callable[..., Any] | None = None
        self._facts: Callable[..., Mapping[str, Any]] | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the plain function, outside any run."""
        return self.function(*args, **kwargs)

    @property
    def can_reconcile(self) -> bool:
        """Whether `reconcile` was given."""
        return self._reconcile is not None

    def reconciler(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Decorator: `function(key)`, `function(key, context)` or `function(key, context, arguments)` says whether the effect with this key happened, as `Found`."""
        self._reconcile = function
        if self.spec.effect == "plain":
            self.spec = msgspec.structs.replace(self.spec, effect="lookup")
        return function

    def facts(self, function: Callable[..., Mapping[str, Any]]) -> Callable[..., Mapping[str, Any]]:
        """Decorator: `function(**arguments)` gives facts for policy: `amount` in cents, `over_limit`, `count`."""
        self._facts = function
        return function

    def context_facts(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Facts for policy about these arguments."""
        return dict(self._facts(**arguments)) if self._facts else {}

    async def call(self, arguments: dict[str, Any], context: ToolContext) -> Any:
        """Run the function on typed arguments; a blocking function runs in a thread."""
        values = msgspec.convert(arguments, self._arguments, strict=False)
        kwargs = {
            name: getattr(values, name)
            for name in values.__struct_fields__
            if getattr(values, name) is not msgspec.UNSET
        }
        if self._context:
            kwargs[self._context] = context
        if self._is_async:
            answer = await self.function(**kwargs)
        else:
            answer = await _in_thread(_TOOL_THREADS, functools.partial(self.function, **kwargs))
        return msgspec.to_builtins(answer)

    async def reconcile(self, arguments: dict[str, Any], context: ToolContext) -> Found:
        """Ask the reconciler."""
        if self._reconcile is None:
            raise ToolError(f"tool `{self.spec.name}` has no `reconcile`", code="E704")
        args = (context.idempotency_key, context, arguments)[
            : len(inspect.signature(self._reconcile).parameters)
        ]
        if inspect.iscoroutinefunction(self._reconcile):
            found = await self._reconcile(*args)
        else:
            found = await _in_thread(_TOOL_THREADS, functools.partial(self._reconcile, *args))
        if isinstance(found, Found):
            return Found(found.happened, msgspec.to_builtins(found.output))
        return Found(found is not None, msgspec.to_builtins(found))


@overload
def tool(function: Callable[..., Any]) -> FunctionTool: ...
@overload
def tool(
    *,
    name: str | None = None,
    risk: Risk = ...,
    effect: Effect | None = None,
    timeout_s: float = ...,
    retry: Retry = ...,
    outward: bool | None = None,
    trust: Trust = ...,
    sensitivity: Sensitivity = ...,
    max_output_bytes: int = ...,
    tags: Sequence[str] = ...,
) -> Callable[[Callable[..., Any]], FunctionTool]: ...
def tool(
    function: Callable[..., Any] | None = None,
    *,
    name: str | None = None,
    risk: Risk = "L0",
    effect: Effect | None = None,
    timeout_s: float = 30.0,
    retry: Retry = Retry(),
    outward: bool | None = None,
    trust: Trust = "trusted",
    sensitivity: Sensitivity = "internal",
    max_output_bytes: int = 65_536,
    tags: Sequence[str] = (),
) -> FunctionTool | Callable[[Callable[..., Any]], FunctionTool]:
    """Make a function a tool. Its schema comes from its type hints, its description from its docstring.

    `effect` defaults to `read` for risk L0 and to `plain` otherwise: an honest default, since a plain effect in
    doubt is never repeated. A parameter annotated `ToolContext` is filled in and not part of the schema.
    Raises ConfigError E242 for a parameter without a type hint, E247 for a name and E1096 for a fact that cannot be.
    """

    def make(f: Callable[..., Any]) -> FunctionTool:
        _check_name(name or f.__name__)
        _check_facts(name or f.__name__, risk=risk, effect=effect, trust=trust, sensitivity=sensitivity)
        hints = get_type_hints(f, include_extras=True)
        arguments = _arguments_struct(f, hints, name or f.__name__)
        spec = ToolSpec(
            name=name or f.__name__,
            description=inspect.getdoc(f) or "",
            input_schema=json_schema(arguments),
            output_schema=_output_schema(hints),
            risk=risk,
            effect=effect or ("read" if risk == "L0" else "plain"),
            timeout_s=timeout_s,
            retry=retry,
            outward=(risk != "L0") if outward is None else outward,
            trust=trust,
            sensitivity=sensitivity,
            max_output_bytes=max_output_bytes,
            tags=tuple(tags),
        )
        return FunctionTool(f, spec, arguments, _context_parameter(hints))

    return make(function) if function is not None else make


class Agent:
    """An LLM agent: instructions, a model route, tools, and agents it may delegate to."""

    def __init__(
        self,
        name: str,
        *,
        instructions: str,
        tools: Sequence[FunctionTool | str] = (),
        delegates: Sequence[str | Agent | CodeAgent | Acting | type[Acting]] = (),
        description: str = "",
        model: str = "default",
        output: type[Any] | dict[str, Any] | None = None,
        max_iterations: int = 12,
        max_tokens: int = 2048,
        temperature: float | None = None,
        subscribes: Sequence[str | dict[str, Any]] = (),
        publishes: Sequence[str] = (),
        version: str = "1",
    ) -> None:
        """`tools` are functions made tools, or names of tools that come from elsewhere: an MCP server, another pack.

        `subscribes` names the events that start it: types (`order.placed`, `order.*`) or EventBridge patterns.

        With `publishes`, the types that it may publish, it is offered the tool `publish_event`. Raises InputError E663.
        """
        check_declared(name, subscribes, publishes)
        self.tools = tuple(t for t in tools if isinstance(t, FunctionTool))
        self.spec = AgentSpec(
            name=name,
            description=description,
            kind="llm",
            instructions=instructions,
            model=model,
            tools=with_publishing(tuple(map(_tool_name, tools)), tuple(publishes)),
            delegates=tuple(_name(d) for d in delegates),
            output_schema=output if isinstance(output, dict) or output is None else json_schema(output),
            max_iterations=max_iterations,
            max_tokens=max_tokens,
            temperature=temperature,
            publishes=tuple(publishes),
            subscribes=tuple(subscribes),
            version=version,
        )

    async def act(self, input: Any, memory: Memory, context: RunContext) -> Any:
        """LLM agents are driven by the loop."""
        raise ConfigError(f"agent `{self.spec.name}` is driven by the loop and has no `act`", code="E240")


class CodeAgent:
    """Any object with a name and `act(input, memory)`, or a function, as an agent. Made by `agent`."""

    def __init__(
        self,
        act: Callable[..., Any],
        spec: AgentSpec,
        tools: Sequence[FunctionTool | str],
        made_of: object = None,
    ) -> None:
        self._act = act
        self.spec = spec
        self.made_of = made_of
        """The object or function that it was made of."""
        self.tools = tuple(t for t in tools if isinstance(t, FunctionTool))
        self._arity = len(inspect.signature(act).parameters)
        self.validation_type: ValidationType | None = None
        """The kind of check that this agent runs, if it is one (V2)."""

    def with_delegates(self, placeholder: str, names: Sequence[str]) -> CodeAgent:
        """A copy that may delegate to `names` in the place of `placeholder`; this one is left as it is."""
        named = (d for d in self.spec.delegates if d != placeholder)
        made = copy.copy(self)
        made.spec = msgspec.structs.replace(self.spec, delegates=tuple(dict.fromkeys([*named, *names])))
        return made

    async def act(self, input: Any, memory: Memory, context: RunContext) -> Any:
        """Run the author's code. Blocking code runs in a thread, with a blocking view of the context."""
        arguments = (input, memory, context)[: self._arity]
        if inspect.iscoroutinefunction(self._act):
            return await self._act(*arguments)
        import asyncio

        view = BlockingContext(context, asyncio.get_running_loop())
        try:
            act = functools.partial(self._act, *(input, memory, view)[: self._arity])
            return await _in_thread(_AGENT_THREADS, act)
        finally:
            view.close()


class BlockingContext:
    """`RunContext` for blocking code: the same verbs, without await."""

    def __init__(self, context: RunContext, loop: asyncio.AbstractEventLoop) -> None:
        self._context = context
        self._loop = loop
        self._calls: set[Future[Any]] = set()
        self._closed = False
        self.run_id = context.run_id

    def close(self) -> None:
        """Take back what is under way: its thread cannot be stopped, but it gets no further through this context."""
        self._closed = True
        for call in list(self._calls):
            call.cancel()

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self._context, name)
        if not inspect.iscoroutinefunction(verb):
            return verb
        import asyncio

        def blocking(*args: Any, **kwargs: Any) -> Any:
            if self._closed:
                raise asyncio.CancelledError
            call: Future[Any] = asyncio.run_coroutine_threadsafe(verb(*args, **kwargs), self._loop)
            self._calls.add(call)
            if self._closed:  # closed between the check above and here, so `close` has not seen this call
                call.cancel()
            try:
                return call.result()
            except CancelledError:
                raise asyncio.CancelledError from None
            finally:
                self._calls.discard(call)

        return blocking


def agent(
    thing: Any = None,
    *,
    name: str | None = None,
    description: str = "",
    tools: Sequence[FunctionTool | str] = (),
    delegates: Sequence[str | Agent | CodeAgent | Acting | type[Acting]] = (),
    model: str = "default",
    output: type[Any] | dict[str, Any] | None = None,
    subscribes: Sequence[str | dict[str, Any]] = (),
    publishes: Sequence[str] = (),
    version: str = "1",
) -> Any:
    """Make an agent of a function `act(input[, memory[, context]])`, or of a class or object with `name` and `act`.

    `subscribes` names the events that start it, types or EventBridge patterns; `publishes` the types that it may publish
    by `context.publish`. Raises ConfigError when there is nothing to call, InputError E663.
    """

    def make(target: Any) -> CodeAgent:
        made = target() if inspect.isclass(target) else target
        act = getattr(made, "act", made)
        label = name or getattr(made, "name", None) or getattr(made, "__name__", "")
        if not callable(act) or not label:
            raise ConfigError(
                f"`{target!r}` is no agent",
                code="E241",
                help="give it a `name` and an `act(input, memory)`, or decorate a function",
            )
        check_declared(label, subscribes, publishes)
        spec = AgentSpec(
            name=label,
            description=description or inspect.getdoc(made) or "",
            kind="code",
            model=model,
            tools=with_publishing(tuple(map(_tool_name, tools)), tuple(publishes)),
            delegates=tuple(_name(d) for d in delegates),
            output_schema=output if isinstance(output, dict) or output is None else json_schema(output),
            publishes=tuple(publishes),
            subscribes=tuple(subscribes),
            version=version,
        )
        return CodeAgent(act, spec, tools, made)

    return make(thing) if thing is not None else make


class Acting(Protocol):
    """What is an agent without being decorated: an object with a name and `act(input[, memory[, context]])`."""

    name: str

    @property
    def act(self) -> Callable[..., Any]:
        """What it does."""


class Flow(Protocol):
    """A workflow as a pack holds it: its States Language document, and the tools and agents that were given with it."""

    @property
    def spec_name(self) -> str:
        """The name that it runs under; agents and workflows share one name space."""

    @property
    def description(self) -> str:
        """What it is for."""

    @property
    def document(self) -> dict[str, Any]:
        """The document."""

    @property
    def tools(self) -> Sequence[FunctionTool]:
        """Tools that its document calls."""

    @property
    def agents(self) -> Sequence[Agent | CodeAgent]:
        """Agents that its document hands over to."""

    @property
    def workflows(self) -> Sequence[Flow]:
        """Workflows that its document starts."""


class Pack:
    """A bundle of agents, tools and workflows, with rules for the offline model and directories of policy profiles."""

    def __init__(
        self,
        name: str,
        *,
        agents: Sequence[Agent | CodeAgent | Acting | type[Acting]] = (),
        tools: Sequence[FunctionTool] = (),
        workflows: Sequence[Flow] = (),
        rules: Mapping[str, Sequence[Rule]] | None = None,
        policies: Sequence[str] = (),
        description: str = "",
    ) -> None:
        """Raises ConfigError E241 for an agent that is none, E1095 for a tool that is none."""
        for each in tools:
            _tool_name(each)
        made = map(_as_agent, agents)
        self.name = name
        self.description = description
        self.workflows = _with_inner(workflows)
        self.agents = tuple(dict.fromkeys([*made, *(a for f in self.workflows for a in f.agents)]))
        given = [*tools, *(t for a in (*self.agents, *self.workflows) for t in a.tools)]
        self.tools = tuple(dict.fromkeys(given))
        self.rules = {agent_name: tuple(rules) for agent_name, rules in (rules or {}).items()}
        self.policies = tuple(policies)


def _with_inner(workflows: Sequence[Flow]) -> tuple[Flow, ...]:
    """The workflows, and those that their nodes were given, each once."""
    found: dict[int, Flow] = {}
    waiting = list(reversed(workflows))
    while waiting:
        flow = waiting.pop()
        if found.setdefault(id(flow), flow) is flow:
            waiting.extend(inner for inner in flow.workflows if id(inner) not in found)
    return tuple(found.values())


def json_schema(type: Any) -> dict[str, Any]:
    """The JSON Schema of a Python type, self-contained (`$defs` inside)."""
    (schema,), definitions = msgspec.json.schema_components([type], ref_template="#/$defs/{name}")
    reference = schema.get("$ref", "")
    if reference.startswith("#/$defs/"):
        own = definitions.pop(reference.removeprefix("#/$defs/"))
        schema = (
            {**own, "additionalProperties": False}
            if own.get("type") == "object" and "properties" in own
            else own
        )
    whole = {**schema, "$defs": definitions} if definitions else schema
    plain: dict[str, Any] = msgspec.json.decode(
        msgspec.json.encode(whole)
    )  # a default may be a tuple, which no provider takes
    return plain


async def _in_thread(pool: ThreadPoolExecutor, call: Callable[[], Any]) -> Any:
    """Run blocking code in a thread of `pool`, with the caller's context variables."""
    import asyncio

    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(pool, context.run, call)


def _check_name(name: str) -> None:
    if not TOOL_NAME.fullmatch(name):
        raise ConfigError(
            f"`{name}` is no name for a tool",
            code="E247",
            help="use 1 to 64 letters, digits, `_` and `-`: model providers accept nothing else",
        )


_FACTS = {"risk": Risk, "effect": Effect, "trust": Trust, "sensitivity": Sensitivity}


def _check_facts(tool: str, **facts: str | None) -> None:
    """Policy is asked about these facts, and can only be asked about those it knows."""
    for field, value in facts.items():
        known = get_args(_FACTS[field])
        if value is not None and value not in known:
            raise ConfigError(
                f"`{field}` of tool `{tool}` is `{value!s}`",
                code="E1096",
                help=f"one of {', '.join(f'`{each}`' for each in known)}",
            )


def _arguments_struct(
    function: Callable[..., Any], hints: Mapping[str, Any], name: str
) -> type[msgspec.Struct]:
    fields: list[Any] = []
    for parameter in inspect.signature(function).parameters.values():
        if hints.get(parameter.name) is ToolContext:
            continue
        if parameter.name not in hints:
            raise ConfigError(
                f"parameter `{parameter.name}` of tool `{name}` has no type hint",
                code="E242",
                help="add one: the tool's JSON Schema is made from it",
            )
        if parameter.default is inspect.Parameter.empty:
            fields.append((parameter.name, hints[parameter.name]))
        else:
            fields.append((parameter.name, hints[parameter.name], parameter.default))
    return msgspec.defstruct(f"{name}_arguments", fields, forbid_unknown_fields=True, kw_only=True)


_SCALARS = ((str, "string"), (int, "integer"), (float, "number"), (bool, "boolean"))


def _output_schema(hints: Mapping[str, Any]) -> dict[str, Any] | None:
    hint = hints.get("return")
    if hint is None or hint is Any:
        return None
    plain = next((name for scalar, name in _SCALARS if hint is scalar), "")
    return {"type": plain} if plain else json_schema(hint)


def _context_parameter(hints: Mapping[str, Any]) -> str:
    return next((n for n, h in hints.items() if h is ToolContext and n != "return"), "")


def _tool_name(tool: FunctionTool | str) -> str:
    if isinstance(tool, str):
        return tool
    if not isinstance(getattr(tool, "spec", None), ToolSpec):
        raise ConfigError(
            f"`{getattr(tool, '__name__', tool)!s}` is no tool",
            code="E1095",
            help="decorate the function with `@tool`, or name a tool that comes from elsewhere",
        )
    return tool.spec.name


def _as_agent(thing: Any) -> Any:
    """An agent as it is, and one made of anything else that acts."""
    return thing if isinstance(getattr(thing, "spec", None), AgentSpec) else agent(thing)


def _name(delegate: Any) -> str:
    name: str = delegate if isinstance(delegate, str) else _as_agent(delegate).spec.name
    return name
