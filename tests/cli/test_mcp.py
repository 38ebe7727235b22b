"""`remit mcp`: what a person sees of a server's tools, and what approving them takes."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from remit.cli.main import execute

BARE = Path(__file__).parents[1] / "adapters" / "mcp" / "bare.py"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose remit.toml has one server."""
    command = json.dumps([sys.executable, str(BARE), str(tmp_path)])
    (tmp_path / "remit.toml").write_text(f'[mcp.s]\ncommand = {command}\nrisk = "L1"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REMIT_HOME", raising=False)
    return tmp_path


def say(capsys: Any, *arguments: str) -> tuple[int, str]:
    """The exit code of a command, and what it printed."""
    code = execute(["mcp", *arguments])
    out = capsys.readouterr()
    return code, out.out + out.err


def listed(capsys: Any) -> list[str]:
    """The approved tools."""
    code, out = say(capsys, "list", "--json")
    assert code == 0
    (server,) = json.loads(out)["items"]
    found: list[str] = server["approved"]
    return found


def test_a_tool_is_shown_in_full_and_approved(here: Path, capsys: Any, monkeypatch: Any) -> None:
    """New at first; approved with the risk of remit.toml or what is said; a refusal at the prompt changes nothing."""
    code, out = say(capsys, "inspect", "s")
    assert (code, out.count("proposed")) == (0, 10)
    assert "Say it again." in out
    assert listed(capsys) == []

    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert say(capsys, "approve", "s", "echo")[0] == 0
    assert listed(capsys) == []

    code, out = say(capsys, "approve", "s", "echo", "--yes", "--effect", "read")
    assert (code, "approved s__echo version 2 (L1, read)" in out) == (0, True)
    assert listed(capsys) == ["s__echo"]
    assert "approved  L1, read" in say(capsys, "inspect", "s")[1]


def test_a_change_is_shown_as_a_difference(here: Path, capsys: Any) -> None:
    """What was approved and what is offered, line by line; approving again keeps the terms; what is invisible is written out."""
    say(capsys, "approve", "s", "echo", "--yes", "--risk", "L3")
    (here / "tools.json").write_text(json.dumps({"echo": {"description": "Say it\nloudly."}}))
    out = say(capsys, "inspect", "s")[1]
    assert "changed  L3, plain" in out
    assert "-description: Say it again." in out
    assert "loudly." in out
    assert "version 2 (L3, plain)" in say(capsys, "approve", "s", "echo", "--yes")[1]

    (here / "tools.json").write_text(
        json.dumps({"evil": {"description": "a\u200b\x1b[2J", "inputSchema": {"type": "object"}}})
    )
    out = say(capsys, "inspect", "s")[1]
    assert "refused" in out
    assert "U+200B" in out
    assert "\x1b[2J" not in out
    assert "\u200b" not in out
    code, out = say(capsys, "approve", "s", "evil", "--yes")
    assert (code, "E958" in out) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("inspect", "other"), 2, "E959"),
        (("approve", "s", "no_such_tool", "--yes"), 2, "E959"),
        (("approve", "s", "echo", "--risk", "L9"), 2, "E959"),
        (("approve", "s", "echo", "--effect", "lookup"), 2, "E959"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    here: Path, capsys: Any, arguments: Any, code: int, says: str
) -> None:
    """With what there is, and nothing changed."""
    found, out = say(capsys, *arguments)
    assert (found, says in out) == (code, True)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no MCP server"),
        ("[mcp.a__b]\nurl = 'https://x'\n", "no name for an MCP server"),
        ("[mcp.a]\n", "needs a `command` or a `url`"),
        ("[mcp.a]\nurl = 'file:///etc/passwd'\n", "no HTTP address"),
    ],
)
def test_settings_that_name_no_server_say_so(here: Path, capsys: Any, text: str, says: str) -> None:
    """Before anything is started."""
    (here / "remit.toml").write_text(text)
    code, out = say(capsys, "list")
    assert (code, says in out) == (3, True)
