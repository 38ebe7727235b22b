"""Strongly consistent reads of many items, as DynamoDB takes them: a hundred at a time, and again what it left out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from remit.adapters.store.dynamodb.calls import Calls
from remit.adapters.store.dynamodb.values import Attributes

BATCH = 100
PAUSE_S = 0.1

Found = dict[str, list[Attributes]]


async def get_many(calls: Calls, wanted: Mapping[str, Sequence[Attributes]]) -> Found:
    """The items that exist among these keys, by table, in any order. A key may be asked for once."""
    found: Found = {table: [] for table in wanted}
    left = [(table, key) for table, keys in wanted.items() for key in keys]
    while left:
        batch, left = left[:BATCH], left[BATCH:]
        given: dict[str, Any] = {}
        for table, key in batch:
            given.setdefault(table, {"Keys": [], "ConsistentRead": True})["Keys"].append(key)
        answer = await calls("batch_get_item", {"RequestItems": given})
        for table, items in answer.get("Responses", {}).items():
            found[table] += items
        rest = [
            (table, key) for table, more in answer.get("UnprocessedKeys", {}).items() for key in more["Keys"]
        ]
        if len(rest) == len(batch):
            await asyncio.sleep(PAUSE_S)  # throttled: it read nothing at all
        left += rest
    return found


async def pages(calls: Calls, operation: str, given: Mapping[str, Any]) -> AsyncIterator[list[Attributes]]:
    """The pages of a Query or a Scan."""
    start: dict[str, Any] = {}
    while True:
        answer = await calls(operation, {**given, **start})
        yield answer.get("Items", [])
        if not answer.get("LastEvaluatedKey"):
            return
        start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
