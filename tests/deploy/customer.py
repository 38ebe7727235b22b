"""A customer of a deployment: their project, the model behind their Bedrock, and their HTTP calls."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

MODEL = "us.amazon.nova-lite-v1:0"
OTHER_MODEL = "us.amazon.nova-pro-v1:0"

AGENTS = '''
"""Two agents of a shop: one that gives money back, and one that is told of orders. Others look after its data."""

from remit import Agent, Pack, tool
from remit_packs.validation import PROFILES
from remit_packs.validation.agents.ingestor import ingestor
from remit_packs.validation.agents.notifier import notifier
from remit_packs.validation.agents.validate import validate
from remit_packs.validation.agents.validator import validator
from remit_packs.validation.checks.value_range import value_range


@tool(risk="L3", effect="keyed")
def refund(order: int, amount: float) -> str:
    """Give money back for an order."""
    return f"refunded {amount} for order {order}"


clerk = Agent("clerk", instructions="Refund what is asked for.", tools=[refund])
watcher = Agent("watcher", instructions="Say what was ordered.", subscribes=["order.placed"])
data = Pack("data", agents=[validate, ingestor, validator, notifier, value_range], policies=[str(PROFILES)])
'''

METADATA = """
kind: table
name: orders
spec: {{source: sqlite, location: "data/shop.db::orders", owner: shop}}
---
kind: table_validation
name: orders-amount
comment: nobody is paid for an order
spec:
  table_id: orders
  validation_type: value_range
  parameters: {{column: amount, min: 0}}
  schedule: {schedule}
---
kind: notifier
name: ops
spec: {{channel: sns, target: "{topic}"}}
"""

REMIT_TOML = f"""
app = "agents.py"
packs = ["assistant"]

[models.default]
provider = "bedrock"
model = "{MODEL}"

[deploy]
project = "shop"
chat_agent = "assistant"
waf = false
console = true
throttling = {{ rate = 100, burst = 100 }}

[deploy.packages]
include = ["data/**"]
"""


def write_project(root: Path) -> None:
    """The customer's files."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "agents.py").write_text(AGENTS)
    (root / "remit.toml").write_text(REMIT_TOML)
    (root / "data").mkdir()
    with closing(sqlite3.connect(root / "data" / "shop.db")) as database, database:
        database.execute("CREATE TABLE orders (id INTEGER, amount INTEGER)")
        database.executemany("INSERT INTO orders VALUES (?, ?)", [(1, 20), (2, -5), (3, 7)])


class Remit:
    """The customer's command line, in their project. `said` is what the last command talked, beside its output."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.said = ""
        self.variables: dict[str, str] = {}

    def __call__(self, *arguments: str, code: int = 0, timeout_s: float = 900) -> str:
        """What the command prints. Fails unless it ends with `code`."""
        kept = ("REMIT_CONSOLE_DIR",)  # another build of the console
        own = {k: v for k, v in os.environ.items() if k in kept or not k.startswith(("AWS_", "REMIT_"))}
        done = subprocess.run(
            [str(Path(sys.executable).with_name("remit")), *arguments],
            cwd=self.root,
            env={**own, **self.variables},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        self.said = done.stderr
        assert done.returncode == code, f"remit {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    def data(self, *arguments: str) -> Any:
        """The JSON document that a command prints."""
        return json.loads(self(*arguments, "--json"))


Reply = str | tuple[str, dict[str, Any]]
"""A text, or a tool's name and input."""


class Model:
    """An OpenAI-compatible server as it stands behind the emulator's Bedrock. `answer` sees the messages of a request."""

    def __init__(self, answer: Callable[[list[dict[str, Any]]], Reply]) -> None:
        self.requests: list[dict[str, Any]] = []
        self._answer = answer
        model = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                model.requests.append(body)
                said = json.dumps(model.reply(body)).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._http.server_port}"

    def close(self) -> None:
        """Stop it."""
        self._http.shutdown()
        self._http.server_close()

    def reply(self, body: dict[str, Any]) -> dict[str, Any]:
        """The answer on the wire."""
        said = self._answer(body["messages"])
        message: dict[str, Any] = {"role": "assistant", "content": said}
        if isinstance(said, tuple):
            call = {"name": said[0], "arguments": json.dumps(said[1])}
            message = {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": f"c{len(self.requests)}", "type": "function", "function": call}],
            }
        reason = "tool_calls" if isinstance(said, tuple) else "stop"
        return {
            "id": "x",
            "object": "chat.completion",
            "model": body.get("model", ""),
            "choices": [{"index": 0, "message": message, "finish_reason": reason}],
            "usage": {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25},
        }


def text_of(message: dict[str, Any]) -> str:
    """The text of a message."""
    content = message.get("content")
    if isinstance(content, list):
        return " ".join(part.get("text", "") for part in content)
    return content or ""


def rules(messages: list[dict[str, Any]]) -> Reply:
    """What the model says: it calculates, remembers, refunds, and does the three parts of a report."""
    system = text_of(messages[0]) if messages[0]["role"] == "system" else ""
    last = messages[-1]
    if last["role"] == "tool":
        return f"It is done: {text_of(last)}"
    asked = text_of(last)
    if found := re.search(r"what is (\d+ times \d+)", asked.lower()):
        return ("calculate", {"expression": found[1].replace("times", "*")})
    if "what did i ask" in asked.lower():
        earlier = [text_of(m) for m in messages[:-1] if m["role"] == "user"]
        return f"You asked: {earlier[-1] if earlier else 'nothing'}"
    if "refund" in system.lower():
        return ("refund", {"order": 7, "amount": 12.5})
    for word, reply in (
        ("find out what is known", "finding 1"),
        ("Say what they mean", "analysis of finding 1"),
    ):
        if word in system or word.lower() in system.lower():
            return reply
    return f"summary: {len(messages)} messages" if "summary" in system.lower() else f"heard: {asked[:200]}"


class Shop:
    """What a customer calls over HTTP. `key` is API Gateway's, `who` a key of Remit."""

    def __init__(self, url: str, key: str) -> None:
        self._http = httpx.Client(base_url=url, headers={"x-api-key": key}, timeout=60, trust_env=False)

    def chat(self, query: str, conversation_id: str = "", **headers: str) -> tuple[int, dict[str, Any]]:
        """Ask the assistant."""
        body = {"user_id": "ann", "query": query}
        if conversation_id:
            body["conversation_id"] = conversation_id
        answer = self._http.post("/chat", json=body, headers=headers)
        return answer.status_code, answer.json()

    def call(self, method: str, path: str, who: str, body: Any = None) -> tuple[int, Any]:
        """Call the API as somebody."""
        answer = self._http.request(
            method, f"/api/v1{path}", json=body, headers={"authorization": f"Bearer {who}"}
        )
        return answer.status_code, answer.json() if answer.content else None

    def raw(self, **given: Any) -> httpx.Response:
        """A request as it is."""
        return self._http.request(**given)


def until(look: Callable[[], Any], *, within_s: float = 90.0, every_s: float = 0.5) -> Any:
    """What `look` gives as soon as it gives something. Fails when that takes too long."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(every_s)  # nothing tells a customer of HTTP that something has changed
    raise AssertionError(f"nothing after {within_s:.0f} s")
