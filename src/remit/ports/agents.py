"""What the engine asks of authors: tools that can be called, and agents that act."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

from msgspec import Struct, field

from remit.core.agent import AgentSpec
from remit.core.codec import digest
from remit.core.message import Message
from remit.core.provenance import Label, Labels, Sensitivity, Trust
from remit.core.task import Actor, Result
from remit.core.tool import ToolSpec
from remit.ports.clock import Clock
from remit.ports.facilities import Facilities
from remit.ports.platform import Platform
from remit.ports.secrets import Secrets


class Kept(Struct, frozen=True):
    """Bytes that a tool wants kept as an artifact of its call."""

    name: str
    data: bytes
    media_type: str


class ToolContext(Struct, frozen=True):
    """What a tool may know about the call it serves.

    `idempotency_key` is the same whenever this very call is sent again, and differs for any other call.
    `actor` is the person or key on whose behalf the agent acts: tools act with that person's rights. `secrets` are the
    tenant's own: `NAME` of tenant `acme` is `REMIT_SECRET_ACME__NAME`, that of `local` is `REMIT_SECRET_NAME`. `labels` say what
    the run has read so far.
    `policy_profile` is the one that the run goes by, `max_risk` the most that its task accepts. `facilities` are what this
    deployment has for tools to work with: a sandbox, the web, documents, long-term memory, connections to platforms.
    `tool_version` is the version of the tool's contract that the run goes by. `started_ts` is when the call was intended, the
    last time if it was begun anew (Unix milliseconds): what it did, if anything, was done after that.
    """

    run_id: str
    step: str
    tenant_id: str
    actor: Actor
    agent: str
    idempotency_key: str
    attempt: int
    clock: Clock
    secrets: Secrets
    platform: Platform | None = None
    kept: list[Kept] = field(default_factory=list)
    labels: Labels = Labels()
    policy_profile: str = "default"
    max_risk: str | None = None
    read: list[Label] = field(default_factory=list)
    facilities: Facilities | None = None
    tool_version: str = "1"
    started_ts: int = 0

    def mark(self, source: str, *, trust: Trust = "untrusted", sensitivity: Sensitivity = "internal") -> None:
        """Say what this call has read, where that differs from call to call: its answer is labelled to cover it."""
        self.read.append(Label(source, trust, sensitivity))

    def keep(self, name: str, data: bytes, media_type: str) -> str:
        """Keep bytes as an artifact of this call and return their digest. They are stored once the tool has answered."""
        self.kept.append(Kept(name, data, media_type))
        return digest(data)


class Found(Struct, frozen=True):
    """The answer of `reconcile(key)`: whether the effect with this key happened, and what it answered then."""

    happened: bool
    output: Any = None


class Tool(Protocol):
    """A callable with a contract."""

    @property
    def spec(self) -> ToolSpec:
        """Name, schemas, risk, effect, limits."""

    @property
    def can_reconcile(self) -> bool:
        """Whether `reconcile` may be asked."""

    async def call(self, arguments: dict[str, Any], context: ToolContext) -> Any:
        """Do it. Raise ToolError when it did not happen; any other exception leaves the outcome unknown."""

    async def reconcile(self, arguments: dict[str, Any], context: ToolContext) -> Found:
        """Say whether the call under `context.idempotency_key` happened."""

    def context_facts(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Facts that policy may use: `amount` (cents), `over_limit`, ... computed from the arguments."""


class Memory(Protocol):
    """Working memory of a run: the conversation so far, and journaled key/value state."""

    @property
    def messages(self) -> tuple[Message, ...]:
        """The conversation so far."""

    def get(self, key: str, default: Any = None) -> Any:
        """The value last put under `key` in this run."""


class RunContext(Protocol):
    """The gateway as a code agent sees it. Every call is journaled; after a crash recorded answers are given again."""

    @property
    def run_id(self) -> str:
        """The run."""

    async def call(self, tool: str, /, **arguments: Any) -> Any:
        """Call a tool. Raises ToolError when it failed or was refused."""

    async def call_many(self, calls: list[tuple[str, dict[str, Any]]]) -> list[Any]:
        """Call several tools at once; answers in order. Raises the first ToolError after all have settled."""

    async def call_all(self, calls: list[tuple[str, dict[str, Any]]]) -> list[Any]:
        """As `call_many`, but a call that failed or was refused answers with its ToolError instead of raising it."""

    async def ask(self, prompt: str, *, system: str = "", output_schema: dict[str, Any] | None = None) -> Any:
        """Ask the agent's model; text, or a value that fits `output_schema`."""

    async def chat(
        self,
        messages: Sequence[Message],
        *,
        system: str = "",
        tools: Sequence[ToolSpec] = (),
        output_schema: dict[str, Any] | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
    ) -> Message:
        """Ask the agent's model to go on with a conversation; its answer, which may ask for some of `tools`. Raises ModelError."""

    def by_content(self) -> RunContext:
        """This context for code whose branches keep no order, such as another framework's.

        Calls are then known by what they ask and not by their number. Raises InputError E408 for an agent that asks for
        something new while something recorded is missing.
        """

    async def delegate(
        self,
        agent: str,
        objective: str,
        *,
        input: Any = None,
        output_schema: dict[str, Any] | None = None,
        max_cost_usd: Decimal | None = None,
    ) -> Result:
        """Hand a task to another agent and wait for its result."""

    async def remember(self, key: str, value: Any) -> None:
        """Put a value into working memory."""

    async def publish(self, type: str, data: Any = None, *, key: str = "", subject: str = "") -> str:
        """Publish an event of a type that the agent declares, and return its id. Raises ToolError when it was refused."""

    def now(self) -> int:
        """The time at which the run was created, Unix milliseconds: the same on every replay."""


class Agent(Protocol):
    """Anything with a name and `act(input, memory)`; LLM agents leave acting to the loop."""

    @property
    def spec(self) -> AgentSpec:
        """Name, kind, instructions, tools."""

    async def act(self, input: Any, memory: Memory, context: RunContext) -> Any:
        """Do the work of a code agent. Not called for `kind="llm"`."""


class Catalogue(Protocol):
    """The agents and tools that exist here, by name."""

    @property
    def agents(self) -> Mapping[str, Agent]:
        """Agents by name."""

    @property
    def tools(self) -> Mapping[str, Tool]:
        """Tools by name."""
