"""Providers of embeddings on a real socket: they answer as their published APIs say, by the lexical model."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from remit.adapters.embeddings.lexical import embedded


class Provider:
    """What came in, and what is answered next instead of an answer: (status, headers, body)."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.instead: list[tuple[int, dict[str, str], bytes]] = []
        self.url = ""


def vector(text: str) -> list[float]:
    """A vector that is not of unit length, as some models give."""
    return [3 * x for x in embedded(text).tolist()]


def answer(path: str, body: dict[str, Any]) -> dict[str, Any]:
    """OpenAI's `/embeddings`, or InvokeModel of Titan or Cohere."""
    if path.endswith("/embeddings"):
        data = [
            {"object": "embedding", "index": n, "embedding": vector(text)}
            for n, text in enumerate(body["input"])
        ]
        return {"object": "list", "data": data[::-1], "model": body["model"], "usage": {"prompt_tokens": 1}}
    if "titan" in path:
        return {"embedding": vector(body["inputText"]), "inputTextTokenCount": 3}
    assert len(body["texts"]) <= 96
    assert all(len(text) <= 2048 for text in body["texts"])
    made = [vector(text) for text in body["texts"]]
    return {
        "id": "x",
        "texts": body["texts"],
        "response_type": "embeddings_by_type",
        "embeddings": {"float": made},
    }


@contextmanager
def serving() -> Iterator[Provider]:
    """A provider that serves until the end."""
    provider = Provider()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            path = unquote(self.path)
            provider.requests.append(
                {"path": path, "headers": {k.lower(): v for k, v in self.headers.items()}, "body": body}
            )
            status, headers, said = 200, {}, b""
            if provider.instead:
                status, headers, said = provider.instead.pop(0)
            else:
                said = json.dumps(answer(path, body)).encode()
            self.send_response(status)
            for name, value in {
                "content-type": "application/json",
                **headers,
                "content-length": str(len(said)),
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *given: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield provider
    server.shutdown()
    server.server_close()


def error_of_aws(code: str, message: str = "") -> tuple[int, dict[str, str], bytes]:
    """A failure as Bedrock sends it."""
    status = {
        "ThrottlingException": 429,
        "AccessDeniedException": 403,
        "ResourceNotFoundException": 404,
        "ValidationException": 400,
    }
    return status.get(code, 500), {"x-amzn-ErrorType": code}, json.dumps({"message": message}).encode()
