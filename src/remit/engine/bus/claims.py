"""The right to serve something of the bus: one process has it at a time, and every write about it stands in a transaction with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from remit.core.errors import ConditionError
from remit.engine.bus.portions import MOST_WRITES, portions
from remit.engine.bus.records import CLAIM, Tickets
from remit.ports.clock import Clock
from remit.ports.store import ABSENT, Delete, Put, Records, Write
from remit.ports.telemetry import Telemetry

CLAIM_S = 15.0

Spoken = Callable[[str], str]


class Serving(Struct, frozen=True):
    """Everything a partition is served with. `clean` takes secrets out of what a failure says; a claim is for `claim_s`.

    `most_writes` is how many writes the store takes in one transaction.
    """

    store: Records
    clock: Clock
    owner: str
    clean: Spoken
    tickets: Tickets
    telemetry: Telemetry | None = None
    claim_s: float = CLAIM_S
    most_writes: int = MOST_WRITES


class Claimed:
    """The right to serve a partition, until it runs out; `writes` renew it, or give it back."""

    def __init__(self, serving: Serving, partition: str) -> None:
        self._serving = serving
        self._partition = partition
        self._token = serving.clock.new_id("clm")
        self._until = 0.0
        self.held = False

    async def take(self) -> bool:
        """Take it, if nobody has it."""
        store, clock = self._serving.store, self._serving.clock
        there = await store.get(CLAIM, (self._partition,))
        if there is not None and there["until_ts"] > clock.now():
            return False
        asked = clock.monotonic()
        try:
            await store.transact([Put(CLAIM, self._item(), {"token": there["token"]} if there else ABSENT)])
        except ConditionError:
            return False
        self._until, self.held = asked + self._serving.claim_s, True
        return True

    async def write(self, writes: Sequence[Write], *, last: bool = False) -> None:
        """Write under the claim, and hold on to it; with `last` give it back. Raises ConditionError once it is lost.

        More than one transaction takes is written in several, in order: let those come first that lose nothing alone.
        """
        some = list(portions(writes, self._serving.most_writes - 1))
        for number, portion in enumerate(some, 1):
            await self._write(portion, last=last and number == len(some))

    async def _write(self, writes: Sequence[Write], *, last: bool) -> None:
        asked = self._serving.clock.monotonic()
        expect = {"token": self._token}
        own: Write = Delete(CLAIM, (self._partition,), expect) if last else Put(CLAIM, self._item(), expect)
        try:
            await self._serving.store.transact([own, *writes])
        except ConditionError:
            self.held = False
            raise
        self.held = not last
        self._until = asked + self._serving.claim_s

    @property
    def fresh(self) -> bool:
        """Whether nobody else can have it."""
        return self.held and self._serving.clock.monotonic() < self._until

    def _item(self) -> dict[str, object]:
        until = self._serving.clock.now() + int(self._serving.claim_s * 1000)
        return {
            "partition": self._partition,
            "token": self._token,
            "owner": self._serving.owner,
            "until_ts": until,
        }
