"""The integrations without AWS: the contract on every store, and that each is done once."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from remit.adapters.clock.system import SystemClock
from remit.adapters.services.items.service import COLLECTIONS
from remit.adapters.services.local import integrations
from remit.adapters.store.memory import MemoryStore
from remit.adapters.store.sqlite import SqliteStore
from remit.bootstrap import App
from remit.core.cloudevent import CloudEvent
from remit.core.errors import (
    BudgetError,
    ConflictError,
    DeniedError,
    InputError,
    NotFoundError,
    RemitError,
    ToolError,
)
from remit.core.provenance import Labels
from remit.core.task import Actor, Task
from remit.ports.agents import Tool, ToolContext
from remit.ports.store import Records, Store
from remit.sdk import agent
from remit.testing.apps import app_for_tests
from remit.testing.contracts.services import LINES, ORDERS, TABLES, Delivered, ServicesContract, context

POSTGRES = os.environ.get("REMIT_TEST_POSTGRES", "")


@agent
def target(input: Any) -> Any:
    """Stands where a workflow would."""
    return input


@asynccontextmanager
async def opened(kind: str, folder: Path) -> AsyncIterator[Store]:
    """An empty store of a kind."""
    store: Store
    if kind == "memory":
        store = MemoryStore(SystemClock())
    elif kind == "sqlite":
        store = SqliteStore(folder / "s.db", SystemClock())
    else:
        from remit.adapters.store.postgres import PostgresStore

        store = PostgresStore(POSTGRES, SystemClock(), schema=f"services_{secrets.token_hex(6)}")
    await store.open()
    try:
        await store.declare(COLLECTIONS)
        yield store
    finally:
        await store.close()


class Local(ServicesContract):
    """The contract here: messages are taken off at the bus's door."""

    kind = "memory"

    @pytest.fixture
    async def app(self) -> AsyncIterator[App]:
        """An app whose agent stands for a state machine."""
        async with app_for_tests(target) as app:
            yield app

    @pytest.fixture
    def published(self) -> list[CloudEvent]:
        """What was handed to the bus."""
        return []

    @pytest.fixture
    async def records(self, tmp_path: Path) -> AsyncIterator[Records]:
        """Where items are."""
        async with opened(self.kind, tmp_path) as store:
            yield store

    @pytest.fixture
    def tools(self, app: App, records: Records, published: list[CloudEvent]) -> Mapping[str, Tool]:
        async def publish(tenant_id: str, actor: Actor, events: Any) -> None:
            assert actor.actor_id == "alice"
            assert {e.tenantid for e in events} == {tenant_id}
            published.extend(events)

        made = integrations(records, publish, app.runs.submit, TABLES)
        return {tool.spec.name: tool for tool in made}

    @pytest.fixture
    def queue(self, published: list[CloudEvent]) -> tuple[str, Delivered]:
        async def delivered() -> list[Any]:
            return [e.data["body"] for e in published if e.type == "aws.sqs.jobs"]

        return "https://sqs.eu-central-1.amazonaws.com/123456789012/jobs", delivered

    @pytest.fixture
    def topic(self, published: list[CloudEvent]) -> tuple[str, Delivered]:
        async def delivered() -> list[Any]:
            return [e.data for e in published if e.type == "aws.sns.news"]

        return "arn:aws:sns:eu-central-1:123456789012:news", delivered

    @pytest.fixture
    def events(self, published: list[CloudEvent]) -> Delivered:
        async def delivered() -> list[Any]:
            return [[e.source, e.type, e.data] for e in published]

        return delivered

    @pytest.fixture
    def machine(self, app: App) -> tuple[str, Delivered]:
        async def inputs() -> list[Any]:
            started = [item["run_id"] for item in (await app.runs.list("local")).items]
            for run_id in started:
                await app.worker.run_until_idle(run_id)
            results = [await app.runs.result(run_id, "local") for run_id in started]
            return [r.result_payload for r in results if r is not None]

        return "arn:aws:states:eu-central-1:123456789012:stateMachine:target", inputs


class TestOnMemory(Local):
    """The contract in memory."""


class TestOnSqlite(Local):
    """The contract on SQLite."""

    kind = "sqlite"


@pytest.mark.service
@pytest.mark.skipif(not POSTGRES, reason="no PostgreSQL: source scripts/ci/postgres.sh")
class TestOnPostgres(Local):
    """The contract on PostgreSQL."""

    kind = "postgres"


@pytest.fixture
async def items(tmp_path: Path) -> AsyncIterator[Mapping[str, Tool]]:
    """The integrations over SQLite."""

    async def nowhere(*_: Any, **__: Any) -> Any:
        raise AssertionError("not for items")

    async with opened("sqlite", tmp_path) as store:
        yield {t.spec.name: t for t in integrations(store, nowhere, nowhere, TABLES)}


KEY = {"TableName": ORDERS, "Key": {"id": {"S": "1"}}}
COUNT = {**KEY, "UpdateExpression": "ADD n :one", "ExpressionAttributeValues": {":one": {"N": "1"}}}


async def count(items: Mapping[str, Tool], tenant: str = "local") -> Any:
    """What order `1` counts."""
    answer = await items["aws_dynamodb_getItem"].call(KEY, context(tenant=tenant))
    return answer.get("Item", {}).get("n")


async def test_a_write_is_done_once_under_its_key(items: Mapping[str, Tool]) -> None:
    """Sent again under the same idempotency key it changes nothing and answers the same."""
    update = items["aws_dynamodb_updateItem"]
    given = {**COUNT, "ReturnValues": "ALL_NEW"}
    first = await update.call(given, context("a" * 40))
    await update.call(given, context("b" * 40))
    assert await update.call(given, context("a" * 40)) == first
    assert await count(items) == {"N": "2"}


async def test_a_condition_is_not_met_by_its_own_effect(items: Mapping[str, Tool]) -> None:
    """ "Only if it is not there", sent again after it made the item, is still the success that it was."""
    put = items["aws_dynamodb_putItem"]
    given = {
        "TableName": ORDERS,
        "Item": {"id": {"S": "1"}},
        "ConditionExpression": "attribute_not_exists(id)",
    }
    first = await put.call(given, context("a" * 40))
    assert await put.call(given, context("a" * 40)) == first
    with pytest.raises(ToolError):
        await put.call(given, context("b" * 40))


async def test_no_write_at_once_is_lost(items: Mapping[str, Tool]) -> None:
    """Many counters at once count all."""
    update = items["aws_dynamodb_updateItem"]
    await asyncio.gather(*(update.call(COUNT, context()) for _ in range(40)))
    assert await count(items) == {"N": "40"}


async def test_one_of_many_takes_what_is_there_once(items: Mapping[str, Tool]) -> None:
    """Of many conditional writes at once one succeeds, and the others are told."""
    put = items["aws_dynamodb_putItem"]
    given = {
        "TableName": ORDERS,
        "Item": {"id": {"S": "1"}},
        "ConditionExpression": "attribute_not_exists(id)",
    }
    done = await asyncio.gather(*(put.call(given, context()) for _ in range(20)), return_exceptions=True)
    failed = [d for d in done if isinstance(d, ToolError)]
    assert len(failed) == 19
    assert {f.code for f in failed} == {"DynamoDB.ConditionalCheckFailedException"}


async def test_tenants_have_items_of_their_own(items: Mapping[str, Tool]) -> None:
    """The same table and key is another item for another tenant."""
    update = items["aws_dynamodb_updateItem"]
    await update.call(COUNT, context(tenant="acme"))
    assert await count(items) is None
    assert await count(items, "acme") == {"N": "1"}


@pytest.mark.parametrize(
    ("left", "change", "right", "sum"),
    [
        ("99999999999999999999999999999999999999", "-", "1", "99999999999999999999999999999999999998"),
        ("0.1", "+", "0.2", "0.3"),
        ("1E10", "+", "0", "10000000000"),
        ("-0", "+", "0", "0"),
    ],
)
async def test_numbers_are_exact(
    items: Mapping[str, Tool], left: str, change: str, right: str, sum: str
) -> None:
    """38 digits, as DynamoDB keeps them; no binary fractions."""
    put, update = items["aws_dynamodb_putItem"], items["aws_dynamodb_updateItem"]
    await put.call({"TableName": ORDERS, "Item": {"id": {"S": "1"}, "n": {"N": left}}}, context())
    values = {":v": {"N": right}}
    given = {**KEY, "UpdateExpression": f"SET n = n {change} :v", "ExpressionAttributeValues": values}
    await update.call(given, context())
    assert await count(items) == {"N": sum}


@pytest.mark.parametrize("number", ["1" * 39, "1E126", "1E-131", "NaN", "Infinity", "", "x"])
async def test_a_number_that_dynamodb_has_not_is_refused(items: Mapping[str, Tool], number: str) -> None:
    """Too long, too large, too small, or none."""
    put = items["aws_dynamodb_putItem"]
    with pytest.raises(ToolError) as raised:
        await put.call({"TableName": ORDERS, "Item": {"id": {"S": "1"}, "n": {"N": number}}}, context())
    assert raised.value.code == "DynamoDB.AmazonDynamoDBException"


async def test_an_expression_without_end_is_refused(items: Mapping[str, Tool]) -> None:
    """Ten thousand brackets are an error, not a crash."""
    text = "(" * 10_000 + "attribute_exists(a)" + ")" * 10_000
    with pytest.raises(ToolError, match="nested"):
        await items["aws_dynamodb_deleteItem"].call({**KEY, "ConditionExpression": text}, context())


class Bus:
    """Takes events, and refuses those that it is told to."""

    def __init__(self) -> None:
        self.events: list[CloudEvent] = []
        self.refuses = False

    async def publish(self, tenant_id: str, actor: Actor, events: Any) -> None:
        """Keep them."""
        del actor
        if self.refuses:
            raise InputError(f"an event of `{tenant_id}` has 300000 bytes", code="E661")
        self.events += events


@pytest.fixture
def bus() -> Bus:
    """A bus's door."""
    return Bus()


@pytest.fixture
def messages(bus: Bus) -> Mapping[str, Tool]:
    """The integrations over that bus."""
    made = integrations(MemoryStore(SystemClock()), bus.publish, None, {})  # type: ignore[arg-type]
    return {t.spec.name: t for t in made}


QUEUE = "https://sqs.eu-central-1.amazonaws.com/123456789012/jobs"


@pytest.mark.parametrize(
    ("tool", "given"),
    [
        ("aws_sqs_sendMessage", {"QueueUrl": QUEUE, "MessageBody": "x"}),
        ("aws_sns_publish", {"TopicArn": "arn:aws:sns:::news", "Message": "x"}),
        ("aws_events_putEvents", {"Entries": [{"Source": "s", "DetailType": "t", "Detail": {}}] * 2}),
    ],
)
async def test_a_message_has_the_id_of_its_call(
    messages: Mapping[str, Tool], bus: Bus, tool: str, given: dict[str, Any]
) -> None:
    """Sent again under one key it is the same event, which the bus takes once; under another key it is another."""
    first = await messages[tool].call(given, context("a" * 40))
    once = [(e.source, e.id) for e in bus.events]
    assert len(set(once)) == len(once)
    assert await messages[tool].call(given, context("a" * 40)) == first
    assert [(e.source, e.id) for e in bus.events] == once * 2
    await messages[tool].call(given, context("b" * 40))
    assert not {(e.source, e.id) for e in bus.events[len(once) * 2 :]} & set(once)


async def test_a_fifo_queue_keeps_order_and_takes_a_message_once(
    messages: Mapping[str, Tool], bus: Bus
) -> None:
    """The group is the partition key; the deduplication id, or else the content, tells messages apart."""
    send = messages["aws_sqs_sendMessage"]
    given = {"QueueUrl": QUEUE + ".fifo", "MessageGroupId": "g"}
    for body, own in (("x", {}), ("x", {}), ("y", {}), ("y", {"MessageDeduplicationId": "mine"})):
        await send.call({**given, "MessageBody": body, **own}, context())
    ids = [e.id for e in bus.events]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3
    assert {e.partitionkey for e in bus.events} == {"g"}
    assert {e.type for e in bus.events} == {"aws.sqs.jobs.fifo"}
    with pytest.raises(ToolError, match="MessageGroupId"):
        await send.call({"QueueUrl": QUEUE + ".fifo", "MessageBody": "x"}, context())


async def test_a_message_looks_as_functions_get_it(messages: Mapping[str, Tool], bus: Bus) -> None:
    """So that what handled records of SQS handles the event's data."""
    attributes = {"colour": {"DataType": "String", "StringValue": "red"}}
    given = {"QueueUrl": QUEUE, "MessageBody": "x", "MessageAttributes": attributes}
    await messages["aws_sqs_sendMessage"].call(given, context())
    (event,) = bus.events
    assert event.data["messageAttributes"] == {"colour": {"dataType": "String", "stringValue": "red"}}
    assert event.data["eventSource"] == "aws:sqs"
    assert (event.type, event.source, event.tenantid) == ("aws.sqs.jobs", "sqs/jobs", "local")


@pytest.mark.parametrize(
    ("tool", "given", "why"),
    [
        ("aws_sqs_sendMessage", {"QueueUrl": QUEUE, "MessageBody": "x", "DelaySeconds": 5}, "DelaySeconds"),
        ("aws_sns_publish", {"PhoneNumber": "+491", "Message": "x"}, "PhoneNumber"),
        ("aws_sns_publish", {"Message": "x"}, "exactly one"),
    ],
)
async def test_what_only_aws_can_do_is_refused(
    messages: Mapping[str, Tool], bus: Bus, tool: str, given: dict[str, Any], why: str
) -> None:
    """Nothing is left out silently."""
    with pytest.raises(ToolError, match=why):
        await messages[tool].call(given, context())
    assert bus.events == []


async def test_what_the_bus_refuses_is_the_services_error(messages: Mapping[str, Tool], bus: Bus) -> None:
    """Under its general name."""
    bus.refuses = True
    with pytest.raises(ToolError) as raised:
        await messages["aws_sqs_sendMessage"].call({"QueueUrl": QUEUE, "MessageBody": "x"}, context())
    assert raised.value.code == "SQS.AmazonSQSException"


def test_what_changes_something_is_keyed_and_what_reads_reads(messages: Mapping[str, Tool]) -> None:
    """Here every write honours its key, so that none is ever in doubt."""
    effects = {name: tool.spec.effect for name, tool in messages.items()}
    assert {name for name, effect in effects.items() if effect == "read"} == {
        "aws_dynamodb_getItem",
        "aws_lambda_invoke",
    }
    assert set(effects.values()) == {"read", "keyed"}


@pytest.mark.parametrize("detail", ["no json", "[1]", 7])
async def test_an_event_that_is_not_taken_fails_the_task(
    messages: Mapping[str, Tool], bus: Bus, detail: Any
) -> None:
    """A detail that is no JSON object: EventBridge.FailedEntry, and nothing is published."""
    entries = [{"Source": "s", "DetailType": "t", "Detail": d} for d in ({}, detail)]
    with pytest.raises(ToolError) as raised:
        await messages["aws_events_putEvents"].call({"Entries": entries}, context())
    assert raised.value.code == "EventBridge.FailedEntry"
    assert bus.events == []


@pytest.mark.parametrize(
    "expression",
    [
        "SET",
        "SET a",
        "SET a = ",
        "a = :v",
        "SET a = :v SET b = :v",
        "SET a = :v +",
        "ADD a",
        "SET a[x] = :v",
        "SET a = :v;",
    ],
)
async def test_an_update_that_means_nothing_is_refused(items: Mapping[str, Tool], expression: str) -> None:
    """And nothing is changed."""
    given = {**KEY, "UpdateExpression": expression, "ExpressionAttributeValues": {":v": {"N": "1"}}}
    with pytest.raises(ToolError) as raised:
        await items["aws_dynamodb_updateItem"].call(given, context())
    assert raised.value.code == "DynamoDB.AmazonDynamoDBException"
    answer = await items["aws_dynamodb_getItem"].call(KEY, context())
    assert "Item" not in answer


async def test_numbers_of_a_key_are_told_apart_by_value(items: Mapping[str, Tool]) -> None:
    """`2.0` and `2` are one key."""
    key = {"customer": {"S": "c"}, "line": {"N": "2"}}
    await items["aws_dynamodb_putItem"].call({"TableName": LINES, "Item": key}, context())
    given = {"TableName": LINES, "Key": {**key, "line": {"N": "2.0"}}}
    assert (await items["aws_dynamodb_getItem"].call(given, context()))["Item"] == key


@pytest.mark.parametrize(
    ("refusal", "name"),
    [
        (NotFoundError("no workflow"), "StateMachineDoesNotExistException"),
        (DeniedError("policy says no"), "AccessDeniedException"),
        (BudgetError("nothing left"), "ExecutionLimitExceededException"),
        (ConflictError("another task"), "ExecutionAlreadyExistsException"),
        (InputError("no such input"), "InvalidExecutionInputException"),
    ],
)
async def test_a_run_that_may_not_start_is_told(refusal: RemitError, name: str) -> None:
    """Under the name of Step Functions, and started by the caller's own actor, tenant and policy profile."""
    asked: list[Task] = []

    async def start(task: Task, *, labels: Labels) -> str:
        asked.append(task)
        raise refusal

    made = integrations(MemoryStore(SystemClock()), None, start, {})  # type: ignore[arg-type]
    tool = {t.spec.name: t for t in made}["aws_states_startExecution"]
    with pytest.raises(ToolError) as raised:
        await tool.call({"StateMachineArn": "arn:aws:states:::stateMachine:m"}, strict("acme"))
    assert raised.value.code == f"StepFunctions.{name}"
    (task,) = asked
    assert (task.agent, task.tenant_id, task.policy_profile) == ("m", "acme", "strict")
    assert task.actor_context.actor_id == "alice"


def strict(tenant: str) -> ToolContext:
    """A call of a run under another policy profile."""
    return replace(context(tenant=tenant), policy_profile="strict")
