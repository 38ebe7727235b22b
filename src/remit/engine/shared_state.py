"""Shared key/value state of all tenants: versions to write by, a time to live, labels that travel with each value.

Under the scope `run` it is the working memory of a tree of runs: kept until `ttl_s` after the root run has ended. In every other
scope a value is kept until `ttl_s` after its last write.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from remit.core import memory
from remit.core.codec import convert, encode, plain
from remit.core.errors import ConditionError, ConflictError, InputError
from remit.core.run import Run, Step
from remit.ports.clock import Clock
from remit.ports.shared_state import StateValue
from remit.ports.store import ABSENT, Collection, Delete, Index, Put, Store

STATE = "shared_state"

COLLECTIONS = (Collection(STATE, ("place", "key"), (Index("by_expiry", ("expiring", "expires_ts")),)),)

EXPIRING, YES = "expiring", "yes"
"""A field of every value: by it those of all tenants are found whose time is over."""

LONGEST_KEY = 200
LARGEST = 65_536
"""Bytes of a value's JSON."""

WRITES_KNOWN = 16
"""The latest writes of a key that are known again when they are sent again."""

_TRIES = 20


class Slot(Struct, frozen=True):
    """Where a value stands."""

    tenant_id: str
    scope: str
    key: str

    @property
    def place(self) -> str:
        """The first part of its key in the store."""
        return memory.place(self.tenant_id, self.scope, "")


class SharedStates:
    """The shared state of all tenants; every question names its tenant."""

    def __init__(self, store: Store, clock: Clock, *, ttl_s: float) -> None:
        self._store = store
        self._clock = clock
        self._ttl_s = ttl_s

    async def get(self, slot: Slot) -> StateValue | None:
        """What stands in a slot, unless its time is over."""
        row = await self._store.get(STATE, (slot.place, slot.key))
        return _value(row) if row is not None and await self._is_there(row) else None

    async def put(
        self,
        slot: Slot,
        value: StateValue,
        *,
        write: str,
        if_version: int | None = None,
        ttl_s: float | None = None,
        delete: bool = False,
    ) -> StateValue:
        """Write a value, or delete it, as `write`, an id of this write; its version and its times are set here.

        What is deleted or has expired leaves its version behind, so that no version of a key ever stands for two values; sweeping
        takes that too. Raises ConflictError E948 unless the version now is `if_version`.
        """
        lasts = round((self._ttl_s if ttl_s is None else ttl_s) * 1000)
        for _ in range(_TRIES):
            row = await self._store.get(STATE, (slot.place, slot.key))
            if row is not None and write in row["writes"]:
                return _value(row)
            last = 0 if row is None else row["version"]
            version = last if row is not None and await self._is_there(row) else 0
            if if_version is not None and version != if_version:
                raise _moved(slot, version)
            now = self._clock.now()
            after = replace(
                value,
                scope=slot.scope,
                key=slot.key,
                version=last + 1,
                updated_ts=now,
                expires_ts=now + lasts,
            )
            known = [*(row["writes"] if row is not None else ()), write][-WRITES_KNOWN:]
            item = {**plain(after), **_fixed(slot), "writes": known, "lasts_ms": lasts, "deleted": delete}
            expect = ABSENT if row is None else {"version": last}
            try:
                await self._store.transact([Put(STATE, item, expect)])
            except ConditionError:
                continue
            return after
        raise _moved(slot, -1)

    async def _is_there(self, row: dict[str, Any]) -> bool:
        return not row["deleted"] and await self._keep_until(row) > self._clock.now()

    async def sweep(self, *, limit: int = 200) -> int:
        """Delete values of all tenants whose time is over; how many. Those of runs that go on are kept for longer."""
        page = await self._store.query(STATE, "by_expiry", (YES,), upper=self._clock.now(), limit=limit)
        return sum([await self._swept(row) for row in page.items])

    async def _swept(self, row: dict[str, Any]) -> int:
        until, same = await self._keep_until(row), {"version": row["version"]}
        over = until <= self._clock.now()
        gone = Delete(STATE, (row["place"], row["key"]), same)
        longer = Put(STATE, {**row, "expires_ts": until}, same)
        try:
            await self._store.transact([gone if over else longer])
        except ConditionError:  # it was written meanwhile
            return 0
        return int(over)

    async def _keep_until(self, row: dict[str, Any]) -> int:
        """Until when a value is kept: one of a run at least its time to live longer than the run."""
        until: int = row["expires_ts"]
        scope, now = row["scope"], self._clock.now()
        if until > now or not scope.startswith("run:"):
            return until
        run = await self._store.get("agent_run", (scope.removeprefix("run:"),))
        if run is None:
            return until
        ended = run["end_ts"]
        return max(until, (now if ended is None else ended) + int(row["lasts_ms"]))


class RunState:
    """`ports.shared_state.SharedState` for one step of a run. What it writes carries the run's labels."""

    def __init__(self, states: SharedStates, run: Run, step: Step) -> None:
        self._states = states
        self._run = run
        self._step = step

    async def get(self, key: str, *, scope: str = "run") -> StateValue | None:
        """What stands under a key; see the port."""
        return await self._states.get(self._slot(scope, key))

    async def put(
        self,
        key: str,
        value: Any,
        *,
        scope: str = "run",
        if_version: int | None = None,
        ttl_s: float | None = None,
    ) -> StateValue:
        """Write a value; see the port."""
        size = len(encode(value))
        if size > LARGEST:
            raise InputError(
                f"the value of `{key[:60]}` has {size:,} bytes as JSON",
                code="E947",
                help=f"keep to {LARGEST:,}, or keep an artifact and put its digest here",
            )
        slot = self._slot(scope, key)
        made, write = self._made(slot, value), self._write(slot)
        return await self._states.put(slot, made, write=write, if_version=if_version, ttl_s=ttl_s)

    async def delete(self, key: str, *, scope: str = "run", if_version: int | None = None) -> None:
        """Delete a key; see the port."""
        slot = self._slot(scope, key)
        made, write = self._made(slot, None), self._write(slot)
        await self._states.put(slot, made, write=write, if_version=if_version, delete=True)

    def _write(self, slot: Slot) -> str:
        return f"{self._step.key}:{slot.scope}:{slot.key}"

    def _made(self, slot: Slot, value: Any) -> StateValue:
        run = self._run
        return StateValue(
            scope=slot.scope,
            key=slot.key,
            value=value,
            version=0,
            agent=run.agent.name,
            run_id=run.run_id,
            updated_ts=0,
            expires_ts=0,
            trust="untrusted" if run.labels.untrusted else "trusted",
            sensitivity=run.labels.sensitivity,
        )

    def _slot(self, scope: str, key: str) -> Slot:
        if not key or len(key) > LONGEST_KEY or not key.isprintable():
            raise InputError(
                f"`{key[:60]!r}` is no key of shared state",
                code="E947",
                help=f"use 1 to {LONGEST_KEY} printable characters",
            )
        run = self._run
        if scope in ("", "run"):
            where = f"run:{run.start.root_run or run.run_id}"
        else:
            where = memory.scope_of(scope, agent=run.agent.name, user=run.task.actor_context.origin)
        return Slot(run.task.tenant_id, where, key)


def _fixed(slot: Slot) -> dict[str, Any]:
    return {"place": slot.place, "tenant_id": slot.tenant_id, EXPIRING: YES}


def _value(row: dict[str, Any]) -> StateValue:
    return convert({name: row[name] for name in StateValue.__struct_fields__}, StateValue)


def _moved(slot: Slot, version: int) -> ConflictError:
    at = "changes all the time" if version < 0 else f"is at version {version}" if version else "is not there"
    return ConflictError(
        f"`{slot.key}` of `{slot.scope}` {at}", code="E948", help="read it again, and decide again"
    )
