"""E2B: each run in a virtual machine of its own at e2b.dev, made for it and deleted after it.

Spoken is the service's published HTTP API: `api.e2b.app` makes and deletes sandboxes; in each, `envd` (port 49983) holds files, and the
code interpreter (port 49999) runs code and answers a line of JSON for each thing that happens. A sandbox has no internet here, and its
ports answer only to whoever made it. Memory and processors are those of its template.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import math
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from remit.adapters.sandbox.files import check, clipped, kept
from remit.core.errors import ConfigError, ToolError
from remit.ports.sandbox import Ending, Outcome, SandboxFile, SandboxLimits

if TYPE_CHECKING:
    import httpx

WORK = "/home/user/work"
_ENVD, _INTERPRETER = 49983, 49999
_DEPTH = 8
_REQUEST_S = 30.0
_GRACE_S = 60
_FLOOD = 20


class _Machine(NamedTuple):
    """A sandbox that was made: where its ports are, and what opens them."""

    id: str
    domain: str
    headers: dict[str, str]


class E2B:
    """`ports.sandbox.Sandbox` at E2B."""

    name = "e2b"

    def __init__(
        self,
        api_key: Callable[[], str],
        *,
        url: str = "https://api.e2b.app",
        machine_url: str = "",
        template: str = "code-interpreter-v1",
    ) -> None:
        """`api_key` is asked for at each run; `machine_url` stands for every sandbox's own address (a proxy, a test)."""
        if importlib.util.find_spec("httpx") is None:
            raise ConfigError("E2B needs httpx", code="E695", help="`pip install httpx`")
        self._api_key = api_key
        self._url = url.rstrip("/")
        self._machine_url = machine_url.rstrip("/")
        self._template = template

    async def run(
        self, code: str, *, files: Sequence[SandboxFile] = (), limits: SandboxLimits = SandboxLimits()
    ) -> Outcome:
        """Run Python in a new sandbox. Raises ArgumentsError E911, ToolError E913 when E2B does not do what it is asked."""
        import httpx

        check(code, files, limits)
        began = perf_counter()
        try:
            async with (
                httpx.AsyncClient(timeout=_REQUEST_S) as client,
                self._machine(client, limits) as machine,
            ):
                await self._put(client, machine, files)
                said = await self._execute(client, machine, code, limits)
                found: list[SandboxFile] = []
                more = False
                if said.ending in ("ok", "error"):
                    found, more = await self._left(client, machine, files, limits)
        except httpx.HTTPError as error:
            raise _refused(f"E2B cannot be reached ({type(error).__name__})", retryable=True) from error
        good, left_out = kept(found, limits)
        return said.outcome(good, more or left_out, limits, (perf_counter() - began) * 1000)

    @asynccontextmanager
    async def _machine(self, client: httpx.AsyncClient, limits: SandboxLimits) -> AsyncIterator[_Machine]:
        """A sandbox for one run. It deletes itself, should this process not come to it."""
        keys = {"X-API-Key": self._api_key()}
        asked = {
            "templateID": self._template,
            "timeout": math.ceil(limits.wall_s) + _GRACE_S,
            "secure": True,
            "allow_internet_access": False,
            "network": {"allowPublicTraffic": False},
        }
        made = _checked(await client.post(f"{self._url}/sandboxes", json=asked, headers=keys)).json()
        machine = _Machine(
            str(made["sandboxID"]),
            str(made.get("domain") or "e2b.app"),
            {
                "X-Access-Token": str(made.get("envdAccessToken") or ""),
                "E2B-Traffic-Access-Token": str(made.get("trafficAccessToken") or ""),
                "E2b-Sandbox-Id": str(made["sandboxID"]),
            },
        )
        try:
            yield machine
        finally:
            await asyncio.shield(self._delete(machine, keys))

    async def _delete(self, machine: _Machine, keys: dict[str, str]) -> None:
        import httpx

        with suppress(httpx.HTTPError):  # it ends by its own timeout then
            async with httpx.AsyncClient(timeout=_REQUEST_S) as client:
                await client.delete(f"{self._url}/sandboxes/{machine.id}", headers=keys)

    def _at(self, machine: _Machine, port: int, path: str) -> dict[str, Any]:
        """Address and headers of a port of a sandbox."""
        host = self._machine_url or f"https://{port}-{machine.id}.{machine.domain}"
        return {"url": f"{host}{path}", "headers": {**machine.headers, "E2b-Sandbox-Port": str(port)}}

    async def _put(self, client: httpx.AsyncClient, machine: _Machine, files: Sequence[SandboxFile]) -> None:
        await self._filesystem(client, machine, "MakeDir", {"path": WORK})
        for file in files:
            to = self._at(machine, _ENVD, "/files")
            to["headers"]["Content-Type"] = "application/octet-stream"
            _checked(await client.post(**to, params={"path": f"{WORK}/{file.name}"}, content=file.data))

    async def _filesystem(
        self, client: httpx.AsyncClient, machine: _Machine, verb: str, asked: dict[str, Any]
    ) -> Any:
        """A unary call of the service `filesystem.Filesystem`, in the Connect protocol's JSON."""
        to = self._at(machine, _ENVD, f"/filesystem.Filesystem/{verb}")
        to["headers"]["Connect-Protocol-Version"] = "1"
        return _checked(await client.post(**to, json=asked)).json()

    async def _execute(
        self, client: httpx.AsyncClient, machine: _Machine, code: str, limits: SandboxLimits
    ) -> _Said:
        context = _checked(
            await client.post(
                **self._at(machine, _INTERPRETER, "/contexts"), json={"language": "python", "cwd": WORK}
            )
        ).json()
        said = _Said(limits)
        asked = {"code": code, "context_id": context["id"]}
        try:
            async with (
                asyncio.timeout(limits.wall_s),
                client.stream(
                    "POST",
                    **self._at(machine, _INTERPRETER, "/execute"),
                    json=asked,
                    timeout=limits.wall_s + _REQUEST_S,
                ) as response,
            ):
                if response.is_error:
                    await response.aread()
                _checked(response)
                async for line in _lines(response, limits.output_bytes * _FLOOD):
                    said.take(json.loads(line))
        except TimeoutError:
            said.ending, said.note = "timeout", "stopped: the code takes too long\n"
        except _FloodError:
            said.ending, said.note = "stopped", "stopped: the code prints more than anybody will read\n"
        return said

    async def _left(
        self,
        client: httpx.AsyncClient,
        machine: _Machine,
        given: Sequence[SandboxFile],
        limits: SandboxLimits,
    ) -> tuple[list[SandboxFile], bool]:
        """The files that are new or changed, and whether there were more than may be kept."""
        listed = await self._filesystem(client, machine, "ListDir", {"path": WORK, "depth": _DEPTH})
        before = {file.name: file.data for file in given}
        found: list[SandboxFile] = []
        room, more = limits.file_bytes, False
        for entry in sorted(listed.get("entries", ()), key=lambda e: str(e.get("path"))):
            name, size = str(entry.get("path", "")).removeprefix(f"{WORK}/"), int(entry.get("size", 0))
            if entry.get("type") != "FILE_TYPE_FILE" or any(p.startswith(".") for p in name.split("/")):
                continue
            if len(found) == limits.files or size > room:
                more = True
                continue
            data = await self._get(client, machine, name, room)
            if before.get(name) != data:
                room -= len(data)
                found.append(SandboxFile(name, data))
        return found, more

    async def _get(self, client: httpx.AsyncClient, machine: _Machine, name: str, most: int) -> bytes:
        data = bytearray()
        to = self._at(machine, _ENVD, "/files")
        async with client.stream("GET", **to, params={"path": f"{WORK}/{name}"}) as response:
            _checked(response)
            async for chunk in response.aiter_bytes():
                data += chunk
                if len(data) > most:
                    raise _refused("E2B sends more of a file than it said it has")
        return bytes(data)


class _Said:
    """What the interpreter says of a run, put together."""

    def __init__(self, limits: SandboxLimits) -> None:
        self.ending: Ending = "ok"
        self.note = ""
        self._limits = limits
        self._streams = {"stdout": "", "stderr": ""}
        self._value = ""

    def take(self, line: dict[str, Any]) -> None:
        """One thing that happened."""
        kind = line.get("type")
        if kind in self._streams:
            self._streams[kind] += str(line.get("text", ""))
        elif kind == "result" and line.get("is_main_result"):
            self._value = str(line.get("text") or "")
        elif kind == "error":
            self.ending = "memory" if line.get("name") == "MemoryError" else "error"
            self.note = f"{line.get('traceback') or line.get('value')}\n"
        elif kind == "unexpected_end_of_execution":
            self.ending, self.note = "memory", "the interpreter ended before the code did\n"

    def outcome(
        self, files: tuple[SandboxFile, ...], more: bool, limits: SandboxLimits, took_ms: float
    ) -> Outcome:
        """All of it, within limits."""
        stdout, more_out = clipped(self._streams["stdout"].encode("utf-8", "replace"), limits)
        stderr, more_err = clipped((self._streams["stderr"] + self.note).encode("utf-8", "replace"), limits)
        value, more_value = clipped(self._value.encode("utf-8", "replace"), limits)
        truncated = more or more_out or more_err or more_value or self.ending == "stopped"
        return Outcome(self.ending, stdout, stderr, value, files, truncated, round(took_ms, 1))


class _FloodError(Exception):
    """The code says more than anybody will read."""


async def _lines(response: httpx.Response, most: int) -> AsyncIterator[bytes]:
    """The lines of a response, of so many bytes in all."""
    rest, read = b"", 0
    async for chunk in response.aiter_bytes():
        read += len(chunk)
        if read > most:
            raise _FloodError
        *lines, rest = (rest + chunk).split(b"\n")
        for line in filter(None, lines):
            yield line
    if rest:
        yield rest


def _checked(response: httpx.Response) -> httpx.Response:
    """The response, if it is one of success. What E2B says of a failure may hold anything, and stays out of the error."""
    if response.is_success:
        return response
    status = response.status_code
    if status in (401, 403):
        raise ToolError("E2B refuses the key", code="E913", help="check the secret `E2B_API_KEY`")
    raise _refused(f"E2B answers with status {status}", retryable=status == 429 or status >= 500)


def _refused(why: str, *, retryable: bool = False) -> ToolError:
    return ToolError(why, code="E913", help="it is tried again" if retryable else "", retryable=retryable)
