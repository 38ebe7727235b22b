"""An HTTP proxy before AWS that fails as AWS does: by its own answers, by cut connections, and by taking parts of batches."""

from __future__ import annotations

import http.client
import json
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import urlsplit

Fault = Literal["", "throttle", "fail", "cut before", "cut after", "part"]
"""`part`: of a batch, only every other entry is carried out, and the others are said to have failed."""

Faults = Callable[[str, int], Fault]
"""What happens to the n-th request (from 0) of an action, such as `SendMessageBatch`."""


class Proxy:
    """Passes requests on to `target`; `faults` says which of them fail. `seen` counts requests by action."""

    def __init__(self, target: str, faults: Faults) -> None:
        self._target = urlsplit(target)
        self.faults = faults
        self.seen: Counter[str] = Counter()
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # an answer in one piece: in two, the second waits for an acknowledgement
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                outer._pass_on(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _pass_on(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        action = (handler.headers.get("X-Amz-Target") or "").rpartition(".")[2]
        with self._lock:
            fault = self.faults(action, self.seen[action])
            self.seen[action] += 1
        if fault in ("throttle", "fail"):
            code, status = ("ThrottlingException", 400) if fault == "throttle" else ("InternalFailure", 500)
            _answer(handler, status, json.dumps({"__type": code, "message": "by the proxy"}).encode())
            return
        if fault == "cut before":
            _cut(handler)
            return
        left: list[dict[str, Any]] = []
        if fault == "part":
            body, left = _half(action, body)
        status, answer = self._forwarded(handler, body)
        if fault == "cut after":
            _cut(handler)
            return
        _answer(handler, status, _merged(action, answer, left) if left else answer)

    def _forwarded(self, handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self._target.hostname or "", self._target.port, timeout=30)
        passed = {k: v for k, v in handler.headers.items() if k.lower() not in ("content-length", "host")}
        connection.request("POST", handler.path, body, passed)
        response = connection.getresponse()
        answer = response.read()
        connection.close()
        return response.status, answer


def _half(action: str, body: bytes) -> tuple[bytes, list[dict[str, Any]]]:
    """A batch with every other entry, from the first on, and those that were left out."""
    given = json.loads(body)
    left = given["Entries"][1::2]
    if action == "SendMessageBatch" or action == "PutEvents":
        given["Entries"] = given["Entries"][::2]
    return json.dumps(given).encode(), left


def _merged(action: str, answer: bytes, left: list[dict[str, Any]]) -> bytes:
    """The answer for a whole batch of which only a half was carried out."""
    made = json.loads(answer)
    if action == "PutEvents":
        taken, entries = list(made["Entries"]), []
        for number in range(len(taken) + len(left)):
            failed = {"ErrorCode": "InternalFailure", "ErrorMessage": "by the proxy"}
            entries.append(failed if number % 2 else taken.pop(0))
        return json.dumps({"FailedEntryCount": len(left), "Entries": entries}).encode()
    failed = [{"Id": e["Id"], "Code": "InternalError", "SenderFault": False} for e in left]
    return json.dumps({**made, "Failed": [*made.get("Failed", ()), *failed]}).encode()


def _answer(handler: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", "application/x-amz-json-1.1")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def _cut(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    handler.connection.close()
