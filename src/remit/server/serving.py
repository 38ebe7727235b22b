"""Serving the API with a worker beside it, in one process."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

import uvicorn

from remit.bootstrap import App
from remit.server.app import build_api
from remit.server.hosts import hosts_of
from remit.server.listening import listen

HOST = "127.0.0.1"
PORT = 8700

GRACE_S = 10.0
"""Seconds that open requests and the work in hand get to finish when the server stops."""

log = logging.getLogger("remit.server")


class Server(uvicorn.Server):
    """uvicorn that tells the rest of the process when a signal asks it to stop."""

    def __init__(
        self, config: uvicorn.Config, stop: asyncio.Event, ready: Callable[[], None] | None = None
    ) -> None:
        super().__init__(config)
        self._stop = stop
        self._ready = ready
        self._loop = asyncio.get_running_loop()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        if self.started and self._ready is not None:
            self._ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGINT or SIGTERM came; a second one stops at once.

        uvicorn's own handler would raise the signal again after serving, which ends the process before the store is closed.
        """
        self.force_exit = self.should_exit
        self.should_exit = True
        self._loop.call_soon_threadsafe(self._stop.set)


async def serve(
    app: App,
    host: str = HOST,
    port: int = PORT,
    *,
    stop: asyncio.Event | None = None,
    grace_s: float = GRACE_S,
    ready: Callable[[], None] | None = None,
) -> None:
    """Run API, console and worker until a signal comes or `stop` is set; then finish what is in hand, for `grace_s` at most.

    `ready` is called once, when the server answers.

    Work that is cut off by the stop is taken up by the next start: the journal is the run. If either half fails,
    both stop, and the failure is raised. Raises ConfigError E1091 to E1093 where it cannot listen, before anything is begun.
    """
    sockets = listen(host, port)
    stopping = stop or asyncio.Event()
    config = uvicorn.Config(
        build_api(app, closing=stopping, hosts=hosts_of(host, port, app.settings.url)),
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=max(1, round(grace_s)),
        server_header=False,
        date_header=True,
    )
    server = Server(config, stopping, ready)
    async with asyncio.TaskGroup() as group:
        group.create_task(_work(app, stopping, grace_s))
        group.create_task(answer(server, sockets, stopping))
        await stopping.wait()
        server.should_exit = True


async def _work(app: App, stopping: asyncio.Event, grace_s: float) -> None:
    working = asyncio.create_task(app.work(stopping))
    stopped = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({working}, timeout=grace_s)
    finally:
        stopping.set()
        stopped.cancel()
        if not working.done():
            log.warning("work in hand did not finish within %s s; the next start takes it up", grace_s)
            working.cancel()
    with suppress(asyncio.CancelledError):
        await working


async def answer(server: Server, sockets: list[socket.socket], stopping: asyncio.Event) -> None:
    """Serve on these sockets; when it ends, so does the rest."""
    try:
        await server.serve(sockets)
    finally:
        stopping.set()
