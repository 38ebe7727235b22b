"""Tools of servers as the gateway calls them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from remit.core.codec import convert
from remit.core.errors import ConfigError, DeniedError, InputError, RemitError, ToolError
from remit.core.mcp import MOST_NAME, SEPARATOR, pin
from remit.core.tool import Risk, ToolSpec
from remit.engine.mcp.kind import MCP_TOOL, McpToolBody, unapproved
from remit.engine.registry import Registry
from remit.ports.agents import Found, Tool, ToolContext
from remit.ports.mcp import Answer, Servers

MOST_ERROR = 2000
"""Characters of what a tool says of its failure."""


class Terms(Struct, frozen=True):
    """What settings say of a server: `risk` of tools that nobody gave another, and the seconds a call may take in all."""

    risk: Risk
    timeout_s: float


class McpTool:
    """`ports.agents.Tool`: one tool of a server, called exactly as it was approved, or not at all."""

    can_reconcile = False

    def __init__(
        self, name: str, server: str, timeout_s: float, servers: Servers, registry: Registry
    ) -> None:
        self._server = server
        self._servers = servers
        self._registry = registry
        self.spec: ToolSpec = unapproved(name, timeout_s)
        """Of no run: what a run is held to is its approved definition."""

    async def call(self, arguments: dict[str, Any], context: ToolContext) -> Any:
        """Call it under the run's approved version. Raises ToolError E950 or E952 when the server offers another tool by now."""
        own = await self._own_name(context)
        try:
            answer = await self._servers.call(
                context.tenant_id, self._server, own, arguments, key=context.idempotency_key
            )
        except (ConfigError, InputError) as error:  # a secret that there is not: nothing was sent
            raise ToolError(error.message, code=error.code, help=error.help) from error
        if answer.failed:
            raise ToolError(answer.text[:MOST_ERROR] or f"`{self.spec.name}` failed and does not say why")
        return _output(answer, context)

    async def _own_name(self, context: ToolContext) -> str:
        """The name that the server has for it, if it may be called. Whatever goes wrong here, nothing was sent. Raises ToolError."""
        try:
            body = await self._approved(context)
            await self._check_unchanged(body, context.tenant_id)
        except ToolError:
            raise
        except RemitError as error:
            raise ToolError(error.message, code=error.code, help=error.help) from error
        except Exception as error:
            why = f"server `{self._server}` cannot be asked for its tools: {error}"
            raise ToolError(why, code="E953", retryable=True) from error
        return body.contract.name

    async def reconcile(self, arguments: dict[str, Any], context: ToolContext) -> Found:
        """No server can be asked what became of a call."""
        raise ToolError(f"tool `{self.spec.name}` has no `reconcile`", code="E704")

    def context_facts(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """None: only code that is trusted tells policy about arguments."""
        return {}

    def refusal(self) -> DeniedError:
        """Why it cannot be called while nobody has approved it."""
        return DeniedError(
            f"tool `{self.spec.name}` of MCP server `{self._server}` is not approved",
            code="E950",
            help=f"`remit mcp inspect {self._server}` shows what it is, `remit mcp approve {self._server}` approves it",
        )

    async def _approved(self, context: ToolContext) -> McpToolBody:
        tenant_id, name = context.tenant_id, self.spec.name
        head = await self._registry.head(tenant_id, MCP_TOOL, name)
        if head is None or not head.active.version or not head.enabled or context.tool_version == "0":
            refusal = self.refusal()
            raise ToolError(refusal.message, code=refusal.code, help=refusal.help)
        found = await self._registry.get(tenant_id, MCP_TOOL, name, int(context.tool_version))
        return convert(found.body, McpToolBody)

    async def _check_unchanged(self, body: McpToolBody, tenant_id: str) -> None:
        for listed in await self._servers.tools(tenant_id, self._server):
            if listed.name == body.contract.name:
                if pin(listed) == pin(body.contract):
                    return
                raise ToolError(
                    f"server `{self._server}` changed `{listed.name}` since it was approved",
                    code="E952",
                    help=f"`remit mcp inspect {self._server}` shows what changed, `remit mcp approve {self._server} {listed.name}` approves it",
                )
        raise ToolError(
            f"server `{self._server}` no longer has a tool `{body.contract.name}`",
            code="E952",
            help=f"`remit mcp inspect {self._server}` shows what it has",
        )


class McpTools(dict[str, Tool]):
    """The tools of the servers by name, known without starting one; which there are is for definitions to say, so none is listed."""

    def __init__(self, servers: Servers, registry: Registry, terms: Mapping[str, Terms]) -> None:
        super().__init__()
        self._servers = servers
        self._registry = registry
        self._terms = terms

    def __missing__(self, name: str) -> Tool:
        server = self._server(name)
        if not server:
            raise KeyError(name)
        return McpTool(name, server, self._terms[server].timeout_s, self._servers, self._registry)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self._server(name))

    def _server(self, name: str) -> str:
        """The server of a name; empty for the name of no tool of theirs."""
        server, _, own = name.partition(SEPARATOR)
        return server if own and server in self._terms and len(name) <= MOST_NAME else ""


def _output(answer: Answer, context: ToolContext) -> Any:
    """The structured content if there is any, else the text, and what was kept of attachments."""
    kept = [
        {
            "name": a.name,
            "media_type": a.media_type,
            "size_bytes": len(a.data),
            "artifact": context.keep(a.name, a.data, a.media_type),
        }
        for a in answer.attachments
    ]
    if answer.structured is not None:
        return answer.structured
    return {"text": answer.text, "attachments": kept} if kept else answer.text
