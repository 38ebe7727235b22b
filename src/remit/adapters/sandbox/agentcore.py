"""AgentCore Code Interpreter: each run in a session of its own, a small virtual machine at Amazon Bedrock, ended after it.

Spoken through botocore: StartCodeInterpreterSession, InvokeCodeInterpreter (`writeFiles`, `executeCode`, `listFiles`, `readFiles`),
StopCodeInterpreterSession. Memory, processors and network are those of the interpreter: AWS's own (`aws.codeinterpreter.v1`) has no
internet. Sessions end by themselves, should this process not come to it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from time import perf_counter
from typing import Any
from urllib.parse import unquote, urlsplit

from remit.adapters.sandbox.files import check, clipped, kept
from remit.core import aws
from remit.core.errors import ToolError
from remit.ports.sandbox import Ending, Outcome, SandboxFile, SandboxLimits

IDENTIFIER = "aws.codeinterpreter.v1"
WORK = "remit"
_ENTER = f"import os; os.makedirs({WORK!r}, exist_ok=True); os.chdir({WORK!r})"
_ALLOW = "allow `bedrock-agentcore:*CodeInterpreter*` to the role of this process"
_GRACE_S = 60
_DEPTH = 8


class AgentCore:
    """`ports.sandbox.Sandbox` at Amazon Bedrock AgentCore."""

    name = "agentcore"

    def __init__(self, clients: Callable[..., Any], *, identifier: str = IDENTIFIER) -> None:
        """`clients` are those of an AWS account; `identifier` names an interpreter of one's own."""
        self._clients = clients
        self._identifier = identifier

    async def run(
        self, code: str, *, files: Sequence[SandboxFile] = (), limits: SandboxLimits = SandboxLimits()
    ) -> Outcome:
        """Run Python in a new session. Raises ArgumentsError E911, ToolError E914 when AWS does not do what it is asked."""
        check(code, files, limits)
        began = perf_counter()
        session = await asyncio.to_thread(self._start, limits)
        try:
            await asyncio.to_thread(session.put, files)
            await asyncio.to_thread(session.invoke, "executeCode", code=_ENTER, language="python")
            try:
                async with asyncio.timeout(limits.wall_s):
                    said = await asyncio.to_thread(session.execute, code)
            except TimeoutError:
                said = _Said("timeout", "", "stopped: the code takes too long\n")
            found: list[SandboxFile] = []
            more = False
            if said.ending != "timeout":
                found, more = await asyncio.to_thread(session.left, files, limits)
        finally:
            await asyncio.shield(asyncio.to_thread(session.stop))
        good, left_out = kept(found, limits)
        stdout, more_out = clipped(said.stdout.encode("utf-8", "replace"), limits)
        stderr, more_err = clipped(said.stderr.encode("utf-8", "replace"), limits)
        more = more or left_out or more_out or more_err
        took_ms = round((perf_counter() - began) * 1000, 1)
        return Outcome(said.ending, stdout, stderr, "", good, more, took_ms)

    def _start(self, limits: SandboxLimits) -> _Session:
        client = self._clients("bedrock-agentcore", attempts=1, read_s=limits.wall_s + _GRACE_S)
        with _told():
            started = client.start_code_interpreter_session(
                codeInterpreterIdentifier=self._identifier,
                name=WORK,
                sessionTimeoutSeconds=math.ceil(limits.wall_s) + _GRACE_S,
            )
        return _Session(client, self._identifier, started["sessionId"])


class _Said:
    """How code ended, and what it printed."""

    def __init__(self, ending: Ending, stdout: str, stderr: str) -> None:
        self.ending: Ending = ending
        self.stdout = stdout
        self.stderr = stderr


class _Session:
    """One session, by calls that block."""

    def __init__(self, client: Any, identifier: str, session_id: str) -> None:
        self._client = client
        self._named = {"codeInterpreterIdentifier": identifier, "sessionId": session_id}

    def put(self, files: Sequence[SandboxFile]) -> None:
        """Write files."""
        if files:
            content = [{"path": f"{WORK}/{file.name}", "blob": file.data} for file in files]
            self.invoke("writeFiles", content=content)

    def execute(self, code: str) -> _Said:
        """Run code."""
        result = self.invoke("executeCode", code=code, language="python", failing=True)
        said = result.get("structuredContent") or {}
        texts = [block.get("text", "") for block in result.get("content", ()) if block.get("type") == "text"]
        failed = bool(result.get("isError") or said.get("exitCode"))
        stdout = said.get("stdout", "" if failed else "\n".join(texts))
        stderr = said.get("stderr", "\n".join(texts) if failed else "")
        if failed and stderr.rstrip().rpartition("\n")[2].startswith("MemoryError"):
            return _Said("memory", stdout, stderr)
        return _Said("error" if failed else "ok", stdout, stderr)

    def left(self, given: Sequence[SandboxFile], limits: SandboxLimits) -> tuple[list[SandboxFile], bool]:
        """The files that are new or changed, and whether there were more than may be kept."""
        before = {file.name: file.data for file in given}
        found: list[SandboxFile] = []
        room = limits.file_bytes
        for name in self._names(WORK, _DEPTH):
            if len(found) == limits.files:
                return found, True
            data = self._read(f"{WORK}/{name}")
            if data is None or before.get(name) == data:
                continue
            if len(data) > room:
                return found, True
            room -= len(data)
            found.append(SandboxFile(name, data))
        return found, False

    def _names(self, folder: str, depth: int) -> Iterator[str]:
        """Paths of files below a folder, relative to the working one."""
        listed = self.invoke("listFiles", directoryPath=folder).get("content", ())
        for link in listed:
            name = unquote(str(link.get("name") or urlsplit(str(link.get("uri", ""))).path)).rstrip("/")
            name = name.rpartition("/")[2]
            if link.get("type") != "resource_link" or not name or name.startswith("."):
                continue
            path = f"{folder}/{name}"
            if link.get("description") == "Directory":
                if depth:
                    yield from self._names(path, depth - 1)
            else:
                yield path.removeprefix(f"{WORK}/")

    def _read(self, path: str) -> bytes | None:
        for block in self.invoke("readFiles", paths=[path], failing=True).get("content", ()):
            resource = block.get("resource") or {}
            if "blob" in resource:
                return bytes(resource["blob"])
            if "text" in resource:
                return str(resource["text"]).encode()
        return None

    def invoke(self, tool: str, *, failing: bool = False, **arguments: Any) -> dict[str, Any]:
        """The result of a tool of the session. One that says it failed is an error, but for `failing`."""
        with _told():
            answer = self._client.invoke_code_interpreter(**self._named, name=tool, arguments=arguments)
            results = [event["result"] for event in answer["stream"] if "result" in event]
        result: dict[str, Any] = results[-1] if results else {}
        if not results or (result.get("isError") and not failing):
            raise ToolError(f"AgentCore Code Interpreter fails at `{tool}`", code="E914")
        return result

    def stop(self) -> None:
        """End the session, and what runs in it."""
        with suppress(Exception):  # it ends by its own timeout then
            self._client.stop_code_interpreter_session(**self._named)


@contextmanager
def _told() -> Iterator[None]:
    """A failure of AWS as a ToolError. What AWS says of it may hold anything, and stays out of the error."""
    try:
        yield
    except Exception as error:
        kind = aws.kind_of(error)
        raise ToolError(
            f"AgentCore Code Interpreter is not to be had ({aws.code_of(error)})",
            code="E914",
            help=_ALLOW if kind == "denied" else "",
            retryable=kind in ("throttled", "unreached", "unknown"),
        ) from error
