"""The kinds of definition that the platform itself knows: what a body of each must be."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from remit.core.agent import AgentSpec
from remit.core.codec import convert, plain
from remit.core.definition import MAIN, Definition
from remit.core.errors import ConfigError, InputError
from remit.core.rule import check_declared, with_publishing
from remit.engine.models import ModelAccess, Route
from remit.engine.schemas import check_schema
from remit.engine.versions import Kind
from remit.ports.policy import Policy
from remit.ports.store import Write

AGENT, PROMPT, ROUTE = "agent", "prompt", "model_route"
WORKFLOW = "workflow"
PROFILE, TOOL_SCHEMA = "policy_profile", "tool_schema"

_Text = Annotated[str, Meta(min_length=1)]
_PROMPT = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,127})(?:@([A-Za-z0-9_.-]{1,64}))?\Z")


class PromptRef(Struct, frozen=True, forbid_unknown_fields=True):
    """Instructions that are a definition of their own: `NAME`, `NAME@ALIAS` or `NAME@VERSION`."""

    prompt: str


class AgentBody(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An agent as data: the fields of `AgentSpec` that are not its name, kind or version."""

    instructions: str | PromptRef = ""
    description: str = ""
    model: str = "default"
    tools: tuple[str, ...] = ()
    delegates: tuple[str, ...] = ()
    output_schema: dict[str, Any] | None = None
    max_iterations: Annotated[int, Meta(ge=1, le=1000)] = 12
    max_tokens: Annotated[int, Meta(ge=1)] = 2048
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    repairs: Annotated[int, Meta(ge=0, le=10)] = 2
    publishes: tuple[str, ...] = ()
    subscribes: tuple[str | dict[str, Any], ...] = ()


class PromptBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A prompt: the text of an agent's instructions."""

    text: _Text


class RouteBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A way to a model, as in `remit.toml`: a provider, its model, and which routes of `remit.toml` to try next."""

    provider: str
    model: str = ""
    fallbacks: tuple[str, ...] = ()
    max_tokens: Annotated[int, Meta(ge=1)] = 2048
    timeout_s: Annotated[float, Meta(gt=0)] = 120.0
    cache: Literal["off", "exact"] = "off"
    cache_ttl_s: Annotated[float, Meta(gt=0, le=2_592_000)] = 3600.0


class ToolSchemaBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The contract of a tool: what goes in and what comes out, as JSON Schema."""

    input_schema: dict[str, Any]
    description: str = ""
    output_schema: dict[str, Any] | None = None


class PolicyProfileBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A policy profile: the fields of its `profile.toml` but the name, and the text of its `policy.cedar`."""

    cedar: str
    profile: dict[str, Any] = {}


class Shaped(Kind):
    """A kind whose body is a Struct, with no more to say about it."""

    def __init__(self, name: str, shape: type[Any], remark: str = "") -> None:
        self.name = name
        self.remark = remark
        self._shape = shape

    def check(self, body: dict[str, Any]) -> None:
        """Raise InputError for a body of another shape."""
        convert(body, self._shape)


Subscribing = Callable[[Definition, Definition | None], list[Write]]


class AgentKind(Kind):
    """Agents as data. `tools` are the names that exist here; `routes` those of settings, besides the registry's."""

    name = AGENT

    def __init__(
        self, tools: Collection[str], routes: Collection[str], subscribing: Subscribing | None = None
    ) -> None:
        """`subscribing` says what a change of an agent means for the events that start it."""
        self._tools = tools
        self._routes = routes
        self._subscribing = subscribing

    def check(self, body: dict[str, Any]) -> None:
        """Raise InputError for an agent that could not work: an unknown tool, a schema that is none."""
        made = convert(body, AgentBody)
        for name in made.tools:
            if name not in self._tools:
                there = ", ".join(f"`{n}`" for n in sorted(self._tools)) or "none"
                raise InputError(f"there is no tool `{name}`", code="E509", help=f"known here: {there}")
        if made.output_schema is not None:
            schema_of("output_schema", made.output_schema)
        if isinstance(made.instructions, PromptRef):
            parse_prompt(made.instructions.prompt)
        check_declared("", made.subscribes, made.publishes)

    async def also(self, definition: Definition, before: Definition | None) -> list[Write]:
        """What it subscribes to, in the same transaction."""
        return self._subscribing(definition, before) if self._subscribing is not None else []

    def references(self, body: dict[str, Any]) -> list[tuple[str, str]]:
        """The prompt that it names, if it names one, and a model route that settings do not have."""
        made = convert(body, AgentBody)
        told = made.instructions
        prompts = [(PROMPT, parse_prompt(told.prompt)[0])] if isinstance(told, PromptRef) else []
        return prompts if made.model in self._routes else [*prompts, (ROUTE, made.model)]


class RouteKind(Shaped):
    """Model routes: they go before those of settings of the same name."""

    def __init__(self, models: ModelAccess) -> None:
        super().__init__(ROUTE, RouteBody)
        self._models = models

    def check(self, body: dict[str, Any]) -> None:
        """Raise InputError for a route whose provider or fallback is not there."""
        super().check(body)
        try:
            self._models.check(route_of(body))
        except ConfigError as error:
            raise InputError(error.message, code="E509", help=error.help) from error


class ToolSchemaKind(Shaped):
    """Contracts of tools: what the models of new runs are shown, on top of what the code asks for."""

    def __init__(self) -> None:
        super().__init__(TOOL_SCHEMA, ToolSchemaBody)

    def check(self, body: dict[str, Any]) -> None:
        """Raise InputError for a schema that is none."""
        super().check(body)
        for field in ("input_schema", "output_schema"):
            if body.get(field) is not None:
                schema_of(field, body[field])


class PolicyProfileKind(Shaped):
    """Policy profiles: they go before those of folders of the same name, and are checked as those are."""

    def __init__(self, policy: Policy) -> None:
        remark = "in force for new runs at once, and for those under way as soon as they go on"
        super().__init__(PROFILE, PolicyProfileBody, remark)
        self._policy = policy

    def check(self, body: dict[str, Any]) -> None:
        """Raise InputError that lists everything wrong with the profile."""
        super().check(body)
        try:
            self._policy.add("checked", *profile_of(body))
        except ConfigError as error:
            raise InputError(error.message, code="E509", help=error.help) from error


def route_of(body: dict[str, Any]) -> Route:
    """The route that a definition is."""
    made = convert(body, RouteBody)
    kept_s = made.cache_ttl_s if made.cache == "exact" else 0.0
    return Route(
        made.provider, made.model, made.fallbacks, made.max_tokens, made.timeout_s, cache_ttl_s=kept_s
    )


def profile_of(body: dict[str, Any]) -> tuple[Mapping[str, Any], str]:
    """The fields and the policies of the profile that a definition is."""
    made = convert(body, PolicyProfileBody)
    return made.profile, made.cedar


def parse_prompt(text: str) -> tuple[str, int, str]:
    """The name, the version (0: by alias) and the alias that a reference to a prompt means. Raises InputError."""
    found = _PROMPT.match(text)
    if found is None:
        raise InputError(
            f"`{text[:150]}` names no prompt", code="E509", help="write NAME, NAME@ALIAS or NAME@VERSION"
        )
    name, which = found[1], found[2] or MAIN
    return (name, int(which), MAIN) if which.isdigit() else (name, 0, which)


def agent_spec(name: str, version: int, kind: Any, body: dict[str, Any], instructions: str) -> AgentSpec:
    """The spec of an agent that is a definition."""
    fields = {f: getattr(convert(body, AgentBody), f) for f in AgentBody.__struct_fields__}
    fields["tools"] = with_publishing(fields["tools"], fields["publishes"])
    return AgentSpec(name=name, kind=kind, version=str(version), **{**fields, "instructions": instructions})


def agent_body(spec: AgentSpec) -> dict[str, Any]:
    """The body that says of an agent what its code says: where somebody starts who wants to edit it."""
    body: dict[str, Any] = plain(AgentBody(**{f: getattr(spec, f) for f in AgentBody.__struct_fields__}))
    return body


def schema_of(field: str, schema: dict[str, Any]) -> None:
    """Raise InputError unless a field holds JSON Schema."""
    try:
        check_schema(schema)
    except ConfigError as error:
        raise InputError(f"`{field}`: {error.message}", code="E509", help=error.help) from error
