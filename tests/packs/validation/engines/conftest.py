"""Every engine, on a real server where it has one."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the helpers stand beside the tests
sys.path.insert(0, str(Path(__file__).parent.parent))

from stores import STORES, Store, needs


@pytest.fixture(params=STORES, scope="module")
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One place after the other."""
    name: str = request.param
    variable = needs(name)
    if variable and not os.environ.get(variable):
        assert os.environ.get("CI") != "true", f"{variable} must be set in CI"
        pytest.skip(f"{variable} names no server to test with")
    made = STORES[name](tmp_path_factory.mktemp(name))
    yield made
    made.close()
