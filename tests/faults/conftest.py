"""Puts the fault library and the shared fake bank on the path, and says which stores are tested."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
for place in (HERE, HERE.parents[1]):
    if str(place) not in sys.path:
        sys.path.insert(0, str(place))

POSTGRES = os.environ.get("REMIT_TEST_POSTGRES", "")


@pytest.fixture(
    scope="module",
    params=[
        "sqlite",
        pytest.param(
            "postgres",
            marks=[
                pytest.mark.service,
                pytest.mark.skipif(
                    not POSTGRES, reason="REMIT_TEST_POSTGRES names no PostgreSQL to test with"
                ),
            ],
        ),
    ],
)
def store_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of a store that is tested."""
    if request.param == "postgres":
        return POSTGRES
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/remit.db"
