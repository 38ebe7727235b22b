"""Indexes that an update adds or lets go: one by one, as DynamoDB takes them, and filled with what older code wrote."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from remit_deploy.aws import Account, refused
from remit_deploy.names import Names

TABLE = "AWS::DynamoDB::Table"
GLOBAL, LOCAL = "GlobalSecondaryIndexes", "LocalSecondaryIndexes"
FILLING = "remit:filling"
"""In the metadata of a template that is not the last one: the tables that are to be filled when all is done."""

Template = Mapping[str, Any]
Given = Mapping[str, Any]
"""A resource or an index, as a template says it."""


def steps(old: Template, new: Template) -> list[Template]:
    """The templates that lead from one to the other, one update each; the last one is `new`.

    An update of a table that is there makes or removes one index at most, and AWS advises against changing anything else beside it.
    So indexes that are added come first, then all else, and those that are let go at the end: code finds each that it asks.
    """
    before, after = _tables(old), _tables(new)
    both = before.keys() & after.keys()
    added = {id: _beyond(after[id], before[id]) for id in both}
    gone = {id: _beyond(before[id], after[id]) for id in both}
    growing = range(1, _most(added) + 1)
    shrinking = range(_most(gone), 0, -1)
    between = [
        *(_with(old, {id: each[:n] for id, each in added.items()}, after) for n in growing),
        *(_with(new, {id: each[:n] for id, each in gone.items()}, before) for n in shrinking),
    ]
    filling = {FILLING: sorted(grown(old, new))}
    return [*({**each, "Metadata": {**each.get("Metadata", {}), **filling}} for each in between), new]


def names(old: Template, new: Template) -> set[str]:
    """The names of the tables with indexes that are in both templates."""
    before, after = _tables(old), _tables(new)
    both = before.keys() & after.keys()
    named = (after[id].get("TableName") for id in both if _indexes_of(before[id]) or _indexes_of(after[id]))
    return {name for name in named if isinstance(name, str)}


def unready(account: Account, tables: Iterable[str]) -> list[str]:
    """The tables among these that cannot be changed yet: they, or indexes of theirs, are being made or filled."""
    client = account.client("dynamodb")
    found = []
    for name in sorted(tables):
        with refused(f"look at table `{name}`", action="dynamodb:DescribeTable"):
            table = client.describe_table(TableName=name)["Table"]
        states = [each.get("IndexStatus", "ACTIVE") for each in table.get(GLOBAL, ())]
        if {table["TableStatus"], *states} != {"ACTIVE"}:
            found.append(name)
    return found


def grown(old: Template, new: Template) -> set[str]:
    """The logical ids of tables in both templates that have more indexes in the new one, or got some by steps that were broken off."""
    before, after = _tables(old), _tables(new)
    begun = set(old.get("Metadata", {}).get(FILLING, ()))
    return {id for id in before.keys() & after.keys() if id in begun or _beyond(after[id], before[id])}


def collections_of(template: Template, ids: Iterable[str], deployment: str) -> set[str]:
    """The names of the collections whose tables these are."""
    begin = Names(deployment).of("")
    named = (str(template["Resources"][id]["Properties"].get("TableName", "")) for id in ids)
    return {name.removeprefix(begin) for name in named if name.startswith(begin)}


def fill(account: Account, deployment: str, wanted: set[str]) -> int:
    """Give the items of collections what all their indexes go by; how many lacked some. It reads every item of them.

    Safe while others write, and as often as one likes. Raises ConfigError, StoreError.
    """
    return asyncio.run(_filled(account, deployment, wanted)) if wanted else 0


async def _filled(account: Account, deployment: str, wanted: set[str]) -> int:
    from remit.adapters.blobs.s3 import S3Blobs
    from remit.adapters.clock.system import SystemClock
    from remit.adapters.store.dynamodb import DynamoStore
    from remit.bootstrap.collections import COLLECTIONS

    bucket = f"{deployment}-artifacts-{account.id}-{account.place.region}"
    store = DynamoStore(
        SystemClock(),
        account.adapters,
        prefix=deployment,
        create=False,
        blobs=S3Blobs(account.adapters, bucket, "blobs"),
    )
    await store.open()
    try:
        await store.declare([each for each in COLLECTIONS if each.name in wanted])
        return await store.fill()
    finally:
        await store.close()


def _tables(template: Template) -> dict[str, Given]:
    return {
        id: resource.get("Properties", {})
        for id, resource in template.get("Resources", {}).items()
        if resource["Type"] == TABLE
    }


def _indexes_of(table: Given) -> Sequence[Given]:
    found: Sequence[Given] = table.get(GLOBAL, ())
    return found


def _beyond(one: Given, other: Given) -> list[Given]:
    """The indexes of a table that another state of it lacks."""
    known = {each["IndexName"] for each in _indexes_of(other)}
    return [each for each in _indexes_of(one) if each["IndexName"] not in known]


def _most(indexes: Mapping[str, Sequence[Given]]) -> int:
    return max((len(each) for each in indexes.values()), default=0)


def _with(template: Template, extra: Mapping[str, Sequence[Given]], source: Mapping[str, Given]) -> Template:
    """A template whose tables have some indexes more; `source` are the tables that these are from."""
    resources = dict(template["Resources"])
    for id, more in extra.items():
        if not more:
            continue
        table = dict(resources[id]["Properties"])
        table[GLOBAL] = [*_indexes_of(table), *more]
        keys = [table["KeySchema"], *(each["KeySchema"] for each in (*table[GLOBAL], *table.get(LOCAL, ())))]
        named = {part["AttributeName"] for key in keys for part in key}
        kinds = [*table["AttributeDefinitions"], *source[id]["AttributeDefinitions"]]
        of_name = {each["AttributeName"]: each for each in reversed(kinds)}
        ordered = dict.fromkeys(each["AttributeName"] for each in kinds)
        table["AttributeDefinitions"] = [of_name[name] for name in ordered if name in named]
        resources[id] = {**resources[id], "Properties": table}
    return {**template, "Resources": resources}
