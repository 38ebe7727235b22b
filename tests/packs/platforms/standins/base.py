"""A platform on loopback: JSON over real sockets, tokens that end, and failures when they are asked for."""

from __future__ import annotations

import json
import re
import secrets
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

START_S = 1_800_000_000
"""The time at a stand-in, unless a test sets it: that of a FakeClock."""

Answer = tuple[int, Any] | tuple[int, Any, dict[str, str]]


class Asked:
    """A request that came in."""

    def __init__(self, method: str, target: str, headers: dict[str, str], body: bytes) -> None:
        parts = urlsplit(target)
        self.method, self.path = method, parts.path
        self.query = dict(parse_qsl(parts.query))
        self.headers, self.body = headers, body

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body) if self.body else None

    @property
    def form(self) -> dict[str, str]:
        """The body of a form."""
        return dict(parse_qsl(self.body.decode()))


class Standin:
    """A platform. `failures` are what happens to the next requests other than for tokens, first things first; `change_failures`
    to the next of those that change something, with None where nothing does.

    A failure is an answer given instead; or `drop`: the request is done and the connection then cut; or `hang`: it is done and never answered; or `raw:TEXT`: it is done, and
    the answer is that text.
    """

    platform = ""
    token_paths: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.base = ""
        self.now_s: Callable[[], float] = lambda: START_S
        self.asked: list[Asked] = []
        self.failures: deque[Answer | str] = deque()
        self.change_failures: deque[Answer | str | None] = deque()
        self.tokens: set[str] = set()
        self.tokens_made = 0
        self.closing = threading.Event()
        self.lock = threading.RLock()

    @property
    def changes(self) -> list[Asked]:
        """What was asked to change something."""
        return [a for a in self.asked if a.method != "GET" and not self.is_token_path(a.path)]

    def token(self, prefix: str = "at") -> str:
        """A fresh token that opens this platform."""
        self.tokens_made += 1
        made = f"{prefix}_{secrets.token_hex(16)}"
        self.tokens.add(made)
        return made

    def is_token_path(self, path: str) -> bool:
        """Whether tokens are made there."""
        return path in self.token_paths

    def make_token(self, asked: Asked) -> Answer:
        """Answer a request for a token."""
        raise NotImplementedError

    def unauthorized(self) -> Answer:
        """What is said to a token that is not known."""
        return 401, {"message": "Bad credentials"}

    def respond(self, asked: Asked) -> Answer:
        """Answer any other request: the first method `on_…` whose route fits."""
        for route, answer in self.routes():
            method, _, pattern = route.partition(" ")
            found = re.fullmatch(pattern, asked.path) if method == asked.method else None
            if found:
                return answer(asked, *map(unquote, found.groups()))
        return 404, {"message": "Not Found"}

    def routes(self) -> list[tuple[str, Callable[..., Answer]]]:
        """`METHOD pattern` and what answers."""
        raise NotImplementedError

    def handle(self, asked: Asked) -> Answer | str:
        """Status, JSON and headers; or what is to happen to the connection."""
        with self.lock:
            self.asked.append(asked)
            if self.is_token_path(asked.path):
                return self.make_token(asked)
            if asked.headers.get("authorization", "").partition(" ")[2] not in self.tokens:
                return self.unauthorized()
            failures = (
                self.change_failures if asked.method != "GET" and self.change_failures else self.failures
            )
            failure = failures.popleft() if failures else None
            if isinstance(failure, tuple):
                return failure
            answer = self.respond(asked)
            return failure or answer


@contextmanager
def serving(made: Standin) -> Iterator[Standin]:
    """A stand-in on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = made.handle(Asked(self.command, self.path, headers, body))
            if answer == "hang":
                made.closing.wait(60)
            if answer in ("drop", "hang"):
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            status, data, more = (
                (200, answer.removeprefix("raw:"), {}) if isinstance(answer, str) else (*answer, {})[:3]
            )
            text = data if isinstance(data, str) else "" if data is None else json.dumps(data)
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **more}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 64
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Handler)
    made.base = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
