"""A project made by `remit init`, and the command line called as a person would."""

from __future__ import annotations

import io
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from remit.cli.main import execute

PROGRAM = (sys.executable, "-c", "from remit.cli.main import main; main()")

MORE = '''
import asyncio
from remit import ToolError, agent, tool

@agent
async def broken(input):
    """Fails."""
    raise ValueError("the reason")

@agent
async def slow(input):
    """Takes for ever."""
    await asyncio.sleep(600)

@tool(risk="L3", effect="plain")
def wipe(what: str) -> str:
    """Privileged: always asks."""
    return f"wiped {what}"

@agent(tools=[wipe])
async def wiper(input, memory, context):
    """Wipes once."""
    return await context.call("wipe", what="disk")

@agent(delegates=["wiper"])
async def boss(input, memory, context):
    """Lets somebody else wipe."""
    result = await context.delegate("wiper", "wipe it")
    return result.result_payload
'''

CLOSED = """
@id("nobody-starts-anything")
forbid (principal, action == Action::"start_run", resource);
"""


class Answer:
    """What a command said, and how it ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    @property
    def document(self) -> Any:
        """stdout as the one JSON document that it must be."""
        return json.loads(self.out)

    def __iter__(self) -> Iterator[Any]:
        """The exit code, stdout and stderr."""
        return iter((self.code, self.out, self.err))


Remit = Callable[..., Answer]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A fresh project, and the working directory in it."""
    for name in [n for n in os.environ if n.startswith(("REMIT_", "OTEL_"))] + ["NO_COLOR"]:
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "project"
    assert execute(["init", str(folder)]) == 0
    (folder / "more.py").write_text(MORE)
    closed = folder / "policies" / "closed"
    closed.mkdir()
    (closed / "profile.toml").write_text('name = "closed"\nextends = "default"\n')
    (closed / "policy.cedar").write_text(CLOSED)
    monkeypatch.chdir(folder)
    capsys.readouterr()
    return folder


@pytest.fixture
def remit(project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Remit:
    """Run a command in this process, with `typed` on its stdin: a process of its own takes ten times as long."""

    def call(*arguments: str, typed: str | None = None, **environment: str) -> Answer:
        with monkeypatch.context() as patched:
            for name, value in environment.items():
                patched.setenv(name, value)
            if typed is not None:
                patched.setattr("sys.stdin", io.StringIO(typed))
            code = execute(arguments)
        said = capsys.readouterr()
        return Answer(code, said.out, said.err)

    return call


class Screen(io.StringIO):
    """A terminal that cannot type."""

    def isatty(self) -> bool:
        """What decides on colour."""
        return True


@pytest.fixture
def on_screen(project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Run a command in this process whose stdout and stderr look like a terminal; for what a person types see `at_terminal`."""

    def call(*arguments: str, **environment: str) -> tuple[int, str]:
        screen = Screen()
        with monkeypatch.context() as patched:
            for name, value in {"TERM": "xterm-256color", "COLUMNS": "120", **environment}.items():
                patched.setenv(name, value)
            patched.setattr("sys.stdout", screen)
            patched.setattr("sys.stderr", screen)
            code = execute(arguments)
        return code, screen.getvalue()

    return call


def _start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*PROGRAM, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
        preexec_fn=_heeds_ctrl_c,
    )


def _heeds_ctrl_c() -> None:
    """As at a terminal: whoever started the tests in the background may have had Ctrl-C ignored, which children inherit."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def start(project: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start a command in a process of its own."""
    return _start


@pytest.fixture
def run_program(project: Path) -> Remit:
    """Run a command in a process of its own, with `typed` on its stdin."""

    def call(*arguments: str, typed: str = "", **environment: str) -> Answer:
        process = _start(*arguments, **environment)
        out, err = process.communicate(typed, timeout=60)
        return Answer(process.returncode, out, err)

    return call


Terminal = Callable[..., tuple[int, str]]


@pytest.fixture
def at_terminal(project: Path) -> Terminal:
    """Run a command on a terminal of its own; each answer is typed when its prompt appears."""

    def call(arguments: list[str], typed: Mapping[str, str] = {}, **environment: str) -> tuple[int, str]:
        ours, theirs = pty.openpty()
        env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", **environment}
        process = subprocess.Popen(
            [*PROGRAM, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=env
        )
        os.close(theirs)
        seen = _converse(ours, dict(typed))
        os.close(ours)
        return process.wait(timeout=10), seen

    return call


def _converse(terminal: int, left: dict[str, str]) -> str:
    seen, deadline = "", time.monotonic() + 45
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                seen += os.read(terminal, 65_536).decode(errors="replace")
            except OSError:
                break
        for prompt in [p for p in left if p in seen]:
            os.write(terminal, (left.pop(prompt) + "\n").encode())
    return seen
