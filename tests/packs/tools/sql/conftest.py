"""The worlds of the engines, each made once."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the helpers stand beside the tests

from world import DIALECTS, SERVERS, World, world

KINDS = [pytest.param(kind, marks=pytest.mark.service if kind in SERVERS else ()) for kind in DIALECTS]


@pytest.fixture(scope="session", params=KINDS)
def here(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One engine after the other."""
    with world(request.param, tmp_path_factory.mktemp(request.param)) as made:
        yield made


@pytest.fixture(scope="session")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """SQLite alone, for what does not depend on the engine."""
    with world("sqlite", tmp_path_factory.mktemp("alone")) as made:
        yield made
