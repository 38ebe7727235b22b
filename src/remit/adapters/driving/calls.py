"""Calls of SQS in threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from remit.core.aws import failure

Clients = Callable[..., Any]

THREADS = 8


class Calls:
    """The client of SQS, used from threads."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._threads = ThreadPoolExecutor(THREADS, "remit-sqs")
        self._urls: dict[str, str] = {}

    async def do(self, action: str, queue: str, **given: Any) -> Any:
        """Call `action` (`SendMessage`) about a queue. Raises ConfigError E656, E657 and StoreError E658."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, self._call, action, given)
        except Exception as error:
            raise failure(error, f"sqs:{action}", f"queue `{queue}`") from error

    async def url(self, queue: str) -> str:
        """Where the queue of that name is. Raises ConfigError E656 where there is none."""
        if queue not in self._urls:
            found = await self.do("GetQueueUrl", queue, QueueName=queue)
            self._urls[queue] = found["QueueUrl"]
        return self._urls[queue]

    def _call(self, action: str, given: dict[str, Any]) -> Any:
        client = self._clients("sqs")
        methods: dict[str, str] = client.meta.method_to_api_mapping
        method = next(name for name, api in methods.items() if api == action)
        return getattr(client, method)(**given)
