"""A real server on a real socket, in a thread of its own; keys for two tenants."""

from __future__ import annotations

import asyncio
import importlib.util
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from remit.bootstrap import App
from remit.server.serving import serve

_spec = importlib.util.spec_from_file_location("service", Path(__file__).with_name("service.py"))
assert _spec is not None
assert _spec.loader is not None
service = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(service)

KEYS = {
    "ana": ("acme", ("operator",)),
    "bob": ("acme", ("approver",)),
    "vera": ("acme", ("viewer",)),
    "otto": ("acme", ("auditor",)),
    "adam": ("acme", ("admin", "approver")),
    "zoe": ("zeta", ("admin", "approver")),
}


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(check: Callable[[], Any], seconds: float = 10.0) -> Any:
    """What `check` gives as soon as it is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if found := check():
                return found
        except httpx.TransportError:
            pass
        time.sleep(0.02)
    raise AssertionError("it did not come true in time")


class Site:
    """A server over one home directory that can be stopped and started again."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.keys: dict[str, str] = {}
        self.app: App
        self._thread: threading.Thread | None = None
        self._failed: BaseException | None = None

    def start(self) -> None:
        """Serve in a thread; returns when it answers."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        wait_until(self._answers)

    def stop(self) -> None:
        """Stop gracefully."""
        if self._thread is None:
            return
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)
        assert not self._thread.is_alive(), "the server did not stop"
        self._thread = None
        if self._failed:
            raise self._failed

    def run(self, coroutine: Any) -> Any:
        """Run a coroutine on the server's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    def client(self, name: str = "") -> httpx.Client:
        """A client with somebody's key, or none."""
        headers = {"Authorization": f"Bearer {self.keys[name]}"} if name else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=10)

    def _answers(self) -> bool:
        if self._failed:
            raise self._failed
        return httpx.get(f"{self.url}/health").status_code == 200

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:
            self._failed = error

    async def _main(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with service.app_in(self.home) as self.app:
            for name, (tenant, roles) in KEYS.items():
                if name not in self.keys:
                    self.keys[name] = (await self.app.keys.create(tenant, name, roles)).secret
            await serve(self.app, port=self.port, stop=self._stop, grace_s=1.0)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A server of its own."""
    made = Site(tmp_path)
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server for tests that do not disturb each other."""
    made = Site(tmp_path_factory.mktemp("shared"))
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def until() -> Callable[..., Any]:
    """Waits for something to come true."""
    return wait_until
