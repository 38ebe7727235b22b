"""The integrations without AWS: messages become events on the bus, items live in the store, executions are runs.

Each is keyed: sent again under the same idempotency key, it does nothing twice and answers the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from remit.adapters.services.answers import as_text, id_of, md5_of, md5_of_attributes, with_metadata
from remit.adapters.services.contract import Call, Integration, failure, one_of, spec
from remit.adapters.services.items.service import Items
from remit.core.cloudevent import SENSITIVITY, UNTRUSTED, CloudEvent, Extension
from remit.core.errors import BudgetError, ConflictError, DeniedError, InputError, NotFoundError, RemitError
from remit.core.rule import hops_of
from remit.core.task import Constraints, Task
from remit.core.times import rfc3339
from remit.core.tool import Effect
from remit.ports.agents import Tool, ToolContext
from remit.ports.services import Publish, Start
from remit.ports.store import Records

QUEUE, TOPIC = "aws.sqs.", "aws.sns."
"""What the types of events start with that stand for messages: `aws.sqs.QUEUE`, `aws.sns.TOPIC`."""
_EXECUTION = re.compile(r"[^\s<>{}\[\]?*\"#%\\^|~`$&,;:/]{1,80}\Z")


def integrations(
    records: Records, publish: Publish, start: Start, tables: Mapping[str, Sequence[str]]
) -> list[Tool]:
    """The tools. `tables`: by name of a DynamoDB table its key attributes, e.g. `("customer", "line:N")`.

    A function's name means a tool or an agent here, called under its own policy; `lambda:invoke` is for what is neither.
    """
    items = Items(records, tables)
    messages = _Messages(publish)
    calls: dict[str, tuple[Effect, bool, Call]] = {
        "lambda:invoke": ("read", False, _no_function),
        "sqs:sendMessage": ("keyed", True, messages.send),
        "sns:publish": ("keyed", True, messages.publish),
        "events:putEvents": ("keyed", True, messages.put_events),
        "dynamodb:getItem": ("read", False, items.get),
        "dynamodb:putItem": ("keyed", False, items.put),
        "dynamodb:updateItem": ("keyed", False, items.update),
        "dynamodb:deleteItem": ("keyed", False, items.delete),
        "states:startExecution": ("keyed", False, _Executions(start).start),
    }
    return [
        Integration(spec(action, effect, outward=outward), call)
        for action, (effect, outward, call) in calls.items()
    ]


async def _no_function(given: dict[str, Any], context: ToolContext) -> Any:
    del context
    name = given["FunctionName"]
    raise failure(
        "lambda:invoke",
        "ResourceNotFoundException",
        f"Function not found: `{name[:150]}` is neither a tool nor an agent here",
        help='name a tool or an agent so, or call AWS: `services = "aws"` under `[workflow]` in remit.toml',
    )


class _Messages:
    """SQS, SNS and EventBridge on the bus."""

    def __init__(self, publish: Publish) -> None:
        self._publish = publish

    async def send(self, given: dict[str, Any], context: ToolContext) -> dict[str, Any]:
        """A message to a queue, in the shape in which a queue hands its messages to functions."""
        action = "sqs:sendMessage"
        if given.get("DelaySeconds"):
            raise failure(action, "UnsupportedOperationException", "`DelaySeconds` needs a queue in AWS")
        queue = given["QueueUrl"].rstrip("/").rpartition("/")[2]
        group = _group(action, given, queue.endswith(".fifo"))
        body = as_text(given["MessageBody"])
        attributes = given.get("MessageAttributes", {})
        answer = {"MD5OfMessageBody": md5_of(body), "MessageId": id_of(context.idempotency_key)}
        if attributes:
            answer["MD5OfMessageAttributes"] = md5_of_attributes(attributes)
        now = str(context.clock.now())
        system = {"ApproximateFirstReceiveTimestamp": now, "SentTimestamp": now}
        if group:
            system |= {"MessageGroupId": group, "MessageDeduplicationId": _deduplication(given, body)}
        data = {
            "messageId": answer["MessageId"],
            "body": body,
            "attributes": system,
            "messageAttributes": _record_attributes(attributes),
            "md5OfBody": answer["MD5OfMessageBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": f"arn:aws:sqs:local:000000000000:{queue}",
        }
        once = system.get("MessageDeduplicationId", "")
        event = _event(context, f"sqs/{queue}", QUEUE + queue, data, key=group, once=once)
        await self._hand_over(action, context, [event])
        return with_metadata(answer, id_of(context.idempotency_key, "request"))

    async def publish(self, given: dict[str, Any], context: ToolContext) -> dict[str, Any]:
        """A message to a topic, in the shape in which a topic notifies its subscribers."""
        action = "sns:publish"
        if "PhoneNumber" in given:
            raise failure(
                action,
                "InvalidParameterException",
                "`PhoneNumber` needs AWS: no text message leaves from here",
            )
        arn = given[one_of(action, given, ("TopicArn", "TargetArn"))]
        topic = arn.rpartition(":")[2]
        group = _group(action, given, topic.endswith(".fifo"))
        message = as_text(given["Message"])
        message_id = id_of(context.idempotency_key)
        data = {
            "Type": "Notification",
            "MessageId": message_id,
            "TopicArn": arn,
            "Message": message,
            "Timestamp": rfc3339(context.clock.now()),
            "MessageAttributes": {
                name: {"Type": a["DataType"], "Value": a.get("StringValue", a.get("BinaryValue"))}
                for name, a in given.get("MessageAttributes", {}).items()
            },
        }
        if "Subject" in given:
            data["Subject"] = given["Subject"]
        once = _deduplication(given, message) if group else ""
        event = _event(
            context,
            f"sns/{topic}",
            TOPIC + topic,
            data,
            key=group,
            once=once,
            subject=given.get("Subject", ""),
        )
        await self._hand_over(action, context, [event])
        return with_metadata({"MessageId": message_id}, id_of(context.idempotency_key, "request"))

    async def put_events(self, given: dict[str, Any], context: ToolContext) -> dict[str, Any]:
        """Events under their own source and type; what is beside the detail goes into extensions."""
        action = "events:putEvents"
        events = []
        for place, entry in enumerate(given["Entries"]):
            detail = _detail(action, entry["Detail"])
            bus = entry.get("EventBusName", "default").rpartition("/")[2]
            more = {"eventbusname": bus}
            if "Resources" in entry:
                more["resources"] = " ".join(entry["Resources"])
            made = _event(context, entry["Source"], entry["DetailType"], detail, place=str(place))
            events.append(replace(made, extensions={**made.extensions, **more}))
        await self._hand_over(action, context, events)
        entries = [{"EventId": event.id} for event in events]
        answer = {"Entries": entries, "FailedEntryCount": 0}
        return with_metadata(answer, id_of(context.idempotency_key, "request"))

    async def _hand_over(self, action: str, context: ToolContext, events: list[CloudEvent]) -> None:
        try:
            await self._publish(context.tenant_id, context.actor, events)
        except InputError as error:
            raise failure(action, "", error.message, help=error.help) from error


def _event(
    context: ToolContext,
    source: str,
    type: str,
    data: Any,
    *,
    place: str = "",
    key: str = "",
    once: str = "",
    subject: str = "",
) -> CloudEvent:
    """An event whose id is the call's, so that the bus takes it once; `once` is the sender's own word for that."""
    return CloudEvent(
        id=f"dedup-{md5_of(once)}" if once else id_of(context.idempotency_key, place),
        source=source,
        type=type,
        data=data,
        subject=subject,
        time=rfc3339(context.clock.now()),
        tenantid=context.tenant_id,
        partitionkey=key,
        hops=hops_of(context.actor.via),
        extensions={"runid": context.run_id, **_labels(context)},
    )


def _labels(context: ToolContext) -> dict[str, Extension]:
    """What the run had read, for the runs that the event starts."""
    told: dict[str, Extension] = {SENSITIVITY: context.labels.sensitivity}
    return {**told, UNTRUSTED: True} if context.labels.untrusted else told


def _group(action: str, given: Mapping[str, Any], fifo: bool) -> str:
    """The message group of a FIFO queue or topic: what keeps its order."""
    group: str = given.get("MessageGroupId", "")
    if fifo and not group:
        raise failure(action, "", "a FIFO queue or topic needs `MessageGroupId`")
    return group if fifo else ""


def _deduplication(given: Mapping[str, Any], body: str) -> str:
    """What tells two messages of a FIFO queue apart: the sender's id, else their content."""
    return str(given.get("MessageDeduplicationId") or md5_of(body))


def _record_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    names = {"StringValue": "stringValue", "BinaryValue": "binaryValue", "DataType": "dataType"}
    return {
        name: {names[field]: value for field, value in attribute.items()}
        for name, attribute in attributes.items()
    }


def _detail(action: str, detail: Any) -> Any:
    """A detail as JSON: an object, or the text of one."""
    if isinstance(detail, str):
        try:
            detail = msgspec.json.decode(detail)
        except msgspec.DecodeError as error:
            raise failure(action, "FailedEntry", f"`Detail` is no JSON: {error}") from error
    if not isinstance(detail, dict):
        raise failure(action, "FailedEntry", "`Detail` is no JSON object")
    return detail


_REFUSALS: dict[type[RemitError], str] = {
    NotFoundError: "StateMachineDoesNotExistException",
    ConflictError: "ExecutionAlreadyExistsException",
    DeniedError: "AccessDeniedException",
    BudgetError: "ExecutionLimitExceededException",
    InputError: "InvalidExecutionInputException",
}
"""How Step Functions names why a run was not started; the first that fits, since one is a case of another."""


class _Executions:
    """Executions of state machines as runs of the workflows of their names."""

    def __init__(self, start: Start) -> None:
        self._start = start

    async def start(self, given: dict[str, Any], context: ToolContext) -> dict[str, Any]:
        """Start a run on behalf of whoever the caller acts for. Its task id is the execution's name."""
        action = "states:startExecution"
        workflow, _, alias = given["StateMachineArn"].rpartition(":stateMachine:")[2].partition(":")
        workflow = f"{workflow}@{alias}" if alias else workflow
        name = given.get("Name") or context.idempotency_key
        if not _EXECUTION.match(name):
            raise failure(action, "InvalidNameException", f"`{name[:100]}` is no name of an execution")
        task = Task(
            task_id=f"{workflow}:{name}" if "Name" in given else name,
            agent=workflow,
            input=_input(action, given.get("Input", {})),
            tenant_id=context.tenant_id,
            actor_context=context.actor,
            constraints=Constraints(max_risk=context.max_risk),
            policy_profile=context.policy_profile,
        )
        try:
            run_id = await self._start(task, labels=context.labels)
        except tuple(_REFUSALS) as error:
            name = next(name for kind, name in _REFUSALS.items() if isinstance(error, kind))
            raise failure(action, name, error.message, help=error.help) from error
        answer = {"ExecutionArn": f"remit:run:{run_id}", "StartDate": context.clock.now()}
        return with_metadata(answer, id_of(context.idempotency_key, "request"))


def _input(action: str, given: Any) -> Any:
    if not isinstance(given, str):
        return given
    try:
        return msgspec.json.decode(given)
    except msgspec.DecodeError as error:
        raise failure(action, "InvalidExecutionInputException", f"`Input` is no JSON: {error}") from error
