"""Topics of messages between systems, as a log has them: kept in order per key, and given to one member of a group.

What every adapter keeps, beside what a `Queue` does:
- Of messages with one key, the next is received when the one before was deleted or put aside; one that is hidden holds
  back those of its key, and no others.
- A message that was neither deleted nor put aside when its process died is received by another member.
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct, field

from remit.ports.queue import Queue, Received


class FromTopic(Received, frozen=True):
    """A message in hand: `raw` is what was produced. `problem` says why that is no text; header names are lower-case."""

    topic: str = ""
    key: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes = b""
    problem: str = ""


class ToTopic(Struct, frozen=True):
    """A message to produce. Those with one `key` stay in order."""

    topic: str
    value: bytes
    key: str = ""
    headers: dict[str, str] = {}


class Topics(Queue, Protocol):
    """The messages of some topics that are this group's. What it receives is each a `FromTopic`."""

    async def put_aside(self, received: Received, why: str) -> None:
        """Move it to the dead-letter topic, `TOPIC.dead`, with the reason. Raises ConfigError, StoreError."""

    async def close(self) -> None:
        """Leave the group: others get what is not in hand. Receiving again joins it again."""


class Produce(Protocol):
    """Produces messages."""

    async def __call__(self, message: ToTopic) -> None:
        """Produce one, durable on return. Raises ConfigError E992, E993, InputError E994, StoreError E991."""
