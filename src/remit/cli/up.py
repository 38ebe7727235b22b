"""`remit up`: console, API and worker in one process."""

from __future__ import annotations

import contextlib
import sys
import threading
import webbrowser
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
    no_open: Annotated[
        bool, typer.Option("--no-open", help="Do not open the console in a browser; only print its address.")
    ] = False,
    app: o.AppFile = "",
    pack: o.Packs = [],  # noqa: B006 - typer copies it
    home: o.Home = "",
) -> None:
    """Serve the console and the API and work on runs, until Ctrl-C. What is interrupted goes on at the next start."""
    settings = settings_for(home=home, app=app, packs=pack)

    async def work() -> None:
        from remit.server.serving import serve

        async with opened(home=home, app=app, packs=pack) as program:
            where = (host or settings.host, port or settings.port)
            link = await _sign_in(program, *where)

            def ready() -> None:
                _greet(program, *where, link)
                if link and not no_open and sys.stdin.isatty() and sys.stderr.isatty():
                    open_browser(link)

            await serve(program, *where, ready=ready)

    with contextlib.suppress(KeyboardInterrupt):
        run_async(work())
    say("stopped")


def open_browser(link: str) -> None:
    """Open an address in the user's browser, without waiting for it; a machine without one has it printed anyway."""
    threading.Thread(target=webbrowser.open, args=(link,), daemon=True).start()


async def _sign_in(app: App, host: str, port: int) -> str:
    """The address that signs a browser in; an empty text where no console is built."""
    from remit.server.console import is_built
    from remit.server.local import ensure_local_key, sign_in_link

    secret = await ensure_local_key(app, app.settings.home)
    return await sign_in_link(app, secret, host, port) if is_built(app.settings) else ""


def _greet(app: App, host: str, port: int, link: str) -> None:
    """Say what is served and where."""
    from remit.server.local import address_of

    key = app.settings.home / "local.key"
    counts = f"{plural(len(app.catalogue.agents), 'agent')}, {plural(len(app.catalogue.tools), 'tool')}"
    say(f"{paint('remit', 'bold')}  {counts}, data in {app.settings.home}")
    if link:
        say(f"  console  {paint(link, 'name')}   signs you in once, within 5 minutes")
    else:
        say("  console  not built; where Remit's source is: make console")
    address = address_of(app, host, port)
    say(f"  API      {paint(address, 'name')}   description at /openapi.json")
    say(f'  key      {key}   e.g. curl -H "Authorization: Bearer $(cat {key})" {address}/api/v1/runs')
    say(paint("  Ctrl-C stops; what is interrupted goes on at the next start", "dim"))
