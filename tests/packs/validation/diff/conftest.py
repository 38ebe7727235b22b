"""Stores of every engine, for both sides of a diff."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the helpers stand beside the tests
sys.path.insert(0, str(Path(__file__).parent.parent / "engines"))

from stores import STORES, Store, needs


def _missing(name: str) -> str:
    """The variable that names no server for this store; in CI there is none."""
    variable = needs(name)
    missing = variable if variable and not os.environ.get(variable) else ""
    assert not missing or os.environ.get("CI") != "true", f"{variable} must be set in CI"
    return missing


@pytest.fixture(scope="session")
def stores(store: Callable[[str], Store]) -> dict[str, Store]:
    """Every store that can be tested with here, by name."""
    return {name: store(name) for name in STORES if not _missing(name)}


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Store]]:
    """The store of a name, one for all tests."""
    made: dict[str, Store] = {}

    def of(name: str) -> Store:
        if missing := _missing(name):
            pytest.skip(f"{missing} names no server to test with")
        if name not in made:
            made[name] = STORES[name](tmp_path_factory.mktemp(name))
        return made[name]

    yield of
    for each in made.values():
        each.close()
