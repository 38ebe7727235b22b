"""A small shop, built once and copied for each test; and a stand-in for what the gateway hands to tools."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from remit.core.task import Actor
from remit.ports.agents import ToolContext
from remit_packs.support.database import Shop, ensure
from remit_packs.support.shop import LATEST, SMALL
from remit_packs.support.tools import support_tools

Call = Callable[..., Any]


class StoppedClock:
    """A day after the newest order."""

    def now(self) -> int:
        return LATEST + 86_400_000

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        """At once."""

    def new_id(self, prefix: str) -> str:
        return prefix

    def random(self) -> float:
        return 0.5


class NoSecrets:
    def get(self, name: str) -> str:
        raise KeyError(name)

    def known(self) -> tuple[str, ...]:
        return ()


def context(key: str) -> ToolContext:
    return ToolContext("run", "s0", "local", Actor(), "agent", key, 1, StoppedClock(), NoSecrets())


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shop") / "shop.db"
    ensure(path, SMALL)
    return path


@pytest.fixture
def shop(built: Path, tmp_path: Path) -> Iterator[Shop]:
    shutil.copy(built, tmp_path / "shop.db")
    made = Shop(tmp_path / "shop.db", SMALL)
    yield made
    made.close()


@pytest.fixture
def call(shop: Shop) -> Call:
    """Call a tool by name, with a fresh idempotency key unless one is given."""
    tools = support_tools(shop)
    numbers = itertools.count()

    async def run(name: str, key: str = "", **arguments: Any) -> Any:
        return await tools[name].call(arguments, context(key or f"key-{next(numbers)}"))

    return run


@pytest.fixture
def query(shop: Shop) -> Callable[..., list[tuple[Any, ...]]]:
    def run(sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with shop.read() as connection:
            return [tuple(row) for row in connection.execute(sql, values).fetchall()]

    return run
