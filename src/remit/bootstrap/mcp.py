"""The servers of `remit.toml`, and their tools in the catalogue."""

from __future__ import annotations

from remit.bootstrap.catalogue import Known
from remit.core.errors import ConfigError
from remit.core.mcp import is_server
from remit.engine.mcp.approving import Approving
from remit.engine.mcp.tools import McpTools, Terms
from remit.engine.registry import Registry
from remit.engine.tenant_secrets import TenantSecrets
from remit.ports.clock import Clock
from remit.ports.mcp import Servers
from remit.ports.secrets import Secrets
from remit.settings import McpServer, Settings

START_S = 45.0
"""Seconds that the first call of a server may take longer: it is started, and lists its tools."""


def add_mcp_tools(
    settings: Settings, secrets: Secrets, clock: Clock, catalogue: Known, registry: Registry
) -> Approving | None:
    """Let agents name the tools of the servers, none of which is started; None where there are none. Raises ConfigError E957."""
    if not settings.mcp:
        return None
    servers = _servers(settings, secrets, clock)
    terms = {name: Terms(s.risk, s.timeout_s + START_S) for name, s in settings.mcp.items()}
    catalogue.tools.maps.append(McpTools(servers, registry, terms))
    return Approving(servers, registry, terms)


def _servers(settings: Settings, secrets: Secrets, clock: Clock) -> Servers:
    for name, server in settings.mcp.items():
        _check(name, server)
    from importlib.metadata import version  # it brings in the parser of e-mail, which few need

    from remit.adapters.mcp.servers import Endpoint, McpServers

    return McpServers(
        {n: Endpoint(s.command, s.url, s.secrets, s.timeout_s) for n, s in settings.mcp.items()},
        lambda tenant_id: TenantSecrets(secrets, tenant_id),
        clock,
        home=settings.home / "mcp",
        search_path=settings.search_path,
        version=version("remit"),
    )


def _check(name: str, server: McpServer) -> None:
    if not is_server(name):
        raise ConfigError(
            f"`{name}` is no name for an MCP server",
            code="E957",
            help="use at most 32 lower-case letters, digits, `_` and `-`, a letter first and no `__`",
        )
    if bool(server.command) == bool(server.url):
        raise ConfigError(
            f"MCP server `{name}` needs a `command` or a `url`, and not both",
            code="E957",
            help="see docs/howto/mcp.md",
        )
    if server.url and not server.url.startswith(("https://", "http://")):
        raise ConfigError(
            f"the `url` of MCP server `{name}` is no HTTP address",
            code="E957",
            help="write e.g. https://host/mcp",
        )
