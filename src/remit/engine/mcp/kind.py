"""A tool of a server as a definition: what the server said of it, and on which terms a person lets agents call it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from remit.core.codec import convert, plain
from remit.core.errors import ConfigError, InputError
from remit.core.mcp import Contract, look_alike, tool_name, unfit
from remit.core.provenance import Sensitivity
from remit.core.roles import DECLARED
from remit.core.tool import Retry, Risk, ToolSpec
from remit.engine.kinds import Shaped, schema_of
from remit.engine.versions import HEADS, read_head, scope_of
from remit.ports.store import Records

MCP_TOOL = "mcp_tool"

Effect = Literal["read", "keyed", "plain"]
"""What is known of a call whose outcome is not: a server has nothing to ask (`lookup`)."""


class McpToolBody(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A tool of a server. The version that is active was approved; a draft is what the server proposes.

    `contract` is what the server says, word for word. `risk`, `effect`, `outward` and `sensitivity` are the terms: what
    the server says of itself counts for none of them.
    """

    server: str
    contract: Contract
    risk: Risk = "L2"
    effect: Effect = "plain"
    outward: bool = True
    sensitivity: Sensitivity = "internal"

    @property
    def name(self) -> str:
        """The name that agents and policies have for it."""
        return tool_name(self.server, self.contract.name)


class McpToolKind(Shaped):
    """Tools of servers. `known` are the names of the tools that code defines."""

    def __init__(self, store: Records, known: Iterable[str]) -> None:
        super().__init__(MCP_TOOL, McpToolBody, "in force for new runs; one under way goes on as it began")
        self._store = store
        self._known = known

    def check(self, body: dict[str, Any]) -> None:
        """Raise InputError for a tool that could not be called, or that a person would read otherwise than a model."""
        super().check(body)
        made = convert(body, McpToolBody)
        reason = unfit(made.contract)
        if reason:
            raise InputError(f"`{made.name}` cannot be approved: {reason}", code="E958")
        schema_of("contract.input_schema", made.contract.input_schema)
        if made.contract.output_schema is not None:
            schema_of("contract.output_schema", made.contract.output_schema)

    def complete(self, body: dict[str, Any]) -> dict[str, Any]:
        """With its defaults left out."""
        made: dict[str, Any] = plain(convert(body, McpToolBody))
        return made

    async def verify(self, tenant_id: str, body: dict[str, Any]) -> None:
        """Raise InputError E958 for a name that looks like that of another tool."""
        name = convert(body, McpToolBody).name
        coded = list(self._known)
        other = look_alike(name, [*coded, *await self._approved(tenant_id)])
        if other or name in coded:
            raise InputError(
                f"`{name}` is easily taken for the tool `{other or name}`",
                code="E958",
                help="give the server another name in remit.toml, or archive the other tool",
            )

    async def _approved(self, tenant_id: str) -> list[str]:
        found: list[str] = []
        cursor: str | None = None
        scope = scope_of(tenant_id, MCP_TOOL)
        while True:
            page = await self._store.query(HEADS, "by_kind", (scope,), limit=200, cursor=cursor)
            found += [head.name for head in map(read_head, page.items) if head.active.version]
            cursor = page.cursor
            if cursor is None:
                return found


def spec_of(name: str, timeout_s: float, version: int, body: McpToolBody) -> ToolSpec:
    """What a run is held to. Raises ConfigError E951 for a definition under a name that is not its own."""
    if body.name != name:
        raise ConfigError(
            f"definition `{MCP_TOOL}/{name}` is of tool `{body.name}`",
            code="E951",
            help="a tool's definition has its own name: archive this one",
        )
    return replace(
        unapproved(name, timeout_s),
        description=body.contract.description or body.contract.title,
        input_schema=_without_roles(body.contract.input_schema),
        output_schema=body.contract.output_schema,
        risk=body.risk,
        effect=body.effect,
        outward=body.outward,
        sensitivity=body.sensitivity,
        version=str(version),
    )


def _without_roles(schema: Any) -> Any:
    """A schema without what would tell Remit that an argument is harmless: that is not for a server to say."""
    if isinstance(schema, dict):
        return {key: _without_roles(value) for key, value in schema.items() if key != DECLARED}
    return [_without_roles(value) for value in schema] if isinstance(schema, list) else schema


def unapproved(name: str, timeout_s: float) -> ToolSpec:
    """A tool of a server before anybody approved it: the strictest there is."""
    return ToolSpec(
        name=name,
        description="",
        input_schema=ANY,
        risk="L3",
        effect="plain",
        timeout_s=timeout_s,
        retry=Retry(),
        outward=True,
        trust="untrusted",
        sensitivity="private",
        tags=("mcp",),
        version="0",
    )


ANY: dict[str, Any] = {"type": "object"}
