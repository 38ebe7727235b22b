"""The bus with Kafka: which topics there are, and who works them off."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from remit.adapters.bus.kafka import Access, Kafka
from remit.adapters.bus.kafka_queue import KafkaQueue, TurnQueue
from remit.core.errors import ConfigError
from remit.engine.bus.answering import Answers
from remit.engine.bus.binding import as_json
from remit.engine.bus.local import LocalBus
from remit.engine.bus.portions import MOST_WRITES
from remit.engine.bus.producing import EVENTS, EventsOutlet, TasksOutlet, tasks_for
from remit.engine.bus.replying import ENDED, MOST_RESULT, Replies
from remit.engine.bus.requests import AGENT_TOPIC, ANSWERS, REPLIES, Admission, arrival_by
from remit.engine.bus.streamed import StreamedBus
from remit.engine.bus.taking import Taker
from remit.engine.kit import Kit
from remit.engine.runs import Runs
from remit.engine.workflows.callbacks import Callbacks
from remit.ports.clock import Clock
from remit.ports.secrets import Secrets
from remit.ports.store import Records
from remit.ports.telemetry import Telemetry
from remit.settings import KafkaSettings, Settings

TURNS, INBOUND, DEAD = "remit.turns", "remit.inbound", ".dead"
SCHEME = "kafka://"
MOST_TURNS = 8
"""How often a turn comes before it is left to the next look for what was missed."""

MOST_ARRIVALS = 10
_NAME = re.compile(r"[A-Za-z0-9._-]{1,150}\Z")


class KafkaBus(StreamedBus):
    """The bus of settings that name a cluster: `kafka`."""

    kafka: Kafka


def kafka_bus(
    store: Records,
    clock: Clock,
    settings: Settings,
    secrets: Secrets,
    *,
    owner: str,
    clean: Callable[[str], str] = str,
    telemetry: Telemetry | None = None,
    most_writes: int = MOST_WRITES,
) -> KafkaBus:
    """Turns go through a topic that workers share, and events go out on `PREFIXremit.events`. Raises ConfigError E695."""
    chosen = settings.kafka
    kafka = Kafka(
        Access(
            servers=settings.bus.removeprefix(SCHEME),
            security=chosen.security,
            mechanism=chosen.mechanism,
            user=chosen.user,
            password=lambda: secrets.get("kafka_password"),
            ca=chosen.ca,
        ),
        most_bytes=chosen.most_bytes,
        partitions=chosen.partitions,
    )
    kafka.want(chosen.prefix + EVENTS)
    name = chosen.prefix.strip("._-") or "remit"
    turns = TurnQueue(
        kafka,
        [chosen.prefix + TURNS],
        chosen.prefix + TURNS,
        clock,
        most_receives=MOST_TURNS,
        session_s=chosen.session_s,
    )
    inbound = None
    if chosen.events_from:
        inbound = KafkaQueue(
            kafka,
            chosen.events_from,
            chosen.prefix + INBOUND,
            clock,
            most_receives=MOST_ARRIVALS,
            session_s=chosen.session_s,
            body_of=as_json,
        )
    bus = KafkaBus(
        store,
        clock,
        turns,
        owner=owner,
        deployment=name,
        close=kafka.close,
        clean=clean,
        telemetry=telemetry,
        outlets={"kafka": EventsOutlet(kafka.produce, chosen.prefix, name)},
        inbound=inbound,
        read=arrival_by(admission_of(chosen)),
        most_writes=most_writes,
    )
    bus.kafka = kafka
    if chosen.send:
        outlet = TasksOutlet(kafka.produce, chosen.send, chosen.prefix + ANSWERS)
        bus.send_out("kafka-tasks", tasks_for(chosen.send), outlet)
    return bus


def take_tasks(bus: LocalBus, settings: Settings, kit: Kit, runs: Runs, callbacks: Callbacks) -> None:
    """Have tasks on the agents' topics taken here, replies sent, and answers handed to those who wait."""
    if not isinstance(bus, KafkaBus):
        return
    chosen, kafka = settings.kafka, bus.kafka
    admission = admission_of(chosen)
    most = min(MOST_RESULT, chosen.most_bytes // 2)
    replies = Replies(kit.store, kafka.produce, runs.view, kit.crash, most)
    bus.send_out("kafka-replies", ENDED, replies)

    def known(text: str) -> str:
        return str(kit.redactor("default").text(text))

    def topics(name: str) -> KafkaQueue:
        return KafkaQueue(kafka, [name], name, kit.clock, session_s=chosen.session_s)

    for agent in agents_of(chosen, kit.catalogue.agents):
        name = f"{chosen.prefix}{AGENT_TOPIC}{agent}"
        kafka.want(name + REPLIES)
        queue = topics(name)
        taker = Taker(agent, queue, admission, runs.submit, replies, known, chosen.attempts, kit.crash)
        bus.consume(queue, taker.work)
    if chosen.send:
        queue = topics(chosen.prefix + ANSWERS)
        bus.consume(queue, Answers(queue, admission, callbacks, known, chosen.attempts).work)


def admission_of(chosen: KafkaSettings) -> Admission:
    """What the settings let messages say."""
    return Admission(
        prefix=chosen.prefix,
        tenant_id=chosen.tenant,
        tenants=chosen.tenants,
        actor_id=chosen.actor,
        roles=chosen.roles,
        trusted=chosen.trusted,
        replies=chosen.replies,
    )


def agents_of(chosen: KafkaSettings, coded: Iterable[str]) -> list[str]:
    """The agents whose topics are read here. Raises ConfigError E990 for one that cannot have a topic."""
    named = [name for name in chosen.agents if name != "*"]
    for name in named:
        if not _has_topic(name):
            raise ConfigError(
                f"agent `{name[:100]}` of `kafka.agents` cannot have a topic",
                code="E990",
                help=f"use letters, digits and `._-`, and an end that is neither `{REPLIES}` nor `{DEAD}`",
            )
    found = [name for name in coded if _has_topic(name)] if "*" in chosen.agents else []
    return sorted({*named, *found})


def _has_topic(agent: str) -> bool:
    return _NAME.match(agent) is not None and not agent.endswith((REPLIES, DEAD))
