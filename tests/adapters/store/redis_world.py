"""The Redis to test with, and servers of a test's own that can be killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

URL = os.environ.get("REMIT_TEST_REDIS", "")
HOW = "REMIT_TEST_REDIS names no Redis to test with: source scripts/ci/redis.sh"

MOVE = """
local moved = redis.call("KEYS", ARGV[1] .. ":run:*")
for _, key in ipairs(moved) do
  for _, field in ipairs({ "lease", "wake" }) do
    local at = redis.call("HGET", key, field)
    if at ~= "" then
      redis.call("HSET", key, field, string.format("%.0f", at - ARGV[2]))
    end
  end
end
for _, run in ipairs(redis.call("ZRANGE", ARGV[1] .. ":later", 0, -1)) do
  redis.call("ZINCRBY", ARGV[1] .. ":later", -ARGV[2], run)
end"""


def url() -> str:
    """The address of the Redis of this run of tests; the test is skipped where there is none, and fails in CI."""
    if not URL:
        if os.environ.get("CI") == "true":
            pytest.fail(HOW)
        pytest.skip(HOW)
    pytest.importorskip("redis", reason='the extra "remit[redis]" is not installed')
    return URL


def client(address: str = "") -> Any:
    """A plain client."""
    import redis

    return redis.Redis.from_url(address or url())


def prefix() -> str:
    """A prefix of one's own."""
    return f"t{secrets.token_hex(6)}"


def now(address: str = "") -> int:
    """The server's time in milliseconds."""
    with contextlib.closing(client(address)) as db:
        seconds, micros = db.time()
    return seconds * 1000 + micros // 1000


def shift(name: str, ms: int, address: str = "") -> None:
    """Let the server's time pass for one store: everything that lies ahead comes nearer."""
    with contextlib.closing(client(address)) as db:
        db.eval(MOVE, 0, name, ms)


def drop(name: str, address: str = "") -> None:
    """Remove a store."""
    with contextlib.closing(client(address)) as db:
        for keys in _portions(db.scan_iter(match=f"{name}:*", count=1000)):
            db.unlink(*keys)


def _portions(keys: Iterator[bytes]) -> Iterator[list[bytes]]:
    found = list(keys)
    for first in range(0, len(found), 1000):
        yield found[first : first + 1000]


@contextlib.asynccontextmanager
async def opened(address: str = "", **more: Any) -> AsyncIterator[Any]:
    """An open store under a prefix of its own, which is gone afterwards."""
    from remit.adapters.store.redis import RedisStore

    name = prefix()
    store = RedisStore(address or url(), prefix=name, **more)
    await store.open()
    try:
        yield store
    finally:
        await store.close()
        drop(name, address)


class OwnRedis:
    """A `redis-server` that keeps what it acknowledges in a folder, to be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self._binary = shutil.which("redis-server")
        if self._binary is None:
            if os.environ.get("CI") == "true":
                pytest.fail("no redis-server")
            pytest.skip("no redis-server")
        pytest.importorskip("redis", reason='the extra "remit[redis]" is not installed')
        self._folder = folder
        self.port, self.spare = _free_ports()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        """Start, with more options than usual, and return once it answers."""
        import redis
        from redis.backoff import ConstantBackoff
        from redis.retry import Retry

        manifest = self._folder / "appendonlydir" / "appendonly.aof.manifest"
        if manifest.exists():
            # as docs/howto/redis.md has it done before each start
            fix = [str(shutil.which("redis-check-aof")), "--fix", str(manifest)]
            subprocess.run(fix, input=b"y\n" * 3, stdout=subprocess.DEVNULL, check=True)
        base = ["--appendonly", "yes", "--appendfsync", "always", "--aof-load-truncated", "no", "--save", ""]
        where = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._binary), *where, *base, *options], stdout=log, stderr=log
            )
        patient = Retry(
            ConstantBackoff(0.02), 500, supported_errors=(redis.ConnectionError, redis.BusyLoadingError)
        )
        with contextlib.closing(redis.Redis(port=self.port, retry=patient)) as db:
            db.ping()

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


Moment = Literal["", "before", "after"]


class Cutter:
    """A proxy before Redis that cuts the connection over which the next commit goes: before Redis has it, or its answer."""

    def __init__(self, port: int) -> None:
        from remit.adapters.store.redis.scripts import DIGESTS

        self._target = port
        self._mark = DIGESTS["commit"].encode()
        self._server: asyncio.Server | None = None
        self._pumps: set[asyncio.Task[None]] = set()
        self.moment: Moment = ""
        self.cuts = 0
        self.url = ""

    async def __aenter__(self) -> Cutter:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/0"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server
        self._server.close()
        for pump in self._pumps:
            pump.cancel()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target)
        doomed = False

        async def back() -> None:
            while chunk := await there_reader.read(65_536):
                if doomed:
                    break
                writer.write(chunk)
            writer.transport.abort()

        self._pumps.add(pump := asyncio.ensure_future(back()))
        while chunk := await reader.read(65_536):
            if self.moment and self._mark in chunk:
                moment, self.moment, doomed = self.moment, "", True
                self.cuts += 1
                if moment == "before":
                    break
            there_writer.write(chunk)
        there_writer.close()
        await asyncio.wait([pump])
        writer.transport.abort()
