"""DynamoDB keeps the contract, on two implementations of it, and what is special about its tables."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st
from tests.adapters.store.dynamo_world import BOTH, opened, session, url_of
from tests.adapters.store.faulty_http import faulty

from remit.adapters.aws.session import Session
from remit.adapters.blobs.files import FileBlobs
from remit.adapters.store.dynamodb import DynamoStore, due, heads, schema, values
from remit.bootstrap.collections import COLLECTIONS
from remit.core import codec
from remit.core.errors import ConfigError, InputError, StoreError
from remit.ports.store import (
    Add,
    Collection,
    Entry,
    Index,
    Put,
    RunHead,
    Signal,
)
from remit.testing.contracts.store import ITEMS, HandClock, StoreContract, entries, item

service = pytest.mark.service
NOISE = random.Random(1)


class TestDynamoStore(StoreContract):
    """The contract, on DynamoDB, each test in tables of its own."""

    @pytest_asyncio.fixture(params=BOTH)
    async def store(self, request: pytest.FixtureRequest) -> AsyncIterator[DynamoStore]:
        async with opened(self.clock, url_of(request.param)) as store:
            yield store


@pytest_asyncio.fixture
async def store() -> AsyncIterator[DynamoStore]:
    """A store on the emulator."""
    async with opened(HandClock(), url_of("ministack")) as made:
        yield made


async def start(store: DynamoStore, run_id: str, *, tenant: str = "t", now: int = 1, **more: Any) -> None:
    given = {"root_run": run_id, "agent": "a", "entries": entries(run_id, 1), **more}
    await store.create(run_id, tenant_id=tenant, now=now, **given)


# Tables, as a person sees them


def test_the_tables_have_the_keys_that_the_records_are_known_by() -> None:
    """Natural keys, numbers where they are numbers, an index named by its fields, a stream where something follows it."""
    made = {each.collection: each for each in schema.tables(COLLECTIONS, "remit-dev")}
    version = made["table_validations"]
    assert version.name == "remit-dev-table_validations"
    assert (version.hash.name, version.range) == ("config_id", schema.Attribute("version", "N"))
    assert ("table_id.status", "table_id", "status+config_id+version") in {
        (each.name, each.hash.name, each.range.name) for each in version.indexes
    }
    assert (made["agent_run"].hash.name, made["agent_run"].range) == ("run_id", None)
    assert (made["bus_event"].hash.name, made["bus_event"].range) == (
        "tenant_id",
        schema.Attribute("source+id"),
    )
    streamed = {name for name, each in made.items() if each.stream}
    assert streamed == {"run_head", "journal", "agent_run", "bus_ready"}
    assert {each.collection for each in made.values() if not each.ttl} == {
        "run_head",
        "journal",
        "content",
        "run_signal",
    }
    assert all(len(each.indexes) <= 20 for each in made.values())


@pytest.mark.parametrize("prefix", ["a b", "ü", "x" * 250])
def test_a_name_that_no_table_can_have_is_refused(prefix: str) -> None:
    """E256, before anything is asked of AWS."""
    with pytest.raises(ConfigError) as refusal:
        schema.journal_tables(prefix)
    assert refusal.value.code == "E256"


@service
async def test_an_item_shows_its_fields(store: DynamoStore) -> None:
    """Key and index fields are attributes, and the document is text; so is the head of a run."""
    versions = Collection(
        "contract_versions",
        ("config_id", "version"),
        (Index("by_table", ("table_id", "status")),),
        ("version",),
    )
    await store.declare([versions])
    row = {
        "config_id": "c",
        "version": 2,
        "table_id": "orders",
        "status": "active",
        "n": 1.5,
        "expires_s": 99,
    }
    await store.transact([Put("contract_versions", row)])
    client = session(url_of("ministack"))("dynamodb")
    name = f"{store._prefix}-contract_versions"
    key = {"config_id": {"S": "c"}, "version": {"N": "2"}}
    found = client.get_item(TableName=name, Key=key)["Item"]
    assert found["table_id"] == {"S": "orders"}
    assert found["expires_s"] == {"N": "99"}
    assert found["_doc"]["S"] == codec.encode(row).decode()
    assert client.describe_time_to_live(TableName=name)["TimeToLiveDescription"] == {
        "TimeToLiveStatus": "ENABLED",
        "AttributeName": "expires_s",
    }
    await start(store, "r", tenant="acme")
    head = client.get_item(TableName=f"{store._prefix}-run_head", Key={"run_id": {"S": "r"}})["Item"]
    assert (head["tenant_id"], head["status"], head["seq"]) == ({"S": "acme"}, {"S": "ready"}, {"N": "0"})


@service
async def test_a_number_in_a_key_is_a_number(store: DynamoStore) -> None:
    """Numbers are ordered as such, and nothing else may stand where they are declared."""
    numbered = Collection("contract_numbered", ("name", "n"), numbers=("n",))
    await store.declare([numbered])
    await store.transact([Put("contract_numbered", {"name": "a", "n": n}) for n in (10, 9, -2, 2**62)])
    page = await store.query("contract_numbered", "", ("a",), lower=-2, upper=10, descending=True, limit=2)
    assert [each["n"] for each in page.items] == [10, 9]
    rest = await store.query(
        "contract_numbered", "", ("a",), lower=-2, upper=10, descending=True, cursor=page.cursor
    )
    assert [each["n"] for each in rest.items] == [-2]
    with pytest.raises(InputError):
        await store.transact([Put("contract_numbered", {"name": "a", "n": "1"})])
    with pytest.raises(InputError):
        await store.query("contract_numbered", "", ("a",), lower="x")


@service
async def test_three_fields_keep_their_order(store: DynamoStore) -> None:
    """A key of three fields is ordered by the second, then by the third, whatever characters they have."""
    wide = Collection("contract_wide", ("a", "b", "c"))
    await store.declare([wide])
    pairs = [("x", "2"), ("x", "10"), ("x!", "1"), ("x#", "0"), ("", "z"), ("xx", ""), (7, "7"), (-7, "8")]
    await store.transact([Put("contract_wide", {"a": "k", "b": b, "c": c}) for b, c in pairs])
    found = (await store.query("contract_wide", "", ("k",))).items
    assert [(each["b"], each["c"]) for each in found] == sorted(
        pairs, key=lambda pair: (isinstance(pair[0], str), pair)
    )
    assert [each["c"] for each in (await store.query("contract_wide", "", ("k", "x"))).items] == ["10", "2"]
    bounded = await store.query("contract_wide", "", ("k",), lower="x", upper="x!")
    assert [each["b"] for each in bounded.items] == ["x", "x", "x!"]
    with pytest.raises(InputError):
        await store.transact([Put("contract_wide", {"a": "k", "b": "b" * 600, "c": "c" * 600})])


PARTS = st.integers(-(2**63), 2**63 - 1) | st.text(
    st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=4
)


@given(st.lists(st.tuples(PARTS, PARTS), min_size=2, max_size=2))
def test_composed_keys_have_the_order_of_their_parts(pair: Sequence[tuple[Any, Any]]) -> None:
    """Integers before strings, as numbers; strings by their code points; the first part before the second."""
    one, two = ([(isinstance(part, str), part) for part in each] for each in pair)
    first, second = (values.composed(each).encode() for each in pair)
    assert (first < second, first == second) == (one < two, one == two)


# Deployments


@service
async def test_tables_of_a_deployment_are_not_made_here() -> None:
    """With `create=False` nothing is made, and what is missing is named with the command that makes it."""
    async with opened(HandClock(), url_of("ministack"), create=False) as store:
        await store.declare([ITEMS])
        for verb in (start(store, "r"), store.get("contract_items", ("t", "i"))):
            with pytest.raises(ConfigError) as refusal:
                await verb
            assert refusal.value.code == "E257"
            assert "remit deploy apply" in refusal.value.help


@service
async def test_programs_of_two_ages(store: DynamoStore) -> None:
    """A program with an older declaration keeps the indexes of a newer one filled; what an ignorant one wrote can be filled."""
    await store.declare([ITEMS])
    clients = session(url_of("ministack"))
    older = DynamoStore(HandClock(), clients, prefix=store._prefix)
    await older.open()
    await older.declare([Collection(ITEMS.name, ITEMS.key)])
    await older.transact([Put("contract_items", item(1))])
    assert (await store.query("contract_items", "status", ("t", "open"))).items == [item(1)]
    ignorant = DynamoStore(HandClock(), clients, prefix=store._prefix, create=False)
    await ignorant.open()
    await ignorant.declare([Collection(ITEMS.name, ITEMS.key)])
    await ignorant.transact([Put("contract_items", item(2))])
    assert (await store.query("contract_items", "status", ("t", "open"))).items == [item(1)]
    assert await store.fill() == 1
    assert await store.fill() == 0
    assert (await store.query("contract_items", "status", ("t", "open"))).items == [item(1), item(2)]
    other = DynamoStore(HandClock(), clients, prefix=store._prefix)
    await other.open()
    with pytest.raises(ConfigError) as refusal:
        await other.declare([Collection(ITEMS.name, ("item_id",))])
    assert refusal.value.code == "E259"
    for each in (older, ignorant, other):
        await each.close()


@service
async def test_an_index_that_lags_shows_nothing_untrue() -> None:
    """What an index still says of an item that has changed or gone is left out."""
    with faulty(url_of("ministack")) as proxy:
        async with opened(HandClock(), proxy.url) as store:
            await store.declare([ITEMS])
            await store.transact([Put("contract_items", item(n)) for n in range(4)])
            assert len((await store.query("contract_items", "status", ("t", "open"))).items) == 4
            await store.transact([Put("contract_items", item(1, status="shut"))])
            await store.transact([Add("contract_items", ("t", "i002"), {"rank": 5})])
            proxy.frozen = {"Query"}
            found = await store.query("contract_items", "status", ("t", "open"))
            assert [each["item_id"] for each in found.items] == ["i000", "i003"]


async def test_nobody_there() -> None:
    """A DynamoDB that cannot be reached is a StoreError with its code, soon enough."""
    pytest.importorskip("boto3")
    store = DynamoStore(HandClock(), session("http://127.0.0.1:9"), create=False)
    await store.open()
    with pytest.raises(StoreError) as raised:
        await store.head("r")
    assert raised.value.code == "E651"
    await store.close()
    with pytest.raises(StoreError):
        await store.head("r")


async def test_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without credentials it is said what to set."""
    pytest.importorskip("boto3")
    clients = Session(region="us-east-1", endpoint_url="http://127.0.0.1:9")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    store = DynamoStore(HandClock(), clients, create=False)
    await store.open()
    with pytest.raises(ConfigError) as refusal:
        await store.head("r")
    assert refusal.value.code == "E258"
    await store.close()


# Sizes


@service
@pytest.mark.parametrize("with_blobs", [False, True])
async def test_bodies_of_any_size(tmp_path: Any, with_blobs: bool) -> None:
    """Contents, events, signals and records that no item can hold come back exactly, from blobs or in parts."""
    blobs = FileBlobs(tmp_path) if with_blobs else None
    async with opened(HandClock(), url_of("ministack"), blobs=blobs) as store:
        await store.declare([ITEMS])
        noise = NOISE.randbytes(900_000)
        large = [Entry(0, noise, bytes(32)), Entry(1, b"small", bytes(32)), Entry(2, noise, bytes(32))]
        contents = {codec.digest(noise): noise, codec.digest(b"x" * 900_000): b"x" * 900_000}
        record = item(1, text=noise.hex())
        await store.create(
            "r",
            tenant_id="t",
            root_run="r",
            agent="a",
            entries=large,
            contents=contents,
            writes=[Put("contract_items", record), Signal("r", "s", noise)],
            now=1,
        )
        assert await store.read("r") == large
        assert await store.read("r", after=1) == large[2:]
        assert await store.contents(list(contents)) == contents
        assert await store.get("contract_items", ("t", "i001")) == record
        assert (await store.query("contract_items", "rank", ())).items == [record]
        assert await store.inbox("r") == [Signal("r", "s", noise)]
        await store.transact([Put("contract_items", item(1), expect={"rank": 1})])
        assert await store.get("contract_items", ("t", "i001")) == item(1)
        assert any(tmp_path.iterdir()) == with_blobs


@service
async def test_a_fork_takes_a_long_journal_at_once(store: DynamoStore) -> None:
    """A run may start with thousands of entries: all of them are there, or none."""
    many = [Entry(n, NOISE.randbytes(2_000), NOISE.randbytes(32)) for n in range(4_000)]
    await start(store, "fork", entries=many)
    assert await store.read("fork", limit=10_000) == many
    assert await store.read("fork", after=3_990) == many[3_991:]
    head = await store.head("fork")
    assert head is not None
    assert (head.seq, head.hash) == (3_999, many[-1].hash)


@service
async def test_more_items_than_a_transaction_takes(store: DynamoStore) -> None:
    """A call that no transaction can hold is refused before anything is written."""
    await store.declare([ITEMS])
    with pytest.raises(InputError) as refusal:
        await store.transact([Put("contract_items", item(n)) for n in range(101)])
    assert refusal.value.code == "E652"
    assert (await store.query("contract_items", "rank", ())).items == []


# Signals and turns


@service
async def test_hundreds_of_signals_are_consumed_at_once(store: DynamoStore) -> None:
    """A parent takes the news of hundreds of children in one append, in the order in which they came."""
    await start(store, "r")
    sent = [Signal("r", f"s{n:03d}", b"%d" % n) for n in NOISE.sample(range(240), 240)]
    for first in range(0, 240, 60):
        await store.transact(sent[first : first + 60])
    assert await store.inbox("r") == sent
    ids = [each.signal_id for each in sent]
    waiting = await store.append(
        "r", seq=0, epoch=0, entries=entries("r", 1, first=1), consumed=ids[::2], status="waiting"
    )
    assert waiting == 120
    assert [each.signal_id for each in await store.inbox("r")] == ids[1::2]
    elsewhere = DynamoStore(HandClock(), session(url_of("ministack")), prefix=store._prefix)
    await elsewhere.open()
    assert await elsewhere.append("r", seq=1, epoch=0, entries=[], consumed=ids, status="waiting") == 0
    assert await elsewhere.inbox("r") == []
    head = await store.head("r")
    assert head is not None
    assert (head.status, head.inbox) == ("waiting", 0)
    await elsewhere.close()


@given(st.lists(st.sets(st.integers(1, 30)), max_size=12))
def test_consumed_signals_are_counted_once(rounds: list[set[int]]) -> None:
    """However signals are consumed, a head knows which wait, in little space, and survives being stored."""
    run = RunHead("r", "t", "", "a", "waiting", 0, bytes(32), 0, "", 0, None, 30, 1)
    head, taken = heads.Head(run, "rev", since=5, delivered=30), set[int]()
    for numbers in rounds:
        head = heads.consumed(head, numbers)
        taken |= numbers
        assert [n for n in range(1, 31) if head.waits(n)] == sorted(set(range(1, 31)) - taken)
        assert head.run.inbox == 30 - len(taken)
        assert heads.parse(heads.item(head)) == head
    assert len(head.done) <= 15


@service
async def test_a_crowd_hides_nobody(store: DynamoStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """With many more due and sleeping runs of one tenant than a page of the index has, the others' are found, in turns."""
    monkeypatch.setattr(due, "PAGE", 3)
    await asyncio.gather(*(start(store, f"big{n:02d}", tenant="big", now=n) for n in range(40)))
    later = HandClock().now() + 1_000_000
    for n in range(30, 40):
        await store.append(f"big{n:02d}", seq=0, epoch=0, entries=[], status="waiting", wake_ts=later + n)
    await start(store, "small", tenant="small", now=500)
    await start(store, "zoo", tenant="zoo", now=400)
    assert await store.due(limit=4) == ["big00", "zoo", "small", "big01"]
    assert await store.due(limit=2, tenant_id="small") == ["small"]
    everything = await store.due(limit=100)
    assert sorted(everything) == [*(f"big{n:02d}" for n in range(30)), "small", "zoo"]
    assert await store.due(limit=3, tenant_id="big") == ["big00", "big01", "big02"]
