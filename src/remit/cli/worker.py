"""`remit worker`: work on runs, without the API. Several may share one store."""

from __future__ import annotations

from typing import Annotated

import typer

from remit.cli import options as o
from remit.cli.console import say
from remit.cli.session import run_async, settings_for, started
from remit.cli.text import plural


def worker(
    until_idle: Annotated[bool, typer.Option("--until-idle", help="End when nothing is due.")] = False,
    app: o.AppFile = "",
    pack: o.Packs = [],  # noqa: B006 - typer copies it
    fault: Annotated[
        str,
        typer.Option(
            "--fault", metavar="POINT", help="Die (SIGKILL) at this point, for tests.", show_default=False
        ),
    ] = "",
    lease: Annotated[
        float,
        typer.Option(
            "--lease", metavar="S", help="Others take over after so many silent seconds.", show_default="15"
        ),
    ] = 0,
    home: o.Home = "",
) -> None:
    """Work on runs until Ctrl-C; steps in flight are finished first."""
    settings = settings_for(home=home, app=app, packs=pack, fault=fault, lease_s=lease)

    async def work() -> None:
        import asyncio
        import signal

        async with started(settings) as program:
            if until_idle:
                await program.scheduler.tick()
                await program.worker.run_until_idle()
                while await program.bus.drain():  # what ended may have raised events, and these start runs
                    await program.worker.run_until_idle()
                return
            stop = asyncio.Event()
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, stop.set)
            say(
                f"worker up: {plural(len(program.catalogue.agents), 'agent')}, data in {settings.home}; Ctrl-C stops"
            )
            await program.work(stop)
            say("worker stopped; what is unfinished goes on at the next start")

    run_async(work())
