"""What the engine asks of a way to reach people."""

from __future__ import annotations

from typing import Protocol

from remit.core.notification import Notification


class Channel(Protocol):
    """Sends one message, once. The engine has noted the attempt before it calls."""

    async def send(self, notification: Notification, target: str, *, signing_key: str = "") -> str:
        """Send it to `target` (secrets filled in) and return a receipt.

        Raises ToolError when it surely was not accepted, `retryable` if it may be later. Any other exception means that
        nobody knows. No error may hold the target or the key.
        """
