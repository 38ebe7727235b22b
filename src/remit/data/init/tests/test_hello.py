"""The agent through the same door as everybody: policy, journal, budget. Run: python -m pytest"""

import asyncio
from pathlib import Path

import pytest

from remit import Result, Task, open_app


def test_hello_greets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer holds what the tool said."""
    monkeypatch.setenv("REMIT_HOME", str(tmp_path))

    async def run() -> Result:
        async with open_app() as app:
            return await app.run(Task("t1", "hello", "Ada"))

    result = asyncio.run(run())
    assert result.status == "success"
    assert "Hello, Ada!" in result.result_payload
