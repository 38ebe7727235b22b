"""The audit of a run: its journal proved whole, and exported as a file that proves itself elsewhere (P11).

A chain shows every change except one: somebody who rewrites the journal from some event to its end, with the
head. Only a head kept elsewhere shows that, so `verify` takes one (`Anchor`), and an export is signed.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from remit.core import event as ev
from remit.core.codec import canonical, decode, digest, genesis, link
from remit.core.errors import InputError, NotFoundError, StoreError
from remit.core.payload import refs
from remit.ports.clock import Clock
from remit.ports.signing import Signer
from remit.ports.store import Entry, RunHead, Store

FORMAT = "remit-audit/1"
BATCH = 500


class Anchor(Struct, frozen=True):
    """A head kept outside: after `size` events the chain hash was `head` (hex)."""

    size: int
    head: str


class VerifyReport(Struct, frozen=True):
    """What was found. `events` were proved good; `size` and `head` are what the store says of the chain.

    `first_bad_seq` is the first event that is wrong or missing, and `reason` says how; both are empty when `ok`.
    """

    run_id: str
    ok: bool
    events: int
    size: int
    head: str
    first_bad_seq: int | None = None
    reason: str = ""


class Bad(Exception):
    """The event at `seq` is wrong."""

    def __init__(self, seq: int, reason: str) -> None:
        super().__init__(reason)
        self.seq = seq
        self.reason = reason


class Chain:
    """The events proved so far, and the hash after the last of them."""

    def __init__(self, run_id: str, anchor: Anchor | None = None) -> None:
        self.hash = genesis(run_id)
        self.size = 0
        self._anchor = anchor

    def take(self, entry: Entry) -> ev.Event:
        """Prove the next entry and return its event. Raises Bad."""
        seq = self.size
        if entry.seq != seq:
            raise Bad(seq, f"event {seq} is missing; the next stored one is {entry.seq}")
        hash = link(self.hash, entry.body)
        if hash != entry.hash:
            raise Bad(
                seq, f"event {seq} does not match its hash: its text, its hash or its place was changed"
            )
        event = _event(seq, entry.body)
        self.hash, self.size = hash, seq + 1
        self._check_anchor()
        return event

    def finish(self, head: RunHead) -> None:
        """Compare the end of the chain with what the store says of it. Raises Bad."""
        if self.size != head.seq + 1:
            first = min(self.size, head.seq + 1)
            raise Bad(first, f"the run has {head.seq + 1} events by its head, and {self.size} are stored")
        if self.hash != head.hash:
            raise Bad(max(self.size - 1, 0), "the hash of the last event is not the one in the run's head")
        if self._anchor is not None and self._anchor.size > self.size:
            raise Bad(
                self.size, f"the head you kept has {self._anchor.size} events, and {self.size} are stored"
            )

    def _check_anchor(self) -> None:
        anchor = self._anchor
        if anchor is not None and anchor.size == self.size and anchor.head.lower() != self.hash.hex():
            raise Bad(
                self.size - 1,
                f"the first {self.size} events are not those of the head you kept: history was rewritten here or before",
            )


class Audit:
    """Verifies and exports journals. Reads only."""

    def __init__(self, store: Store, clock: Clock, signer: Signer) -> None:
        self._store = store
        self._clock = clock
        self._signer = signer

    async def verify(self, run_id: str, tenant_id: str, *, anchor: Anchor | None = None) -> VerifyReport:
        """Read every event and prove the chain. Raises NotFoundError for an unknown or another tenant's run."""
        chain = Chain(run_id, anchor)
        first_bad, reason = None, ""
        head = await self._head(run_id, tenant_id)
        try:
            head = await self._walk(chain, head)
            chain.finish(head)
        except Bad as bad:
            first_bad, reason = bad.seq, bad.reason
        return VerifyReport(run_id, not reason, chain.size, head.seq + 1, head.hash.hex(), first_bad, reason)

    async def export(self, run_id: str, tenant_id: str) -> dict[str, Any]:
        """A self-contained file: events, contents, artifacts' provenance and a signed statement over the head.

        Raises StoreError E806 for a damaged journal: a broken history is not signed.
        """
        report = await self.verify(run_id, tenant_id)
        if not report.ok:
            raise StoreError(
                f"the journal of run `{run_id}` is damaged at event {report.first_bad_seq}: {report.reason}",
                code="E806",
                help=f"run `remit runs verify {run_id}`, and compare with an earlier export or a backup",
            )
        entries = await self._read(run_id, report.events)
        events = [_event(e.seq, e.body) for e in entries]
        said = {
            "artifacts": provenance(events),
            "exported_ts": self._clock.now(),
            "format": FORMAT,
            "head": {"hash": entries[-1].hash.hex(), "size": len(entries)},
            "run_id": run_id,
            "tenant_id": tenant_id,
        }
        statement = canonical(said)
        return {
            **said,
            "statement": statement.decode(),
            "signature": base64.b64encode(self._signer.sign(statement)).decode(),
            "public_key": self._signer.public_key().hex(),
            "events": [{"body": e.body.decode(), "hash": e.hash.hex(), "seq": e.seq} for e in entries],
            "contents": await self._contents(events),
        }

    async def _head(self, run_id: str, tenant_id: str) -> RunHead:
        head = await self._store.head(run_id)
        if head is None or head.tenant_id != tenant_id:
            raise NotFoundError(
                f"there is no run `{run_id}`", help="`remit runs list` shows the runs of this tenant"
            )
        return head

    async def _walk(self, chain: Chain, head: RunHead) -> RunHead:
        """Prove all there is; a run that moves on meanwhile is followed until its head is reached."""
        while True:
            before = chain.size
            while batch := await self._store.read(head.run_id, after=chain.size - 1, limit=BATCH):
                await self._check(chain, batch)
            if chain.size in (before, head.seq + 1):
                return head
            head = await self._head(head.run_id, head.tenant_id)

    async def _check(self, chain: Chain, batch: Sequence[Entry]) -> None:
        """Prove a batch and the contents it points to. Raises Bad for the first event that is wrong."""
        proved: list[ev.Event] = []
        bad: Bad | None = None
        try:
            for entry in batch:
                proved.append(chain.take(entry))  # noqa: PERF401 - what was proved before the bad one counts
        except Bad as error:
            bad = error
        bad = await self._missing(proved) or bad
        if bad is not None:
            chain.size = min(chain.size, bad.seq)
            raise bad

    async def _missing(self, events: Sequence[ev.Event]) -> Bad | None:
        wanted = {ref: event.seq for event in reversed(events) for ref in refs(event.data)}
        contents = await self._store.contents(list(wanted)) if wanted else {}
        for ref, seq in sorted(wanted.items(), key=lambda item: item[1]):
            if ref not in contents:
                return Bad(seq, f"content `{ref}` of event {seq} is missing")
            if digest(contents[ref]) != ref:
                return Bad(seq, f"content `{ref}` of event {seq} was changed")
        return None

    async def _read(self, run_id: str, size: int) -> list[Entry]:
        entries: list[Entry] = []
        while len(entries) < size:
            batch = await self._store.read(
                run_id, after=len(entries) - 1, limit=min(BATCH, size - len(entries))
            )
            if not batch:
                raise StoreError(f"run `{run_id}` lost events while it was read", code="E806")
            entries.extend(batch)
        return entries

    async def _contents(self, events: Sequence[ev.Event]) -> dict[str, dict[str, str]]:
        wanted = list(dict.fromkeys(ref for event in events for ref in refs(event.data)))
        found = await self._store.contents(wanted) if wanted else {}
        return {ref: _as_text(found[ref]) for ref in wanted}


def parse_anchor(text: str) -> Anchor:
    """An anchor from `SIZE:HEX`, as `remit runs export` prints it. Raises InputError."""
    size, _, head = text.partition(":")
    if not size.isdigit() or len(head) != 64 or set(head.lower()) - set("0123456789abcdef"):
        raise InputError(
            f"`{text}` is no head",
            code="E105",
            help="give SIZE:HASH, e.g. the `head` line that `remit runs export` printed",
        )
    return Anchor(int(size), head.lower())


def provenance(events: Sequence[ev.Event]) -> list[dict[str, Any]]:
    """Where each artifact came from: who asked, which agent, tool and model made it, and when."""
    made: list[dict[str, Any]] = []
    tools: dict[str, str] = {}
    actor = agent = model = ""
    for event in events:
        data = event.data
        if isinstance(data, ev.RunCreated):
            actor, agent = data.task.actor_context.actor_id, data.agent.name
        elif isinstance(data, ev.ModelAnswered):
            model = data.model
        elif isinstance(data, ev.ToolDecided):
            tools[data.step] = data.tool
        elif isinstance(data, ev.EffectDone):
            by = {"actor": actor, "agent": agent, "model": model, "tool": tools.get(data.step, "")}
            made.extend(
                {"digest": a.digest, "media_type": a.media_type, "name": a.name, "size": a.size, **by}
                | {"seq": event.seq, "ts": event.ts}
                for a in data.artifacts
            )
    return made


def _event(seq: int, body: bytes) -> ev.Event:
    try:
        event = decode(body, ev.Event)
    except InputError as error:
        raise Bad(seq, f"event {seq} cannot be read: {error.message}") from error
    if event.seq != seq:
        raise Bad(seq, f"event {seq} says that it is event {event.seq}")
    return event


def _as_text(data: bytes) -> dict[str, str]:
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}
