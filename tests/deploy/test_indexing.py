"""Indexes that an update adds find what older code wrote."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from remit.adapters.clock.system import SystemClock
from remit.adapters.store.dynamodb import DynamoStore, schema
from remit.bootstrap.collections import COLLECTIONS
from remit.ports.store import Put
from remit_deploy import indexing
from remit_deploy.deployment import Deployment, Prepared
from remit_deploy.environments import Source

CALL = {"call_id": "c1", "run_id": "r1", "started_ts": 7, "name": "refund"}
(TOOL_CALL,) = (each for each in COLLECTIONS if each.name == "tool_call")


@pytest.mark.service
def test_an_index_that_is_added_finds_what_was_written_before(
    deployment: Deployment, source: Source, prepared: Callable[..., Prepared]
) -> None:
    """An update with another index of a table gives the items of older code what the index goes by."""
    old, new = tool_calls(deployment.name)
    deployment.apply(deployment.plan(prepared(1, more={"Calls": old}), source), lambda _: None)
    asyncio.run(write(deployment))
    tables, table = deployment.account.client("dynamodb"), f"{deployment.name}-tool_call"
    names = [key["AttributeName"] for key in new["Properties"]["GlobalSecondaryIndexes"][0]["KeySchema"]]
    aliases = {f"#{n}": name for n, name in enumerate(names)}
    tables.update_item(  # as code wrote it that knew nothing of the index
        TableName=table,
        Key={"call_id": {"S": "c1"}},
        UpdateExpression=f"REMOVE {', '.join(aliases)}",
        ExpressionAttributeNames=aliases,
    )
    deployment.apply(deployment.plan(prepared(1, more={"Calls": new}), source), lambda _: None)
    (item,) = tables.scan(TableName=table)["Items"]
    assert set(names) <= item.keys()
    assert indexing.fill(deployment.account, deployment.name, {"tool_call"}) == 0


def test_only_tables_that_get_another_index_are_read() -> None:
    """A new table is empty, and one whose indexes stay, or become fewer, has all that they go by."""
    old, new = tool_calls("shop-dev")
    other = {"Type": "AWS::SQS::Queue", "Properties": {}}
    template = {"Resources": {"Calls": new, "Fresh": new, "Queue": other}}
    before = {"Resources": {"Calls": old, "Queue": other}}
    assert indexing.grown(before, template) == {"Calls"}
    assert indexing.grown(template, template) == indexing.grown(template, before) == set()
    assert indexing.collections_of(template, {"Calls"}, "shop-dev") == {"tool_call"}
    assert indexing.collections_of(template, {"Calls"}, "other-dev") == set()


def tool_calls(deployment: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The table of tool calls as it was without its index, and with it."""
    *_, table = schema.tables([TOOL_CALL], deployment)
    given = table.create_table()
    wanted = ("TableName", "KeySchema", "BillingMode")
    key = [each for each in given["AttributeDefinitions"] if each["AttributeName"] == "call_id"]
    old = {name: given[name] for name in wanted} | {"AttributeDefinitions": key}
    new = {name: given[name] for name in (*wanted, "AttributeDefinitions", "GlobalSecondaryIndexes")}
    made = [{"Type": "AWS::DynamoDB::Table", "Properties": each} for each in (old, new)]
    return made[0], made[1]


async def write(deployment: Deployment) -> None:
    """Write an item as the deployed code does."""
    store = DynamoStore(SystemClock(), deployment.account.adapters, prefix=deployment.name, create=False)
    await store.open()
    await store.declare([TOOL_CALL])
    await store.transact([Put("tool_call", CALL)])
    await store.close()
