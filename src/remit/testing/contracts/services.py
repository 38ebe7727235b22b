"""What the service integrations keep, here and on AWS. Subclass `ServicesContract` and give it its fixtures."""

from __future__ import annotations

import itertools
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from remit.adapters.clock.system import SystemClock
from remit.adapters.secrets.mapping import MappingSecrets
from remit.core.errors import ToolError
from remit.core.task import Actor
from remit.engine.schemas import Validator
from remit.ports.agents import Tool, ToolContext
from remit.ports.services import tool_name

ORDERS, LINES = "contract-orders", "contract-lines"
TABLES = {ORDERS: ("id",), LINES: ("customer", "line:N")}
"""The tables that an adapter under test has, empty, with their keys."""

METADATA = {"SdkHttpMetadata", "SdkResponseMetadata"}
Delivered = Callable[[], Awaitable[list[Any]]]
_keys = itertools.count()


def context(key: str = "", *, tenant: str = "local") -> ToolContext:
    """The context of a call: a fresh idempotency key each time, or this one."""
    return ToolContext(
        run_id="run_contract",
        step="s1",
        tenant_id=tenant,
        actor=Actor("alice"),
        agent="flow",
        idempotency_key=key or f"{next(_keys):040x}",
        attempt=1,
        clock=SystemClock(),
        secrets=MappingSecrets({}),
    )


class ServicesContract:
    """The contract of the tools `aws_SERVICE_ACTION`."""

    pytestmark = pytest.mark.asyncio

    @pytest.fixture
    def tools(self) -> Mapping[str, Tool]:
        """The integrations by name."""
        raise NotImplementedError("override the fixture `tools`")

    @pytest.fixture
    def queue(self) -> tuple[str, Delivered]:
        """A queue's URL, and how to look what came there: bodies of messages."""
        raise NotImplementedError("override the fixture `queue`")

    @pytest.fixture
    def topic(self) -> tuple[str, Delivered]:
        """A topic's ARN, and how to look what its subscribers got: notifications as objects."""
        raise NotImplementedError("override the fixture `topic`")

    @pytest.fixture
    def events(self) -> Delivered:
        """What came to the bus `default`: `[source, detail-type, detail]` of each event."""
        raise NotImplementedError("override the fixture `events`")

    @pytest.fixture
    def machine(self) -> tuple[str, Delivered]:
        """A state machine's ARN, and how to look at the inputs of its executions."""
        raise NotImplementedError("override the fixture `machine`")

    async def do(self, tools: Mapping[str, Tool], action: str, /, **given: Any) -> dict[str, Any]:
        """Call an integration as the gateway does: its schema first. The answer is without what AWS adds about HTTP."""
        tool = tools[tool_name(action)]
        assert Validator(tool.spec.input_schema).problems(given) == ()
        answer: dict[str, Any] = await tool.call(given, context())
        json.dumps(answer)
        assert set(answer) >= METADATA
        assert answer["SdkHttpMetadata"]["HttpStatusCode"] == 200
        return {k: v for k, v in answer.items() if k not in METADATA}

    # messages

    async def test_a_message_reaches_its_queue(
        self, tools: Mapping[str, Tool], queue: tuple[str, Delivered]
    ) -> None:
        """The answer has its id and digest, as SendMessage answers."""
        url, delivered = queue
        answer = await self.do(tools, "sqs:sendMessage", QueueUrl=url, MessageBody="hello")
        assert answer["MD5OfMessageBody"] == "5d41402abc4b2a76b9719d911017c592"
        assert answer["MessageId"]
        assert await delivered() == ["hello"]

    async def test_an_object_is_sent_as_its_json(
        self, tools: Mapping[str, Tool], queue: tuple[str, Delivered]
    ) -> None:
        """A body need not be text."""
        url, delivered = queue
        await self.do(tools, "sqs:sendMessage", QueueUrl=url, MessageBody={"a": [1, None]})
        assert [json.loads(body) for body in await delivered()] == [{"a": [1, None]}]

    async def test_attributes_are_digested(
        self, tools: Mapping[str, Tool], queue: tuple[str, Delivered]
    ) -> None:
        """MD5OfMessageAttributes is over names, types and values."""
        url, _ = queue
        attributes = {
            "colour": {"DataType": "String", "StringValue": "red"},
            "count": {"DataType": "Number", "StringValue": "3"},
            "raw": {"DataType": "Binary", "BinaryValue": "AAEC"},
        }
        answer = await self.do(
            tools, "sqs:sendMessage", QueueUrl=url, MessageBody="x", MessageAttributes=attributes
        )
        assert answer["MD5OfMessageAttributes"] == "018a74a46b25fe55b4ab04500851259f"

    async def test_a_notification_reaches_its_subscribers(
        self, tools: Mapping[str, Tool], topic: tuple[str, Delivered]
    ) -> None:
        """With subject and message, in the shape in which SNS notifies."""
        arn, delivered = topic
        answer = await self.do(tools, "sns:publish", TopicArn=arn, Message={"n": 1}, Subject="News")
        assert set(answer) == {"MessageId"}
        (got,) = await delivered()
        assert (got["Type"], got["Subject"], json.loads(got["Message"])) == ("Notification", "News", {"n": 1})
        assert (got["MessageId"], got["TopicArn"]) == (answer["MessageId"], arn)

    async def test_events_reach_the_bus(self, tools: Mapping[str, Tool], events: Delivered) -> None:
        """Each entry has an id; a detail may be an object or its text."""
        entries = [
            {"Source": "shop", "DetailType": "order", "Detail": {"id": 1}},
            {"Source": "shop", "DetailType": "order", "Detail": '{"id": 2}'},
        ]
        answer = await self.do(tools, "events:putEvents", Entries=entries)
        assert answer["FailedEntryCount"] == 0
        assert len({e["EventId"] for e in answer["Entries"]}) == 2
        got = sorted(await events(), key=lambda e: str(e[2]["id"]))
        assert got == [["shop", "order", {"id": 1}], ["shop", "order", {"id": 2}]]

    # functions and executions

    async def test_a_function_that_is_not_there_is_told(self, tools: Mapping[str, Tool]) -> None:
        """Lambda.ResourceNotFoundException."""
        with pytest.raises(ToolError) as raised:
            await self.do(tools, "lambda:invoke", FunctionName="no-such-function", Payload={})
        assert raised.value.code == "Lambda.ResourceNotFoundException"

    async def test_an_execution_is_started(
        self, tools: Mapping[str, Tool], machine: tuple[str, Delivered]
    ) -> None:
        """With its input, an object or its text; the answer has its ARN and when it began, in milliseconds."""
        arn, inputs = machine
        answer = await self.do(tools, "states:startExecution", StateMachineArn=arn, Input={"a": 1})
        assert set(answer) == {"ExecutionArn", "StartDate"}
        assert answer["StartDate"] > 1_600_000_000_000
        await self.do(tools, "states:startExecution", StateMachineArn=arn, Input='{"a": 2}')
        assert sorted(i["a"] for i in await inputs()) == [1, 2]

    async def test_starting_again_under_one_key_starts_once(
        self, tools: Mapping[str, Tool], machine: tuple[str, Delivered]
    ) -> None:
        """The idempotency key is the execution's name."""
        arn, inputs = machine
        tool, given, key = (
            tools["aws_states_startExecution"],
            {"StateMachineArn": arn, "Input": {"a": 1}},
            "ab" * 20,
        )
        first = await tool.call(given, context(key))
        if tool.can_reconcile:
            found = await tool.reconcile(given, context(key))
            assert found.happened
            assert found.output["ExecutionArn"] == first["ExecutionArn"]
            assert not (await tool.reconcile(given, context("cd" * 20))).happened
        else:
            assert (await tool.call(given, context(key)))["ExecutionArn"] == first["ExecutionArn"]
        assert await inputs() == [{"a": 1}]

    async def test_a_machine_that_is_not_there_is_told(
        self, tools: Mapping[str, Tool], machine: tuple[str, Delivered]
    ) -> None:
        """StepFunctions.StateMachineDoesNotExistException."""
        with pytest.raises(ToolError) as raised:
            await self.do(tools, "states:startExecution", StateMachineArn=machine[0] + "-not", Input={})
        assert raised.value.code == "StepFunctions.StateMachineDoesNotExistException"

    async def test_one_name_is_one_execution(
        self, tools: Mapping[str, Tool], machine: tuple[str, Delivered]
    ) -> None:
        """Another input under the same name: StepFunctions.ExecutionAlreadyExistsException."""
        arn, _ = machine
        await self.do(tools, "states:startExecution", StateMachineArn=arn, Input={"a": 1}, Name="mine")
        with pytest.raises(ToolError) as raised:
            await self.do(tools, "states:startExecution", StateMachineArn=arn, Input={"a": 2}, Name="mine")
        assert raised.value.code == "StepFunctions.ExecutionAlreadyExistsException"

    # items

    async def put(self, tools: Mapping[str, Tool], **attributes: Any) -> dict[str, Any]:
        """Write order `1` with these attributes."""
        return await self.do(
            tools, "dynamodb:putItem", TableName=ORDERS, Item={"id": {"S": "1"}, **attributes}
        )

    async def stored(self, tools: Mapping[str, Tool], **more: Any) -> Any:
        """Order `1`, without its key; None when it is not there."""
        answer = await self.do(
            tools, "dynamodb:getItem", TableName=ORDERS, Key={"id": {"S": "1"}}, ConsistentRead=True, **more
        )
        item = answer.get("Item")
        return None if item is None else {k: v for k, v in item.items() if k != "id"}

    async def change(self, tools: Mapping[str, Tool], expression: str, /, **more: Any) -> dict[str, Any]:
        """Update order `1`."""
        key = {"id": {"S": "1"}}
        return await self.do(
            tools, "dynamodb:updateItem", TableName=ORDERS, Key=key, UpdateExpression=expression, **more
        )

    async def test_an_item_is_kept_as_it_was(self, tools: Mapping[str, Tool]) -> None:
        """Every type of attribute value; numbers in their shortest form."""
        given = {
            "s": {"S": "é"},
            "n": {"N": "12.50"},
            "b": {"B": "AAEC"},
            "yes": {"BOOL": True},
            "none": {"NULL": True},
            "l": {"L": [{"S": "x"}, {"N": "1"}]},
            "m": {"M": {"k": {"L": []}}},
        }
        assert await self.put(tools, **given) == {}
        assert await self.stored(tools) == {**given, "n": {"N": "12.5"}}

    async def test_sets_are_kept(self, tools: Mapping[str, Tool]) -> None:
        """In any order."""
        await self.put(tools, ss={"SS": ["b", "a"]}, ns={"NS": ["1", "2"]})
        item = await self.stored(tools)
        assert (sorted(item["ss"]["SS"]), sorted(item["ns"]["NS"])) == (["a", "b"], ["1", "2"])

    async def test_a_missing_item_is_no_item(self, tools: Mapping[str, Tool]) -> None:
        """The answer has no `Item`."""
        assert await self.do(tools, "dynamodb:getItem", TableName=ORDERS, Key={"id": {"S": "none"}}) == {}

    async def test_put_replaces_the_whole_item(self, tools: Mapping[str, Tool]) -> None:
        """And gives the old one back if asked."""
        await self.put(tools, a={"S": "x"}, b={"S": "y"})
        answer = await self.do(
            tools,
            "dynamodb:putItem",
            TableName=ORDERS,
            Item={"id": {"S": "1"}, "a": {"S": "z"}},
            ReturnValues="ALL_OLD",
        )
        assert answer["Attributes"] == {"id": {"S": "1"}, "a": {"S": "x"}, "b": {"S": "y"}}
        assert await self.stored(tools) == {"a": {"S": "z"}}

    async def test_delete_takes_the_item_away(self, tools: Mapping[str, Tool]) -> None:
        """And is harmless when there is none."""
        await self.put(tools, a={"S": "x"})
        key = {"id": {"S": "1"}}
        answer = await self.do(
            tools, "dynamodb:deleteItem", TableName=ORDERS, Key=key, ReturnValues="ALL_OLD"
        )
        assert answer["Attributes"]["a"] == {"S": "x"}
        assert await self.stored(tools) is None
        assert await self.do(tools, "dynamodb:deleteItem", TableName=ORDERS, Key=key) == {}

    async def test_keys_of_two_parts_are_apart(self, tools: Mapping[str, Tool]) -> None:
        """Items are told apart by both."""
        for line in ("1", "2"):
            key = {"customer": {"S": "c"}, "line": {"N": line}}
            await self.do(tools, "dynamodb:putItem", TableName=LINES, Item={**key, "v": {"S": line}})
        key = {"customer": {"S": "c"}, "line": {"N": "2"}}
        answer = await self.do(tools, "dynamodb:getItem", TableName=LINES, Key=key)
        assert answer["Item"]["v"] == {"S": "2"}

    @pytest.mark.parametrize(
        ("expression", "holds"),
        [
            ("attribute_exists(s)", True),
            ("attribute_not_exists(s)", False),
            ("attribute_exists(m.k)", True),
            ("attribute_exists(m.z)", False),
            ("attribute_not_exists(l[5])", True),
            ("s = :s", True),
            ("s <> :t", True),
            ("s < :t", True),
            ("n = :five", True),
            ("n > :five", False),
            ("n >= :five", True),
            ("n BETWEEN :one AND :five", True),
            ("n IN (:one, :five)", True),
            ("n IN (:one)", False),
            ("s = :five", False),
            ("absent = :s", False),
            ("absent <> :s", True),
            ("begins_with(s, :a)", True),
            ("contains(s, :b)", True),
            ("contains(l, :five)", True),
            ("contains(ss, :a)", True),
            ("attribute_type(s, :type)", True),
            ("size(s) = :three", True),
            ("size(l) > :one", True),
            ("m.k = :s", True),
            ("l[1] = :s", True),
            ("NOT s = :s", False),
            ("s = :s AND n = :one", False),
            ("s = :s OR n = :one", True),
            ("n = :one AND s = :s OR s = :s", True),
            ("n = :one AND (s = :s OR s = :s)", False),
            ("NOT (n = :one OR n = :one)", True),
            ("n > :one AND attribute_exists(s) AND NOT contains(ss, :t)", True),
        ],
    )
    async def test_a_condition_decides(self, tools: Mapping[str, Tool], expression: str, holds: bool) -> None:
        """A write whose condition does not hold is not made: DynamoDB.ConditionalCheckFailedException."""
        known = {
            ":s": {"S": "abc"}, ":t": {"S": "abd"}, ":a": {"S": "a"}, ":b": {"S": "b"}, ":type": {"S": "S"},
            ":one": {"N": "1"}, ":three": {"N": "3"}, ":five": {"N": "5.0"},
        }  # fmt: skip
        item = {
            "id": {"S": "1"},
            "s": {"S": "abc"},
            "n": {"N": "5"},
            "l": {"L": [{"N": "5"}, {"S": "abc"}]},
            "m": {"M": {"k": {"S": "abc"}}},
            "ss": {"SS": ["a", "b"]},
        }
        await self.do(tools, "dynamodb:putItem", TableName=ORDERS, Item=item)
        values = {
            name: value
            for name, value in known.items()
            if name in expression.replace("(", " ").replace(")", " ").replace(",", " ").split()
        }
        given: dict[str, Any] = {"ConditionExpression": expression}
        if values:
            given["ExpressionAttributeValues"] = values
        key = {"id": {"S": "1"}}
        if holds:
            await self.do(tools, "dynamodb:deleteItem", TableName=ORDERS, Key=key, **given)
        else:
            with pytest.raises(ToolError) as raised:
                await self.do(tools, "dynamodb:deleteItem", TableName=ORDERS, Key=key, **given)
            assert raised.value.code == "DynamoDB.ConditionalCheckFailedException"
        assert (await self.stored(tools) is None) == holds

    @pytest.mark.parametrize(
        ("expression", "values", "expected"),
        [
            ("SET a = :v", {":v": {"S": "x"}}, {"a": {"S": "x"}}),
            ("SET n = n + :v", {":v": {"N": "2"}}, {"n": {"N": "3"}}),
            ("SET n = n - :v, a = :v", {":v": {"N": "2"}}, {"n": {"N": "-1"}, "a": {"N": "2"}}),
            ("SET n = if_not_exists(n, :v)", {":v": {"N": "9"}}, {"n": {"N": "1"}}),
            ("SET z = if_not_exists(z, :v)", {":v": {"N": "9"}}, {"z": {"N": "9"}}),
            ("SET z = if_not_exists(z, :v) + :v", {":v": {"N": "1"}}, {"z": {"N": "2"}}),
            (
                "SET l = list_append(l, :v)",
                {":v": {"L": [{"S": "c"}]}},
                {"l": {"L": [{"S": "a"}, {"S": "b"}, {"S": "c"}]}},
            ),
            (
                "SET l = list_append(:v, l)",
                {":v": {"L": [{"S": "c"}]}},
                {"l": {"L": [{"S": "c"}, {"S": "a"}, {"S": "b"}]}},
            ),
            ("SET l[1] = :v", {":v": {"S": "x"}}, {"l": {"L": [{"S": "a"}, {"S": "x"}]}}),
            ("SET l[9] = :v", {":v": {"S": "x"}}, {"l": {"L": [{"S": "a"}, {"S": "b"}, {"S": "x"}]}}),
            ("SET m.k = :v", {":v": {"S": "x"}}, {"m": {"M": {"k": {"S": "x"}}}}),
            ("SET #n.k = :v", {":v": {"S": "x"}}, {"m": {"M": {"k": {"S": "x"}}}}),
            ("SET a = n, n = :v", {":v": {"N": "7"}}, {"a": {"N": "1"}, "n": {"N": "7"}}),
            ("REMOVE n", {}, {"n": None}),
            ("REMOVE l[0]", {}, {"l": {"L": [{"S": "b"}]}}),
            ("REMOVE absent", {}, {}),
            ("ADD n :v", {":v": {"N": "0.5"}}, {"n": {"N": "1.5"}}),
            ("ADD z :v", {":v": {"N": "4"}}, {"z": {"N": "4"}}),
            ("DELETE ss :v", {":v": {"SS": ["a"]}}, {"ss": {"SS": ["b"]}}),
            ("DELETE ss :v", {":v": {"SS": ["a", "b"]}}, {"ss": None}),
            ("SET a = :v REMOVE n", {":v": {"S": "x"}}, {"a": {"S": "x"}, "n": None}),
            ("remove n set a = :v", {":v": {"S": "x"}}, {"a": {"S": "x"}, "n": None}),
        ],
    )
    async def test_an_update_changes_what_it_names(
        self, tools: Mapping[str, Tool], expression: str, values: dict[str, Any], expected: dict[str, Any]
    ) -> None:
        """And nothing else; every value is computed from the item as it was."""
        before = {
            "n": {"N": "1"},
            "l": {"L": [{"S": "a"}, {"S": "b"}]},
            "m": {"M": {"k": {"S": "v"}}},
            "ss": {"SS": ["a", "b"]},
        }
        await self.put(tools, **before)
        more: dict[str, Any] = {"ExpressionAttributeValues": values} if values else {}
        if "#n" in expression:
            more["ExpressionAttributeNames"] = {"#n": "m"}
        assert await self.change(tools, expression, **more) == {}
        after = {k: v for k, v in {**before, **expected}.items() if v is not None}
        found = await self.stored(tools)
        for item in (found, after):
            if "ss" in item:
                item["ss"] = {"SS": sorted(item["ss"]["SS"])}
        assert found == after

    async def test_a_set_grows(self, tools: Mapping[str, Tool]) -> None:
        """ADD makes a union."""
        await self.put(tools, ss={"SS": ["a"]})
        await self.change(tools, "ADD ss :v", ExpressionAttributeValues={":v": {"SS": ["b", "a"]}})
        item = await self.stored(tools)
        assert sorted(item["ss"]["SS"]) == ["a", "b"]

    async def test_an_update_makes_the_item(self, tools: Mapping[str, Tool]) -> None:
        """One that is not there begins as its key."""
        await self.change(tools, "SET a = :v", ExpressionAttributeValues={":v": {"S": "x"}})
        assert await self.stored(tools) == {"a": {"S": "x"}}

    @pytest.mark.parametrize(
        ("returns", "expected"),
        [
            ("ALL_OLD", {"id": {"S": "1"}, "n": {"N": "1"}, "o": {"S": "o"}}),
            ("ALL_NEW", {"id": {"S": "1"}, "n": {"N": "2"}, "o": {"S": "o"}}),
            ("UPDATED_OLD", {"n": {"N": "1"}}),
            ("UPDATED_NEW", {"n": {"N": "2"}}),
        ],
    )
    async def test_an_update_returns_what_is_asked_for(
        self, tools: Mapping[str, Tool], returns: str, expected: dict[str, Any]
    ) -> None:
        """ReturnValues: before or after, the whole or what the update names."""
        await self.put(tools, n={"N": "1"}, o={"S": "o"})
        answer = await self.change(
            tools, "ADD n :v", ExpressionAttributeValues={":v": {"N": "1"}}, ReturnValues=returns
        )
        assert answer["Attributes"] == expected

    async def test_a_projection_gives_parts(self, tools: Mapping[str, Tool]) -> None:
        """Also inside maps and lists, under names that stand for others."""
        await self.put(
            tools,
            a={"S": "x"},
            m={"M": {"k": {"S": "v"}, "z": {"S": "z"}}},
            l={"L": [{"N": "1"}, {"N": "2"}]},
        )
        found = await self.stored(
            tools, ProjectionExpression="#a, m.k, l[1], absent", ExpressionAttributeNames={"#a": "a"}
        )
        assert found == {"a": {"S": "x"}, "m": {"M": {"k": {"S": "v"}}}, "l": {"L": [{"N": "2"}]}}

    async def test_a_table_that_is_not_there_is_told(self, tools: Mapping[str, Tool]) -> None:
        """DynamoDB.ResourceNotFoundException."""
        with pytest.raises(ToolError) as raised:
            await self.do(tools, "dynamodb:putItem", TableName="no-such-table", Item={"id": {"S": "1"}})
        assert raised.value.code == "DynamoDB.ResourceNotFoundException"

    @pytest.mark.parametrize(
        ("action", "given"),
        [
            ("dynamodb:putItem", {"Item": {"a": {"S": "x"}}}),
            ("dynamodb:putItem", {"Item": {"id": {"N": "1"}}}),
            ("dynamodb:getItem", {"Key": {"id": {"S": "1"}, "more": {"S": "x"}}}),
            ("dynamodb:putItem", {"Item": {"id": {"S": "1"}}, "ConditionExpression": "a = "}),
            ("dynamodb:putItem", {"Item": {"id": {"S": "1"}}, "ConditionExpression": "a = :v"}),
            ("dynamodb:updateItem", {"Key": {"id": {"S": "1"}}, "UpdateExpression": "REMOVE status"}),
            ("dynamodb:updateItem", {"Key": {"id": {"S": "1"}}, "UpdateExpression": "SET a = b"}),
            (
                "dynamodb:updateItem",
                {
                    "Key": {"id": {"S": "1"}},
                    "UpdateExpression": "SET id = :v",
                    "ExpressionAttributeValues": {":v": {"S": "x"}},
                },
            ),
            (
                "dynamodb:updateItem",
                {
                    "Key": {"id": {"S": "1"}},
                    "UpdateExpression": "SET a.b = :v",
                    "ExpressionAttributeValues": {":v": {"S": "x"}},
                },
            ),
            (
                "dynamodb:updateItem",
                {
                    "Key": {"id": {"S": "1"}},
                    "UpdateExpression": "SET a = :v, a.b = :v",
                    "ExpressionAttributeValues": {":v": {"S": "x"}},
                },
            ),
            (
                "dynamodb:updateItem",
                {
                    "Key": {"id": {"S": "1"}},
                    "UpdateExpression": "SET a = :v",
                    "ExpressionAttributeValues": {":v": {"S": "x"}, ":unused": {"S": "x"}},
                },
            ),
        ],
    )
    async def test_a_request_that_means_nothing_is_refused(
        self, tools: Mapping[str, Tool], action: str, given: dict[str, Any]
    ) -> None:
        """What DynamoDB calls a ValidationException has the service's general name in Step Functions."""
        with pytest.raises(ToolError) as raised:
            await self.do(tools, action, TableName=ORDERS, **given)
        assert raised.value.code == "DynamoDB.AmazonDynamoDBException"
