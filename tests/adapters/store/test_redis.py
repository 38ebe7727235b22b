"""Redis keeps the contract, and what is special about a server that holds everything in memory."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.adapters.store import redis_world
from tests.adapters.store.redis_world import Cutter, Moment, OwnRedis
from tests.faults.faultlib.proxy import Proxy

from remit.bootstrap.adapters import open_store
from remit.core import codec
from remit.core.errors import (
    CommitUnknownError,
    ConditionError,
    ConfigError,
    ConflictError,
    FencedError,
    InputError,
    RunExistsError,
    StoreError,
)
from remit.core.extras import how_to_install
from remit.ports.store import ABSENT, Add, Collection, Delete, Index, Put, Signal, Store
from remit.settings import Settings
from remit.testing import FakeClock
from remit.testing.contracts.store import ENVELOPES, ITEMS, StoreContract, entries, item

pytestmark = pytest.mark.service
PAGE = Path(__file__).resolve().parents[3] / "docs" / "howto" / "redis.md"
BARE = Collection(name=ITEMS.name, key=ITEMS.key)


class TestRedisStore(StoreContract):
    """The contract, on Redis, each test under a prefix of its own."""

    @pytest_asyncio.fixture
    async def store(self) -> AsyncIterator[Store]:
        async with redis_world.opened() as store:
            self.prefix = store._prefix
            yield store

    async def now(self, store: Store) -> int:
        return redis_world.now()

    async def pass_time(self, store: Store, ms: int) -> None:
        redis_world.shift(self.prefix, ms)


@pytest_asyncio.fixture
async def stores() -> AsyncIterator[tuple[Any, Any]]:
    """Two processes' stores (here in one process) under one prefix, with the run `r`."""
    async with redis_world.opened() as one:
        two = another(one)
        await two.open()
        await start(one, "r")
        yield one, two
        await two.close()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[OwnRedis]:
    """A server of this test's own."""
    made = OwnRedis(tmp_path)
    made.start()
    yield made
    made.kill()


def another(store: Any, address: str = "", **more: Any) -> Any:
    """Another process' store, under the same prefix."""
    from remit.adapters.store.redis import RedisStore

    return RedisStore(address or redis_world.url(), prefix=store._prefix, **more)


async def start(store: Store, run_id: str) -> None:
    await store.create(run_id, tenant_id="t", root_run=run_id, agent="a", entries=entries(run_id, 1), now=1)


async def go_on(store: Store, run_id: str = "r", **more: Any) -> int:
    """Append an entry, and return its seq."""
    head = await store.head(run_id)
    assert head
    fresh = entries(run_id, 1, first=head.seq + 1, previous=head.hash)
    await store.append(run_id, seq=head.seq, epoch=head.epoch, entries=fresh, **more)
    return head.seq + 1


async def check_chain(store: Store, run_id: str = "r") -> int:
    """The last seq of a run whose chain is whole."""
    link = codec.genesis(run_id)
    stored = await store.read(run_id, limit=100_000)
    for place, entry in enumerate(stored):
        link = codec.link(link, entry.body)
        assert (entry.seq, entry.hash) == (place, link)
    return len(stored) - 1


async def test_processes_race(stores: tuple[Any, Any]) -> None:
    """Between two processes, too: one creates, one puts what was absent, nobody overspends, nobody locks up."""
    one, two = stores
    for store in stores:
        await store.declare([ITEMS, ENVELOPES])
    await one.transact([Put(ENVELOPES.name, {"envelope_id": "e", "left": 40})])
    reserve = Add(ENVELOPES.name, ("e",), {"left": -1}, floor={"left": 0})
    calls: list[Awaitable[object]] = []
    for n in range(40):
        for store in stores:
            calls.append(start(store, f"run{n}"))
            calls.append(store.transact([Put(ITEMS.name, item(n), expect=ABSENT), Signal("r", f"s{n}", b"")]))
            calls.append(store.transact([Put(ITEMS.name, item(100 + n))]))
            calls.append(store.transact([reserve, Put(ITEMS.name, item(200, by=n))]))
    results = await asyncio.gather(*calls, return_exceptions=True)
    strange = [each for each in results if each is not None and not isinstance(each, ConflictError)]
    assert strange == []
    assert sum(isinstance(each, RunExistsError) for each in results) == 40
    assert sum(isinstance(each, ConditionError) for each in results) == 40 + 40
    assert await two.get(ENVELOPES.name, ("e",)) == {"envelope_id": "e", "left": 0}
    assert len(await two.inbox("r")) == 40


async def test_what_another_process_changed_is_seen(stores: tuple[Any, Any]) -> None:
    """A process that wrote an item decides on what is there, not on what it remembers; so do indexes."""
    one, two = stores
    for store in stores:
        await store.declare([ITEMS])
    await one.transact([Put(ITEMS.name, item(1, status="mine"))])
    await two.transact([Put(ITEMS.name, item(1, status="theirs"))])
    with pytest.raises(ConditionError):
        await one.transact([Put(ITEMS.name, item(1), expect={"status": "mine"})])
    await two.transact([Delete(ITEMS.name, ("t", "i001"))])
    await one.transact([Put(ITEMS.name, item(1, status="again"), expect=ABSENT)])
    await two.transact([Put(ITEMS.name, item(1, status="other"))])
    await one.transact([Put(ITEMS.name, item(1, status="last"))])
    for status, there in (("mine", 0), ("theirs", 0), ("again", 0), ("other", 0), ("last", 1)):
        assert len((await two.query(ITEMS.name, "status", ("t", status))).items) == there


async def test_what_nobody_else_changed_stays_known(stores: tuple[Any, Any]) -> None:
    """Of two items in one transaction another process changed one: the second attempt knows both."""
    one, two = stores
    await one.declare([ITEMS])
    await one.transact([Put(ITEMS.name, item(1)), Put(ITEMS.name, item(2))])
    await two.declare([ITEMS])
    await two.transact([Put(ITEMS.name, item(2, by="two"))])
    with contextlib.closing(redis_world.client()) as db:
        before = db.info("commandstats")["cmdstat_evalsha"]["calls"]
        await one.transact([Put(ITEMS.name, item(1, by="one")), Put(ITEMS.name, item(2, by="one"))])
        assert db.info("commandstats")["cmdstat_evalsha"]["calls"] == before + 2
    assert (await two.get(ITEMS.name, ("t", "i001")))["by"] == "one"


async def test_a_fence_comes_before_a_condition(stores: tuple[Any, Any]) -> None:
    """Who lost the run is told so, whatever its writes would have met."""
    one, _ = stores
    await one.declare([ITEMS])
    wrong = Put(ITEMS.name, item(1), expect={"rank": 7})
    with pytest.raises(FencedError):
        await one.append("r", seq=4, epoch=0, entries=entries("r", 1, first=5), writes=[wrong])
    with pytest.raises(InputError):
        await go_on(one, writes=[Put("contract_nothing", {"id": "x"})])
    assert await check_chain(one) == 0


async def test_another_process_wakes_a_waiter(stores: tuple[Any, Any]) -> None:
    """`changed` sees what another process appends, long before its time is up."""
    one, two = stores

    async def wait() -> bool:
        while not await two.changed("r", after=0, timeout_s=30):
            pass
        return True

    waiting = asyncio.ensure_future(wait())
    await asyncio.sleep(0)
    await go_on(one)
    assert await asyncio.wait_for(waiting, 20)


async def test_an_older_program_fills_a_newer_index(stores: tuple[Any, Any]) -> None:
    """During an upgrade, items written by a process that knows the older declaration are in the new index."""
    older, newer = stores
    await older.declare([BARE])
    await older.transact([Put(ITEMS.name, item(n)) for n in range(1, 1200)])
    await newer.declare([ITEMS])
    await older.transact([Put(ITEMS.name, item(1200))])
    await older.transact([Delete(ITEMS.name, ("t", "i003"))])
    found = await newer.query(ITEMS.name, "status", ("t", "open"), limit=5000)
    assert [each["rank"] for each in found.items] == [n for n in range(1, 1201) if n != 3]


async def test_an_index_that_was_left_half_full_is_filled(
    stores: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever began to fill an index is gone: the next one who declares it fills it before going on."""
    one, two = stores
    await one.declare([BARE])
    await one.transact([Put(ITEMS.name, item(n)) for n in range(5)])

    async def die(*_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(type(one._declarations), "_fill", die)
        with pytest.raises(RuntimeError):
            await one.declare([ITEMS])
    assert (await two.query(ITEMS.name, "status", ("t", "open"))).items == []
    await two.declare([ITEMS])
    assert len((await one.query(ITEMS.name, "status", ("t", "open"))).items) == 5


async def test_a_replaced_index_is_not_asked(stores: tuple[Any, Any]) -> None:
    """A process that knows an index by its old fields is told, instead of finding nothing."""
    older, newer = stores
    await older.declare([ITEMS])
    await older.transact([Put(ITEMS.name, item(1))])
    await newer.declare([Collection(ITEMS.name, ITEMS.key, (Index("status", ("rank",)),))])
    with pytest.raises(InputError):
        await older.query(ITEMS.name, "status", ("t", "open"))
    assert len((await older.query(ITEMS.name, "status", (1,))).items) == 1


async def test_a_newer_schema_is_refused(stores: tuple[Any, Any]) -> None:
    """Keys that a newer Remit wrote are left alone."""
    with contextlib.closing(redis_world.client()) as db:
        db.set(f"{stores[0]._prefix}:schema", 99)
    with pytest.raises(ConfigError) as refusal:
        await another(stores[0]).open()
    assert refusal.value.code == "E211"


async def test_scripts_that_were_flushed_are_loaded_again(stores: tuple[Any, Any]) -> None:
    """Redis forgets scripts when it is told to: nothing is noticed."""
    one, _ = stores
    with contextlib.closing(redis_world.client()) as db:
        db.script_flush()
        assert await go_on(one) == 1
        db.script_flush()
        assert await one.due(limit=10) == ["r"]


async def test_a_journal_somebody_else_wrote_to_is_left_alone(stores: tuple[Any, Any]) -> None:
    """Where the journal is longer than its head says, nothing is appended."""
    one, _ = stores
    with contextlib.closing(redis_world.client()) as db:
        db.rpush(f"{one._prefix}:log:r", b"\x00{}")
    with pytest.raises(StoreError) as refusal:
        await go_on(one)
    assert refusal.value.code == "E805"


# What the server must be


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("appendfsync", "everysec", "E997"),
        ("appendonly", "no", "E997"),
        ("no-appendfsync-on-rewrite", "yes", "E997"),
        ("aof-load-truncated", "yes", "E997"),
        ("maxmemory-policy", "allkeys-lru", "E998"),
    ],
)
async def test_a_server_that_does_not_keep_what_it_acknowledges_is_refused(
    own: OwnRedis, name: str, value: str, code: str
) -> None:
    """At the start, and again when the connection is new; `relaxed` accepts less, but never that items vanish or are half there."""
    from remit.adapters.store.redis import RedisStore

    store = RedisStore(own.url)
    await store.open()
    await start(store, "r")
    own.kill()
    with pytest.raises(StoreError):
        await start(store, "s")
    own.start(f"--{name}", value)
    with pytest.raises(ConfigError) as refusal:
        await start(store, "s")
    assert refusal.value.code == code
    await store.close()
    with pytest.raises(ConfigError) as refusal:
        await RedisStore(own.url).open()
    assert refusal.value.code == code
    relaxed = RedisStore(own.url, durability="relaxed")
    if name in ("maxmemory-policy", "aof-load-truncated"):
        with pytest.raises(ConfigError):
            await relaxed.open()
    else:
        await relaxed.open()
        assert await start(relaxed, "t") is None
        await relaxed.close()


async def test_a_server_that_does_not_say_is_refused(own: OwnRedis) -> None:
    """Where CONFIG is forbidden, as managed services do, the operator has to state what it would say."""
    from remit.adapters.store.redis import RedisStore

    with contextlib.closing(redis_world.client(own.url)) as db:
        db.execute_command("ACL", "SETUSER", "app", "on", ">hemlig", "~*", "&*", "+@all", "-config")
    address = own.url.replace("redis://", "redis://app:hemlig@")
    with pytest.raises(ConfigError) as refusal:
        await RedisStore(address).open()
    assert refusal.value.code == "E999"
    assert "durability=stated" in refusal.value.help
    store = RedisStore(address, durability="stated")
    await store.open()
    await start(store, "r")
    await store.close()
    with pytest.raises(StoreError) as wrong:
        await RedisStore(own.url.replace("redis://", "redis://app:falsch@")).open()
    assert wrong.value.code == "E803"
    assert "falsch" not in str(wrong.value)


async def test_the_server_and_the_user_of_the_page(tmp_path: Path) -> None:
    """The configuration in docs/howto/redis.md is one that is accepted, and its user may do all that is needed."""
    from remit.adapters.store.redis import RedisStore

    blocks = re.findall(r"^```(?:conf|text)\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    options = [word for line in blocks[0].splitlines() for word in f"--{line}".split()]
    assert len(options) == 10
    own = OwnRedis(tmp_path)
    own.start(*options)
    with contextlib.closing(redis_world.client(own.url)) as db:
        db.execute_command(*blocks[1].split())
    store = RedisStore(own.url.replace("redis://", "redis://remit:PASSWORD@"))
    await store.open()
    await store.declare([BARE])
    await start(store, "r")
    lease = await store.lease("r", "w", ttl_ms=1000)
    assert lease is not None
    await store.transact([Put(ITEMS.name, item(1)), Signal("r", "s", b"x")])
    await store.declare([ITEMS])
    assert len((await store.query(ITEMS.name, "status", ("t", "open"))).items) == 1
    assert await store.inbox("r") == [Signal("r", "s", b"x")]
    assert await go_on(store, contents={codec.digest(b"c"): b"c" * 10_000}, consumed=["s"]) == 1
    assert len(await store.contents([codec.digest(b"c")])) == 1
    assert not await store.changed("r", after=1, timeout_s=0.01)
    await store.release(lease)
    assert await store.due(limit=1) == ["r"]
    await store.ping()
    assert (await store.sizes())["events"] > 0
    await store.close()
    own.kill()


async def test_a_cluster_is_refused(tmp_path: Path) -> None:
    """A transaction cannot span its nodes."""
    from remit.adapters.store.redis import RedisStore

    own = OwnRedis(tmp_path)
    own.start("--cluster-enabled", "yes", "--cluster-port", str(own.spare))
    with pytest.raises(ConfigError) as refusal:
        await RedisStore(own.url).open()
    own.kill()
    assert refusal.value.code == "E998"
    assert "cluster" in refusal.value.message


async def test_nobody_there() -> None:
    """A server that cannot be reached is a StoreError."""
    pytest.importorskip("redis")
    from remit.adapters.store.redis import RedisStore

    store = RedisStore("redis://127.0.0.1:1/0", timeout_s=1)
    with pytest.raises(StoreError):
        await store.open()
    with pytest.raises(StoreError) as refusal:
        await store.head("r")
    assert refusal.value.code == "E806"


async def test_a_full_memory_refuses_whole_commits(own: OwnRedis) -> None:
    """Nothing of a commit that found no room is there, and the work goes on once there is."""
    from remit.adapters.store.redis import RedisStore

    store = RedisStore(own.url)
    await store.open()
    await store.declare([ITEMS])
    await start(store, "r")
    with contextlib.closing(redis_world.client(own.url)) as db:
        db.config_set("maxmemory", 1)
        with pytest.raises(StoreError) as refusal:
            await go_on(store, writes=[Put(ITEMS.name, item(1))], contents={codec.digest(b"c"): b"c"})
        assert refusal.value.code == "E802"
        with pytest.raises(StoreError):
            await store.ping()
        db.config_set("maxmemory", 0)
    assert await check_chain(store) == 0
    assert await store.get(ITEMS.name, ("t", "i001")) is None
    assert await store.contents([codec.digest(b"c")]) == {}
    assert await go_on(store) == 1
    await store.close()


async def test_over_tls(tmp_path: Path) -> None:
    """`rediss://` with an authority of one's own; without it the server is not believed."""
    from remit.adapters.store.redis import RedisStore

    certificate, key = _certificate(tmp_path)
    own = OwnRedis(tmp_path)
    own.start(
        *("--tls-port", str(own.spare), "--tls-cert-file", str(certificate), "--tls-key-file", str(key)),
        *("--tls-ca-cert-file", str(certificate), "--tls-auth-clients", "no"),
    )
    address = f"rediss://127.0.0.1:{own.spare}/0"
    with pytest.raises(StoreError):
        await RedisStore(address).open()
    store = RedisStore(address, ca_file=str(certificate))
    await store.open()
    await start(store, "r")
    assert await go_on(store) == 1
    await store.close()
    own.kill()


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 that signs itself, and its key."""
    import datetime
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.datetime(2020, 1, 1))
        .not_valid_after(datetime.datetime(2090, 1, 1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    certificate, secret = folder / "cert.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate, secret


# Connections that are lost, servers that die


async def appending(store: Store, writes: list[Any]) -> None:
    await go_on(store, writes=writes)


async def creating(store: Store, writes: list[Any]) -> None:
    given: dict[str, Any] = {"root_run": "s", "agent": "a", "entries": entries("s", 1), "now": 1}
    await store.create("s", tenant_id="t", writes=writes, **given)


async def transacting(store: Store, writes: list[Any]) -> None:
    await store.transact(writes)


calls = {"append": appending, "create": creating, "transact": transacting}


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("what", calls)
async def test_a_commit_nobody_answered_is_told_as_unknown(own: OwnRedis, moment: Moment, what: str) -> None:
    """Whether Redis had it or not: it is never sent again by itself, and never told as a failure."""
    from remit.adapters.store.redis import RedisStore

    async with Cutter(own.port) as cutter:
        store = RedisStore(cutter.url, prefix="cut")
        await store.open()
        await store.declare([ENVELOPES])
        await start(store, "r")
        await store.transact([Put(ENVELOPES.name, {"envelope_id": "e", "left": 10})])
        spend = Add(ENVELOPES.name, ("e",), {"left": -1}, floor={"left": 0})
        cutter.moment = moment
        with pytest.raises(CommitUnknownError):
            await calls[what](store, [spend])
        assert cutter.cuts == 1
        done = int(moment == "after")
        found = await store.get(ENVELOPES.name, ("e",))
        assert found is not None
        assert found["left"] == 10 - done
        assert await check_chain(store) == (done if what == "append" else 0)
        assert (await store.head("s") is not None) == (what == "create" and done == 1)
        await store.transact([spend])
        found = await store.get(ENVELOPES.name, ("e",))
        assert found is not None
        assert found["left"] == 9 - done
        await store.close()


async def test_cut_connections_lose_nothing(own: OwnRedis) -> None:
    """While connections are cut, an append is done, not done, or said to be unknown; and then work goes on."""
    from remit.adapters.store.redis import RedisStore

    counts = {"done": 0, "unknown": 0, "failed": 0}
    async with Proxy("127.0.0.1", own.port) as proxy:
        store = RedisStore(f"redis://127.0.0.1:{proxy.port}/0", prefix="cut")
        await store.open()
        await start(store, "r")
        stop = asyncio.Event()

        async def cut() -> None:
            while not stop.is_set():
                proxy.down()
                proxy.up()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), 0.004)

        cutting = asyncio.ensure_future(cut())
        acknowledged = 0
        for _ in range(150):
            try:
                acknowledged = await go_on(store)
                counts["done"] += 1
            except CommitUnknownError:
                counts["unknown"] += 1
            except StoreError:
                counts["failed"] += 1
        stop.set()
        await cutting
        last = await check_chain(store)
        assert last >= acknowledged
        assert counts["done"] <= last <= counts["done"] + counts["unknown"]
        assert proxy.cuts > 0
        assert await go_on(store) == last + 1
        await store.close()


async def test_a_killed_server_loses_nothing_acknowledged(own: OwnRedis) -> None:
    """After kill -9 in the middle of commits and a restart, each acknowledged entry and record is there, and the chain is whole."""
    from remit.adapters.store.redis import RedisStore

    store = RedisStore(own.url)
    await store.open()
    await store.declare([ITEMS])
    runs = [f"r{n}" for n in range(8)]
    for run in runs:
        await start(store, run)
    acknowledged = dict.fromkeys(runs, 0)
    told, enough = asyncio.Event(), 0

    async def write(run: str) -> None:
        while True:
            seq = await go_on(
                store, run, writes=[Put(ITEMS.name, {"tenant": run, "item_id": "last", "rank": 1})]
            )
            acknowledged[run] = seq
            if sum(acknowledged.values()) >= enough:
                told.set()

    for more in (20, 150, 500):
        enough += more
        told.clear()
        writing = [asyncio.ensure_future(write(run)) for run in runs]
        await asyncio.wait_for(told.wait(), 60)
        own.kill()
        ends = await asyncio.gather(*writing, return_exceptions=True)
        assert all(isinstance(end, StoreError) for end in ends)
        own.start()
        for run in runs:
            last = await check_chain(store, run)
            assert acknowledged[run] <= last <= acknowledged[run] + 1
            head = await store.head(run)
            assert head is not None
            assert head.seq == last
            assert (await store.get(ITEMS.name, (run, "last")) is not None) == (last > 0)
            assert len((await store.query(ITEMS.name, "", (run,))).items) == (last > 0)
            acknowledged[run] = last
    await store.close()


async def test_half_a_transaction_at_the_end_of_the_file_is_none(own: OwnRedis, tmp_path: Path) -> None:
    """Wherever the power went while a commit was written: after the restart, and the next, it is whole or not there."""
    from remit.adapters.store.redis import RedisStore

    log = tmp_path / "appendonlydir" / "appendonly.aof.1.incr.aof"
    store = RedisStore(own.url)
    await store.open()
    await store.declare([ITEMS])
    await start(store, "r")
    await start(store, "other")
    before = log.stat().st_size
    await go_on(store, writes=[Put(ITEMS.name, item(1)), Signal("other", "s", b"")])
    own.kill()
    await store.close()
    whole = log.read_bytes()
    for place in range(before + 1, len(whole), (len(whole) - before) // 8):
        log.write_bytes(whole[:place])
        for last in (1, 2):
            own.start()
            store = RedisStore(own.url)
            await store.open()
            assert await go_on(store, "other") == last
            assert await check_chain(store) == 0
            assert await check_chain(store, "other") == last
            assert await store.get(ITEMS.name, ("t", "i001")) is None
            assert await store.inbox("other") == []
            await store.close()
            own.kill()


# From settings


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the client is not installed, the error says what to install."""
    for name in [name for name in sys.modules if name.startswith("remit.adapters.store.redis")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(ConfigError) as refusal:
        open_store(settings("redis://h/0"), FakeClock())
    assert (refusal.value.code, refusal.value.help) == ("E210", how_to_install("redis"))


def settings(url: str, **more: Any) -> Settings:
    return Settings(home=Path(), store=url, **more)


async def test_the_store_of_a_url() -> None:
    """`REMIT_STORE=redis://...` with its options."""
    name = redis_world.prefix()
    store = open_store(settings(f"{redis_world.url()}?prefix={name}"), FakeClock())
    await store.open()
    await start(store, "r")
    await store.close()
    with contextlib.closing(redis_world.client()) as db:
        assert db.exists(f"{name}:run:r")
    redis_world.drop(name)


@pytest.mark.parametrize(
    ("url", "more"),
    [
        ("redis://u:hemlig@h/0?prefx=a", {}),
        ("redis://u:hemlig@h/0?durability=some", {}),
        ("redis://u:hemlig@h/0?durability=relaxed", {"durability": "full"}),
        ("redis://u:hemlig@h:port/0", {}),
        ("redis://u:hemlig@h/0?ca=ca.pem", {}),
        ("redis://u:hemlig@h/0?prefix=A:b", {}),
    ],
)
def test_a_url_that_says_nonsense(url: str, more: dict[str, Any]) -> None:
    """It is refused by name, and its password is not repeated."""
    pytest.importorskip("redis")
    with pytest.raises(ConfigError) as refusal:
        open_store(settings(url, **more), FakeClock())
    assert refusal.value.code in ("E204", "E212")
    assert "hemlig" not in str(refusal.value)
