"""Each example runs in a copy of its folder."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.examples.systems import System

SYSTEMS = Path(__file__).resolve().parents[2] / "examples" / "workflows"


@pytest.fixture
def system(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[System]:
    """The example that the module's `SYSTEM` names."""
    name: str = request.module.SYSTEM
    for variable in [n for n in os.environ if n.startswith(("REMIT_", "OTEL_"))]:
        monkeypatch.delenv(variable, raising=False)
    folder = tmp_path / name
    shutil.copytree(SYSTEMS / name, folder, ignore=shutil.ignore_patterns(".remit", "data", "*.db"))
    monkeypatch.chdir(folder)
    made = System(name, folder, monkeypatch, capsys)
    yield made
    for server in made.servers:
        server.terminate()
        server.wait(timeout=10)


@pytest.fixture
def rows() -> Callable[..., list[tuple[Any, ...]]]:
    """What a query of a SQLite file answers."""

    def ask(file: str, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as db:
            return db.execute(query, values).fetchall()

    return ask
