"""The AWS emulator as tests of adapters reach it, and a server that fails as AWS does."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from remit.adapters.aws.session import Session
from remit.bootstrap.adapters import shared_session
from remit.testing.model_server import ModelServer

URL = os.environ.get("REMIT_TEST_MINISTACK", "")
REGION = "us-east-1"


def credentials(monkeypatch: pytest.MonkeyPatch, account: str = "") -> str:
    """Let boto3 find credentials of an account of the emulator, by default a new one."""
    shared_session.cache_clear()  # a process has one set of credentials, but this one
    account = account or f"{secrets.randbelow(10**12):012d}"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", account)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    return account


def emulated(monkeypatch: pytest.MonkeyPatch) -> Session:
    """A session in an account of its own; skips, or fails in CI, when no emulator runs."""
    if not URL:
        reason = 'no AWS emulator: eval "$(scripts/ci/ministack.sh)"'
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    pytest.importorskip("boto3")
    credentials(monkeypatch)
    return Session(region=REGION, endpoint_url=URL)


@contextmanager
def model_proxy() -> Iterator[ModelServer]:
    """The one server that the emulator asks for models; other test processes wait their turn."""
    port = int(os.environ.get("REMIT_TEST_MINISTACK_PROXY_PORT", "18080"))
    with (Path(tempfile.gettempdir()) / f"remit-model-proxy-{port}").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        with ModelServer(port=port) as server:
            yield server


class FailingAws:
    """A server that answers every request with the next of `answers`: a status and AWS's code, or "hang up".

    `requests` are the bodies it was sent. The last answer is given for ever.
    """

    def __init__(self, *answers: tuple[int, str] | str) -> None:
        self.answers = list(answers)
        self.requests: list[bytes] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                outer._take(self)

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _answer

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def __enter__(self) -> FailingAws:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _take(self, handler: BaseHTTPRequestHandler) -> None:
        self.requests.append(handler.rfile.read(int(handler.headers.get("Content-Length") or 0)))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, str):
            handler.close_connection = True
            handler.connection.close()
            return
        status, code = answer
        json_spoken = "json" in handler.headers.get("Content-Type", "") or "X-Amz-Target" in handler.headers
        body = _json(code) if json_spoken else _xml(code)
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json" if json_spoken else "text/xml")
        handler.send_header("x-amzn-errortype", code)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


def _json(code: str) -> bytes:
    return json.dumps({"__type": code, "message": f"this is {code}"}).encode()


def _xml(code: str) -> bytes:
    """An error as S3 has it, and as services of the query protocol have it, in one document."""
    inner = f"<Code>{code}</Code><Message>this is {code}</Message>"
    return f"<Error>{inner}<Type>Sender</Type><Error>{inner}</Error></Error>".encode()


@pytest.fixture(scope="module")
def clients() -> Iterator[Session]:
    """The clients of a module's tests: slow to make, so they share them and one account."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield emulated(monkeypatch)
