"""Options of the whole test suite."""

from __future__ import annotations

import gc

import pytest

from remit.bootstrap.adapters import shared_session

LONG = (
    "tests/deploy/test_end_to_end.py",
    "tests/deploy/template/test_template.py",  # makes the template that other files of its folder would wait for
    "tests/frameworks/",
    "tests/deploy/",
    "tests/console/",
    "tests/faults/",
    "tests/workflows/",
    "tests/cli/",
)
"""Where a single file takes minutes. They are begun first, so that no worker is left alone with one at the end."""


@pytest.fixture(autouse=True)
def _own_credentials() -> None:
    """A process has one AWS session; tests of one process have accounts of their own."""
    shared_session.cache_clear()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--nightly", action="store_true", help="run the long sizes too: thousands of kills instead of dozens"
    )


gc.disable()  # until all tests are collected: what that makes stays, and a fifth of the time would go to looking through it


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    places = [*LONG, ""]
    items.sort(key=lambda item: next(i for i, place in enumerate(places) if item.nodeid.startswith(place)))
    if config.getoption("--nightly"):
        return
    skip = pytest.mark.skip(reason="long; run it with --nightly")
    for item in items:
        if "nightly" in item.keywords:
            item.add_marker(skip)
