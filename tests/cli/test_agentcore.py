"""An agent as a container of AgentCore Runtime, started from a terminal."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import httpx


def test_the_door_opens_answers_and_closes(
    project: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    """It answers both addresses, and ends when the platform says so."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = start("agentcore", "--agent", "hello", "--host", "127.0.0.1", "--port", str(port))
    try:
        url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                assert httpx.get(f"{url}/ping").json()["status"] == "Healthy"
                break
            except httpx.TransportError:
                assert process.poll() is None, process.communicate()
        answer = httpx.post(f"{url}/invocations", json={"prompt": "Ada"}, timeout=20).json()
        assert answer["response"].startswith("Hello, Ada!")
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=20)
        assert (process.returncode, "stopped" in said) == (0, True)
    finally:
        process.kill()
        process.wait()


def test_an_agent_that_is_not_there(project: Path, remit) -> None:
    """Nothing is opened, nor said to be; the agents there are are named."""
    answer = remit("agentcore", "--agent", "nobody", "--port", "1")
    assert answer.code == 2
    assert "there is no agent `nobody`" in answer.err
    assert "`hello`" in answer.err
    assert "answers" not in answer.err
