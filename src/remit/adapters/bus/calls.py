"""Calls of one AWS service in threads, and what their failures mean."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from remit.core.aws import failure

Clients = Callable[..., Any]
"""`clients("sqs", attempts=1)` is the client of a service."""

Answer = dict[str, Any]


class Calls:
    """One service, called from threads. `thing` names what the calls are about, in failures.

    `attempts` is how often the client itself sends a request.
    """

    def __init__(
        self, clients: Clients, service: str, thing: str, *, threads: int = 8, attempts: int = 3
    ) -> None:
        self._clients = clients
        self._service = service
        self._thing = thing
        self._attempts = attempts
        self._threads = ThreadPoolExecutor(threads, f"remit-{service}")

    async def __call__(self, verb: str, **given: Any) -> Answer:
        """Call a verb of the service, e.g. `send_message`. Raises ConfigError E656, E657, StoreError E658."""
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, functools.partial(self._called, verb, given)
        )

    def _called(self, verb: str, given: Answer) -> Answer:
        from botocore.exceptions import BotoCoreError, ClientError

        client = self._clients(self._service, attempts=self._attempts)
        try:
            answer: Answer = getattr(client, verb)(**given)
        except (BotoCoreError, ClientError, OSError) as error:
            action = client.meta.method_to_api_mapping.get(verb, verb)
            raise failure(error, f"{self._service}:{action}", self._thing) from error
        return answer
