"""The bus of a deployment on AWS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from remit.adapters.bus.eventbridge import EventBridgeOutlet
from remit.adapters.bus.inbound import Reader
from remit.adapters.bus.sns import SnsOutlet
from remit.adapters.bus.sqs import SqsQueue
from remit.engine.bus.portions import MOST_WRITES
from remit.engine.bus.queued import QueuedBus
from remit.ports.bus import Handler
from remit.ports.clock import Clock
from remit.ports.store import Records
from remit.ports.telemetry import Telemetry


def aws_bus(
    store: Records,
    clock: Clock,
    clients: Callable[..., Any],
    *,
    deployment: str,
    owner: str,
    clean: Callable[[str], str] = str,
    telemetry: Telemetry | None = None,
    tenant_id: str = "local",
    topic: bool = False,
    most_writes: int = MOST_WRITES,
) -> QueuedBus:
    """Turns go through SQS; events go out to EventBridge, and SNS with `topic`, and come in by SQS.

    `tenant_id` is whose the events are that come in without a rule that says another. `most_writes` is how many writes the
    store takes in one transaction.
    """
    outlets: dict[str, Handler] = {"eventbridge": EventBridgeOutlet(clients, deployment)}
    if topic:
        outlets["sns"] = SnsOutlet(clients, deployment)
    return QueuedBus(
        store,
        clock,
        SqsQueue(clients, f"{deployment}-deliveries.fifo", clock),
        owner=owner,
        deployment=deployment,
        clean=clean,
        telemetry=telemetry,
        outlets=outlets,
        inbound=SqsQueue(clients, f"{deployment}-inbound", clock),
        read=Reader(tenant_id),
        most_writes=most_writes,
    )
