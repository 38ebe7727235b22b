"""Which runs are due: the index over heads, read so that no tenant with many runs hides another's.

In each part of the index tenants lie one after the other, in each tenant what may be taken first. Of a tenant at most
`limit` are read; then the reading jumps to the next tenant.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, NamedTuple

from remit.adapters.store.dynamodb.calls import Calls
from remit.adapters.store.dynamodb.heads import SHARDS, due_key
from remit.adapters.store.dynamodb.schema import BY_ROOT, DUE
from remit.adapters.store.dynamodb.values import AFTER, APART, Attributes, read, sortable, text

PAGE = 500


class Found(NamedTuple):
    """A run in the index: its tenant (as the index has it), from when it is due, when it was created."""

    tenant: str
    at: int
    created: int
    run_id: str


async def due(
    calls: Calls, table: str, *, now: int, limit: int, tenant_id: str | None, root_run: str | None
) -> list[str]:
    """Runs to advance now; tenants take turns, and within a tenant the oldest run goes first."""
    if root_run is not None:
        parts = [(BY_ROOT, "root_run", sortable(root_run))]
    else:
        parts = [(DUE, "due_shard", str(shard)) for shard in range(SHARDS)]
    reading = [_read(calls, table, part, now, limit, tenant_id) for part in parts]
    found = [each for part in await asyncio.gather(*reading) for each in part]
    return [each.run_id for each in in_turns(found)[:limit]]


def in_turns(found: Iterable[Found]) -> list[Found]:
    """One of each tenant, then another of each, and so on; the oldest first."""
    turns: dict[str, int] = {}
    order = []
    for each in sorted(found, key=lambda each: (each.created, each.run_id)):
        turns[each.tenant] = turns.get(each.tenant, 0) + 1
        order.append((turns[each.tenant], each.created, each.run_id, each))
    return [each for *_, each in sorted(order)]


async def _read(
    calls: Calls, table: str, part: tuple[str, str, str], now: int, limit: int, tenant_id: str | None
) -> list[Found]:
    """What is due in one part of the index, of each tenant at most `limit`."""
    index, hash, value = part
    found: list[Found] = []
    start = "" if tenant_id is None else sortable(tenant_id)
    end = None if tenant_id is None else due_key(tenant_id, now) + AFTER
    more: dict[str, Any] = {}
    while True:
        page = await calls("query", {**_query(table, index, (hash, value), start, end), **more})
        entries = [_entry(item) for item in page.get("Items", [])]
        found += [each for each in entries if each.at <= now]
        if not page.get("LastEvaluatedKey") or not entries:
            return _first(found, limit)
        more = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
        last = entries[-1]
        if last.at > now or sum(1 for each in found if each.tenant == last.tenant) >= limit:
            found = _first(found, limit)
            if tenant_id is not None:
                return found
            start, more = last.tenant + AFTER, {}


def _query(table: str, index: str, hash: tuple[str, str], start: str, end: str | None) -> dict[str, Any]:
    """From `start` on, up to `end`."""
    names = {"#h": hash[0]}
    values: Attributes = {":h": text(hash[1])}
    said = "#h = :h"
    if start:
        names["#r"] = "due"
        values[":s"] = text(start)
        said += " AND #r >= :s"
    if end is not None:
        values[":e"] = text(end)
        said = "#h = :h AND #r BETWEEN :s AND :e"
    return {
        "TableName": table,
        "IndexName": index,
        "KeyConditionExpression": said,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
        "Limit": PAGE,
    }


def _entry(item: Attributes) -> Found:
    tenant, at, created = str(read(item["due"])).rsplit(APART, 2)
    return Found(tenant, int(at) - 2**63, int(created) - 2**63, str(read(item["run_id"])))


def _first(found: list[Found], limit: int) -> list[Found]:
    """Of each tenant the first `limit`, in the order of the index."""
    counts: dict[str, int] = {}
    kept = []
    for each in found:
        counts[each.tenant] = counts.get(each.tenant, 0) + 1
        if counts[each.tenant] <= limit:
            kept.append(each)
    return kept
