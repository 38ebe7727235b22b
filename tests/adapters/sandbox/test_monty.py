"""Monty keeps the contract, holds, and does for plain code."""

from __future__ import annotations

import os

import pytest

if os.environ.get("CI") != "true":
    pytest.importorskip("pydantic_monty", reason='the extra "remit[sandbox]" is not installed')

from remit.adapters.sandbox.monty import Monty
from remit.adapters.sandbox.selftest import examine
from remit.ports.sandbox import SandboxFile, SandboxLimits
from remit.testing.contracts.sandbox import SandboxContract


class TestContract(SandboxContract):
    """Over real workers."""

    @pytest.fixture
    def sandbox(self) -> Monty:
        return Monty()


async def test_it_holds_here() -> None:
    """Its own examination finds nothing that it reaches."""
    report = await examine(Monty())
    assert report.holds, report.failures


async def test_the_last_value_is_shown() -> None:
    """Cut where it is large."""
    assert (await Monty().run("x = [1]\nx * 2")).value == "[1, 1]"
    large = await Monty().run("['x' * 1000] * 100", limits=SandboxLimits(output_bytes=500))
    assert len(large.value) <= 500


@pytest.mark.parametrize(
    "code",
    [
        "f = open('grown', 'w')\nfor i in range(5_000):\n    f.write('x' * 1_000)",
        "for i in range(5_000):\n    open('read').read()",
        "for i in range(5_000):\n    f = open('read', 'a')\n    f.write('x')\n    f.close()",
    ],
    ids=["writing", "reading", "appending"],
)
async def test_work_with_files_is_limited(code: str) -> None:
    """Files are held by this process, which copies them at each call."""
    outcome = await Monty().run(
        code, files=[SandboxFile("read", bytes(9_000))], limits=SandboxLimits(file_bytes=10_000)
    )
    assert outcome.ending == "error"
    assert "No space left" in outcome.stderr


async def test_a_file_elsewhere_is_nobodys_result() -> None:
    """Only the working folder is looked at."""
    outcome = await Monty().run("open('/escaped', 'w').write('x')\nopen('here', 'w').write('x')")
    assert [f.name for f in outcome.files] == ["here"]
