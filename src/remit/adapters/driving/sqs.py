"""Hints as messages of SQS: one queue an agent, each message `{"run_id": "..."}`.

The tenant is the message group, by which a standard queue keeps one tenant's many messages from holding back the others'.
Source: Amazon SQS Developer Guide, "Amazon SQS fair queues".
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Container, Sequence

from remit.adapters.driving.calls import Calls, Clients
from remit.adapters.driving.names import DEFAULT, prefix, run_queue
from remit.core.errors import ConfigError, RemitError
from remit.ports.driving import Hint

log = logging.getLogger("remit.driving")

A_BATCH = 10
ATTEMPTS = 3
MOST_DELAY_S = 900
MOST_REST_S = 43_200
NO_QUEUE = "E656"


class SqsDriver:
    """A `remit.ports.driving.Driver` on the run queues of a deployment.

    `coded`: the agents of its code. Another one's name may become that of their queue, as `pay.out` becomes `pay-out`, and its
    runs are none of theirs.
    """

    def __init__(self, clients: Clients, deployment: str, coded: Container[str] = ()) -> None:
        self._calls = Calls(clients)
        self._deployment = deployment
        self._coded = coded
        self._without: set[str] = set()

    async def hint(self, hints: Sequence[Hint]) -> list[Hint]:
        """Send each to the queue of its agent, or to the default queue when that agent has none."""
        by_agent: dict[str, list[Hint]] = {}
        for hint in hints:
            by_agent.setdefault(hint.agent, []).append(hint)
        failed: list[Hint] = []
        for agent, wanted in by_agent.items():
            for first in range(0, len(wanted), A_BATCH):
                failed += await self._send(agent, wanted[first : first + A_BATCH])
        return failed

    async def postpone(self, queue: str, receipt: str, seconds: float) -> None:
        """Change when the message is seen again; `queue` is its queue's ARN or name."""
        name = queue.rpartition(":")[2]
        rest = min(max(0, math.ceil(seconds)), MOST_REST_S)
        try:
            url = await self._calls.url(name)
            await self._calls.do(
                "ChangeMessageVisibility", name, QueueUrl=url, ReceiptHandle=receipt, VisibilityTimeout=rest
            )
        except RemitError as error:
            log.warning("a message of %s comes back later than it should: %s", name, error)

    async def _send(self, agent: str, hints: Sequence[Hint]) -> list[Hint]:
        entries = [
            {
                "Id": str(place),
                "MessageBody": json.dumps({"run_id": hint.run_id}),
                "DelaySeconds": min(max(0, math.ceil(hint.delay_s)), MOST_DELAY_S),
                **({"MessageGroupId": _group(hint.tenant_id)} if hint.tenant_id else {}),
            }
            for place, hint in enumerate(hints)
        ]
        try:
            queue, url = await self._queue_of(agent)
            for _ in range(ATTEMPTS):  # SQS may take some of a batch and refuse others
                answer = await self._calls.do("SendMessageBatch", queue, QueueUrl=url, Entries=entries)
                refused = {entry["Id"] for entry in answer.get("Failed", ())}
                entries = [entry for entry in entries if entry["Id"] in refused]
                if not entries:
                    break
        except RemitError as error:
            log.error("%d runs of agent %s wait for the next tick: %s", len(entries), agent, error)
        return [hints[int(str(entry["Id"]))] for entry in entries]

    async def _queue_of(self, agent: str) -> tuple[str, str]:
        own, shared = run_queue(self._deployment, agent), run_queue(self._deployment, DEFAULT)
        is_own = agent in self._coded or own == f"{prefix(self._deployment)}{agent}"
        if is_own and own not in self._without:
            try:
                return own, await self._calls.url(own)
            except ConfigError as error:
                if error.code != NO_QUEUE:
                    raise
                self._without.add(own)
        return shared, await self._calls.url(shared)


def _group(tenant_id: str) -> str:
    """A tenant as the name of a message group: no tenant's name is too long for it, or has letters that it may not have."""
    return hashlib.sha256(tenant_id.encode()).hexdigest()
