"""What a batch of requests does, decided without I/O on the locked rows it concerns.

The requests are taken in order, each seeing those before it; one that fails changes nothing and fails alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from remit.adapters.store import items
from remit.adapters.store.packing import Packed
from remit.adapters.store.postgres.records import Tables
from remit.adapters.store.requests import Asked
from remit.core.errors import FencedError, RemitError, RunExistsError
from remit.ports.store import Entry, Signal, Write

Slot = tuple[str, items.Key]


@dataclass(eq=False)
class Request(Asked):
    """A request, and how the batch that it is in has settled it."""

    durable: bool = True
    result: int = 0
    error: BaseException | None = None


@dataclass
class Run:
    """A run's row, as it is and as the batch leaves it."""

    seq: int
    hash: bytes
    epoch: int
    status: str
    wake_ts: int | None
    inbox: int
    created: Request | None = None
    changed: bool = False


@dataclass
class Batch:
    """The rows that were read, and the changes so far. `signals`: whether each known signal was consumed."""

    tables: Tables
    runs: dict[str, Run]
    signals: dict[tuple[str, str], bool]
    documents: dict[Slot, bytes | None]
    stored: set[Slot]
    events: list[tuple[str, Entry]] = field(default_factory=list)
    contents: dict[bytes, Packed] = field(default_factory=dict)
    delivered: list[Signal] = field(default_factory=list)
    consumed: list[tuple[str, str]] = field(default_factory=list)
    touched: dict[Slot, None] = field(default_factory=dict)

    def take(self, request: Request) -> None:
        """Do one request, or note why not."""
        try:
            run = self._fenced(request)
            staged = self._staged(request.writes)
        except RemitError as error:
            request.error = error
            return
        if run is not None:
            self._advance(run, request)
        self.documents.update(staged)
        self.touched.update(dict.fromkeys(staged))
        for write in request.writes:
            if isinstance(write, Signal):
                self._deliver(write)
        if run is not None:
            request.result = run.inbox

    def _fenced(self, request: Request) -> Run | None:
        if not request.run_id:
            return None
        run = self.runs.get(request.run_id)
        if request.who is not None:
            if run is not None:
                raise RunExistsError(f"run `{request.run_id}` exists already")
            return Run(-1, b"", 0, "ready", None, 0, created=request)
        if run is None or (run.seq, run.epoch) != (request.seq, request.epoch) or run.status == "ended":
            raise FencedError(
                f"run `{request.run_id}` is no longer at seq {request.seq} under epoch {request.epoch}"
            )
        return run

    def _staged(self, writes: Sequence[Write]) -> dict[Slot, bytes | None]:
        staged: dict[Slot, bytes | None] = {}
        for position, write in enumerate(writes):
            if isinstance(write, Signal):
                continue
            if write.collection not in self.tables:
                raise items.undeclared(write.collection)
            collection = self.tables[write.collection].collection
            key = items.key_for(collection, write)
            slot = (write.collection, key)
            there = staged[slot] if slot in staged else self.documents.get(slot)
            staged[slot] = items.outcome(collection, position, key, write, there)
        return staged

    def _advance(self, run: Run, request: Request) -> None:
        self.runs[request.run_id] = run
        run.changed = True
        self.events += [(request.run_id, entry) for entry in request.entries]
        for row in request.contents:
            self.contents.setdefault(row.digest, row)
        if request.entries:
            run.seq, run.hash = request.entries[-1].seq, request.entries[-1].hash
        for signal_id in request.consumed:
            pair = (request.run_id, signal_id)
            if self.signals.get(pair) is False:
                self.signals[pair] = True
                self.consumed.append(pair)
                run.inbox -= 1
        if request.status is not None:
            run.wake_ts = request.wake_ts
            awake = run.inbox > 0 and request.status != "ended"
            run.status = "ready" if awake else request.status

    def _deliver(self, signal: Signal) -> None:
        run = self.runs.get(signal.run_id)
        pair = (signal.run_id, signal.signal_id)
        if run is None or run.status == "ended" or pair in self.signals:
            return
        self.signals[pair] = False
        self.delivered.append(signal)
        run.inbox += 1
        run.status = "ready"
        run.changed = True


def concerned_runs(requests: Iterable[Request]) -> list[str]:
    """The runs whose rows the requests need, sorted."""
    found = {request.run_id for request in requests if request.run_id}
    found |= {write.run_id for request in requests for write in request.writes if isinstance(write, Signal)}
    return sorted(found)


def concerned_signals(requests: Iterable[Request]) -> list[tuple[str, str]]:
    """The signals that the requests send or consume."""
    found = {(request.run_id, signal_id) for request in requests for signal_id in request.consumed}
    for request in requests:
        found |= {(each.run_id, each.signal_id) for each in request.writes if isinstance(each, Signal)}
    return sorted(found)


def concerned_slots(requests: Iterable[Request], tables: Tables) -> dict[str, set[items.Key]]:
    """The items that the requests write, by collection; malformed writes are left for `take` to refuse."""
    found: dict[str, set[items.Key]] = {}
    for request in requests:
        for write in request.writes:
            if not isinstance(write, Signal) and write.collection in tables:
                key = _key(tables, write)
                if key is not None:
                    found.setdefault(write.collection, set()).add(key)
    return dict(sorted(found.items()))


def _key(tables: Tables, write: Any) -> items.Key | None:
    try:
        return items.key_for(tables[write.collection].collection, write)
    except RemitError:
        return None


def unknown_collections(requests: Iterable[Request], tables: Tables) -> bool:
    """Whether a request writes to a collection that this process has not heard of."""
    return any(
        not isinstance(write, Signal) and write.collection not in tables
        for request in requests
        for write in request.writes
    )
