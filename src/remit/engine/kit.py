"""What every part of the engine is built from, put together once by bootstrap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from remit.core.redaction import Redactor
from remit.core.run import Run, Step
from remit.core.task import Task
from remit.engine.bus.announcing import Announcer
from remit.engine.faults import Crashpoint
from remit.engine.models import ModelAccess
from remit.engine.registry import Registry
from remit.ports.agents import Catalogue
from remit.ports.blobs import Blobs
from remit.ports.clock import Clock
from remit.ports.facilities import Facilities
from remit.ports.guardrail import Guardrail
from remit.ports.machines import Machines
from remit.ports.model import Delta
from remit.ports.platform import Platform
from remit.ports.policy import Policy
from remit.ports.secrets import Secrets
from remit.ports.store import Store
from remit.ports.telemetry import Telemetry


def _nobody(run_id: str, delta: Delta) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class Kit:
    """The ports, and the few values that the engine needs besides."""

    store: Store
    blobs: Blobs
    clock: Clock
    policy: Policy
    models: ModelAccess
    catalogue: Catalogue
    registry: Registry
    secrets: Secrets
    telemetry: Telemetry
    redactor: Callable[[str], Redactor]
    worker_id: str
    lease_ttl_s: float = 15.0
    crash: Crashpoint | None = None
    platform: Callable[[Task], Platform] | None = None
    facilities: Callable[[Run, Step], Facilities] | None = None
    on_delta: Callable[[str, Delta], None] = field(default=_nobody)
    announcer: Announcer | None = None
    machines: Machines | None = None
    guardrail: Guardrail | None = None
