"""Servers that speak the published APIs of E2B and AgentCore, with a small Python behind them that really runs the code."""

from __future__ import annotations

import asyncio
import base64
import binascii
import itertools
import json
import re
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from remit.adapters.sandbox.monty import Monty
from remit.ports.sandbox import Outcome, SandboxFile, SandboxLimits

RAISED = re.compile(r"^(\w+)(?:: (.*))?$")
ROOMY = SandboxLimits(wall_s=5.0, cpu_s=5.0, output_bytes=10_000_000, files=1_000)


class Machine:
    """A sandbox of the service: files, and a Python."""

    def __init__(self, work: str) -> None:
        self.work = work
        self.files: dict[str, bytes] = {}
        self.ended = threading.Event()

    def execute(self, code: str) -> Outcome:
        """Run code over the files below the working folder."""
        prefix = f"{self.work}/"
        given = [
            SandboxFile(n.removeprefix(prefix), d) for n, d in self.files.items() if n.startswith(prefix)
        ]
        outcome = asyncio.run(Monty().run(code, files=given, limits=ROOMY))
        self.files |= {prefix + file.name: file.data for file in outcome.files}
        if "'.hidden'" in code:
            self.files[f"{prefix}.hidden"] = b"x"  # Monty's own adapter leaves these out
        return outcome


class Service:
    """What a stand-in was asked, the machines it made, and how it is to fail."""

    def __init__(self, work: str) -> None:
        self.work = work
        self.url = ""
        self.machines: dict[str, Machine] = {}
        self.requests: list[tuple[str, str, dict[str, str], Any]] = []
        self.status = 0
        self.numbers = itertools.count(1)

    def make(self) -> str:
        """A new machine's name."""
        name = f"m{next(self.numbers)}"
        self.machines[name] = Machine(self.work)
        return name


class Handler(BaseHTTPRequestHandler):
    """What both have in common: bodies, failures on demand, a record."""

    service: Service
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        """Say nothing."""

    def handle_any(self) -> None:
        """Answer one request."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path)
        self.service.requests.append((self.command, path.path, dict(self.headers.items()), body))
        if self.service.status and self.command != "DELETE":
            self.answer(self.service.status, {"message": "secret-detail"})
            return
        self.route(path.path, {k: v[0] for k, v in parse_qs(path.query).items()}, body)

    do_GET = do_POST = do_PUT = do_DELETE = handle_any

    def route(self, path: str, query: dict[str, str], body: bytes) -> None:
        """Answer it by its path."""
        raise NotImplementedError

    def answer(self, status: int, value: Any, media_type: str = "application/json") -> None:
        """Send a value, as JSON unless it is bytes."""
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class E2BHandler(Handler):
    """`api.e2b.app`, and `envd` and the code interpreter of every sandbox, told apart by their headers."""

    def route(self, path: str, query: dict[str, str], body: bytes) -> None:
        if path == "/sandboxes":
            if self.headers["X-API-Key"] != "e2b_key":
                self.answer(401, {"message": "no"})
                return
            name = self.service.make()
            made = {"sandboxID": name, "templateID": "t", "clientID": "c", "envdVersion": "1"}
            self.answer(
                201, {**made, "envdAccessToken": f"envd-{name}", "trafficAccessToken": f"traffic-{name}"}
            )
        elif self.command == "DELETE":
            self.service.machines.pop(path.rpartition("/")[2]).ended.set()
            self.answer(204, b"")
        else:
            self.inside(path, query, body)

    def inside(self, path: str, query: dict[str, str], body: bytes) -> None:
        name = self.headers["E2b-Sandbox-Id"]
        machine = self.service.machines.get(name)
        if machine is None or self.headers["X-Access-Token"] != f"envd-{name}":
            self.answer(401, {"message": "no"})
            return
        port = {"/contexts": "49999", "/execute": "49999"}.get(path, "49983")
        assert self.headers["E2b-Sandbox-Port"] == port
        assert self.headers["E2B-Traffic-Access-Token"] == f"traffic-{name}"
        match path:
            case "/filesystem.Filesystem/MakeDir":
                self.answer(200, {"entry": json.loads(body)})
            case "/filesystem.Filesystem/ListDir":
                self.answer(200, {"entries": self.entries(machine)})
            case "/files" if self.command == "POST":
                machine.files[query["path"]] = body
                self.answer(200, [{"path": query["path"], "name": "x", "type": "file"}])
            case "/files":
                self.answer(200, machine.files[query["path"]], "application/octet-stream")
            case "/contexts":
                assert json.loads(body)["cwd"] == machine.work
                self.answer(200, {"id": "ctx", "language": "python", "cwd": machine.work})
            case "/execute":
                self.execute(machine, json.loads(body))

    def entries(self, machine: Machine) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = [
            {"name": n.rpartition("/")[2], "type": "FILE_TYPE_FILE", "path": n, "size": str(len(d))}
            for n, d in machine.files.items()
        ]
        link = {
            "name": "link",
            "type": "FILE_TYPE_SYMLINK",
            "path": f"{machine.work}/link",
            "symlinkTarget": "/etc/passwd",
        }
        return [*listed, link, {"name": "sub", "type": "FILE_TYPE_DIRECTORY", "path": f"{machine.work}/sub"}]

    def execute(self, machine: Machine, asked: dict[str, Any]) -> None:
        assert asked["context_id"] == "ctx"
        if asked["code"].startswith("while True") and machine.ended.wait(20):
            return
        outcome = machine.execute(asked["code"])
        events: list[dict[str, Any]] = [{"type": "number_of_executions", "execution_count": 1}]
        if outcome.stdout:
            events.append({"type": "stdout", "text": outcome.stdout, "timestamp": "2026-01-01T00:00:00Z"})
        if outcome.value:
            events.append({"type": "result", "text": outcome.value, "is_main_result": True})
        if outcome.ending != "ok":
            last = (RAISED.match(outcome.stderr.strip().splitlines()[-1]) or RAISED.match("Error")).groups()
            events.append({"type": "error", "name": last[0], "value": last[1], "traceback": outcome.stderr})
        self.answer(200, b"".join(json.dumps(e).encode() + b"\n" for e in events), "application/json")


class AgentCoreHandler(Handler):
    """`bedrock-agentcore`: three operations of its REST-JSON protocol, one of which answers with an event stream."""

    def route(self, path: str, query: dict[str, str], body: bytes) -> None:
        assert unquote(path).startswith("/code-interpreters/aws.codeinterpreter.v1/")
        named = {"codeInterpreterIdentifier": "aws.codeinterpreter.v1"}
        if path.endswith("/sessions/start"):
            self.answer(200, {**named, "sessionId": self.service.make(), "createdAt": "2026-01-01T00:00:00Z"})
        elif path.endswith("/sessions/stop"):
            self.service.machines.pop(query["sessionId"]).ended.set()
            self.answer(
                200, {**named, "sessionId": query["sessionId"], "lastUpdatedAt": "2026-01-01T00:00:00Z"}
            )
        else:
            machine = self.service.machines[self.headers["x-amzn-code-interpreter-session-id"]]
            asked = json.loads(body)
            result = self.tool(machine, asked["name"], asked["arguments"])
            self.answer(200, event("result", result), "application/vnd.amazon.eventstream")

    def tool(self, machine: Machine, name: str, given: dict[str, Any]) -> dict[str, Any]:
        match name:
            case "writeFiles":
                for file in given["content"]:
                    machine.files[file["path"]] = base64.b64decode(file["blob"])
                return {"content": [{"type": "text", "text": "Successfully wrote"}], "isError": False}
            case "executeCode":
                return self.execute(machine, given["code"])
            case "listFiles":
                return {"content": list(self.links(machine, given["directoryPath"])), "isError": False}
            case "readFiles":
                data = machine.files[given["paths"][0]]
                resource = {"uri": f"file:///{given['paths'][0]}", "type": "blob"}
                try:
                    resource |= {"type": "text", "text": data.decode()}
                except UnicodeDecodeError:
                    resource |= {"blob": base64.b64encode(data).decode()}
                return {"content": [{"type": "resource", "resource": resource}], "isError": False}
        raise AssertionError(name)

    def execute(self, machine: Machine, code: str) -> dict[str, Any]:
        if "os.chdir" in code:
            return {
                "content": [],
                "structuredContent": {"stdout": "", "stderr": "", "exitCode": 0},
                "isError": False,
            }
        if code.startswith("while True") and machine.ended.wait(20):
            return {"content": [], "isError": True}
        outcome = machine.execute(code)
        failed = outcome.ending != "ok"
        said = {
            "stdout": outcome.stdout,
            "stderr": outcome.stderr,
            "exitCode": int(failed),
            "executionTime": 0.1,
        }
        return {
            "content": [{"type": "text", "text": outcome.stdout}],
            "structuredContent": said,
            "isError": failed,
        }

    def links(self, machine: Machine, folder: str) -> Iterator[dict[str, Any]]:
        below = [n.removeprefix(f"{folder}/") for n in machine.files if n.startswith(f"{folder}/")]
        for name in dict.fromkeys(n.partition("/")[0] for n in below):
            kind = "File" if name in below else "Directory"
            yield {
                "type": "resource_link",
                "uri": f"file:///{folder}/{name}",
                "name": name,
                "description": kind,
            }


def event(kind: str, value: Any) -> bytes:
    """One message of `application/vnd.amazon.eventstream`."""
    headers = b"".join(
        bytes([len(k)]) + k.encode() + b"\x07" + struct.pack(">H", len(v)) + v.encode()
        for k, v in ((":event-type", kind), (":message-type", "event"), (":content-type", "application/json"))
    )
    payload = json.dumps(value).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    message = prelude + struct.pack(">I", binascii.crc32(prelude)) + headers + payload
    return message + struct.pack(">I", binascii.crc32(message))


@contextmanager
def serving(handler: type[Handler], work: str) -> Iterator[Service]:
    """A stand-in on a free port."""
    service = Service(work)
    made = type("Bound", (handler,), {"service": service})
    with ThreadingHTTPServer(("127.0.0.1", 0), made) as server:
        service.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield service
        finally:
            for machine in list(service.machines.values()):
                machine.ended.set()
            server.shutdown()
