"""Servers of the official SDK, as processes of ours and over HTTP, and the ways to them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from remit.adapters.clock.system import SystemClock
from remit.adapters.mcp.servers import Endpoint, McpServers
from remit.adapters.secrets.mapping import MappingSecrets

BARE, STANDIN = (Path(__file__).with_name(name) for name in ("bare.py", "standin.py"))


class Http:
    """The stand-in over HTTP: started when it is first needed, and again after it died."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}/mcp"
        self._process: subprocess.Popen[bytes] | None = None

    def running(self) -> None:
        """Returns when it listens, with nothing left of earlier tests."""
        for left in self.folder.iterdir():
            left.unlink()
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen([sys.executable, STANDIN, self.folder, str(self._port)])
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self._port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError("it does not listen")

    def stop(self) -> None:
        """Stop serving."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


class Peer(NamedTuple):
    """A pool with the stand-in as its server `s`, and the stand-in's folder."""

    pool: McpServers
    folder: Path


Opened = Callable[..., McpServers]


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Opened]:
    """Makes a pool of one server `s` at an endpoint, for every tenant with the secret `token`."""
    pools: list[McpServers] = []

    def made(endpoint: Endpoint) -> McpServers:
        pool = McpServers(
            {"s": endpoint},
            lambda tenant: MappingSecrets({"token": f"token of {tenant}"}),
            SystemClock(),
            home=tmp_path / "home",
            search_path=os.environ["PATH"],
            version="1",
        )
        pools.append(pool)
        return pool

    yield made
    for pool in pools:
        await pool.close()


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Http]:
    """One server over HTTP for the tests of a module."""
    made = Http(tmp_path_factory.mktemp("http"))
    yield made
    made.stop()


@pytest.fixture(params=["stdio", "http"])
def peer(request: pytest.FixtureRequest, tmp_path: Path, opened: Opened) -> Peer:
    """The stand-in by either transport."""
    return _peer(request, STANDIN, tmp_path, opened)


@pytest.fixture(params=["stdio", "http"])
def quick_peer(request: pytest.FixtureRequest, tmp_path: Path, opened: Opened) -> Peer:
    """As `peer`, for the tools that `bare.py` has too, which starts in no time."""
    return _peer(request, BARE, tmp_path, opened)


def _peer(request: pytest.FixtureRequest, program: Path, tmp_path: Path, opened: Opened) -> Peer:
    if request.param == "stdio":
        command = (sys.executable, str(program), str(tmp_path))
        return Peer(opened(Endpoint(command=command, timeout_s=2)), tmp_path)
    http: Http = request.getfixturevalue("http")
    http.running()
    return Peer(opened(Endpoint(url=http.url, timeout_s=2)), http.folder)
