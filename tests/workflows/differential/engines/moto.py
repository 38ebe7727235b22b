"""moto's interpreter, a second opinion: run by `moto_runner.py` in a venv of its own (`scripts/ci/moto.sh`)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec
from tests.workflows.differential.cases import Case, Seen

RUNNER = Path(__file__).parent / "moto_runner.py"


class Moto:
    def __init__(self, python: str) -> None:
        self._python = python

    async def run(self, cases: Sequence[Case]) -> list[Seen]:
        """What it makes of each case, one after another."""
        given = [msgspec.structs.asdict(case) | {"unsure": []} for case in cases]
        process = await asyncio.create_subprocess_exec(
            self._python,
            "-I",  # else its own folder, with a module named moto, comes first
            str(RUNNER),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        seen, errors = await process.communicate(msgspec.json.encode(given))
        assert process.returncode == 0, errors.decode()[-2000:]
        return msgspec.json.decode(seen, type=list[Seen])
