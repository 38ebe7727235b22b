"""Indexes that an update adds come one by one, and find what older code wrote."""

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
from remit_deploy.deployment import RELEASE, Deployment, Prepared
from remit_deploy.environments import Source
from remit_deploy.stacks import StackEvent

CALL = {"call_id": "c1", "run_id": "r1", "started_ts": 7, "name": "refund"}
BY_RUN, BY_TENANT, BY_REFUSAL = "run_id.started_ts", "tenant_id.started_ts", "tenant_id.refused.started_ts"
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


@pytest.mark.service
def test_indexes_come_one_by_one_before_the_code_and_go_after_it(
    deployment: Deployment, source: Source, prepared: Callable[..., Prepared]
) -> None:
    """Each update gives a table one index or takes one, and nothing else; the release changes in one between."""
    whole = calls_with(deployment.name, BY_RUN, BY_REFUSAL)
    first = calls_with(deployment.name, BY_TENANT)
    deployment.apply(deployment.plan(prepared(1, more={"Calls": first}), source), lambda _: None)
    asyncio.run(write(deployment))
    told: list[tuple[str, str]] = []
    seen: list[tuple[set[str], str]] = []

    def look(event: StackEvent) -> None:
        told.append((event.resource, event.status))
        if told[-1] == (deployment.name, "UPDATE_COMPLETE"):
            seen.append((indexes_of(deployment), deployment.running()[RELEASE]))

    one, two = prepared(1).release.id, prepared(2)
    outputs = deployment.apply(deployment.plan(prepared(2, more={"Calls": whole}), source), look)
    assert seen == [
        ({BY_TENANT, BY_RUN}, one),
        ({BY_TENANT, BY_RUN, BY_REFUSAL}, one),
        ({BY_TENANT, BY_RUN, BY_REFUSAL}, two.release.id),
        ({BY_RUN, BY_REFUSAL}, two.release.id),
    ]
    assert outputs[RELEASE] == two.release.id
    assert deployment.plan(prepared(2, more={"Calls": whole}), source).plan.nothing


def test_a_step_changes_one_index_of_a_table_and_declares_what_its_keys_name() -> None:
    """Two tables are changed at a time, each by one index; DynamoDB refuses attributes that no key names."""
    others = {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": 1}}}
    old = {
        "Resources": {"A": calls_with("a"), "B": calls_with("b", BY_RUN), "Gone": calls_with("c", BY_RUN)},
        "Outputs": {"Was": {}},
    }
    new = {
        "Resources": {
            "A": calls_with("a", BY_RUN, BY_TENANT),
            "B": calls_with("b", BY_REFUSAL),
            "Fresh": calls_with("d", BY_RUN, BY_TENANT),
            **others,
        },
    }
    steps = indexing.steps(old, new)
    assert [{id: names_of(step["Resources"].get(id)) for id in ("A", "B")} for step in steps] == [
        {"A": [BY_RUN], "B": [BY_RUN, BY_REFUSAL]},
        {"A": [BY_RUN, BY_TENANT], "B": [BY_RUN, BY_REFUSAL]},
        {"A": [BY_RUN, BY_TENANT], "B": [BY_REFUSAL, BY_RUN]},
        {"A": [BY_RUN, BY_TENANT], "B": [BY_REFUSAL]},
    ]
    assert [("Gone" in s["Resources"], "Queue" in s["Resources"], "Outputs" in s) for s in steps] == [
        (True, False, True),
        (True, False, True),
        (False, True, False),
        (False, True, False),
    ]
    assert steps[-1] is new
    for reached in (old, *steps[:-1]):  # broken off anywhere, the next deployment fills the same tables
        assert indexing.grown(reached, new) == {"A", "B"}
        assert indexing.steps(reached, new)[-1] is new
    assert indexing.grown(new, new) == set()
    for step in steps:
        for resource in (r for r in step["Resources"].values() if r["Type"] == indexing.TABLE):
            table = resource["Properties"]
            keys = [table["KeySchema"], *(i["KeySchema"] for i in table.get("GlobalSecondaryIndexes", ()))]
            named = {part["AttributeName"] for key in keys for part in key}
            declared = [each["AttributeName"] for each in table["AttributeDefinitions"]]
            assert sorted(declared) == sorted(named)
    assert indexing.steps(new, new) == [new]
    assert indexing.steps({}, new) == [new]
    assert indexing.names(old, new) == {"a-tool_call", "b-tool_call"}


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


def calls_with(deployment: str, *indexes: str) -> dict[str, Any]:
    """The table of tool calls with some of its indexes."""
    _, new = tool_calls(deployment)
    table = dict(new["Properties"])
    made = {each["IndexName"]: each for each in table.pop("GlobalSecondaryIndexes")}
    if indexes:
        table["GlobalSecondaryIndexes"] = [made[name] for name in indexes]
    keys = [table["KeySchema"], *(made[name]["KeySchema"] for name in indexes)]
    named = {part["AttributeName"] for key in keys for part in key}
    table["AttributeDefinitions"] = [a for a in table["AttributeDefinitions"] if a["AttributeName"] in named]
    return {**new, "Properties": table}


def names_of(table: dict[str, Any] | None) -> list[str]:
    """The indexes of a table of a template."""
    return [each["IndexName"] for each in (table or {})["Properties"].get("GlobalSecondaryIndexes", ())]


def indexes_of(deployment: Deployment) -> set[str]:
    """The indexes that the deployed table has."""
    tables = deployment.account.client("dynamodb")
    found = tables.describe_table(TableName=f"{deployment.name}-tool_call")["Table"]
    return {each["IndexName"] for each in found.get("GlobalSecondaryIndexes", ())}


async def write(deployment: Deployment) -> None:
    """Write an item as the deployed code does."""
    store = DynamoStore(SystemClock(), deployment.account.adapters, prefix=deployment.name, create=False)
    await store.open()
    await store.declare([TOOL_CALL])
    await store.transact([Put("tool_call", CALL)])
    await store.close()
