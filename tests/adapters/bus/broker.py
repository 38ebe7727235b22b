"""The Kafka that tests use: its address, topics of one's own, and what lies on a topic.

Start one with `eval "$(scripts/ci/kafka.sh)"`.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from remit.adapters.bus.kafka import Access, Kafka
from remit.adapters.bus.kafka_queue import KafkaQueue
from remit.adapters.clock.system import SystemClock
from remit.ports.topics import FromTopic, ToTopic
from remit.settings import KafkaSettings

SERVERS = os.environ.get("REMIT_TEST_KAFKA", "")
PARTITIONS = 2
SESSION_S = 1.0


def required() -> str:
    """The address of the broker; skips, or fails in CI, when none runs."""
    if not SERVERS:
        reason = 'no Kafka: eval "$(scripts/ci/kafka.sh)"'
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    pytest.importorskip("aiokafka")
    return SERVERS


def new_prefix() -> str:
    """What topics begin with that no other test has."""
    return f"t{secrets.token_hex(4)}."


def chosen(prefix: str, **settings: Any) -> KafkaSettings:
    """Settings for tests: few partitions, and dead members that are soon noticed."""
    return KafkaSettings(**{"prefix": prefix, "partitions": PARTITIONS, "session_s": SESSION_S, **settings})


@asynccontextmanager
async def cluster(servers: str = "") -> AsyncIterator[Kafka]:
    """The cluster, for a test that produces and looks for itself."""
    kafka = Kafka(Access(servers or required()), partitions=PARTITIONS)
    try:
        yield kafka
    finally:
        await kafka.close()


async def produced(
    kafka: Kafka, topic: str, value: bytes, key: str = "", headers: Mapping[str, str] | None = None
) -> None:
    """Produce one message on a topic, which is made if it is not there."""
    kafka.want(topic)
    await kafka.produce(ToTopic(topic, value, key, dict(headers or {})))


async def lying(kafka: Kafka, topic: str, count: int = 0, *, within_s: float = 20.0) -> list[FromTopic]:
    """Everything on a topic, from its beginning, once it is so many messages."""
    kafka.want(topic)
    group = f"look-{secrets.token_hex(4)}"
    queue = KafkaQueue(kafka, [topic], group, SystemClock(), session_s=SESSION_S)
    found: list[FromTopic] = []
    try:
        async with asyncio.timeout(within_s):
            while True:
                received = [one for one in await queue.receive() if isinstance(one, FromTopic)]
                found += received
                await queue.delete(received)
                if len(found) >= count and not received:
                    return found
    finally:
        await queue.close()
