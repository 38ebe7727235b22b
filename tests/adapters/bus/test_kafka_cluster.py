"""The cluster itself: credentials, topics that are not there, messages that are too large, brokers that go away, groups that change.

Start a broker with `eval "$(scripts/ci/kafka.sh)"`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.adapters.bus.broker import SESSION_S, chosen, cluster, lying, new_prefix, produced, required
from tests.faults.faultlib.proxy import Proxy

from remit import agent
from remit.adapters.bus.kafka import Access, Kafka
from remit.adapters.bus.kafka_queue import KafkaQueue
from remit.adapters.clock.system import SystemClock
from remit.core.cloudevent import CloudEvent
from remit.core.errors import ConfigError, InputError, StoreError
from remit.core.extras import how_to_install
from remit.engine.bus.queued import queued
from remit.ports.topics import ToTopic
from remit.settings import KafkaSettings, load
from remit.testing import app_for_tests

NOBODY = "127.0.0.1:9"


def port(offset: int) -> int:
    """Another port of the broker; see scripts/ci/kafka.sh."""
    return int(required().rpartition(":")[2]) + offset


@pytest_asyncio.fixture
async def kafka() -> AsyncIterator[Kafka]:
    async with cluster() as made:
        yield made


@pytest.mark.service
@pytest.mark.parametrize("password", ["remit-secret", "wrong"])
async def test_credentials(password: str) -> None:
    """User and password by SASL; wrong ones are refused by a sentence that says where to look, and never says them."""
    kafka = Kafka(
        Access(f"127.0.0.1:{port(4)}", "sasl_plaintext", "PLAIN", "remit", lambda: password), partitions=1
    )
    topic = f"{new_prefix()}x"
    kafka.want(topic)
    if password == "wrong":
        with pytest.raises(ConfigError, match="refuses") as raised:
            await kafka.produce(ToTopic(topic, b"1"))
        assert raised.value.code == "E992"
        assert password not in str(raised.value)
    else:
        await kafka.produce(ToTopic(topic, b"1"))
        assert [m.body for m in await lying(kafka, topic, 1)] == ["1"]
    await kafka.close()


@pytest.mark.service
async def test_a_message_that_is_too_large(kafka: Kafka) -> None:
    """It is refused before it is sent, and the next one is not."""
    topic = f"{new_prefix()}x"
    with pytest.raises(InputError, match="larger than") as raised:
        await produced(kafka, topic, b"x" * 1_100_000)
    assert raised.value.code == "E994"
    await produced(kafka, topic, b"small")
    assert [m.body for m in await lying(kafka, topic, 1)] == ["small"]


@pytest.mark.service
@pytest.mark.nightly
async def test_a_topic_that_is_not_there(kafka: Kafka) -> None:
    """Where topics are not made here, it is named; a cluster that is away is not taken for one without the topic."""
    bare = Kafka(kafka.access)
    with pytest.raises(ConfigError, match="has no topic `nothing") as raised:
        await bare.produce(ToTopic("nothing-like-it", b"1"))
    assert raised.value.code == "E993"
    await bare.close()


async def test_a_cluster_that_is_away() -> None:
    """What is published is durable, and delivering says what is wrong."""
    pytest.importorskip("aiokafka")
    async with app_for_tests(bus=f"kafka://{NOBODY}", kafka=chosen("away.")) as app:
        await app.bus.publish("local", [CloudEvent(id="e1", source="shop", type="order.placed")])
        assert [e.event.id for e in (await app.bus.events("local")).items] == ["e1"]
        with pytest.raises(StoreError, match=r"cannot be used now") as raised:
            await queued(app.bus).poll()
        assert raised.value.code == "E991"
        assert NOBODY in raised.value.message


class At(Proxy):
    """A proxy where the broker says that it is."""

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", port(3))
        self.port = port(3)
        return self


async def until(there: Callable[[], Any], within_s: float = 30.0) -> None:
    """Until something is so."""
    async with asyncio.timeout(within_s):
        while not await there():
            await asyncio.sleep(0.02)


@pytest.mark.service
@pytest.mark.slow
async def test_a_worker_comes_back_when_the_cluster_does(kafka: Kafka, tmp_path: Path) -> None:
    """Cut off in the middle, and already at its start: tasks that were produced meanwhile run, and every reply comes."""
    prefix = new_prefix()

    @agent(name="echo")
    async def echo(given: Any) -> Any:
        return given

    settings: dict[str, Any] = {"bus": f"kafka://127.0.0.1:{port(2)}", "kafka": chosen(prefix)}
    topic = f"{prefix}agent.echo"
    async with At("127.0.0.1", port(2)) as proxy:
        proxy.down()
        async with app_for_tests(echo, **settings, clock=SystemClock(), home=tmp_path) as app:
            stop = asyncio.Event()
            working = asyncio.create_task(app.work(stop))

            async def ran(count: int) -> bool:
                items = (await app.runs.list("local", status="success", limit=50)).items
                return len(items) >= count

            await produced(kafka, topic, b'{"task_id": "t0", "input": 0}')
            proxy.up()
            await until(lambda: ran(1))
            proxy.down()
            await produced(kafka, topic, b'{"task_id": "t1", "input": 1}')
            await produced(kafka, topic, b'{"task_id": "t2", "input": 2}')
            proxy.up()
            await until(lambda: ran(3))
            replies = await lying(kafka, f"{topic}.replies", 3)
            stop.set()
            await asyncio.wait_for(working, 30)
    assert {m.headers["ce_subject"] for m in replies} == {r["run_id"] for r in await _rows(app)}


async def _rows(app: Any) -> list[dict[str, Any]]:
    return list((await app.runs.list("local", limit=50)).items)


@pytest.mark.service
async def test_a_group_that_changes_loses_nothing(kafka: Kafka) -> None:
    """A second member takes partitions over while messages are in hand: what was not done with comes again, there."""
    topic, clock = f"{new_prefix()}x", SystemClock()
    await asyncio.gather(*(produced(kafka, topic, str(n).encode(), f"k{n}") for n in range(40)))

    def member() -> KafkaQueue:
        return KafkaQueue(kafka, [topic], f"{topic}.group", clock, session_s=SESSION_S)

    first, second = member(), member()
    in_hand = await first.receive()
    assert {r.body for r in in_hand} == {str(n) for n in range(40)}
    await first.delete(in_hand[:10])
    seen: set[str] = set()

    async def serve(queue: KafkaQueue) -> None:
        received = await queue.receive(wait_s=0.2)
        seen.update(r.body for r in received)
        await queue.delete(received)

    async with asyncio.timeout(30):
        while len(seen) < 30:
            await asyncio.gather(serve(first), serve(second))
    assert seen >= {r.body for r in in_hand[10:]}
    assert not seen & {r.body for r in in_hand[:10]}, (
        "what was done with before the change does not come again"
    )
    await first.delete(in_hand)  # of partitions that are another's by now: harmless
    await first.close()
    await second.close()
    third = member()
    assert await third.receive() == []
    await third.close()


@pytest.mark.service
async def test_a_key_that_is_held_back(kafka: Kafka) -> None:
    """Of one key the next comes when the one before is done with; hidden, it comes again, and counts how often."""
    topic, clock = f"{new_prefix()}x", SystemClock()
    for key, body in (("a", "1"), ("a", "2"), ("b", "3")):
        await produced(kafka, topic, body.encode(), key)
    queue = KafkaQueue(kafka, [topic], topic, clock, session_s=SESSION_S)
    received = {r.body: r for r in await queue.receive()}
    assert received.keys() == {"1", "3"}
    await queue.hide(received["1"], 0.0)
    await queue.delete([received["3"]])
    (again,) = await queue.receive()
    assert (again.body, again.receives) == ("1", 2)
    assert await queue.receive() == []
    await queue.delete([again])
    assert [r.body for r in await queue.receive()] == ["2"]
    await queue.close()
    heir = KafkaQueue(kafka, [topic], topic, clock, session_s=SESSION_S)
    # "3" may have come behind "2" in one partition, and then comes again
    left = {r.body for r in await heir.receive()}
    assert left - {"3"} == {"2"}, "what was not done with is there for the next"
    await heir.close()


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, "aiokafka", None)
    with pytest.raises(ConfigError, match="aiokafka") as raised:
        Kafka(Access(NOBODY))
    assert (raised.value.code, raised.value.help) == ("E695", how_to_install("kafka"))


@pytest.mark.parametrize(
    "url", ["kafka:", "kafka://", "kafka://host", "kafka://host:x", "kafka://u:p@host:1", "redis://x"]
)
def test_what_names_no_cluster(url: str, tmp_path: Path) -> None:
    """It is refused when settings are read; credentials are never part of the address."""
    with pytest.raises(ConfigError, match="REMIT_BUS") as raised:
        load({"REMIT_BUS": url}, directory=tmp_path)
    assert raised.value.code == "E203"


def test_settings_of_a_file(tmp_path: Path) -> None:
    """`bus` and `[kafka]`; the environment goes before the file."""
    (tmp_path / "remit.toml").write_text(
        'bus = "kafka://a:9092,b:9092"\n[kafka]\nprefix = "lab."\nca = "ca.pem"\nsend = {x = "y.agent.x"}\n'
    )
    found = load({}, directory=tmp_path)
    assert found.bus == "kafka://a:9092,b:9092"
    assert found.kafka == KafkaSettings(prefix="lab.", ca=str(tmp_path / "ca.pem"), send={"x": "y.agent.x"})
    assert load({"REMIT_BUS": "local"}, directory=tmp_path).bus == "local"


@pytest.mark.parametrize("line", ['prefix = "a/b"', "session_s = 0.1", 'security = "none"', "atempts = 3"])
def test_settings_that_cannot_be(line: str, tmp_path: Path) -> None:
    """Each is refused by its name."""
    (tmp_path / "remit.toml").write_text(f"[kafka]\n{line}\n")
    with pytest.raises(ConfigError, match=line.partition(" ")[0]):
        load({}, directory=tmp_path)
