"""Several processes change one definition at once, while a reader watches: never two active versions."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.store import redis_world
from tests.engine import registry_stores
from tests.engine.registry_stores import WallClock, open_store, registry_over

from remit.core.task import Actor
from remit.engine.registry import Registry

DSN = os.environ.get("REMIT_TEST_POSTGRES", "")
ROOT = Path(__file__).parents[2]
WRITERS, WINS = 4, 60
AT = ("local", "note", "contested")


class Site:
    """A store that several processes open."""

    def __init__(self, url: str, schema: str, blobs: Path, registry: Registry) -> None:
        self.url, self.schema, self.blobs, self.registry = url, schema, blobs, registry

    def start(self, seed: int) -> subprocess.Popen[str]:
        """Start a writer."""
        more = [self.url, self.schema, str(self.blobs), AT[2], str(seed), str(WINS)]
        script = [sys.executable, registry_stores.__file__, *more]
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.Popen(
            script, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, cwd=ROOT
        )


SERVICES = [
    pytest.param("postgres", marks=pytest.mark.service),
    pytest.param("redis", marks=[pytest.mark.service, pytest.mark.nightly]),
]


@pytest.fixture(params=["sqlite", *SERVICES])
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    """A file of SQLite's, a schema of PostgreSQL's, or a prefix of Redis'."""
    if request.param == "postgres" and not DSN:
        assert os.environ.get("CI") != "true", "REMIT_TEST_POSTGRES must be set in CI"
        pytest.skip("REMIT_TEST_POSTGRES names no PostgreSQL to test with")
    urls = {"sqlite": str(tmp_path / "r.db"), "postgres": DSN}
    url = redis_world.url() if request.param == "redis" else urls[request.param]
    schema = f"test_{secrets.token_hex(6)}"
    store = open_store(url, schema, WallClock())
    registry = await registry_over(store, tmp_path / "blobs", WallClock())
    yield Site(url, schema, tmp_path / "blobs", registry)
    await store.close()
    if request.param == "postgres":
        import psycopg

        with psycopg.connect(DSN, autocommit=True) as db:
            db.execute(f"DROP SCHEMA {schema} CASCADE")
    elif request.param == "redis":
        redis_world.drop(schema)


async def watched(registry: Registry) -> int:
    """Look once: at most one active version, and the one that the head names if it stood still meanwhile."""
    before = await registry.head(*AT)
    page = await registry.history(*AT, limit=1000)
    after = await registry.head(*AT)
    assert page.cursor is None, "one statement must see all versions"
    active = [d.version for d in page.items if d.status == "active"]
    assert len(active) <= 1, f"versions {active} were active at once"
    assert before is not None
    assert after is not None
    if before.revision == after.revision:
        assert active == ([after.active.version] if after.active.version else [])
    return after.revision


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_processes_that_write_at_once_never_leave_two_active_versions(site: Site) -> None:
    """Every change won is one revision; every change lost names a winner; the trail is whole and in order."""
    await site.registry.create(*AT, {"by": 0}, actor=Actor("ana"), reason="begin")
    writers = [site.start(seed) for seed in range(1, WRITERS + 1)]
    looks, deadline = 0, time.monotonic() + 240
    while any(w.poll() is None for w in writers):
        assert time.monotonic() < deadline, "the writers did not finish"
        await watched(site.registry)
        looks += 1
    said = [await asyncio.to_thread(w.communicate) for w in writers]
    for (out, err), writer in zip(said, writers, strict=True):
        assert writer.returncode == 0, err
        assert json.loads(out.splitlines()[-1]) == {"won": WINS}
    assert looks > 5
    lost = [json.loads(line) for out, _ in said for line in out.splitlines() if '"lost"' in line]
    raced = [x["said"] for x in lost if x["lost"] == "E516"]
    assert raced, "nobody was ever too late, so nothing was tested"
    assert all("was changed by `writer-" in text or "`ana`" in text for text in raced)
    await whole(site.registry)


async def whole(registry: Registry) -> None:
    """The trail: revisions without gaps, each beginning where the one before ended, and versions without gaps."""
    trail: list[Any] = []
    cursor = None
    while True:
        page = await registry.changes(*AT, limit=200, cursor=cursor)
        trail += page.items
        cursor = page.cursor
        if cursor is None:
            break
    trail.reverse()
    assert [c.revision for c in trail] == list(range(1, len(trail) + 1))
    for earlier, later in itertools.pairwise(trail):
        assert later.before == earlier.after
        assert later.changed_ts >= earlier.changed_ts
    head = await registry.head(*AT)
    assert head == trail[-1].after
    versions = (await registry.history(*AT, limit=1000)).items
    assert [d.version for d in reversed(versions)] == list(range(1, head.latest + 1))
    assert await watched(registry) == head.revision
