"""Making tables, and indexes of tables that are there; filling an index from the items that are there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec.structs import replace

from remit.adapters.store import items
from remit.adapters.store.dynamodb.bodies import Bodies
from remit.adapters.store.dynamodb.calls import Calls, Refused
from remit.adapters.store.dynamodb.reading import pages
from remit.adapters.store.dynamodb.records import Table, document
from remit.adapters.store.dynamodb.schema import TableDefinition, index_arguments, key_schema
from remit.adapters.store.dynamodb.values import REV, Attributes, text
from remit.core.errors import ConfigError, InputError, StoreError
from remit.ports.store import Collection, Index

AT_ONCE = 8
WAIT_S = 600.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 5.0


class Maker:
    """Brings the tables of a deployment to what is declared. It never removes a table, an index or an item."""

    def __init__(self, calls: Calls, bodies: Bodies, prefix: str) -> None:
        self._calls = calls
        self._bodies = bodies
        self._prefix = prefix
        self._few = asyncio.Semaphore(AT_ONCE)

    async def journal(self, definitions: Iterable[TableDefinition]) -> None:
        """Make the tables of the journal, unless they are there."""
        await asyncio.gather(*(self._table(definition) for definition in definitions))

    async def records(self, collections: Sequence[Collection]) -> list[Table]:
        """Make the tables of collections, and the indexes that they lack; an index that is added is filled first.

        Returned are the tables as they are: with the indexes that other programs declared too.
        """
        return await asyncio.gather(*(self._collection(each) for each in collections))

    async def fill(self, table: Table) -> int:
        """Give each item the attributes that the table's indexes ask for; how many items lacked some."""
        changed = 0
        given = {"TableName": table.name, "ConsistentRead": True}
        async for page in pages(self._calls, "scan", given):
            for found in page:
                changed += await self._fill(table, found)
        return changed

    async def _collection(self, collection: Collection) -> Table:
        table = Table(collection, self._prefix)
        there = await self._table(table.definition)
        if there is None:
            return table
        _check_key(there, table.definition)
        names = {each["IndexName"] for each in there.get("GlobalSecondaryIndexes", [])}
        missing = [index for index in table.definition.indexes if index.name not in names]
        if missing:
            # Filled before it is made, so that a process that dies in between leaves nothing half-filled behind.
            await self.fill(table)
            for index in missing:
                await self._add_index(table, index_arguments(index))
        return Table(_with_others(collection, names), self._prefix)

    async def _table(self, definition: TableDefinition) -> dict[str, Any] | None:
        """Its description, if it was there; else it is made."""
        async with self._few:
            there = await self._describe(definition.name)
            if there is None:
                if not await self._once("create_table", definition.create_table()):
                    return await self._active(definition.name)
                await self._active(definition.name)
                await self._settle(definition)
                return None
            return there if _is_active(there) else await self._active(definition.name)

    async def _settle(self, definition: TableDefinition) -> None:
        """What CreateTable does not do."""
        if definition.ttl:
            spec = {"Enabled": True, "AttributeName": definition.ttl}
            given = {"TableName": definition.name, "TimeToLiveSpecification": spec}
            await self._once("update_time_to_live", given)
        if definition.restorable:
            recovery = {"PointInTimeRecoveryEnabled": True}
            given = {"TableName": definition.name, "PointInTimeRecoverySpecification": recovery}
            # DynamoDB Local has no backups.
            await self._once("update_continuous_backups", given, optional="UnknownOperationException")

    async def _add_index(self, table: Table, arguments: dict[str, Any]) -> None:
        definition = table.definition
        named = {key["AttributeName"] for key in arguments["KeySchema"]}
        named |= {each.name for each in (definition.hash, definition.range) if each is not None}
        given = {
            "TableName": definition.name,
            "AttributeDefinitions": [
                {"AttributeName": each.name, "AttributeType": each.type}
                for each in definition.attributes()
                if each.name in named
            ],
            "GlobalSecondaryIndexUpdates": [{"Create": arguments}],
        }
        await self._once("update_table", given)
        await self._active(definition.name)

    async def _describe(self, name: str) -> dict[str, Any] | None:
        try:
            answer = await self._calls("describe_table", {"TableName": name})
        except ConfigError as error:
            if error.code == "E257":
                return None
            raise
        table: dict[str, Any] = answer["Table"]
        return table

    async def _once(self, operation: str, given: dict[str, Any], *, optional: str = "") -> bool:
        """Do it; False when another process did, or the emulator cannot and need not."""
        try:
            await self._calls(operation, given)
        except StoreError as error:
            said = str(error)
            if any(word in said for word in ("ResourceInUse", "already exists", optional or "ResourceInUse")):
                return False
            raise
        except InputError as error:
            if any(word in str(error) for word in ("already enabled", "already exists", "already")):
                return False
            raise
        return True

    async def _active(self, name: str) -> dict[str, Any]:
        """Wait until the table and its indexes serve."""
        pause, waited = FIRST_PAUSE_S, 0.0
        while waited < WAIT_S:
            there = await self._describe(name)
            if there is not None and _is_active(there):
                return there
            await asyncio.sleep(pause)
            waited += pause
            pause = min(LONGEST_PAUSE_S, pause * 1.5)
        raise StoreError(f"the table `{name}` is not ready after {WAIT_S:.0f} s", code="E651")

    async def _fill(self, table: Table, found: Attributes) -> int:
        """Write an item's missing attributes, unless it is written meanwhile: who writes it now knows the index."""
        doc = await document(self._bodies, found)
        shape = table.shape(items.parse(doc.data))
        if all(found.get(name) == value for name, value in shape.items()):
            return 0
        given = {
            "TableName": table.name,
            "Item": {**found, **shape},
            "ConditionExpression": "#v = :v",
            "ExpressionAttributeNames": {"#v": REV},
            "ExpressionAttributeValues": {":v": text(doc.rev)},
        }
        try:
            await self._calls("put_item", given)
        except Refused:
            return 0
        return 1


def _is_active(there: dict[str, Any]) -> bool:
    indexes = there.get("GlobalSecondaryIndexes", [])
    return there["TableStatus"] == "ACTIVE" and all(
        each.get("IndexStatus", "ACTIVE") == "ACTIVE" for each in indexes
    )


def _check_key(there: dict[str, Any], wanted: TableDefinition) -> None:
    types = {each["AttributeName"]: each["AttributeType"] for each in there["AttributeDefinitions"]}
    found = [(each["AttributeName"], types[each["AttributeName"]]) for each in there["KeySchema"]]
    asked = [
        (each["AttributeName"], kind.type)
        for each, kind in zip(
            key_schema(wanted.hash, wanted.range), [wanted.hash, wanted.range], strict=False
        )
        if kind is not None
    ]
    if found != asked:
        raise ConfigError(
            f"the table `{wanted.name}` is stored under the key {found}, not {asked}",
            code="E259",
            help="declare a collection with another name and copy the items",
        )


def _with_others(collection: Collection, names: set[str]) -> Collection:
    """The declaration with the indexes that only the table knows: their names are their fields."""
    known = {".".join(index.fields) for index in collection.indexes}
    others = sorted(name.removesuffix("-index") for name in names)
    unknown = [tuple(name.split(".")) for name in others if name not in known]
    extra = [Index(f"other_{place}", fields) for place, fields in enumerate(unknown)]
    return replace(collection, indexes=collection.indexes + tuple(extra))
