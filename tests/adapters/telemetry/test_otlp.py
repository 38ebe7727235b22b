"""A run's spans at a receiver: sent by a process over OTLP/HTTP, with the settings that the docs name for Langfuse."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

trace_service = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
pytest.importorskip("opentelemetry.sdk.trace")

PAGE = Path(__file__).parents[3] / "docs" / "howto" / "tracing.md"
PROGRAM = """
import asyncio
from remit import Actor, Agent, Pack, Task, open_app

clock = Agent("clock", instructions="Say when it is noon.")

async def main():
    async with open_app(packs=[Pack("clocks", agents=[clock])]) as app:
        task = Task("t", "clock", objective="hushed words", actor_context=Actor("ann"), session_id="s-1")
        print((await app.run(task)).status)

asyncio.run(main())
"""


class Receiver(ThreadingHTTPServer):
    """Takes what comes, and keeps it."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, dict[str, str], bytes]] = []
        super().__init__(("127.0.0.1", 0), Taking)


class Taking(BaseHTTPRequestHandler):
    """One request."""

    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Nothing is said."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def as_documented(page: Path, receiver: Receiver) -> dict[str, str]:
    """The variables that the docs export for Langfuse, as a shell makes them; the address is the receiver's."""
    block = re.search(r"```bash\n((?:.*LANGFUSE.*\n)(?:export .*\n)*)", page.read_text())
    assert block is not None
    script = block[1] + "env -0"
    keys = {"LANGFUSE_PUBLIC_KEY": "pk-lf-1", "LANGFUSE_SECRET_KEY": "sk-lf-2", "PATH": os.environ["PATH"]}
    done = subprocess.run(["bash", "-ec", script], env=keys, capture_output=True, text=True, check=True)
    said = dict(line.split("=", 1) for line in done.stdout.split("\0") if "=" in line)
    found = {name: value for name, value in said.items() if name.startswith("OTEL_")}
    address = found["OTEL_EXPORTER_OTLP_ENDPOINT"]
    port = receiver.server_address[1]
    return {
        **found,
        "OTEL_EXPORTER_OTLP_ENDPOINT": re.sub(r"https://[^/]+", f"http://127.0.0.1:{port}", address),
    }


def attributes(span: Any) -> dict[str, Any]:
    """A span's attributes as plain values."""
    plain: dict[str, Any] = {}
    for item in span.attributes:
        kind = item.value.WhichOneof("value")
        plain[item.key] = getattr(item.value, kind) if kind else None
    return plain


@pytest.mark.slow
def test_a_run_arrives_as_langfuse_reads_it(receiver: Receiver, tmp_path: Path) -> None:
    """Address, both headers, and the attributes that Langfuse maps: model, tokens, cost, session. No metrics, no content."""
    env = {**os.environ, **as_documented(PAGE, receiver), "REMIT_HOME": str(tmp_path)}
    run = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(run, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "success\n", done.stdout + done.stderr
    assert {path for path, _, _ in receiver.taken} == {"/api/public/otel/v1/traces"}
    _, headers, _ = receiver.taken[0]
    assert headers["authorization"] == "Basic " + base64.b64encode(b"pk-lf-1:sk-lf-2").decode()
    assert headers["x-langfuse-ingestion-version"] == "4"
    bodies = [body for _, _, body in receiver.taken]
    assert not any(b"hushed words" in body for body in bodies)
    spans = [
        span
        for body in bodies
        for resource in trace_service.ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    assert len({span.trace_id for span in spans}) == 1
    (invoked,) = [attributes(s) for s in spans if s.name == "invoke_agent clock"]
    (chat,) = [attributes(s) for s in spans if s.name.startswith("chat ")]
    assert invoked["session.id"] == invoked["gen_ai.conversation.id"] == "s-1"
    assert chat["gen_ai.operation.name"] == "chat"
    assert chat["gen_ai.request.model"] == chat["gen_ai.response.model"] == "rules"
    assert chat["remit.model.route"] == "default"
    assert chat["gen_ai.usage.input_tokens"] > 0
    assert chat["gen_ai.usage.output_tokens"] > 0
    assert chat["gen_ai.usage.cost"] == 0
