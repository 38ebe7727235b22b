"""Puts the library beside these tests on the path, and runs each case with every framework that is installed here."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
for place in (HERE, HERE.parents[1]):
    if str(place) not in sys.path:
        sys.path.insert(0, str(place))

from frameworklib.teams import PACKAGES, Team  # noqa: E402


def installed() -> list[str]:
    """The frameworks of this environment, and Remit's own agents as the reference."""
    return [name for name, package in PACKAGES.items() if importlib.util.find_spec(package)]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "not_for(**reasons): the frameworks that a case says nothing about, and why"
    )


@pytest.fixture(params=installed())
def team(request: pytest.FixtureRequest) -> Team:
    """A framework that a team is written with."""
    marker = request.node.get_closest_marker("not_for")
    if marker is not None and request.param in marker.kwargs:
        pytest.skip(marker.kwargs[request.param])
    return Team(request.param)
