"""Queries of a collection: from its key at once, from an index in two steps.

An index holds keys only, and follows the table a moment later. The items are read from the table itself, and one that the
index does not describe any more is left out: what a query returns is true when it is returned.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from remit.adapters.store import items
from remit.adapters.store.dynamodb.bodies import Bodies
from remit.adapters.store.dynamodb.calls import Calls
from remit.adapters.store.dynamodb.reading import get_many, pages
from remit.adapters.store.dynamodb.records import Asked, Table, asked, document
from remit.adapters.store.dynamodb.schema import index_name
from remit.adapters.store.dynamodb.values import Attributes, read, sortable
from remit.adapters.store.paging import Query

Item = dict[str, Any]
MOST_A_PAGE = 1000


class Queries:
    """Answers checked queries."""

    def __init__(self, calls: Calls, bodies: Bodies) -> None:
        self._calls = calls
        self._bodies = bodies

    async def answer(self, table: Table, index: str, query: Query) -> list[Item]:
        """The items, one more than the limit where there are more."""
        wanted = asked(table, index, query)
        if wanted is None:
            return await self._scanned(table, query)
        if wanted.empty:
            return []
        given = _query(table, index, query, wanted)
        found: list[Item] = []
        async for page in pages(self._calls, "query", given):
            found += await self._fetched(table, index, wanted, page)
            if len(found) > query.limit:
                break
        return found[: query.limit + 1]

    async def _fetched(self, table: Table, index: str, wanted: Asked, page: list[Attributes]) -> list[Item]:
        """The items of a page, but for the one where the page before ended."""
        if wanted.range is not None and wanted.skip is not None:
            name = wanted.range.attribute.name
            page = [each for each in page if read(each[name]) != wanted.skip]
        if not index:
            return [items.parse((await document(self._bodies, each)).data) for each in page]
        keys = [table.key_of(each) for each in page]
        found = (await get_many(self._calls, {table.name: keys}))[table.name] if keys else []
        there = {_name(table.key_of(each)): each for each in found}
        made = []
        for entry in page:
            item = there.get(_name(table.key_of(entry)))
            # Whatever the index says of the item must still be so.
            if item is not None and all(item.get(name) == value for name, value in entry.items()):
                made.append(items.parse((await document(self._bodies, item)).data))
        return made

    async def _scanned(self, table: Table, query: Query) -> list[Item]:
        """Items in the order of the whole key, which DynamoDB knows of no table: all are read and put in order."""
        found = [item async for item in self._everything(table) if _within(query, item)]
        found.sort(key=lambda item: _place(item, query), reverse=query.descending)
        return found[: query.limit + 1]

    async def _everything(self, table: Table) -> AsyncIterator[Item]:
        async for page in pages(self._calls, "scan", {"TableName": table.name, "ConsistentRead": True}):
            for each in page:
                yield items.parse((await document(self._bodies, each)).data)


def _query(table: Table, index: str, query: Query, wanted: Asked) -> dict[str, Any]:
    given = {
        "TableName": table.name,
        "ScanIndexForward": not query.descending,
        "Limit": min(MOST_A_PAGE, query.limit + 2),
        **wanted.condition(),
    }
    if not index:
        return {**given, "ConsistentRead": True}
    declared = next(each for each in table.collection.indexes if each.name == index)
    return {**given, "IndexName": index_name(declared)}


def _name(key: Attributes) -> tuple[str, ...]:
    return tuple(str(read(value)) for value in key.values())


def _place(item: Item, query: Query) -> list[str]:
    return [sortable(item[name]) for name in query.order]


def _within(query: Query, item: Item) -> bool:
    following = sortable(item[query.order[0]])
    if query.lower is not None and following < sortable(query.lower):
        return False
    if query.upper is not None and following > sortable(query.upper):
        return False
    if query.after is None:
        return True
    place, start = _place(item, query), [sortable(value) for value in query.after]
    return place < start if query.descending else place > start
