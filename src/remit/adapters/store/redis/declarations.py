"""The declared collections, and filling new indexes from the items that are there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from remit.adapters.store import items
from remit.adapters.store.redis import scripts
from remit.adapters.store.redis.places import Table
from remit.ports.store import Collection, Index

REVISION = 16
"""Bytes before each document: which commit wrote it."""

PORTION = 500

Ask = Callable[..., Awaitable[Any]]
"""Sends one command, and gives its answer."""


class Declarations:
    """What is declared, as last read: `tables` by name, under `version`."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.tables: dict[str, Table] = {}
        self.version = "0"

    async def load(self, ask: Ask) -> None:
        """Read the declarations. The version first: if it is outdated by the time, the scripts will say so."""
        version = await ask("GET", f"{self._prefix}:declared")
        found = await ask("HVALS", f"{self._prefix}:collections")
        decoded = [msgspec.json.decode(text, type=Collection) for text in found]
        self.tables = {collection.name: Table(collection) for collection in decoded}
        self.version = (version or b"0").decode()

    async def declare(self, ask: Ask, collections: Sequence[Collection]) -> None:
        """Make collections and indexes exist, and return once their indexes are full."""
        for collection in collections:
            items.check_declaration(collection)
        while not await self._change(ask, collections):
            pass
        filling = await ask("HGETALL", f"{self._prefix}:filling")
        for collection in collections:
            table = self.tables[collection.name]
            for index in table.indexes.values():
                since = filling.get(table.set_of(index).encode())
                # Whoever began to fill it may be gone, or not done yet.
                if since is not None:
                    await self._fill(ask, table, index, since)

    async def _change(self, ask: Ask, collections: Sequence[Collection]) -> bool:
        """Write what is new; False if another process did so first."""
        await self.load(ask)
        changed: dict[str, Collection] = {}
        drop, fill = [], []
        for new in collections:
            known = self.tables.get(new.name)
            old = changed.get(new.name, known.collection if known else None)
            merged = items.merged(old, new)
            if merged == old:
                continue
            changed[new.name] = merged
            before, after = Table(old) if old else None, Table(merged)
            had = {before.set_of(index) for index in before.indexes.values()} if before else set()
            has = {after.set_of(index) for index in after.indexes.values()}
            drop += sorted(had - has)
            fill += sorted(has - had) if before else []
        if not changed:
            return True
        given = {
            "version": self.version,
            "collections": [[name, msgspec.json.encode(each)] for name, each in changed.items()],
            "drop": drop,
            "fill": fill,
        }
        if await ask(*scripts.call("declare", self._prefix, given)) is None:
            return False
        await self.load(ask)
        return True

    async def _fill(self, ask: Ask, table: Table, index: Index, since: bytes) -> None:
        """Enter every item into an index, which its writers keep already."""
        collection, name = table.collection.name, table.set_of(index)
        documents, cursor, more = f"{self._prefix}:doc:{collection}", 0, True
        while more:
            cursor, found = await ask("HSCAN", documents, cursor, "COUNT", PORTION)
            rows = []
            for key, value in found.items():
                where = table.places_of(value[REVISION:]).get(name)
                if where is not None:
                    rows.append([key, value[:REVISION], where])
            given = {
                "collection": collection,
                "index": name,
                "since": since,
                "rows": rows,
                "last": cursor == 0,
            }
            more = await ask(*scripts.call("fill", self._prefix, given)) == 1
