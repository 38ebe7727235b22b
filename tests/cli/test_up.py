"""`remit up` and the browser: an address that signs in once, opened for a person at a terminal and for nobody else."""

from __future__ import annotations

import re
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen

import httpx
import pytest
from tests.cli.conftest import Remit, Terminal

LINK = re.compile(r"http://127\.0\.0\.1:\d+/#/login\?code=([0-9a-f]{32}\.[\w-]{43})")

BROWSER = """#!/bin/sh
echo "$1" > "{seen}"
kill -INT $PPID
"""
"""A browser that writes down what it is given, and stops the server that opened it."""


@pytest.fixture
def built(tmp_path: Path) -> dict[str, str]:
    """The environment of a console that is built."""
    folder = tmp_path / "built"
    folder.mkdir()
    (folder / "index.html").write_text("<!doctype html>")
    return {"REMIT_CONSOLE_DIR": str(folder), "REMIT_PORT": str(_free_port())}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_the_address_signs_a_browser_in_once(start: Callable[..., Popen[str]], built: dict[str, str]) -> None:
    """It is printed wherever `remit up` runs; a second use of its code is refused."""
    process = start("up", **built)
    assert process.stderr is not None
    try:
        found = next(match for line in process.stderr if (match := LINK.search(line)))
        url = f"http://127.0.0.1:{built['REMIT_PORT']}"
        with httpx.Client(base_url=url, transport=httpx.HTTPTransport(retries=10)) as browser:
            signed_in = browser.post("/api/v1/session", json={"code": found[1]})
            assert signed_in.json()["actor_id"] == "local"
            assert browser.get("/api/v1/runs").status_code == 200
            assert browser.post("/api/v1/session", json={"code": found[1]}).json()["code"] == "E1050"
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def test_a_person_at_a_terminal_gets_it_opened(
    at_terminal: Terminal, built: dict[str, str], tmp_path: Path
) -> None:
    """Once the server answers."""
    seen = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(BROWSER.format(seen=seen))
    browser.chmod(0o755)
    code, said = at_terminal(["up"], BROWSER=str(browser), **built)
    assert code == 0, said
    assert LINK.fullmatch(seen.read_text().strip())


def test_without_a_console_it_says_how_to_get_one(start: Callable[..., Popen[str]], tmp_path: Path) -> None:
    """And no code is made."""
    process = start("up", REMIT_CONSOLE_DIR=str(tmp_path / "none"), REMIT_PORT=str(_free_port()))
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if "Ctrl-C" in line:
            break
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert "make console" in "".join(lines)
    assert not LINK.search("".join(lines))


def test_another_link_is_a_command_away(remit: Remit) -> None:
    """For whoever has closed the terminal, or the browser."""
    first, second = remit("keys", "link"), remit("keys", "link")
    assert LINK.fullmatch(first.out.strip())
    assert first.out != second.out


def test_a_port_that_is_taken_is_told_before_anything_is_said(remit: Remit) -> None:
    """A code, what to do, exit 3, and no greeting."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        where = ("--host", "127.0.0.1", "--port", str(port))
        for command in (("up", "--no-open"), ("agentcore", "--agent", "hello")):
            answer = remit(*command, *where)
            assert answer.code == 3, answer.err
            assert answer.err.startswith(f"error[E1091]: port {port} of `127.0.0.1` is in use\nhelp: ")
            assert "Ctrl-C" not in answer.err
