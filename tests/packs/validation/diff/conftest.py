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


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Store]]:
    """The store of a name, one for all tests of a file."""
    made: dict[str, Store] = {}

    def of(name: str) -> Store:
        variable = needs(name)
        if variable and not os.environ.get(variable):
            assert os.environ.get("CI") != "true", f"{variable} must be set in CI"
            pytest.skip(f"{variable} names no server to test with")
        if name not in made:
            made[name] = STORES[name](tmp_path_factory.mktemp(name))
        return made[name]

    yield of
    for each in made.values():
        each.close()
