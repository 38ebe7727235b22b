"""What every sandbox keeps. Subclass `SandboxContract` and give it the fixture `sandbox`. The code is plain: no packages."""

from __future__ import annotations

import asyncio

import pytest

from remit.core.errors import ArgumentsError
from remit.ports.sandbox import Sandbox, SandboxFile, SandboxLimits

LIMITS = SandboxLimits(
    wall_s=20.0, cpu_s=10.0, memory_bytes=256 << 20, output_bytes=1_000, file_bytes=10_000, files=3
)


class SandboxContract:
    """The contract of `ports.sandbox.Sandbox`."""

    pytestmark = pytest.mark.asyncio

    @pytest.fixture
    def sandbox(self) -> Sandbox:
        """A sandbox."""
        raise NotImplementedError("override the fixture `sandbox`")

    async def test_what_is_printed_is_handed_back(self, sandbox: Sandbox) -> None:
        """Text of any script, exactly as it was printed."""
        outcome = await sandbox.run("for word in ['één', '二']:\n    print(word)")
        assert (outcome.ending, outcome.stdout, outcome.stderr) == ("ok", "één\n二\n", "")
        assert not outcome.truncated
        assert outcome.duration_ms > 0

    async def test_an_error_of_the_code_is_an_outcome(self, sandbox: Sandbox) -> None:
        """What was printed before it is kept, and the error is told with its type."""
        outcome = await sandbox.run("print('so far')\n1 / 0\nprint('never')")
        assert (outcome.ending, outcome.stdout) == ("error", "so far\n")
        assert "ZeroDivisionError" in outcome.stderr

    @pytest.mark.parametrize("code", ["def f(:\n    pass", "x = = 1", "    x = 1\n  y = 2"])
    async def test_code_that_is_no_python_is_an_outcome(self, sandbox: Sandbox, code: str) -> None:
        """It is told as Python tells it."""
        outcome = await sandbox.run(code)
        assert outcome.ending == "error"
        assert "Error" in outcome.stderr

    async def test_files_go_in_and_come_out(self, sandbox: Sandbox) -> None:
        """Bytes are kept as they are; new and changed files come back, and one that was only read does not."""
        given = [SandboxFile("read.txt", b"2 3"), SandboxFile("changed.txt", b"old")]
        code = (
            "a, b = open('read.txt').read().split()\n"
            "open('changed.txt', 'w').write('new')\n"
            "open('sum.bin', 'wb').write(b'\\x05\\x00\\xff' if int(a) + int(b) == 5 else b'')\n"
        )
        outcome = await sandbox.run(code, files=given)
        assert outcome.ending == "ok", outcome.stderr
        assert {f.name: f.data for f in outcome.files} == {"changed.txt": b"new", "sum.bin": b"\x05\x00\xff"}

    async def test_runs_know_nothing_of_each_other(self, sandbox: Sandbox) -> None:
        """Neither files nor names stay behind, nor do runs at the same time meet."""
        code = "import os\nprint(sorted(os.listdir('.')))\nopen('mine.txt', 'w').write('x')"
        outcomes = await asyncio.gather(*(sandbox.run(code) for _ in range(3)))
        outcomes.append(await sandbox.run(code))
        assert [o.stdout for o in outcomes] == ["[]\n"] * 4
        assert (await sandbox.run("print(mine)")).ending == "error"

    @pytest.mark.parametrize(
        "name", ["../x", "/etc/x", "a/../../x", "", ".", "a//b", "a\x00b", "a\nb", " x", "x" * 300, "a\\b"]
    )
    async def test_a_name_that_leads_elsewhere_is_refused(self, sandbox: Sandbox, name: str) -> None:
        """Nothing runs then."""
        with pytest.raises(ArgumentsError) as raised:
            await sandbox.run("1", files=[SandboxFile(name, b"x")])
        assert raised.value.code == "E911"

    @pytest.mark.parametrize(
        "files",
        [
            [SandboxFile("a", b""), SandboxFile("a", b"")],
            [SandboxFile("a", b""), SandboxFile("a/b", b"")],
            [SandboxFile(f"f{i}", b"") for i in range(4)],
            [SandboxFile("large", bytes(10_001))],
        ],
        ids=["same name", "file and folder", "too many", "too large"],
    )
    async def test_files_that_cannot_all_be_given_are_refused(
        self, sandbox: Sandbox, files: list[SandboxFile]
    ) -> None:
        """Nothing runs then."""
        with pytest.raises(ArgumentsError) as raised:
            await sandbox.run("1", files=files, limits=LIMITS)
        assert raised.value.code == "E911"

    async def test_code_that_never_ends_is_ended(self, sandbox: Sandbox) -> None:
        """By the clock on the wall."""
        outcome = await sandbox.run("while True:\n    pass", limits=SandboxLimits(wall_s=0.7))
        assert outcome.ending == "timeout"
        assert outcome.files == ()

    async def test_long_output_is_cut(self, sandbox: Sandbox) -> None:
        """And said to be."""
        outcome = await sandbox.run("print('x' * 3_000)", limits=LIMITS)
        assert outcome.truncated
        assert len(outcome.stdout) <= LIMITS.output_bytes

    async def test_more_files_than_are_kept_are_left_out(self, sandbox: Sandbox) -> None:
        """And said to be."""
        outcome = await sandbox.run("for i in range(5):\n    open(f'f{i}', 'w').write('x')", limits=LIMITS)
        assert len(outcome.files) == LIMITS.files
        assert outcome.truncated

    async def test_hidden_files_are_nobodys_result(self, sandbox: Sandbox) -> None:
        """Caches and settings of libraries stay behind."""
        outcome = await sandbox.run("open('.hidden', 'w').write('x')\nopen('shown', 'w').write('x')")
        assert [f.name for f in outcome.files] == ["shown"]
