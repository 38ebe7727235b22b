"""A stand-in for Tavily on loopback: `POST /search` as its published API describes it, over the pages of the contract.

Checks what a client sends as the service does: a bearer key, JSON, the fields it knows and their bounds. `status` answers every
request with that failure instead, in the service's form.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from remit.ports.web import Page

KEY = "tvly-dev-0123456789abcdef"
FIELDS = {
    "query", "search_depth", "topic", "time_range", "start_date", "end_date", "days", "include_answer", "include_raw_content",
    "max_results", "include_domains", "exclude_domains", "include_images", "country", "auto_parameters", "include_favicon",
    "include_usage",
}  # fmt: skip


@dataclass
class Tavily:
    """What the stand-in is and what it was asked."""

    pages: tuple[Page, ...]
    url: str = ""
    status: int = 200
    raw: bytes | None = None
    asked: list[dict[str, Any]] = field(default_factory=list)

    def answer(self, key: str, body: bytes) -> tuple[int, bytes]:
        """Status and body."""
        if key != f"Bearer {KEY}":
            return 401, _error("Unauthorized: missing or invalid API key.")
        asked = json.loads(body)
        self.asked.append(asked)
        problem = _problem(asked)
        if problem:
            return 400, _error(problem)
        if self.raw is not None:
            return self.status, self.raw
        if self.status != 200:
            return self.status, _error(f"failure {self.status} of key {KEY}")
        return 200, json.dumps(self._found(asked)).encode()

    def _found(self, asked: dict[str, Any]) -> dict[str, Any]:
        words = set(re.findall(r"\w+", asked["query"].lower()))
        ranked = sorted(((_score(page, words), page) for page in self.pages), key=lambda pair: -pair[0])
        results = [
            {"title": page.title, "url": page.url, "content": page.text, "score": score, "raw_content": None}
            for score, page in ranked[: asked.get("max_results", 5)]
            if score > 0
        ]
        return {
            "query": asked["query"],
            "follow_up_questions": None,
            "answer": None,
            "images": [],
            "results": results,
            "response_time": 0.01,
            "request_id": "00000000-0000-4000-8000-000000000000",
        }


def _score(page: Page, words: set[str]) -> float:
    title = len(words & set(re.findall(r"\w+", page.title.lower())))
    text = len(words & set(re.findall(r"\w+", page.text.lower())))
    return round(min(0.99, title * 0.4 + text * 0.1), 3)


def _problem(asked: dict[str, Any]) -> str:
    if not isinstance(asked.get("query"), str) or not asked["query"]:
        return "Query is missing."
    if len(asked["query"]) > 400:
        return "Query is too long. Max query length is 400 characters."
    if not 0 <= asked.get("max_results", 5) <= 20:
        return "Invalid max_results."
    if asked.get("search_depth", "basic") not in ("basic", "advanced", "fast", "ultra-fast"):
        return "Invalid search depth."
    unknown = asked.keys() - FIELDS
    return f"Unknown fields: {unknown}" if unknown else ""


def _error(text: str) -> bytes:
    return json.dumps({"detail": {"error": text}}).encode()


@contextmanager
def tavily(pages: tuple[Page, ...]) -> Iterator[Tavily]:
    """The stand-in, on a free port."""
    made = Tavily(pages)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, answer = (
                (404, b"") if self.path != "/search" else made.answer(self.headers["Authorization"], body)
            )
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 64

    server = Server(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
