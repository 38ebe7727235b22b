"""Events out to EventBridge and SNS, and in from there: whole, in order where it is promised, and not round in circles."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from tests.adapters.bus.deployed import Deployed, all_of, deliver_all
from tests.adapters.bus.proxy import Fault, Proxy
from tests.adapters.emulator import URL, emulated

from remit.adapters.bus.sqs import SqsQueue
from remit.adapters.store.memory import MemoryStore
from remit.core.cloudevent import CloudEvent
from remit.core.errors import NotFoundError
from remit.engine.bus.queued import QueuedBus
from remit.engine.bus.records import COLLECTIONS
from remit.ports.bus import Delivery, Subscription
from remit.testing import FakeClock

pytestmark = pytest.mark.service

TENANT = "acme"
EVERYTHING = ({"source": [{"exists": True}]},)


def order(number: int, key: str = "", **fields: Any) -> CloudEvent:
    """The event that an order was placed."""
    given = {"id": f"e{number}", "source": "shop", "type": "order.placed", "data": {"n": number}}
    return CloudEvent(**{**given, "partitionkey": key, **fields})


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest_asyncio.fixture
async def store(clock: FakeClock) -> AsyncIterator[MemoryStore]:
    made = await opened(clock)
    yield made
    await made.close()


async def opened(clock: FakeClock) -> MemoryStore:
    """A store for a bus."""
    made = MemoryStore(clock)
    await made.open()
    await made.declare(COLLECTIONS)
    return made


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Deployed:
    return Deployed(emulated(monkeypatch))


def consumer(deployed: Deployed, clock: FakeClock, name: str = "consumer") -> tuple[str, SqsQueue]:
    """A queue of somebody outside."""
    return deployed.with_dead(name, "", {}), deployed.queue(name, clock)


class Seen:
    """A handler that keeps the events that it is given."""

    def __init__(self) -> None:
        self.events: list[CloudEvent] = []

    async def __call__(self, delivery: Delivery) -> None:
        """Keep one."""
        self.events.append(delivery.event)


async def watched(bus: QueuedBus, tenant: str = TENANT) -> Seen:
    """Sees all events of a tenant."""
    seen = Seen()
    await bus.subscribe(Subscription("watch", EVERYTHING, tenant), seen)
    return seen


async def test_every_event_is_on_the_event_bus(
    deployed: Deployed, store: MemoryStore, clock: FakeClock
) -> None:
    """Whole, with its source and type, so that a rule of the account may match it as a rule of Remit would."""
    arn, queue = consumer(deployed, clock)
    pattern = {
        "source": ["shop"],
        "detail-type": ["order.placed"],
        "detail": {"data": {"n": [{"numeric": [">", 1]}]}},
    }
    deployed.rule("large", pattern, arn)
    bus = deployed.bus(store, clock, "here")
    await bus.publish(TENANT, [order(1), order(2, "k", subject="of 2"), order(3, type="order.paid")])
    await deliver_all(bus)
    (message,) = await all_of(queue)
    event = json.loads(message.body)
    assert (event["source"], event["detail-type"]) == ("shop", "order.placed")
    stored = (await bus.events(TENANT, type_="order.placed")).items[0].event
    assert event["detail"] == {
        "specversion": "1.0",
        "id": "e2",
        "source": "shop",
        "type": "order.placed",
        "subject": "of 2",
        "time": stored.time,
        "datacontenttype": "application/json",
        "partitionkey": "k",
        "tenantid": TENANT,
        "deployment": deployed.name,
        "data": {"n": 2},
    }


async def test_what_eventbridge_did_not_take_is_sent_again_alone(
    deployed: Deployed, store: MemoryStore, clock: FakeClock
) -> None:
    """Of a request that succeeds in part, the events that were taken are not sent twice."""
    arn, queue = consumer(deployed, clock)
    deployed.rule("all", {"source": ["shop"]}, arn)

    def faults(action: str, number: int) -> Fault:
        return "part" if action == "PutEvents" and number < 2 else ""

    with Proxy(URL, faults) as proxy:
        bus = deployed.bus(store, clock, "here", url=proxy.url)
        await bus.publish(TENANT, [order(n) for n in range(8)])
        await deliver_all(bus)
        sent = await all_of(queue)
        assert len(sent) < 8
        for _ in range(3):
            clock.advance(10)
            await deliver_all(bus)
    sent += await all_of(queue)
    assert sorted(json.loads(m.body)["detail"]["id"] for m in sent) == [f"e{n}" for n in range(8)]
    assert (await bus.dead_letters(TENANT)).items == []


async def test_an_event_that_eventbridge_never_takes_is_a_dead_letter(
    deployed: Deployed, store: MemoryStore, clock: FakeClock
) -> None:
    """At once, with the reason; everybody else who subscribed has it."""
    bus = deployed.bus(store, clock, "here")
    seen = await watched(bus)
    await bus.publish(TENANT, [order(1, data="x" * 261_960)])
    await deliver_all(bus)
    (dead,) = (await bus.dead_letters(TENANT)).items
    assert (dead.subscription, dead.attempts) == ("outlet:eventbridge", 1)
    assert "EventBridge takes 262144" in dead.problem
    assert [e.id for e in seen.events] == ["e1"]


async def test_our_own_events_do_not_come_back(
    deployed: Deployed, store: MemoryStore, clock: FakeClock
) -> None:
    """A rule that sends all of the event bus into the deployment sets nothing off twice."""
    deployed.rule("round", {"source": [{"prefix": ""}]}, deployed.inbound_arn)
    bus = deployed.bus(store, clock, "here")
    seen = await watched(bus)
    await watched(bus, "local")
    await bus.publish(TENANT, [order(1), order(2)])
    for _ in range(3):
        clock.advance(60)
        await deliver_all(bus)
    assert [e.id for e in seen.events] == ["e1", "e2"]
    assert (await bus.events("local")).items == []
    assert await all_of(deployed.queue("inbound", clock)) == []


async def test_an_event_of_the_account_comes_in(
    deployed: Deployed, store: MemoryStore, clock: FakeClock
) -> None:
    """For the tenant that the rule says, untrusted unless it says otherwise, once, and it is not sent out again."""
    arn, queue = consumer(deployed, clock)
    deployed.rule("out", {"source": ["aws.custom"]}, arn)
    template = '{"tenant_id": "acme", "event": <aws.events.event.json>}'
    transformer = {"InputPathsMap": {}, "InputTemplate": template}
    deployed.rule("in", {"source": ["custom"]}, deployed.inbound_arn, InputTransformer=transformer)
    bus = deployed.bus(store, clock, "here")
    seen = await watched(bus)
    detail = {"bucket": "b", "tenantid": "zeta"}
    entry = {"Source": "custom", "DetailType": "Object Created", "Detail": json.dumps(detail)}
    deployed.clients("events").put_events(Entries=[{**entry, "EventBusName": deployed.name}])
    (message,) = await deployed.queue("inbound", clock).receive()
    assert await bus.receive([message, message]) == []
    assert await bus.receive([message]) == []
    await deliver_all(bus)
    (event,) = seen.events
    assert (event.source, event.type, event.data, event.tenantid) == (
        "custom",
        "Object Created",
        detail,
        TENANT,
    )
    assert event.extensions["untrusted"] is True
    assert (event.extensions["ingress"], event.extensions["actorid"]) == ("eventbridge", "outside")
    assert await all_of(queue) == []


async def test_two_deployments_react_to_each_other(
    deployed: Deployed, store: MemoryStore, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event of one is one of the other by a name that says so: nobody passes for an agent that runs there."""
    other = Deployed(deployed.clients)
    template = '{"tenant_id": "beta", "trusted": true, "event": <aws.events.event.json>}'
    transformer = {"InputPathsMap": {}, "InputTemplate": template}
    deployed.rule("over", {"detail-type": [{"prefix": ""}]}, other.inbound_arn, InputTransformer=transformer)
    here, there = deployed.bus(store, clock, "here"), other.bus(await opened(clock), clock, "there")
    seen = await watched(there, "beta")
    agents_own = order(1, source="remit:agent:clerk", hops=3)
    writes = await here.publisher.writes_for(TENANT, [agents_own, order(2, type="remit.run.succeeded")])
    await store.transact(writes)
    clock.advance(60)
    await deliver_all(here)
    await deliver_all(there)
    named = {(e.source, e.type, e.hops, e.extensions.get("untrusted")) for e in seen.events}
    assert named == {
        (f"{deployed.name}:remit:agent:clerk", "order.placed", 3, None),
        ("shop", f"{deployed.name}.remit.run.succeeded", 0, None),
    }


async def test_what_is_no_event_ends_in_the_dead_letter_queue(
    monkeypatch: pytest.MonkeyPatch, store: MemoryStore, clock: FakeClock
) -> None:
    """It is refused as often as the queue gives it, and is never an event; a person may have it sent once more."""
    body = '{"tenant_id": 7, "event": {}}'
    deployed = Deployed(emulated(monkeypatch), most_receives=1)
    bus = deployed.bus(store, clock, "here")
    deployed.clients("sqs").send_message(
        QueueUrl=deployed.clients("sqs").get_queue_url(QueueName=f"{deployed.name}-inbound")["QueueUrl"],
        MessageBody=body,
    )
    queue = deployed.queue("inbound", clock)
    (message,) = await queue.receive()
    assert await bus.receive([message]) == [message.message_id]
    assert (await bus.events("local")).items == []
    await queue.hide(message, 0)
    assert await queue.receive() == [], "it was put aside"
    assert await bus.redrive_messages() == 1
    assert [again.body for again in await queue.receive()] == [body]


async def test_consumers_outside_get_what_they_filter_for_in_order(
    deployed: Deployed, store: MemoryStore, clock: FakeClock
) -> None:
    """From the topic: each its own copy in its own queue, by type, those of a key in order, none twice."""
    topic = deployed.topic()
    queues = {}
    for name, policy in (("billing", {"type": ["order.paid"]}), ("audit", {"tenant": [TENANT]})):
        arn = deployed.with_dead(name, ".fifo", {"FifoQueue": "true"})
        attributes = {"RawMessageDelivery": "true", "FilterPolicy": json.dumps(policy)}
        deployed.clients("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attributes)
        queues[name] = deployed.queue(f"{name}.fifo", clock)
    bus = deployed.bus(store, clock, "here", topic=True)
    events = [order(n, f"k{n % 3}", type=("order.placed", "order.paid")[n % 2]) for n in range(30)]
    await bus.publish(TENANT, events)
    await bus.publish("zeta", [order(1)])
    await deliver_all(bus)
    billed = [json.loads(m.body) for m in await all_of(queues["billing"])]
    audited = [json.loads(m.body) for m in await all_of(queues["audit"])]
    assert sorted(e["data"]["n"] for e in billed) == list(range(1, 30, 2))
    assert sorted(e["data"]["n"] for e in audited) == list(range(30))
    for key in range(3):
        mine = [e["data"]["n"] for e in audited if e["partitionkey"] == f"k{key}"]
        assert mine == sorted(mine)


async def test_a_consumer_that_fails_has_dead_letters_and_a_redrive(
    deployed: Deployed, store: MemoryStore, clock: FakeClock
) -> None:
    """What a consumer could not handle is put aside by its queue, with the order of the others, and sent again to it alone."""
    topic = deployed.topic()
    deployed._most_receives = 2
    arn = deployed.with_dead("billing", ".fifo", {"FifoQueue": "true"})
    deployed.clients("sns").subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"}
    )
    bus = deployed.bus(store, clock, "here", topic=True)
    await bus.publish(TENANT, [order(n, "k") for n in range(3)])
    await deliver_all(bus)
    queue, handled = deployed.queue("billing.fifo", clock), []
    for _ in range(6):
        for message in await queue.receive():
            number = json.loads(message.body)["data"]["n"]
            if number == 1:
                await queue.hide(message, 0)
            else:
                await queue.delete([message])
                handled.append(number)
    assert handled == [0, 2]
    assert await queue.redrive() == 1
    assert [json.loads(m.body)["data"]["n"] for m in await all_of(queue)] == [1]


async def test_a_topic_brings_events_in(deployed: Deployed, store: MemoryStore, clock: FakeClock) -> None:
    """A CloudEvent as itself, anything else, such as an alarm, as a notification of its topic."""
    sns = deployed.clients("sns")
    topic = sns.create_topic(Name=f"{deployed.name}-from-elsewhere")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=deployed.inbound_arn)
    bus = deployed.bus(store, clock, "here")
    seen = await watched(bus, "local")
    sns.publish(TopicArn=topic, Message='{"AlarmName": "hot"}', Subject="ALARM")
    event = {"specversion": "1.0", "id": "e1", "source": "till", "type": "order.placed", "data": 5}
    sns.publish(TopicArn=topic, Message=json.dumps(event))
    await deliver_all(bus)
    await deliver_all(bus)
    assert {(e.source, e.type, e.subject, str(e.data)) for e in seen.events} == {
        (topic, "sns.notification", "ALARM", "{'AlarmName': 'hot'}"),
        ("till", "order.placed", "", "5"),
    }


async def test_dead_letters_of_an_outlet_are_redriven_like_others(
    deployed: Deployed, store: MemoryStore, clock: FakeClock
) -> None:
    """An EventBridge that is away for longer than events are sent again: nothing is lost, and a person sends it once more."""
    arn, queue = consumer(deployed, clock)
    deployed.rule("all", {"source": ["shop"]}, arn)
    away = True

    def faults(action: str, number: int) -> Fault:
        return "fail" if away and action == "PutEvents" else ""

    with Proxy(URL, faults) as proxy:
        bus = deployed.bus(store, clock, "here", url=proxy.url)
        await bus.publish(TENANT, [order(1)])
        for _ in range(24):
            await deliver_all(bus)
            clock.advance(3600)
        (dead,) = (await bus.dead_letters(TENANT)).items
        assert (dead.subscription, dead.attempts) == ("outlet:eventbridge", 24)
        away = False
        await bus.redrive(TENANT, dead.dead_letter_id)
        await deliver_all(bus)
    assert len(await all_of(queue)) == 1
    with pytest.raises(NotFoundError):
        await bus.dead_letter(TENANT, dead.dead_letter_id)
