"""Budgets under concurrency: a thousand children in four processes spend no more than they were given."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from remit.bootstrap import App
from remit.engine.envelopes import ENVELOPE, set_limit

SCRIPT = Path(__file__).with_name("many_children.py")
_spec = importlib.util.spec_from_file_location("many_children", SCRIPT)
assert _spec is not None
assert _spec.loader is not None
many: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(many)

PROCESSES, PARENTS = 4, 50
ENVELOPE_USD = Decimal("20.00")
"""Room for 25 of the 50 runs at a time."""

POSTGRES = os.environ.get("REMIT_TEST_POSTGRES", "")


def fresh_database() -> str:
    """A database that holds nothing yet."""
    import psycopg

    name = f"remit_many_{os.getpid()}_{time.time_ns()}"
    with psycopg.connect(POSTGRES, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')  # type: ignore[call-overload]
    parts = urlsplit(POSTGRES)
    return urlunsplit(parts._replace(path=f"/{name}"))


async def left(app: App) -> int:
    """Nano-dollars left in the envelope."""
    item = await app.store.get(ENVELOPE, ("local",))
    assert item is not None
    return int(item["nano_usd_left"])


@pytest.mark.slow
@pytest.mark.parametrize(
    "backend",
    [
        "sqlite",
        pytest.param(
            "postgres",
            marks=[
                pytest.mark.service,
                pytest.mark.nightly,
                pytest.mark.skipif(
                    not POSTGRES, reason="REMIT_TEST_POSTGRES names no PostgreSQL to test with"
                ),
            ],
        ),
    ],
)
async def test_a_thousand_children_keep_within_every_budget(backend: str, tmp_path: Path) -> None:
    """1,000 greedy children of 50 runs in 4 processes: no child passes its slice, no run its budget, no moment the envelope."""
    url = f"sqlite:///{tmp_path}/r.db" if backend == "sqlite" else fresh_database()
    async with many.app_of(url, tmp_path) as app:
        await set_limit(app.kit, "local", max_cost_usd=ENVELOPE_USD)
        share = [PARENTS // PROCESSES + (1 if n < PARENTS % PROCESSES else 0) for n in range(PROCESSES)]
        workers = [
            await asyncio.create_subprocess_exec(
                sys.executable, SCRIPT, url, str(tmp_path), str(sum(share[:n])), str(share[n])
            )
            for n in range(PROCESSES)
        ]
        done = asyncio.gather(*(w.wait() for w in workers))
        lowest = await left(app)
        while not done.done():
            lowest = min(lowest, await left(app))
            await asyncio.wait([done], timeout=0.05)
        assert done.result() == [0] * PROCESSES
        assert 0 <= lowest < 10 * 10**9  # it was used, and never overdrawn
        await audited(app)


async def audited(app: App) -> None:
    """Every slice, every budget and the envelope, from the journals."""
    spent, children, stopped = Decimal(0), 0, 0
    async for run_id in parents(app):
        view = await app.runs.view(run_id, "local")
        assert view.status == "success"
        assert view.usage.cost_usd <= many.PARENT_USD
        below = Decimal(0)
        for child_id in view.children:
            child = await app.runs.view(child_id, "local")
            assert child.usage.cost_usd <= Decimal(many.EACH)
            assert child.budget.max_cost_usd == Decimal(many.EACH)
            assert child.result.problem is not None
            stopped += child.result.problem.code == "E501"
            below += child.usage.cost_usd
        assert view.usage.cost_usd == below + 2 * Decimal("0.006")
        children += len(view.children)
        spent += view.usage.cost_usd
    assert (children, stopped) == (1000, 1000)
    assert await left(app) == int((ENVELOPE_USD - spent) * 10**9)


async def parents(app: App) -> Any:
    """Every root run."""
    cursor = None
    while True:
        page = await app.runs.list("local", agent="parent", limit=200, cursor=cursor)
        for item in page.items:
            yield item["run_id"]
        cursor = page.cursor
        if cursor is None:
            return
