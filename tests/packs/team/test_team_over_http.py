"""The research team behind HTTP: invoked by the names of its members, killed in the middle, and done after a restart (T2, T8)."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

TEAM = ["researcher", "analyst", "coder", "reviewer"]
PROGRAM = (sys.executable, "-c", "from remit.cli.main import main; main()")


class Server:
    """`remit up` in a folder of its own, which can be killed and started again."""

    def __init__(self, home: Path) -> None:
        self.home = home
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, **more: str) -> None:
        """Start it and wait until it answers."""
        own = {k: v for k, v in os.environ.items() if not k.startswith("REMIT_")}
        env = {
            **own,
            "REMIT_HOME": str(self.home / ".remit"),
            "REMIT_PACKS": "team",
            "REMIT_LEASE_TTL_S": "2",
            **more,
        }
        command = [*PROGRAM, "up", "--port", str(self.port)]
        self.process = subprocess.Popen(
            command, cwd=self.home, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def client(self) -> httpx.Client:
        """A client with the local key."""
        key = self.home / ".remit" / "local.key"
        until(key.exists)
        until(lambda: self._answers())
        bearer = {"Authorization": f"Bearer {key.read_text().strip()}"}
        return httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}", headers=bearer, trust_env=False, timeout=20
        )

    def _answers(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/health", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        """End it without a word."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()


def until(holds: Callable[[], Any], wait_s: float = 60) -> Any:
    """What `holds` answers once it is true."""
    deadline = time.monotonic() + wait_s
    while True:
        found = holds()
        if found:
            return found
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server that is not started yet."""
    made = Server(tmp_path)
    yield made
    made.kill()


def test_members_are_invoked_by_name_and_the_work_survives_a_kill(server: Server) -> None:
    """The workflow that has all the named members leads; killed after a fetch, it goes on, and its answer is there."""
    server.start(REMIT_FAULT="after:effect:fetch_page#2")
    body = {"task": "Why is prompt injection hard?", "agents": TEAM, "task_id": "q1"}
    with server.client() as ana:
        assert ana.post("/api/v1/agents/invoke", json=body).status_code == 202
        assert server.process is not None
        until(lambda: server.process is not None and server.process.poll() is not None)
    assert server.process.returncode == -signal.SIGKILL
    server.start()
    with server.client() as ana:
        status = until(
            lambda: (
                (s := ana.get("/api/v1/agents/status/q1").json())["status"] in ("success", "failure") and s
            )
        )
        assert (status["agent"], status["status"]) == ("research-team", "success")
        made = ana.get("/api/v1/agents/result/q1").json()["result_payload"]
        assert (made["approved"], made["question"]) == (True, body["task"])
        listed = ana.get(f"/api/v1/runs/{status['run_id']}/artifacts").json()["items"]
        assert "report.md" in [artifact["name"] for artifact in listed]
        report = ana.get(f"/api/v1/runs/{status['run_id']}/artifacts/report.md")
        assert report.text == made["report"]
        assert report.headers["content-disposition"].startswith("attachment")
        assert "sandbox" in report.headers["content-security-policy"]
        assert ana.get(f"/api/v1/runs/{status['run_id']}/artifacts/nothing").status_code == 404
        metrics = ana.get("/metrics").text
    for member in TEAM:
        assert f'agent_invocations_total{{agent="{member}"}}' in metrics
        assert f'agent_duration_seconds_count{{agent="{member}"}}' in metrics
