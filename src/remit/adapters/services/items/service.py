"""The item operations of DynamoDB over the store's records: atomic, and each done once under its idempotency key."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from remit.adapters.services.answers import id_of, with_metadata
from remit.adapters.services.contract import failure
from remit.adapters.services.items.expressions import Names, Update, condition, projection, update
from remit.adapters.services.items.paths import Path, find, project
from remit.adapters.services.items.values import Invalid, Item, checked_item, kind_of
from remit.core.codec import canonical, digest
from remit.core.errors import ConditionError, ToolError
from remit.ports.agents import ToolContext
from remit.ports.store import ABSENT, Collection, Put, Records, Write

ITEMS, DONE = "workflow_item", "workflow_item_done"
COLLECTIONS = (
    Collection(ITEMS, ("tenant_id", "table_name", "item_key")),
    # What each call answered, by its idempotency key: one that is made again gets the same answer.
    Collection(DONE, ("tenant_id", "idempotency_key")),
)
MAX_ITEM_BYTES = 400 * 1024
ROUNDS = 100
"""How often a write is tried anew because another one came first: each round, somebody's write succeeded."""

_RETURNS = {
    "dynamodb:putItem": ("NONE", "ALL_OLD"),
    "dynamodb:deleteItem": ("NONE", "ALL_OLD"),
    "dynamodb:updateItem": ("NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"),
}


class _Change(Struct):
    """What a request makes of an item: given the old one (or None), the new one (or None), and the paths that it changes."""

    make: Callable[[Item | None], Item | None]
    paths: list[Path] = []


class Items:
    """Tables of items. `tables`: by name the key attributes, hash key first; `NAME:N` or `NAME:B` for other types than text."""

    def __init__(self, records: Records, tables: Mapping[str, Sequence[str]]) -> None:
        self._records = records
        self._tables = {name: [_typed(key) for key in keys] for name, keys in tables.items()}

    async def get(self, given: dict[str, Any], context: ToolContext) -> dict[str, Any]:
        """GetItem."""
        action = "dynamodb:getItem"
        names = Names(given.get("ExpressionAttributeNames", {}), {})
        try:
            key = self._key(action, given["TableName"], given["Key"])
            paths = (
                projection(given["ProjectionExpression"], names) if "ProjectionExpression" in given else []
            )
            names.check_used()
        except Invalid as error:
            raise _refused(action, error) from error
        row = await self._records.get(ITEMS, (context.tenant_id, given["TableName"], key))
        answer: dict[str, Any] = {}
        if row is not None and row["there"]:
            answer["Item"] = project(row["item"], paths) if paths else row["item"]
        return with_metadata(answer, id_of(context.idempotency_key, "request"))

    async def put(self, given: dict[str, Any], context: ToolContext) -> dict[str, Any]:
        """PutItem."""

        def change(names: Names) -> _Change:
            del names
            item = checked_item(given["Item"])
            if len(canonical(item)) > MAX_ITEM_BYTES:
                raise Invalid("Item size has exceeded the maximum allowed size")
            return _Change(lambda _: item)

        return await self._write("dynamodb:putItem", given, given["Item"], change, context)

    async def delete(self, given: dict[str, Any], context: ToolContext) -> dict[str, Any]:
        """DeleteItem."""
        return await self._write(
            "dynamodb:deleteItem", given, given["Key"], lambda _: _Change(lambda _: None), context, exact=True
        )

    async def update(self, given: dict[str, Any], context: ToolContext) -> dict[str, Any]:
        """UpdateItem: an item that is not there begins as its key."""

        def change(names: Names) -> _Change:
            apply: Update = _nothing
            paths: list[Path] = []
            if "UpdateExpression" in given:
                apply, paths = update(given["UpdateExpression"], names)
            keys = checked_item(given["Key"])
            for path in paths:
                if path[0] in keys:
                    raise Invalid(f"Cannot update attribute {path[0]}. This attribute is part of the key")

            def make(old: Item | None) -> Item:
                item = copy.deepcopy(old) if old is not None else dict(keys)
                apply(item)
                if len(canonical(item)) > MAX_ITEM_BYTES:
                    raise Invalid("Item size to update has exceeded the maximum allowed size")
                return item

            return _Change(make, paths)

        return await self._write("dynamodb:updateItem", given, given["Key"], change, context, exact=True)

    async def _write(
        self,
        action: str,
        given: dict[str, Any],
        keyed: dict[str, Any],
        change_of: Callable[[Names], _Change],
        context: ToolContext,
        *,
        exact: bool = False,
    ) -> dict[str, Any]:
        table = given["TableName"]
        try:
            returns = _returns(action, given.get("ReturnValues", "NONE"))
            names = Names(
                given.get("ExpressionAttributeNames", {}), given.get("ExpressionAttributeValues", {})
            )
            key = self._key(action, table, keyed, exact=exact)
            change = change_of(names)
            wanted = (
                condition(given["ConditionExpression"], names) if "ConditionExpression" in given else None
            )
            names.check_used()
            for _ in range(ROUNDS):
                answer = await self._once(
                    action, (context.tenant_id, table, key), change, wanted, returns, context
                )
                if answer is not None:
                    return with_metadata(answer, id_of(context.idempotency_key, "request"))
        except Invalid as error:
            raise _refused(action, error) from error
        raise failure(
            action, "TransactionConflictException", f"too many writes at once to an item of `{table}`"
        )

    async def _once(
        self,
        action: str,
        place: tuple[str, str, str],
        change: _Change,
        wanted: Callable[[Item], bool] | None,
        returns: str,
        context: ToolContext,
    ) -> dict[str, Any] | None:
        """One round of read, decide, write. None when another write came between."""
        # The item first: what is not done after that was not done when the item was read either, so that a call made
        # again never takes its own effect for another's.
        row = await self._records.get(ITEMS, place)
        done = await self._records.get(DONE, (context.tenant_id, context.idempotency_key))
        if done is not None:
            answered: dict[str, Any] = done["answer"]
            return answered
        old: Item | None = row["item"] if row is not None and row["there"] else None
        if wanted is not None and not wanted(old or {}):
            raise failure(action, "ConditionalCheckFailedException", "The conditional request failed")
        new = change.make(old)
        answer = _attributes(returns, change.paths, old, new)
        version = 0 if row is None else row["version"]
        # A deleted item leaves its version behind, so that nobody takes the one written after it for the one before.
        fresh = {
            "tenant_id": place[0],
            "table_name": place[1],
            "item_key": place[2],
            "version": version + 1,
            "there": new is not None,
            "item": new or {},
        }
        told = {"tenant_id": context.tenant_id, "idempotency_key": context.idempotency_key, "answer": answer}
        writes: list[Write] = [
            Put(ITEMS, fresh, ABSENT if row is None else {"version": version}),
            Put(DONE, told, ABSENT),
        ]
        try:
            await self._records.transact(writes)
        except ConditionError:
            return None
        return answer

    def _key(self, action: str, table: str, given: dict[str, Any], *, exact: bool = True) -> str:
        """What an item is stored under. Raises ToolError for an unknown table, Invalid for a key of another shape."""
        schema = self._tables.get(table.rpartition("/")[2])
        if schema is None:
            raise failure(
                action,
                "ResourceNotFoundException",
                f"Requested resource not found: table `{table[:150]}` is not declared here",
                help=f'declare its key in remit.toml: `[workflow.tables]`, `{table[:150]} = ["KEY"]`',
            )
        if exact and set(given) != {name for name, _ in schema}:
            raise Invalid("The provided key element does not match the schema")
        item = checked_item({name: given[name] for name, _ in schema if name in given})
        for name, kind in schema:
            if name not in item:
                raise Invalid(
                    f"One of the required keys was not given a value: missing the key {name} in the item"
                )
            if kind_of(item[name]) != kind:
                raise Invalid(f"Type mismatch for key {name} expected: {kind} actual: {kind_of(item[name])}")
            if item[name][kind] == "":
                raise Invalid(
                    f"The AttributeValue for a key attribute cannot contain an empty string value. Key: {name}"
                )
        # A digest, since a key may be longer than the store's own keys.
        return digest(canonical([item[name] for name, _ in schema]))


def _nothing(item: Item) -> None:
    """What an update without an expression does."""


def _typed(key: str) -> tuple[str, str]:
    name, _, kind = key.partition(":")
    return name, kind or "S"


def _returns(action: str, returns: str) -> str:
    if returns not in _RETURNS[action]:
        raise Invalid(f"Return values set to invalid value: {returns}")
    return returns


def _attributes(returns: str, paths: list[Path], old: Item | None, new: Item | None) -> dict[str, Any]:
    """What ReturnValues asks for: a whole item, or the parts of it that the update names."""
    item = old if returns.endswith("OLD") else new
    if returns == "NONE" or item is None:
        return {}
    if returns.startswith("UPDATED"):
        item = project(item, [p for p in paths if find(item, p) is not None])
    return {"Attributes": item} if item else {}


def _refused(action: str, error: Invalid) -> ToolError:
    return failure(action, "", str(error))
