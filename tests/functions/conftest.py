"""Functions as Lambda runs them: configured by the environment, called with the events that AWS sends."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from remit.functions import container

_spec = importlib.util.spec_from_file_location("cloud", Path(__file__).with_name("cloud.py"))
assert _spec is not None
assert _spec.loader is not None
cloud = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(cloud)

AGENTS = Path(__file__).with_name("agents_app.py")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The home of a deployment without AWS: its functions share a SQLite store, and each test has a container of its own."""
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    container.shared.cache_clear()
    yield tmp_path
    container.shared().close()
    container.shared.cache_clear()


def environment(home: Path) -> dict[str, str]:
    """What configures the functions."""
    return {
        "REMIT_HOME": str(home),
        "REMIT_STORE": f"sqlite:///{home / 'remit.db'}",
        "REMIT_APP": str(AGENTS),
        "REMIT_LEASE_TTL_S": "1",
        "REMIT_TEST_HOME": str(home),
    }


@pytest.fixture
def aws() -> object:
    """Makes events as AWS sends them."""
    return cloud
