"""`remit agentcore`: one agent as a container of Amazon Bedrock AgentCore Runtime."""

from __future__ import annotations

import contextlib
from typing import Annotated

import typer

from remit.cli import options as o
from remit.cli.console import say
from remit.cli.session import opened, run_async


def agentcore(
    agent: Annotated[str, typer.Option("--agent", metavar="NAME", help="The agent that answers.")],
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "0.0.0.0",
    port: Annotated[int, typer.Option("--port", help="Port; AgentCore calls 8080.")] = 8080,
    app: o.AppFile = "",
    pack: o.Packs = [],  # noqa: B006 - typer copies it
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Answer POST /invocations and GET /ping for one agent, until Ctrl-C. Whoever reaches the port may call it."""

    async def work() -> None:
        from remit.server.agentcore import serve

        async with opened(home=home, app=app, packs=pack) as program:
            said = f"agent {agent} answers http://{host}:{port}/invocations for tenant {tenant}; Ctrl-C stops"
            await serve(program, agent, tenant_id=tenant, host=host, port=port, ready=lambda: say(said))

    with contextlib.suppress(KeyboardInterrupt):
        run_async(work())
    say("stopped")
