"""Random histories: the stores and a model of a page do the same, whatever is asked in whatever order."""

from __future__ import annotations

import asyncio
import itertools
import os
import secrets
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from tests.adapters.store import redis_world
from tests.adapters.store.dynamo_world import BOTH, drop, session, url_of

from remit.adapters.store.memory import MemoryStore
from remit.adapters.store.sqlite import SqliteStore
from remit.core.errors import ConditionError, FencedError, RunExistsError
from remit.ports.store import ABSENT, Add, Collection, Delete, Index, Put, Signal, Store
from remit.testing.contracts.store import HandClock, entries

DSN = os.environ.get("REMIT_TEST_POSTGRES", "")
BOX = Collection(
    name="machine", key=("example", "name"), indexes=(Index(name="count", fields=("example", "n")),)
)
TTL = 1_000_000
RUNS = st.sampled_from(["a", "b", "c"])
NAMES = st.sampled_from(["x", "y", "z"])
NUMBERS = st.integers(-3, 3)
EXAMPLES = itertools.count()


class Model:
    """A run, as simply as it can be said. Times are what is left of them."""

    def __init__(self, tenant: str) -> None:
        self.tenant, self.born = tenant, 0
        self.seq, self.epoch, self.status = 0, 0, "ready"
        self.owner, self.lease_left = "", 0
        self.wake_left: int | None = None
        self.inbox: list[str] = []
        self.known: set[str] = set()

    def signal(self, name: str) -> None:
        if self.status != "ended" and name not in self.known:
            self.known.add(name)
            self.inbox.append(name)
            self.status = "ready"

    def set(self, status: str, wake_left: int | None) -> None:
        self.wake_left = wake_left
        self.status = "ready" if self.inbox and status != "ended" else status
        if status == "ended":
            self.owner, self.lease_left = "", 0

    def due(self) -> bool:
        woken = self.wake_left is not None and self.wake_left <= 0
        return self.lease_left <= 0 and (self.status == "ready" or (self.status == "waiting" and woken))


class Machine(RuleBasedStateMachine):
    """Each rule does one thing to the store and to the model. Set up by `play`."""

    store: Store
    do: Callable[[Coroutine[Any, Any, Any]], Any]
    now: Callable[[], int]
    shift: Callable[[int], None]

    def __init__(self) -> None:
        super().__init__()
        self.example = f"e{next(EXAMPLES)}"
        self.runs: dict[str, Model] = {}
        self.box: dict[str, int] = {}

    def name(self, run: str) -> str:
        return f"{self.example}-{run}"

    @rule(run=RUNS, tenant=st.sampled_from(["t1", "t2"]), put=st.none() | NAMES)
    def create(self, run: str, tenant: str, put: str | None) -> None:
        name = self.name(run)
        writes = [self.put(put, 1, ABSENT)] if put else []
        call = type(self).store.create(
            name,
            tenant_id=tenant,
            root_run=self.example,
            agent="a",
            entries=entries(name, 1),
            writes=writes,
            now=len(self.runs),
        )
        if run in self.runs:
            self.refused(RunExistsError, call)
        elif put in self.box:
            self.refused(ConditionError, call)
        else:
            type(self).do(call)
            self.runs[run] = Model(tenant)
            self.runs[run].born = len(self.runs) - 1
            if put:
                self.box[put] = 1

    @rule(run=RUNS, worker=st.sampled_from(["w1", "w2"]))
    def lease(self, run: str, worker: str) -> None:
        lease = type(self).do(type(self).store.lease(self.name(run), worker, ttl_ms=TTL))
        model = self.runs.get(run)
        free = model and model.status != "ended" and (model.lease_left <= 0 or model.owner == worker)
        assert (lease is not None) == bool(free)
        if model and free:
            model.epoch, model.owner, model.lease_left = model.epoch + 1, worker, TTL
            assert lease.epoch == model.epoch

    @rule(
        run=RUNS,
        stale=st.sampled_from([(0, 0)] * 4 + [(1, 0), (0, -1), (-1, 0)]),
        count=st.integers(0, 3),
        status=st.sampled_from([None, "ready", "waiting", "waiting", "ended"]),
        wakes=st.booleans(),
        consume=st.sets(NAMES),
        put=st.none() | st.tuples(NAMES, NUMBERS, st.none() | NUMBERS),
        signal=st.none() | st.tuples(RUNS, NAMES),
        durable=st.booleans(),
    )
    def append(
        self,
        run: str,
        stale: tuple[int, int],
        count: int,
        status: Any,
        wakes: bool,
        consume: set[str],
        put: tuple[str, int, int | None] | None,
        signal: tuple[str, str] | None,
        durable: bool,
    ) -> None:
        model = self.runs.get(run)
        seq, epoch = (model.seq + stale[0], model.epoch + stale[1]) if model else (0, 0)
        writes: list[Any] = []
        if put:
            writes.append(self.put(put[0], put[1], None if put[2] is None else {"n": put[2]}))
        if signal:
            writes.append(Signal(self.name(signal[0]), signal[1], b""))
        call = type(self).store.append(
            self.name(run),
            seq=seq,
            epoch=epoch,
            entries=entries(self.name(run), count, first=seq + 1),
            writes=writes,
            consumed=sorted(consume),
            status=status,
            wake_ts=type(self).now() + TTL if wakes else None,
            durable=durable,
        )
        if model is None or stale != (0, 0) or model.status == "ended":
            self.refused(FencedError, call)
            return
        if put and put[2] is not None and self.box.get(put[0]) != put[2]:
            self.refused(ConditionError, call)
            return
        waiting = type(self).do(call)
        model.seq += count
        model.inbox = [each for each in model.inbox if each not in consume]
        if status is not None:
            model.set(status, TTL if wakes else None)
        if put:
            self.box[put[0]] = put[1]
        if signal and signal[0] in self.runs:
            self.runs[signal[0]].signal(signal[1])
        assert waiting == len(model.inbox)

    @rule(run=RUNS, name=NAMES)
    def signal(self, run: str, name: str) -> None:
        type(self).do(type(self).store.transact([Signal(self.name(run), name, b"")]))
        if run in self.runs:
            self.runs[run].signal(name)

    @rule(name=NAMES, number=NUMBERS, expect=st.none() | st.just("absent") | NUMBERS)
    def put_item(self, name: str, number: int, expect: Any) -> None:
        there = self.box.get(name)
        wanted = ABSENT if expect == "absent" else None if expect is None else {"n": expect}
        call = type(self).store.transact([self.put(name, number, wanted)])
        if expect is None or (there is None if expect == "absent" else there == expect):
            type(self).do(call)
            self.box[name] = number
        else:
            self.refused(ConditionError, call)

    @rule(name=NAMES, amount=NUMBERS)
    def add(self, name: str, amount: int) -> None:
        key = (self.example, name)
        call = type(self).store.transact([Add("machine", key, {"n": amount}, floor={"n": -2})])
        if name in self.box and self.box[name] + amount >= -2:
            type(self).do(call)
            self.box[name] += amount
        else:
            self.refused(ConditionError, call)

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        type(self).do(type(self).store.transact([Delete("machine", (self.example, name))]))
        self.box.pop(name, None)

    @rule()
    def expire(self) -> None:
        type(self).shift(TTL + 1)
        for model in self.runs.values():
            model.lease_left -= TTL + 1
            if model.wake_left is not None:
                model.wake_left -= TTL + 1

    @rule(lower=NUMBERS, descending=st.booleans(), limit=st.integers(1, 2))
    def query(self, lower: int, descending: bool, limit: int) -> None:
        wanted = sorted(((n, name) for name, n in self.box.items() if n >= lower), reverse=descending)
        found, cursor = [], None
        while True:
            page = type(self).do(
                type(self).store.query(
                    "machine",
                    "count",
                    (self.example,),
                    lower=lower,
                    descending=descending,
                    limit=limit,
                    cursor=cursor,
                )
            )
            found += [(each["n"], each["name"]) for each in page.items]
            cursor = page.cursor
            if cursor is None:
                break
        assert found == wanted

    @invariant()
    def heads_agree(self) -> None:
        store, do = type(self).store, type(self).do
        for run, model in self.runs.items():
            head = do(store.head(self.name(run)))
            assert (head.seq, head.epoch, head.status) == (model.seq, model.epoch, model.status)
            assert (head.owner, head.inbox) == (model.owner, len(model.inbox))
            assert [each.signal_id for each in do(store.inbox(self.name(run)))] == model.inbox
            stored = do(store.read(self.name(run)))
            assert [entry.seq for entry in stored] == list(range(model.seq + 1))

    @invariant()
    def due_agrees(self) -> None:
        turns: dict[str, int] = {}
        order = []
        for run, model in sorted(self.runs.items(), key=lambda each: (each[1].born, each[0])):
            if model.due():
                turns[model.tenant] = turns.get(model.tenant, 0) + 1
                order.append((turns[model.tenant], model.born, self.name(run)))
        found = type(self).do(type(self).store.due(limit=10, root_run=self.example))
        assert found == [name for _, _, name in sorted(order)]

    def put(self, name: str, number: int, expect: Any) -> Put:
        return Put("machine", {"example": self.example, "name": name, "n": number}, expect=expect)

    def refused(self, kind: type[Exception], call: Coroutine[Any, Any, Any]) -> None:
        with pytest.raises(kind):
            type(self).do(call)


def play(
    store: Store, now: Callable[[], int], shift: Callable[[int], None], *, examples: int, steps: int
) -> None:
    """Open the store, run random histories on it, and close it."""
    with asyncio.Runner() as runner:
        runner.run(store.open())
        runner.run(store.declare([BOX]))
        given = {"store": store, "do": runner.run, "now": now, "shift": shift}
        machine = type("BoundMachine", (Machine,), {name: _static(value) for name, value in given.items()})
        bounds = settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        )
        run_state_machine_as_test(machine, settings=bounds)
        runner.run(store.close())


def _static(value: Any) -> Any:
    return staticmethod(value) if callable(value) else value


def test_memory() -> None:
    """The reference store and the model agree."""
    clock = HandClock()
    play(MemoryStore(clock), clock.now, clock.advance, examples=40, steps=30)


@pytest.mark.parametrize("durability", ["normal", "full"])
def test_sqlite(tmp_path: Path, durability: Any) -> None:
    """SQLite and the model agree."""
    clock = HandClock()
    store = SqliteStore(tmp_path / "remit.db", clock, durability=durability)
    play(store, clock.now, clock.advance, examples=40, steps=30)


@pytest.mark.service
@pytest.mark.skipif(
    not DSN and os.environ.get("CI") != "true", reason="REMIT_TEST_POSTGRES names no PostgreSQL to test with"
)
def test_postgres() -> None:
    """PostgreSQL and the model agree."""
    assert DSN, "REMIT_TEST_POSTGRES must be set in CI"
    import psycopg

    from remit.adapters.store.postgres import PostgresStore

    name = f"test_{secrets.token_hex(6)}"
    clock = HandClock()
    with psycopg.connect(DSN, autocommit=True) as db:

        def now() -> int:
            row = db.execute("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint").fetchone()
            assert row
            return int(row[0])

        def shift(ms: int) -> None:
            db.execute(
                f"UPDATE {name}.runs SET lease_until = lease_until - %s, wake_ts = wake_ts - %s", (ms, ms)
            )

        play(PostgresStore(DSN, clock, schema=name), now, shift, examples=12, steps=20)
        db.execute(f"DROP SCHEMA {name} CASCADE")


@pytest.mark.service
def test_redis() -> None:
    """Redis and the model agree."""
    address, name = redis_world.url(), redis_world.prefix()
    from remit.adapters.store.redis import RedisStore

    store = RedisStore(address, prefix=name)
    play(store, redis_world.now, lambda ms: redis_world.shift(name, ms), examples=12, steps=20)
    redis_world.drop(name)


@pytest.mark.parametrize("name", BOTH)
def test_dynamodb(name: str) -> None:
    """DynamoDB and the model agree."""
    from remit.adapters.store.dynamodb import DynamoStore

    clients, clock = session(url_of(name)), HandClock()
    prefix = f"t{secrets.token_hex(6)}"
    play(DynamoStore(clock, clients, prefix=prefix), clock.now, clock.advance, examples=6, steps=20)
    drop(clients, prefix)
