"""How tools of servers come into use: looked at, proposed as drafts, approved by a person, and looked at again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from remit.core import definition as df
from remit.core.codec import convert, plain
from remit.core.definition import Definition, Difference, Head
from remit.core.errors import InputError
from remit.core.mcp import Contract, look_alike, pin, tool_name
from remit.core.task import Actor
from remit.core.tool import Risk
from remit.engine.mcp.kind import MCP_TOOL, Effect, McpToolBody
from remit.engine.mcp.tools import Terms
from remit.engine.registry import PAGE, Registry
from remit.ports.mcp import Servers

State = Literal["proposed", "approved", "changed", "gone", "disabled", "refused"]
"""`proposed`: nobody approved it. `changed`, `gone`: the server no longer offers what was approved. `refused`: nobody can approve it."""


class Offered(Struct, frozen=True):
    """A tool of a server: what it offers now, what was approved, and where the two differ.

    `approved` is the active version. `reason` says why it is refused.
    """

    tool: str
    name: str
    state: State
    contract: Contract | None = None
    approved: McpToolBody | None = None
    version: int = 0
    differences: tuple[Difference, ...] = ()
    reason: str = ""


class Approving:
    """The tools of the servers of `remit.toml`, for the people who decide about them."""

    def __init__(self, servers: Servers, registry: Registry, terms: Mapping[str, Terms]) -> None:
        self.servers = servers
        self._registry = registry
        self._terms = terms

    async def look(self, tenant_id: str, server: str) -> list[Offered]:
        """Ask a server what it offers, and compare it with what this tenant approved. Changes nothing.

        Raises ToolError E953, InputError E959.
        """
        contracts = await self.servers.tools(tenant_id, server, fresh=True)
        known = await self.known(tenant_id, server)
        found = [await self._offered(tenant_id, server, c, known, contracts) for c in contracts]
        offered = {one.name for one in found}
        return [
            *found,
            *(self._gone(body, head) for name, (head, body) in known.items() if name not in offered),
        ]

    async def propose(
        self, tenant_id: str, server: str, *, actor: Actor, reason: str
    ) -> list[tuple[Offered, Definition]]:
        """Keep what is new or changed as drafts, which nobody can call. One that is a draft already stays the one it is."""
        made = []
        for one in await self.look(tenant_id, server):
            if one.contract is not None and one.state in ("proposed", "changed"):
                body = one.approved or McpToolBody(server, one.contract, risk=self._terms[server].risk)
                body = replace(body, contract=one.contract)
                draft = await self._draft(tenant_id, one.name, body, actor, reason)
                made.append((one, draft))
        return made

    async def approve(
        self,
        tenant_id: str,
        server: str,
        tool: str,
        *,
        expect: str,
        actor: Actor,
        reason: str,
        risk: Risk | None = None,
        effect: Effect | None = None,
    ) -> Definition:
        """Let agents call a tool as it was shown: `expect` is the pin of that. Whoever approved it before said the terms if
        these are not given.

        Raises InputError E952 when the server offers another one by now, E958 for one that nobody can approve, DeniedError.
        """
        one = next((o for o in await self.look(tenant_id, server) if tool in (o.tool, o.name)), None)
        if one is None or one.contract is None:
            raise InputError(
                f"server `{server}` has no tool `{tool[:150]}`",
                code="E959",
                help=f"`remit mcp inspect {server}` lists what it has",
            )
        if one.state == "refused":
            raise InputError(f"`{one.tool}` cannot be approved: {one.reason}", code="E958")
        if pin(one.contract) != expect:
            raise InputError(
                f"server `{server}` changed `{one.tool}` after it was shown", code="E952", help="look again"
            )
        before = one.approved or McpToolBody(server, one.contract, risk=self._terms[server].risk)
        body = replace(
            before, contract=one.contract, risk=risk or before.risk, effect=effect or before.effect
        )
        return await self._activate(tenant_id, one.name, body, actor, reason)

    async def known(self, tenant_id: str, server: str) -> dict[str, tuple[Head, McpToolBody]]:
        """The tools of a server that this tenant approved, by name."""
        found: dict[str, tuple[Head, McpToolBody]] = {}
        cursor: str | None = None
        while True:
            page = await self._registry.list(tenant_id, MCP_TOOL, limit=PAGE, cursor=cursor)
            for head in page.items:
                if head.active.version:
                    made = await self._registry.get(tenant_id, MCP_TOOL, head.name, head.active.version)
                    body = convert(made.body, McpToolBody)
                    if body.server == server:
                        found[head.name] = head, body
            cursor = page.cursor
            if cursor is None:
                return found

    # how

    async def _offered(
        self,
        tenant_id: str,
        server: str,
        contract: Contract,
        known: Mapping[str, tuple[Head, McpToolBody]],
        beside: Sequence[Contract],
    ) -> Offered:
        try:
            name = tool_name(server, contract.name)
            twin = look_alike(contract.name, [c.name for c in beside if c is not contract])
            twice = sum(_named(server, c) == name for c in beside) > 1
            if twice or (twin and name not in known):
                raise InputError(f"its name is easily taken for that of `{twin or contract.name}`")
            self._registry.check(tenant_id, MCP_TOOL, name, plain(McpToolBody(server, contract)))
            await self._registry.kind(MCP_TOOL).verify(tenant_id, plain(McpToolBody(server, contract)))
        except InputError as error:
            return Offered(contract.name, "", "refused", contract, reason=error.message)
        if name not in known:
            return Offered(contract.name, name, "proposed", contract)
        head, body = known[name]
        changed = tuple(df.differences(plain(body.contract), plain(contract)))
        state: State = "changed" if changed else "approved" if head.enabled else "disabled"
        return Offered(contract.name, name, state, contract, body, head.active.version, changed)

    def _gone(self, body: McpToolBody, head: Head) -> Offered:
        return Offered(body.contract.name, head.name, "gone", None, body, head.active.version)

    async def _draft(
        self, tenant_id: str, name: str, body: McpToolBody, actor: Actor, reason: str
    ) -> Definition:
        newest = await self._newest(tenant_id, name)
        if newest is not None and convert(newest.body, McpToolBody) == body:
            return newest
        return await self._registry.draft(
            tenant_id, MCP_TOOL, name, plain(body), actor=actor, reason=reason, comment=pin(body.contract)
        )

    async def _activate(
        self, tenant_id: str, name: str, body: McpToolBody, actor: Actor, reason: str
    ) -> Definition:
        draft = await self._draft(tenant_id, name, body, actor, reason)
        if draft.status == "active":
            if not draft.enabled:
                return await self._registry.enable(tenant_id, MCP_TOOL, name, actor=actor, reason=reason)
            return draft
        verb = self._registry.promote if draft.status == "draft" else self._registry.rollback
        return await verb(tenant_id, MCP_TOOL, name, draft.version, actor=actor, reason=reason)

    async def _newest(self, tenant_id: str, name: str) -> Definition | None:
        head = await self._registry.head(tenant_id, MCP_TOOL, name)
        if head is None:
            return None
        return await self._registry.get(tenant_id, MCP_TOOL, name, head.latest)


def _named(server: str, contract: Contract) -> str:
    try:
        return tool_name(server, contract.name)
    except InputError:
        return ""
