"""Servers of the official SDK through the adapter, over stdio and over HTTP: the same verbs, the same meaning of failures."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from remit.adapters.mcp.servers import Endpoint
from remit.core.errors import InputError, ToolError
from remit.ports.mcp import OutcomeUnknownError

BARE, STANDIN = (str(Path(__file__).with_name(name)) for name in ("bare.py", "standin.py"))


def effects(folder: Path) -> list[str]:
    """What was done, in order."""
    found = folder / "effects"
    return found.read_text().splitlines() if found.exists() else []


async def test_tools_are_listed_and_answer(peer: Any) -> None:
    """All pages of the list; text, structured content, pictures, files and links each arrive as what they are."""
    listed = {c.name: c for c in await peer.pool.tools("local", "s")}
    assert list(listed)[:3] == ["echo", "total", "pay"]
    assert len(listed) == 11
    assert listed["total"].output_schema is not None

    said = await peer.pool.call("local", "s", "echo", {"text": "hi"}, key="k")
    assert (said.text, said.structured, said.failed) == ("hi", None, False)
    total = await peer.pool.call("local", "s", "total", {"numbers": [1, 2]}, key="k")
    assert total.structured == {"total": 3}
    assert (await peer.pool.call("local", "s", "fail", {"text": ""}, key="k")).failed

    picture = await peer.pool.call("local", "s", "picture", {"text": ""}, key="k")
    assert [(a.name, a.media_type) for a in picture.attachments] == [
        ("image-1", "image/png"),
        ("table.bin", "application/octet-stream"),
    ]
    assert picture.attachments[1].data == b"\x00\x01\x02"
    assert "a note" in picture.text
    assert "file:///a/more.txt" in picture.text

    await peer.pool.call("local", "s", "pay", {"text": "rent"}, key="key-7")
    assert effects(peer.folder) == ["pay rent key-7"]


async def test_a_call_goes_on_until_its_server_has_finished(peer: Any) -> None:
    """State that the server hands out is handed back; what it would ask a user is refused."""
    answer = await peer.pool.call("local", "s", "ask", {"text": "wait"}, key="k")
    assert answer.text == "state 7"
    with pytest.raises(ToolError) as refused:
        await peer.pool.call("local", "s", "ask", {"text": "form"}, key="k")
    assert refused.value.code == "E956"


async def test_no_answer_in_time_leaves_the_outcome_unknown(quick_peer: Any) -> None:
    """The effect happened once, nobody sends it again, and the next call is served."""
    with pytest.raises(OutcomeUnknownError, match="within 2 s"):
        await quick_peer.pool.call("local", "s", "hang", {"text": "a"}, key="k")
    assert (await quick_peer.pool.call("local", "s", "echo", {"text": "b"}, key="k")).text == "b"
    assert effects(quick_peer.folder) == ["hang a k"]


async def test_an_endless_answer_is_cut_off(peer: Any) -> None:
    """A million characters arrive; twenty million do not, and the next call is served."""
    answer = await peer.pool.call("local", "s", "huge", {"text": "1000000"}, key="k")
    assert len(answer.text) == 1_000_000
    with pytest.raises(OutcomeUnknownError):
        await peer.pool.call("local", "s", "huge", {"text": "20000000"}, key="k")
    assert (await peer.pool.call("local", "s", "echo", {"text": "b"}, key="k")).text == "b"


async def test_a_server_that_dies_in_a_call_leaves_the_outcome_unknown(quick_peer: Any) -> None:
    """It did its work and died before answering: that is said, and nothing is sent twice."""
    with pytest.raises(OutcomeUnknownError):
        await quick_peer.pool.call("local", "s", "die", {"text": "a"}, key="k")
    assert effects(quick_peer.folder) == ["die a k"]


async def test_an_unknown_server_is_named(opened) -> None:
    """With those that there are."""
    with pytest.raises(InputError) as refused:
        await opened(Endpoint(command=("unused",))).tools("local", "other")
    assert refused.value.code == "E959"


class TestProcesses:
    """What concerns servers that are processes of ours."""

    async def test_a_process_has_its_secrets_and_nothing_of_ours(self, opened, tmp_path, monkeypatch) -> None:
        """No variable of this process but PATH; a HOME of its own; another tenant has another process, with its own secret."""
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "ours")
        command = (sys.executable, BARE, str(tmp_path))
        pool = opened(Endpoint(command=command, secrets={"TOKEN": "token"}))
        found = {}
        for tenant in ("local", "acme"):
            found[tenant] = (await pool.call(tenant, "s", "environment", {"text": ""}, key="k")).structured
            assert found[tenant]["TOKEN"] == f"token of {tenant}"
            assert set(found[tenant]) <= {"PATH", "HOME", "LANG", "TOKEN", "LC_CTYPE"}
            assert Path(found[tenant]["HOME"]).is_relative_to(tmp_path)
        assert found["local"]["HOME"] != found["acme"]["HOME"]

    async def test_its_last_words_are_told_and_it_is_started_again(self, opened, tmp_path) -> None:
        """Whoever reads the failure sees why it died; the next call has a fresh process."""
        pool = opened(Endpoint(command=(sys.executable, BARE, str(tmp_path))))
        with pytest.raises(OutcomeUnknownError, match="out of paper"):
            await pool.call("local", "s", "die", {"text": "a"}, key="k")
        assert (await pool.call("local", "s", "echo", {"text": "b"}, key="k")).text == "b"

    @pytest.mark.parametrize("program", [BARE, STANDIN])
    async def test_a_change_that_it_announces_is_seen(self, opened, tmp_path, program) -> None:
        """Its tools are asked for again, whether it says so by itself or, since 2026-07-28, to whoever listens."""
        pool = opened(Endpoint(command=(sys.executable, program, str(tmp_path))))
        said = [c.description for c in await pool.tools("local", "s") if c.name == "echo"]
        assert said == ["Say it again."]
        while said != ["Say it twice."]:
            await pool.call("local", "s", "swap", {"text": "Say it twice."}, key="k")
            said = [c.description for c in await pool.tools("local", "s") if c.name == "echo"]

    @pytest.mark.parametrize(
        ("command", "why"),
        [
            (("/no/such/program",), "cannot be started"),
            ((sys.executable, "-c", "import sys; sys.exit('no licence')"), "no licence"),
            ((sys.executable, "-c", "print('hello')"), "Connection closed"),
        ],
    )
    async def test_one_that_does_not_start_did_nothing(self, opened, command, why) -> None:
        """No such program, one that ends at once, one that speaks something else: certainly nothing happened."""
        pool = opened(Endpoint(command=command))
        with pytest.raises(ToolError, match=why) as refused:
            await pool.call("local", "s", "echo", {"text": "a"}, key="k")
        assert refused.value.code == "E953"

    async def test_what_is_no_message_is_passed_over(self, opened, tmp_path) -> None:
        """A server that prints a greeting first still works."""
        noisy = tmp_path / "noisy.py"
        noisy.write_text(
            f"import runpy, sys\nprint('hello', flush=True)\nsys.argv = {[BARE, str(tmp_path)]!r}\n"
            f"runpy.run_path({BARE!r}, run_name='__main__')\n"
        )
        pool = opened(Endpoint(command=(sys.executable, str(noisy))))
        assert (await pool.call("local", "s", "echo", {"text": "a"}, key="k")).text == "a"

    async def test_one_that_does_not_want_to_end_is_made_to(self, opened, tmp_path) -> None:
        """Neither its closed stdin nor SIGTERM ends it; it is killed, and what it started with it."""
        stubborn = tmp_path / "stubborn.py"
        stubborn.write_text(
            "import os, runpy, signal, subprocess, sys, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
            "child = subprocess.Popen(['sleep', '600'], stdout=subprocess.DEVNULL)\n"
            f"open({str(tmp_path / 'pids')!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
            f"sys.argv = {[BARE, str(tmp_path)]!r}\nrunpy.run_path({BARE!r}, run_name='__main__')\ntime.sleep(600)\n"
        )
        pool = opened(Endpoint(command=(sys.executable, str(stubborn))))
        assert await pool.tools("local", "s")
        await pool.close()
        for pid in map(int, (tmp_path / "pids").read_text().split()):
            while _runs(pid):
                await asyncio.sleep(0.01)


def _runs(pid: int) -> bool:
    """Whether a process has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
