"""`remit up`: API and worker in one process."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated

import typer

from remit.cli import options as o
from remit.cli.console import paint, say
from remit.cli.session import opened, run_async, settings_for
from remit.cli.text import plural

if TYPE_CHECKING:
    from remit.bootstrap import App


def up(
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on (REMIT_HOST).", show_default="127.0.0.1")
    ] = "",
    port: Annotated[int, typer.Option("--port", help="Port (REMIT_PORT).", show_default="8700")] = 0,
    app: o.AppFile = "",
    pack: o.Packs = [],  # noqa: B006 - typer copies it
    home: o.Home = "",
) -> None:
    """Serve the API and work on runs, until Ctrl-C. What is interrupted goes on at the next start."""
    settings = settings_for(home=home, app=app, packs=pack)

    async def work() -> None:
        from remit.server.serving import serve

        async with opened(home=home, app=app, packs=pack) as program:
            await _greet(program, host or settings.host, port or settings.port)
            await serve(program, host or settings.host, port or settings.port)

    with contextlib.suppress(KeyboardInterrupt):
        run_async(work())
    say("stopped")


async def _greet(app: App, host: str, port: int) -> None:
    from remit.server.local import ensure_local_key

    await ensure_local_key(app, app.settings.home)
    key = app.settings.home / "local.key"
    counts = f"{plural(len(app.catalogue.agents), 'agent')}, {plural(len(app.catalogue.tools), 'tool')}"
    say(f"{paint('remit', 'bold')}  {counts}, data in {app.settings.home}")
    say(f"  API  {paint(f'http://{host}:{port}', 'name')}   description at /openapi.json")
    say(f'  key  {key}   e.g. curl -H "Authorization: Bearer $(cat {key})" http://{host}:{port}/api/v1/runs')
    say(paint("  Ctrl-C stops; what is interrupted goes on at the next start", "dim"))
