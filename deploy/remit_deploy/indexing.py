"""Filling indexes that an update adds: what older code wrote lacks the attributes that they go by."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from remit_deploy.aws import Account
from remit_deploy.names import Names

TABLE = "AWS::DynamoDB::Table"


def grown(old: Mapping[str, Any], new: Mapping[str, Any]) -> set[str]:
    """The logical ids of tables that are in both templates, with more indexes in the new one."""
    before, after = _indexes(old), _indexes(new)
    return {id for id in before.keys() & after.keys() if after[id] - before[id]}


def collections_of(template: Mapping[str, Any], ids: Iterable[str], deployment: str) -> set[str]:
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


def _indexes(template: Mapping[str, Any]) -> dict[str, set[str]]:
    return {
        id: {
            str(index["IndexName"])
            for index in resource.get("Properties", {}).get("GlobalSecondaryIndexes", ())
        }
        for id, resource in template.get("Resources", {}).items()
        if resource["Type"] == TABLE
    }
