"""Turns: messages that say of a partition that somebody should look after it. They carry no event.

A turn may be lost, doubled, late or out of order: what is to be done stands in the store, and a partition is served under
its claim. So the queue needs to keep nothing but who is told, and how soon.
"""

from __future__ import annotations

import hashlib

from msgspec import Struct

from remit.core.codec import decode, encode
from remit.ports.queue import Message


class Turn(Struct, frozen=True):
    """It is this partition's turn: for what is ready, or with `due_ts` (Unix milliseconds) at that time for all there is."""

    partition: str
    due_ts: int | None = None


def turn_of(body: str) -> Turn:
    """The turn that a message says. Raises InputError."""
    return decode(body.encode(), Turn)


def fresh(partition: str, sign: str) -> Message:
    """A turn for what became ready. While one of a partition is in hand, its others wait; the same `sign` is the same turn."""
    return _message(Turn(partition), group=partition, once=f"{partition}\x1f{sign}")


def at(partition: str, due_ts: int) -> Message:
    """A turn at a time, of which there is one. It waits for no other."""
    sign = f"{partition}\x1f{due_ts}"
    return _message(Turn(partition, due_ts), group=sign, once=sign)


def missed(partition: str, since_ts: int, sign: str) -> Message:
    """A turn for what is there since a time. It waits for no other: the one in hand may be that of a process that died."""
    sign = f"{partition}\x1fmissed\x1f{sign}"
    return _message(Turn(partition, since_ts), group=sign, once=sign)


def _message(turn: Turn, *, group: str, once: str) -> Message:
    return Message(encode(turn).decode(), _digest(group), _digest(once))


def _digest(text: str) -> str:
    """A text as queues take it in names: 64 characters."""
    return hashlib.sha256(text.encode()).hexdigest()
