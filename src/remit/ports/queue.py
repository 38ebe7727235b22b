"""Queues of messages between processes: at least once, and hidden from others while one works on them.

What every adapter keeps:
- `send` returns when all messages are durable. A message that was sent with the same `once` within minutes is not there
  twice. None of a `group` is received while another one of it is in hand.
- A received message is hidden until it is deleted, or until the time is over for which it is hidden; then it comes again.
- One that came too often is put aside by the queue itself, in its dead-letter queue.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct


class Message(Struct, frozen=True):
    """A message to send. `group` and `once` are for queues that know groups; others ignore them."""

    body: str
    group: str = ""
    once: str = ""


class Received(Struct, frozen=True):
    """A message in hand. `receives` counts how often it came, from 1; `receipt` is what it is deleted by."""

    message_id: str
    receipt: str
    body: str
    receives: int = 1


class Queue(Protocol):
    """One queue."""

    async def send(self, messages: Sequence[Message]) -> None:
        """Send messages. Raises ConfigError when there is no such queue or no leave, StoreError when some were not sent."""

    async def receive(self, *, wait_s: float = 0.0, hidden_s: float = 60.0) -> list[Received]:
        """Some messages, hidden from now on; after `wait_s` seconds without any, none. Raises ConfigError, StoreError."""

    async def delete(self, received: Sequence[Received]) -> None:
        """Delete messages in hand. Raises StoreError."""

    async def hide(self, received: Received, seconds: float) -> None:
        """Have it come again after `seconds`, counted from now; 0 is at once. Raises StoreError."""

    async def redrive(self) -> int:
        """Send once more what the queue put aside; how many messages that were. Raises ConfigError, StoreError."""
