"""A registry over each store, for its tests; also runnable as a process of its own that changes one definition.

python registry_stores.py URL SCHEMA BLOBS NAME SEED COUNT
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from remit.adapters.blobs.files import FileBlobs
from remit.adapters.policy.cedar import CedarPolicy
from remit.adapters.policy.files import load_profiles
from remit.adapters.store.memory import MemoryStore
from remit.adapters.store.sqlite import SqliteStore
from remit.core.errors import ConflictError, InputError
from remit.core.redaction import Redactor
from remit.core.task import Actor
from remit.engine.editing import Editors
from remit.engine.registry import Registry
from remit.engine.versions import COLLECTIONS, Kind
from remit.ports.store import Collection, Store


class NoteKind(Kind):
    """Definitions of any shape but one with `bad` in it."""

    name = "note"

    def check(self, body: dict[str, Any]) -> None:
        if "bad" in body:
            raise InputError("a note is never `bad`", code="E509")


EDITORS = Editors(CedarPolicy(load_profiles()))


class WallClock:
    """The time, for a process without an app."""

    def now(self) -> int:
        return int(time.time() * 1000)


def open_store(url: str, schema: str, clock: Any) -> Store:
    """The store at a URL: `memory:`, a path, PostgreSQL, Redis, or `dynamodb:` for the emulator's."""
    if url == "memory:":
        return MemoryStore(clock)
    if url.startswith("postgresql:"):
        from remit.adapters.store.postgres import PostgresStore

        return PostgresStore(url, clock, schema=schema)
    if url.startswith("redis:"):
        from remit.adapters.store.redis import RedisStore

        return RedisStore(url, prefix=schema)
    if url == "dynamodb:":
        from tests.adapters.store.dynamo_world import session, url_of

        from remit.adapters.store.dynamodb import DynamoStore

        return DynamoStore(clock, session(url_of("ministack")), prefix=schema.replace("_", "-"))
    return SqliteStore(Path(url), clock)


async def registry_over(
    store: Store,
    blobs: Path,
    clock: Any,
    kinds: Sequence[Kind] = (),
    collections: Sequence[Collection] = (),
    secrets: tuple[str, ...] = (),
) -> Registry:
    """A registry with the kind `note` and those given."""
    await store.open()
    await store.declare([*COLLECTIONS, *collections])
    return Registry(store, FileBlobs(blobs), clock, [NoteKind(), *kinds], Redactor(secrets, ()), EDITORS)


async def writer(url: str, schema: str, blobs: str, name: str, seed: int, count: int) -> None:
    """Change one definition until `count` changes were won; print how each attempt ended, as JSON lines."""
    dice, clock = random.Random(seed), WallClock()
    store = open_store(url, schema, clock)
    registry = await registry_over(store, Path(blobs), clock)
    me, won = Actor(f"writer-{seed}"), 0
    while won < count:
        head = await registry.head("local", "note", name)
        assert head is not None
        given: dict[str, Any] = {"actor": me, "reason": f"change {won}"}
        what = dice.choice(["edit", "edit", "draft", "rollback", "archive", "disable", "enable"])
        try:
            if what in ("edit", "draft"):
                verb = registry.edit if what == "edit" else registry.draft
                await verb("local", "note", name, {"by": seed, "n": won}, **given)
            elif what == "rollback":
                await registry.rollback("local", "note", name, dice.randint(1, head.latest), **given)
            else:
                await getattr(registry, what)("local", "note", name, **given)
        except (ConflictError, InputError) as error:
            print(json.dumps({"lost": error.code, "said": error.message}), flush=True)
            continue
        won += 1
    await store.close()
    print(json.dumps({"won": won}), flush=True)


if __name__ == "__main__":
    asyncio.run(writer(*sys.argv[1:5], int(sys.argv[5]), int(sys.argv[6])))
