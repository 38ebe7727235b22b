"""A server in plain Python, with no SDK: `python bare.py FOLDER`, on stdin and stdout. It starts in no time.

`FOLDER/tools.json` changes what it says of its tools; `FOLDER/effects` gets a line for each effect.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

KEY = "remit.dev/idempotency-key"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
TOTAL = {"type": "object", "properties": {"total": {"type": "integer"}}, "required": ["total"]}
NUMBERS = {
    "type": "object",
    "properties": {"numbers": {"type": "array", "items": {"type": "integer"}}},
    "required": ["numbers"],
}

TOOLS: dict[str, dict[str, Any]] = {
    "echo": {"description": "Say it again.", "inputSchema": TEXT},
    "total": {"description": "Add numbers.", "inputSchema": NUMBERS, "outputSchema": TOTAL},
    "pay": {"description": "Pay once.", "inputSchema": TEXT},
    "die": {"description": "Pay, and die before answering.", "inputSchema": TEXT},
    "hang": {"description": "Pay, and never answer.", "inputSchema": TEXT},
    "fail": {"description": "Say that it failed.", "inputSchema": TEXT},
    "picture": {"description": "Answer with a picture and a file.", "inputSchema": TEXT},
    "swap": {"description": "Change a tool, and say so.", "inputSchema": TEXT},
    "environment": {"description": "Say what variables there are.", "inputSchema": TEXT},
}


def offered(folder: Path, tools: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """What it says of its tools now."""
    file = folder / "tools.json"
    changes = json.loads(file.read_text()) if file.exists() else {}
    found = {n: {**t, **(changes.get(n) or {})} for n, t in tools.items() if changes.get(n, {}) is not None}
    found |= {n: t for n, t in changes.items() if n not in tools}
    return [{"name": n, **t} for n, t in found.items()]


def answer(name: str, given: dict[str, Any], key: str, folder: Path) -> dict[str, Any] | None:
    """The result of a call; None for one that never has any."""
    if name in ("pay", "die", "hang"):
        with (folder / "effects").open("a") as out:
            out.write(f"{name} {given['text']} {key}\n")
    if name == "die":
        print("out of paper", file=sys.stderr, flush=True)
        os._exit(3)
    if name == "hang":
        return None
    if name == "fail":
        return {**text("no money left"), "isError": True}
    if name == "total":
        return {**text("done"), "structuredContent": {"total": sum(given["numbers"])}}
    if name == "picture":
        return {"content": PICTURE}
    if name == "swap":
        (folder / "tools.json").write_text(json.dumps({"echo": {"description": given["text"]}}))
        print('{"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}', flush=True)
    if name == "environment":
        return {"content": [], "structuredContent": dict(os.environ)}
    return text("paid" if name == "pay" else given["text"])


PICTURE = [
    {"type": "text", "text": "here"},
    {"type": "image", "data": PIXEL, "mimeType": "image/png"},
    {"type": "resource", "resource": {"uri": "file:///a/table.bin", "blob": "AAEC"}},
    {"type": "resource", "resource": {"uri": "file:///a/note.txt", "text": "a note"}},
    {"type": "resource_link", "name": "more", "uri": "file:///a/more.txt"},
]


def text(said: str) -> dict[str, Any]:
    """A result of one text."""
    return {"content": [{"type": "text", "text": said}]}


def _result(method: str, params: dict[str, Any], folder: Path) -> dict[str, Any] | None:
    if method == "initialize":
        about = {"name": "bare", "version": "1"}
        return {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": about}
    if method == "tools/list":
        return {"tools": offered(folder, TOOLS)}
    if method == "tools/call":
        key = params.get("_meta", {}).get(KEY, "")
        return answer(params["name"], params.get("arguments", {}), key, folder)
    raise KeyError(method)


def main(folder: Path) -> None:
    """Answer line by line."""
    for line in sys.stdin:
        asked = json.loads(line)
        if "id" not in asked:
            continue
        made: dict[str, Any] = {"jsonrpc": "2.0", "id": asked["id"]}
        try:
            result = _result(asked["method"], asked.get("params", {}), folder)
        except KeyError:
            made["error"] = {"code": -32601, "message": "there is no such method"}
        else:
            if result is None:
                time.sleep(3600)
            made["result"] = result
        print(json.dumps(made), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
