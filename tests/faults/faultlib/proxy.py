"""A TCP proxy on loopback that can be away, slow or flapping."""

from __future__ import annotations

import asyncio
import contextlib


class Proxy:
    """Forwards to `host:port`. `down` cuts every connection and refuses new ones; `delay_s` holds each chunk back."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.delay_s = 0.0
        self.cuts = 0
        self.is_down = False

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.down()
        if self._server is not None:
            self._server.close()

    def down(self) -> None:
        """Cut everything."""
        self.is_down = True
        self.cuts += len(self._writers)
        for writer in list(self._writers):
            writer.transport.abort()

    def up(self) -> None:
        """Let connections through again."""
        self.is_down = False

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_down:
            writer.transport.abort()
            return
        there_reader, there_writer = await asyncio.open_connection(*self._target)
        self._writers |= {writer, there_writer}
        await asyncio.gather(self._pump(reader, there_writer), self._pump(there_reader, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(65_536):
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                writer.write(chunk)
                await writer.drain()
        self._writers.discard(writer)
        writer.transport.abort()
