"""A proxy before DynamoDB that answers as it does on bad days: throttled, failed, cut off, late."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

Fault = Literal["", "throttle", "fail", "fail_after", "cut", "cut_after", "late"]
FAULTS: tuple[Fault, ...] = ("throttle", "fail", "fail_after", "cut", "cut_after", "late")
WRITES = frozenset({"PutItem", "DeleteItem", "TransactWriteItems"})


class Faulty:
    """The proxy. `fault` is asked of each request, by its operation, what happens to it."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self.address = (parts.hostname or "", parts.port or 80)
        self.fault: Callable[[str], Fault] = lambda operation: ""
        self.done: list[tuple[str, Fault]] = []
        self.late = threading.Event()
        self.frozen: set[str] = set()
        self._answers: dict[str, tuple[int, bytes]] = {}
        self.url = ""

    def once(self, fault: Fault, *, times: int = 1) -> None:
        """The next writes meet this fault, all others none."""
        left = [fault] * times

        def next_fault(operation: str) -> Fault:
            return left.pop() if operation in WRITES and left else ""

        self.fault = next_fault

    def answer(self, operation: str, forward: Callable[[], tuple[int, bytes]]) -> tuple[int, bytes]:
        """DynamoDB's answer; for an operation that is `frozen`, the one it gave before."""
        if operation not in self.frozen or operation not in self._answers:
            self._answers[operation] = forward()
        return self._answers[operation]

    def always(self, fault: Fault) -> None:
        """Every write meets this fault."""
        self.fault = lambda operation: fault if operation in WRITES else ""


@contextmanager
def faulty(target: str) -> Iterator[Faulty]:
    """A proxy before the DynamoDB at this address."""
    proxy = Faulty(target)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
            fault = proxy.fault(operation)
            proxy.done.append((operation, fault))
            if fault == "throttle":
                self._say(
                    400, b'{"__type":"com.amazonaws#ProvisionedThroughputExceededException","message":"slow"}'
                )
            elif fault == "fail":
                self._say(500, b'{"__type":"com.amazonaws#InternalServerError","message":"failed"}')
            elif fault == "cut":
                self._cut()
            else:
                if fault == "late":
                    proxy.late.wait(0.05)
                status, answer = proxy.answer(operation, lambda: self._forward(body))
                if fault == "fail_after":
                    self._say(500, b'{"__type":"com.amazonaws#InternalServerError","message":"failed"}')
                elif fault == "cut_after":
                    self._cut()
                else:
                    self._say(status, answer)

        def _forward(self, body: bytes) -> tuple[int, bytes]:
            there = http.client.HTTPConnection(*proxy.address, timeout=20)
            there.request("POST", self.path, body, dict(self.headers.items()))
            answer = there.getresponse()
            data = answer.read()
            there.close()
            return answer.status, data

        def _say(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _cut(self) -> None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
