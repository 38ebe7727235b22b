"""How a call of the store becomes one transaction.

What is not known is read; what this process wrote last is first taken as still there, since the commit finds out at no
cost. A commit that meets something else reads anew and decides anew, until it is done or refused by what was really read.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from remit.adapters.store.dynamodb import heads
from remit.adapters.store.dynamodb.bodies import Bodies, Body
from remit.adapters.store.dynamodb.calls import Calls, Refused, Unknown
from remit.adapters.store.dynamodb.heads import Head
from remit.adapters.store.dynamodb.reading import get_many
from remit.adapters.store.dynamodb.records import Doc, Table, document
from remit.adapters.store.dynamodb.staging import (
    ABSENT,
    Change,
    Names,
    Request,
    SignalKey,
    Slot,
    Snapshot,
    Stage,
    Staged,
    first_touched,
    head_change,
)
from remit.adapters.store.dynamodb.values import REV, Attributes, read, text
from remit.core.errors import (
    CommitUnknownError,
    ConflictError,
    InputError,
    StoreError,
)
from remit.ports.clock import Clock
from remit.ports.store import ABSENT as NOTHING
from remit.ports.store import Add, Signal, Write

MOST_CHANGES = 100
MOST_BYTES = 3_500_000
"""Bytes of one transaction; DynamoDB takes 4 MB."""

SMALL = 16 * 1024
"""Bytes up to which a content goes into the transaction; in it a byte costs double, before it a round trip more."""

REMEMBERED = 1024
ROUNDS = 60
PAUSE_S = 0.25


class Commits:
    """Writes calls to the tables, and remembers the heads that it wrote."""

    def __init__(
        self, calls: Calls, bodies: Bodies, names: Names, tables: Mapping[str, Table], clock: Clock
    ) -> None:
        self._calls = calls
        self._bodies = bodies
        self._names = names
        self._tables = tables
        self._clock = clock
        self._heads: dict[str, Head] = {}
        self._numbers: dict[str, dict[str, int]] = {}
        self._turns = Turns()

    async def submit(self, request: Request) -> int:
        """Do it, and say how many signals wait for the run. Raises what `Journal.append` says."""
        touched = first_touched(request.writes, self._tables)
        named = ((each.run_id, each.signal_id) for each in request.writes if isinstance(each, Signal))
        signals = list(dict.fromkeys(named))
        runs = {run_id for run_id, _ in signals} | ({request.run_id} if request.run_id else set())
        guarded = [slot for slot, write in touched.items() if _expects(write)]
        async with self._turns.of([*sorted(runs), *sorted(map(str, guarded))]):
            for round in range(ROUNDS):
                snapshot = await self._snapshot(request, runs, signals, touched, fresh=round > 0)
                staged = self._stage(request, snapshot)
                if staged is not None and await self._commit(staged, request.contents):
                    self._remember(staged)
                    return staged.waiting
                if round > 1:
                    await pause(round)
        raise _restless(request.run_id or "the items")

    async def rewrite(self, run_id: str, change: Callable[[Head], Head | None]) -> Head | None:
        """Change a head alone. None: there is none, or `change` says no to the one that was just read."""
        async with self._turns.of([run_id]):
            for round in range(ROUNDS):
                before = await self.head(run_id)
                after = change(before) if before is not None else None
                if before is None or after is None:
                    return None
                staged = Staged(new_rev())
                staged.heads[run_id] = after = replace(after, rev=staged.rev)
                staged.changes.append(head_change(self._names.head, after, before.rev))
                if await self._commit(staged, ()):
                    self._remember(staged)
                    return after
                if round > 1:
                    await pause(round)
        raise _restless(run_id)

    async def head(self, run_id: str) -> Head | None:
        """The head as it is now."""
        key = {"run_id": text(run_id)}
        given = {"TableName": self._names.head, "Key": key, "ConsistentRead": True}
        found = (await self._calls("get_item", given)).get("Item")
        return heads.parse(found) if found else None

    def numbered(self, run_id: str, numbers: Mapping[str, int]) -> None:
        """Remember the numbers of signals, which never change."""
        self._numbers.setdefault(run_id, {}).update(numbers)
        _trim(self._numbers)

    def _stage(self, request: Request, snapshot: Snapshot) -> Staged | None:
        """What to write; None when only what was assumed refuses it."""
        stage = Stage(snapshot, self._tables, self._names, rev=new_rev(), now=self._clock.now())
        try:
            return stage.run(request)
        except ConflictError:
            if snapshot.assumed:
                return None
            raise

    async def _snapshot(
        self,
        request: Request,
        runs: Iterable[str],
        signals: Iterable[SignalKey],
        touched: Mapping[Slot, Write],
        *,
        fresh: bool,
    ) -> Snapshot:
        """What the call is about, as it is; not `fresh`: as it most likely is, with no more reads than needed."""
        made = Snapshot({}, {}, {}, assumed=False)
        reads = _Reads()
        for run_id in runs:
            if not fresh and run_id == request.run_id and request.who is not None:
                made.heads[run_id], made.assumed = None, True
            elif not fresh and run_id in self._heads:
                made.heads[run_id], made.assumed = self._heads[run_id], True
            else:
                reads.runs.append(run_id)
        for name in signals:
            if fresh:
                reads.signals.append(name)
            else:
                made.signals[name], made.assumed = None, True
        known = self._numbers.get(request.run_id, {})
        for signal_id in request.consumed:
            name = (request.run_id, signal_id)
            if signal_id in known:
                made.signals[name] = known[signal_id]
            elif name not in reads.signals:
                reads.signals.append(name)
        for slot, write in touched.items():
            if not _expects(write):
                continue
            if not fresh and not isinstance(write, Add) and write.expect == NOTHING:  # type: ignore[union-attr]
                made.docs[slot], made.assumed = None, True
            else:
                reads.slots.append(slot)
        await self._read(made, reads)
        return made

    async def _read(self, made: Snapshot, reads: _Reads) -> None:
        wanted: dict[str, list[Attributes]] = {}
        for run_id in reads.runs:
            wanted.setdefault(self._names.head, []).append({"run_id": text(run_id)})
        for run_id, signal_id in reads.signals:
            key = {"run_id": text(run_id), "signal_id": text(signal_id)}
            wanted.setdefault(self._names.signal, []).append(key)
        for name, key_values in reads.slots:
            table = self._tables[name]
            wanted.setdefault(table.name, []).append(table.key(key_values))
        found = await get_many(self._calls, wanted) if wanted else {}
        there = {head.run.run_id: head for head in map(heads.parse, found.get(self._names.head, []))}
        made.heads.update({run_id: there.get(run_id) for run_id in reads.runs})
        numbers = {
            (str(read(each["run_id"])), str(read(each["signal_id"]))): int(read(each["number"]))
            for each in found.get(self._names.signal, [])
        }
        made.signals.update({name: numbers.get(name) for name in reads.signals})
        for slot in reads.slots:
            made.docs[slot] = await self._doc(slot, found)

    async def _doc(self, slot: Slot, found: Mapping[str, list[Attributes]]) -> Doc | None:
        table = self._tables[slot[0]]
        key = table.key(slot[1])
        for item in found[table.name]:
            if table.key_of(item) == key:
                return await document(self._bodies, item)
        return None

    async def _commit(self, staged: Staged, contents: Iterable[Body]) -> bool:
        """Whether it is done; False: something else was there, and nothing was done."""
        changes = list(staged.changes)
        room = MOST_BYTES - sum(change.bytes for change in changes)
        before = list(staged.large)
        within: list[Body] = []
        for body in self._bodies.fresh(contents):
            if len(body.data) <= min(SMALL, room) and len(changes) + len(within) < MOST_CHANGES:
                within.append(body)
                room -= len(body.data) + 200
            else:
                before.append(body)
        _check_size(changes, room)
        if not changes and not within:
            await self._bodies.write(before)
            return True
        await self._bodies.write(before)
        for body in within:
            item = self._bodies.item(body)
            changes.append(Change("put", self._names.content, {"digest": item["digest"]}, item, None))
        done = await self._write(changes, staged.rev)
        if done:
            self._bodies.stored(within)
        else:
            self._forget(staged)
        return done

    async def _write(self, changes: list[Change], rev: str) -> bool:
        try:
            if len(changes) == 1 and changes[0].guard is not None and changes[0].kind != "check":
                await self._calls(*_single(changes[0]))
            else:
                await self._calls("transact_write_items", _transaction(changes, rev))
        except Refused as refused:
            if any(REV in item and read(item[REV]) == rev for item in refused.found):
                return True  # an earlier try was carried out, and its answer lost
            if refused.doubtful and len(changes) == 1:
                # a transaction is told apart by its token: had it been carried out, it would have been answered so
                raise _unknown(changes) from refused
            return False
        except Unknown as unknown:
            if not await self._find_out(changes, rev):
                raise _unknown(changes) from unknown
        return True

    async def _find_out(self, changes: list[Change], rev: str) -> bool:
        """Whether a commit that nobody answered is there."""
        for change in changes:
            if change.kind == "put" and REV in change.item:
                given = {"TableName": change.table, "Key": change.key, "ConsistentRead": True}
                with contextlib.suppress(StoreError):
                    found = (await self._calls("get_item", given)).get("Item", {})
                    if REV in found and read(found[REV]) == rev:
                        return True
        return False

    def _remember(self, staged: Staged) -> None:
        for run_id, head in staged.heads.items():
            self._heads.pop(run_id, None)
            if head.run.status != "ended":
                self._heads[run_id] = head
            else:
                self._numbers.pop(run_id, None)
        for (run_id, signal_id), given in staged.numbers.items():
            self.numbered(run_id, {signal_id: given})
        _trim(self._heads)

    def _forget(self, staged: Staged) -> None:
        for run_id in staged.heads:
            self._heads.pop(run_id, None)


class _Reads:
    """What has to be read."""

    def __init__(self) -> None:
        self.runs: list[str] = []
        self.signals: list[SignalKey] = []
        self.slots: list[Slot] = []


class Turns:
    """Lets the calls of this process that concern the same items go one after the other: among them nobody loses."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    @contextlib.asynccontextmanager
    async def of(self, names: Iterable[str]) -> AsyncIterator[None]:
        """While inside, nobody else is with one of these names."""
        async with contextlib.AsyncExitStack() as held:
            for name in sorted(set(names)):
                await held.enter_async_context(self._one(name))
            yield

    @contextlib.asynccontextmanager
    async def _one(self, name: str) -> AsyncIterator[None]:
        lock, users = self._locks.get(name, (asyncio.Lock(), 0))
        self._locks[name] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            lock, users = self._locks[name]
            if users == 1:
                del self._locks[name]
            else:
                self._locks[name] = (lock, users - 1)


def new_rev() -> str:
    """A name for a commit that no other has, in any process."""
    return secrets.token_hex(16)


async def pause(round: int) -> None:
    """Give way to other processes, longer each time."""
    most = min(PAUSE_S, 0.005 * 2**round)
    await asyncio.sleep(most * secrets.randbelow(1000) / 1000)


def _expects(write: Write) -> bool:
    """Whether the outcome depends on what is there."""
    return isinstance(write, Add) or (not isinstance(write, Signal) and write.expect is not None)


def _condition(change: Change) -> dict[str, Any]:
    """The arguments that make a write conditional."""
    if change.guard is None:
        return {}
    given: dict[str, Any] = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    if change.guard == ABSENT:
        given["ConditionExpression"] = "attribute_not_exists(#h)"
        given["ExpressionAttributeNames"] = {"#h": next(iter(change.key))}
    else:
        given["ConditionExpression"] = "#v = :v"
        given["ExpressionAttributeNames"] = {"#v": REV}
        given["ExpressionAttributeValues"] = {":v": text(change.guard)}
    return given


def _action(change: Change) -> dict[str, Any]:
    given = {"TableName": change.table, **_condition(change)}
    if change.kind == "put":
        return {"Put": {**given, "Item": change.item}}
    name = "Delete" if change.kind == "delete" else "ConditionCheck"
    return {name: {**given, "Key": change.key}}


def _transaction(changes: list[Change], rev: str) -> dict[str, Any]:
    return {"TransactItems": [_action(change) for change in changes], "ClientRequestToken": rev}


def _single(change: Change) -> tuple[str, dict[str, Any]]:
    ((name, given),) = _action(change).items()
    return f"{name.lower()}_item", given


def _check_size(changes: list[Change], room: int) -> None:
    if len(changes) > MOST_CHANGES:
        raise InputError(
            f"one call would write {len(changes)} items, and DynamoDB takes {MOST_CHANGES} in a transaction",
            code="E652",
            help="write them in several calls",
        )
    if room < 0:
        raise InputError(
            f"one call would write more than {MOST_BYTES} bytes, and DynamoDB takes no more in a transaction",
            code="E652",
            help="write less in one call",
        )


def _unknown(changes: list[Change]) -> CommitUnknownError:
    tables = "`, `".join(sorted({change.table for change in changes}))
    return CommitUnknownError(
        f"DynamoDB did not say whether it wrote to `{tables}`", help="read again before acting"
    )


def _restless(what: str) -> StoreError:
    return StoreError(
        f"others kept changing `{what}`, and nothing was written", code="E654", help="try again later"
    )


def _trim(remembered: dict[str, Any]) -> None:
    while len(remembered) > REMEMBERED:
        del remembered[next(iter(remembered))]
