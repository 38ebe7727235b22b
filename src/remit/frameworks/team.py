"""An agent of Remit made of an agent or a team of another framework."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, TypedDict

from msgspec import Struct

from remit.core.codec import canonical
from remit.core.errors import ConfigError, InputError, RemitError
from remit.core.extras import how_to_install
from remit.frameworks.bridge import Bridge, in_thread
from remit.frameworks.contract import Contract
from remit.frameworks.tools import ForeignTool, Perform
from remit.ports.agents import Memory, RunContext
from remit.sdk import Agent, CodeAgent, FunctionTool, agent


class Governance(TypedDict, total=False):
    """What every framework's `agent` takes besides its own.

    `contracts` say by tool name how tools are governed, see `Contract`. `steering` names tools that only steer the team:
    hand-offs, and agents used as tools. They run as they are, again on every replay, and all that they call is governed.
    The rest is as in `remit.agent`; `model` is the route that answers in the place of the team's own models.
    """

    contracts: Mapping[str, Contract]
    steering: Collection[str]
    delegates: Sequence[str | Agent | CodeAgent]
    model: str
    description: str
    output: type[Any] | dict[str, Any] | None
    subscribes: Sequence[str | dict[str, Any]]
    publishes: Sequence[str]
    version: str


class Described(Struct, frozen=True):
    """A tool as its framework describes it. `origin` is the framework's object, `alone` calls it by itself."""

    origin: Any
    name: str
    description: str
    schema: dict[str, Any]
    alone: Perform


def team(
    name: str, tools: Iterable[Described], work: Callable[[Bridge, Any], Any], governance: Governance
) -> CodeAgent:
    """The agent `name`, whose `work` is blocking and gives its answer. Raises ConfigError E961."""
    contracts = governance.get("contracts", {})
    steering = frozenset(governance.get("steering", ()))
    known = {t.name: t for t in tools}
    strange = (set(contracts) | steering) - set(known)
    if strange:
        raise ConfigError(
            f"agent `{name}` has no tool `{min(strange)}`",
            code="E961",
            help="list tools that its framework does not name in `tools`; found: "
            + (", ".join(f"`{t}`" for t in sorted(known)) or "none"),
        )
    handed = {
        delegate_name(d if isinstance(d, str) else d.spec.name) for d in governance.get("delegates", ())
    }
    called = [t for t in known.values() if t.name not in steering | handed]
    governed = [_foreign(t, contracts.get(t.name, Contract())) for t in called]

    async def act(input: Any, memory: Memory, context: RunContext) -> Any:
        bridge = Bridge(context.by_content(), governed, steering)
        try:
            return await in_thread(lambda: work(bridge, input))
        except asyncio.CancelledError:
            bridge.cancel()
            raise
        except Exception as error:
            raise _own(error) from error
        finally:
            bridge.close()

    return _declared(act, name, governed, governance)


def _declared(act: Any, name: str, tools: Sequence[FunctionTool], given: Governance) -> CodeAgent:
    made: CodeAgent = agent(
        act,
        name=name,
        description=given.get("description") or f"A team of another framework, `{name}`.",
        tools=tools,
        delegates=given.get("delegates", ()),
        model=given.get("model", "default"),
        output=given.get("output"),
        subscribes=given.get("subscribes", ()),
        publishes=given.get("publishes", ()),
        version=given.get("version", "1"),
    )
    return made


_MADE: dict[int, tuple[Any, Contract, ForeignTool]] = {}
"""Tools made so far, by the framework's object: two teams with one tool share it. The object is held, so its id is its own."""


def _foreign(tool: Described, contract: Contract) -> ForeignTool:
    held = _MADE.get(id(tool.origin))
    if held is not None and held[1] == contract and held[2].spec.name == tool.name:
        return held[2]
    made = ForeignTool(tool.name, tool.description, tool.schema, contract, tool.alone)
    _MADE[id(tool.origin)] = (tool.origin, contract, made)
    return made


def _own(error: Exception) -> Exception:
    """The error of Remit's that a framework's error was made of, if it was; frameworks wrap what their models raise."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, RemitError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return error


def delegate_name(agent: str) -> str:
    """The name of the tool with which a model hands a task to an agent of Remit."""
    return "delegate_to_" + agent.replace("-", "_")


def missing(package: str, extra: str, error: ImportError) -> ConfigError:
    """The error of a framework that is not installed."""
    return ConfigError(f"`{package}` is not installed ({error})", code="E695", help=how_to_install(extra))


def text_of(given: Any) -> str:
    """A task's input as a prompt."""
    if isinstance(given, str):
        return given
    return canonical(given).decode()


def unanswerable(asks: str) -> InputError:
    """The error of a framework's own way to ask a person; `asks` says who asked how."""
    return InputError(
        f"{asks}, which nothing can answer here",
        code="E965",
        help="let the tool behind it need approval by its contract and policy: the run then waits for a person",
    )


def built(build: Any, framework: str) -> Any:
    """What `build` makes. Raises ConfigError E960 for a thing instead of a function: it keeps what one run told it."""
    if (
        not callable(build)
        or hasattr(build, "invoke_async")
        or hasattr(build, "kickoff")
        or hasattr(build, "run")
    ):
        raise ConfigError(
            f"`{type(build).__name__}` of {framework} keeps state from one run to the next",
            code="E960",
            help="give a function without parameters that builds it: `agent(lambda: ..., name=...)`",
        )
    return build()
