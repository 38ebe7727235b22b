"""The effect ledger: decide, record the intent, do, record the outcome. The only writer of a run's journal.

INVARIANT: an effect begins only after its `EffectIntended` was acknowledged under the current lease epoch.
INVARIANT: what is folded in memory is exactly what was (or is about to be) appended; a failed append ends the recorder.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Sequence
from typing import Any

from remit.core.codec import encode, link
from remit.core.errors import CommitUnknownError, FencedError, StoreError
from remit.core.event import Data, Event
from remit.core.payload import Payload, pack
from remit.core.redaction import Redactor
from remit.core.run import Run
from remit.core.task import Problem
from remit.engine import remembering
from remit.engine.faults import Crashpoint
from remit.engine.parts import Placed, parts
from remit.ports.clock import Clock
from remit.ports.store import Entry, Lease, Status, Store, Write

RETRY_OUTCOME_S = 60.0
"""How long an outcome already known is offered to a store that is down, in seconds."""


ROWS_KEPT = 16
"""Ledger rows of reads that may wait for an append that carries an effect, parks or ends (decision note 0005)."""


class Hold:
    """A lease as its worker sees it. A worker that was paused past the end of its lease must ask before it acts."""

    def __init__(self, store: Store, clock: Clock, lease: Lease, ttl_s: float, asked: float) -> None:
        self.lease = lease
        self._store = store
        self._clock = clock
        self._ttl_s = ttl_s
        self._until = asked + ttl_s

    async def renew(self) -> bool:
        """Hold on; False when another worker has the run."""
        asked = self._clock.monotonic()
        renewed = await self._store.renew(self.lease, ttl_ms=int(self._ttl_s * 1000))
        if renewed is not None:
            self._until = asked + self._ttl_s
        return renewed is not None

    async def fresh(self) -> bool:
        """Whether the run is still this worker's; asks the store only when the lease may have run out."""
        return self._clock.monotonic() < self._until or await self.renew()


class Recorder:
    """Appends to one run's journal under one lease, and keeps the fold in step with it."""

    def __init__(
        self, store: Store, clock: Clock, run: Run, head: bytes, redactor: Redactor, crash: Crashpoint | None
    ) -> None:
        self.run = run
        self.inbox = 0
        self._store = store
        self._clock = clock
        self._redactor = redactor
        self._crash = crash
        self._head = head
        self._stored = run.seq
        self._lock = asyncio.Lock()
        self._entries: list[Entry] = []
        self._names: list[str] = []
        self._contents: dict[str, bytes] = {}
        self._writes: list[Placed] = []
        self._later: list[Write] = []
        self._row: Write | None = None
        self._durable = False
        self._dead: Exception | None = None
        self._hold: Hold | None = None
        self._soon: asyncio.Handle | None = None
        self._kicked: asyncio.Task[None] | None = None
        self._remembers = remembering.leaves_traces(run)

    @property
    def head(self) -> bytes:
        """The chain hash of the last event."""
        return self._head

    def clean(self, value: Any) -> Any:
        """The value without secrets and PII: what is used is what is recorded."""
        return self._redactor.value(value)

    def pack(self, value: Any) -> Payload:
        """The payload of an already clean value; large ones are stored once by digest."""
        fresh: dict[str, bytes] = {}
        payload = pack(value, fresh)
        for ref, data in fresh.items():
            if ref not in self.run.contents:
                self._contents[ref] = data
                self.run.contents[ref] = data
        return payload

    def problem(self, code: str, message: str, help: str = "") -> Problem:
        """A problem whose text is clean and bounded."""
        return Problem(code, self._redactor.text(message)[:2000], self._redactor.text(help)[:4000])

    def note(self, *data: Data, writes: Sequence[Write] = (), durable: bool = False) -> None:
        """Fold events now and send them with the next `flush`: for what may be lost with the process and done again."""
        if self._dead is not None:
            raise self._dead
        for item in data:
            event = Event(self.run.seq + 1, self._clock.now(), self.run.epoch, item)
            body = encode(event)
            self._head = link(self._head, body)
            self._entries.append(Entry(event.seq, body, self._head))
            self._names.append(type(item).__name__)
            said = len(self.run.messages)
            self.run.apply(event)
            if self._remembers:
                self._place(remembering.traces(self.run, said, event, self._contents))
        if writes:
            self._place(writes)
        self._durable = self._durable or durable

    def _place(self, writes: Sequence[Write]) -> None:
        self._writes.extend((len(self._entries), write) for write in writes)

    def note_later(self, writes: Sequence[Write]) -> None:
        """Writes that the journal implies (`execution.unwritten` makes them anew): they go with some later append."""
        self._later.extend(writes)

    def stands(self, row: Write) -> None:
        """The run's record from now on: the last one said goes with the next append."""
        self._row = row

    async def record(self, *data: Data, writes: Sequence[Write] = (), durable: bool = False) -> None:
        """Fold events and have them acknowledged by the store before returning."""
        self.note(*data, writes=writes, durable=durable)
        await self.flush()

    async def flush(
        self, *, consumed: Sequence[str] = (), status: Status | None = None, wake_ts: int | None = None
    ) -> None:
        """Append everything noted so far. Raises FencedError, StoreError; after either the recorder is dead."""
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        async with self._lock:
            if self._dead is not None:
                raise self._dead
            if not self._entries and not consumed and status is None:
                return
            later: list[Write] = []
            if self._durable or status is not None or len(self._later) >= ROWS_KEPT:
                later, self._later = self._later, []
            entries, names, contents = self._entries, self._names, self._contents
            writes, durable, seq = self._writes, self._durable, self._stored
            if self._row is not None:
                writes.append((len(entries), self._row))
            self._entries, self._names, self._contents, self._writes, self._durable = [], [], {}, [], False
            self._row = None
            *some, last = parts(len(entries), writes, later)
            start = 0
            for part in some:
                self._hit("before:append:", names[start : part.end])
                await self._appended(
                    self._append(
                        entries[start : part.end], contents, part.writes, (), None, None, durable, seq
                    )
                )
                self._hit("after:append:", names[start : part.end])
                seq = entries[part.end - 1].seq if part.end > start else seq
                start, contents = part.end, {}
            self._hit("before:append:", names[start:])
            self.inbox = await self._appended(
                self._append(entries[start:], contents, last.writes, consumed, status, wake_ts, durable, seq)
            )
            self._hit("after:append:", names[start:])
            self._stored = entries[-1].seq if entries else seq

    async def _appended(self, append: Coroutine[Any, Any, int]) -> int:
        """How many signals wait after an append. Whatever goes wrong with it ends the recorder."""
        try:
            return await append
        except Exception as error:
            self._dead = error
            raise
        except BaseException:
            # Cancelled in the middle: the append may yet land, so only a fresh look at the journal can go on.
            self._dead = FencedError(f"an append to run `{self.run.run_id}` was interrupted")
            raise

    def flush_soon(self) -> None:
        """Flush when the event loop next turns, or with whatever is flushed before then."""
        self._soon = asyncio.get_running_loop().call_soon(self._kick)

    def _kick(self) -> None:
        self._kicked = asyncio.ensure_future(self.flush())
        # A failure ended the recorder: whoever writes next is told.
        self._kicked.add_done_callback(_seen)

    async def _append(
        self,
        entries: list[Entry],
        contents: dict[str, bytes],
        writes: list[Write],
        consumed: Sequence[str],
        status: Status | None,
        wake_ts: int | None,
        durable: bool,
        seq: int,
    ) -> int:
        began = self._clock.monotonic()
        pause = 0.05
        while True:
            try:
                return await self._store.append(
                    self.run.run_id,
                    seq=seq,
                    epoch=self.run.epoch,
                    entries=entries,
                    contents=contents,
                    writes=writes,
                    consumed=consumed,
                    status=status,
                    wake_ts=wake_ts,
                    durable=durable,
                )
            except CommitUnknownError:
                with contextlib.suppress(StoreError):  # still away: ask again after the pause
                    settled = await self._settled(entries, seq)
                    if settled is not None:
                        return settled
            except StoreError:
                # An effect not begun fails closed at once; an outcome in hand is worth holding on to.
                if not any(name in _OUTCOMES for name in self._pending_names(entries)):
                    raise
            if self._clock.monotonic() - began > RETRY_OUTCOME_S:
                raise StoreError(
                    f"the journal of run `{self.run.run_id}` could not be written for {RETRY_OUTCOME_S:.0f} s"
                )
            await self._clock.sleep(pause)
            pause = min(pause * 2, 2.0)

    def _pending_names(self, entries: list[Entry]) -> list[str]:
        return [name for name in _OUTCOMES if any(f'"{name}"'.encode() in e.body for e in entries)]

    async def _settled(self, entries: list[Entry], seq: int) -> int | None:
        """Whether an append whose fate was unknown is there: the inbox count if so, None to try again."""
        head = await self._store.head(self.run.run_id)
        if head is None or not entries:
            return None
        if (
            head.seq >= entries[-1].seq
            and (await self._store.read(self.run.run_id, after=entries[-1].seq - 1, limit=1))[0].hash
            == entries[-1].hash
        ):
            return head.inbox
        if head.seq != seq or head.epoch != self.run.epoch:
            raise FencedError(f"run `{self.run.run_id}` was taken over by another worker")
        return None

    def _hit(self, side: str, names: list[str]) -> None:
        if self._crash is not None:
            for name in names:
                self._crash(side + name)

    def held_by(self, hold: Hold) -> None:
        """Say under which lease this writes."""
        self._hold = hold

    async def assure(self) -> None:
        """Before an effect: raise FencedError unless the lease is still this worker's. Costs nothing while it is fresh."""
        if self._hold is None or await self._hold.fresh():
            return
        self._dead = FencedError(f"run `{self.run.run_id}` was taken over by another worker")
        raise self._dead

    def crash(self, point: str) -> None:
        """A named crash point around an effect."""
        if self._crash is not None:
            self._crash(point)


_OUTCOMES = ("EffectDone", "EffectFailed", "ModelAnswered")


def _seen(task: asyncio.Task[None]) -> None:
    """Take note of a task's failure, so that asyncio does not report it as forgotten."""
    if not task.cancelled():
        task.exception()
