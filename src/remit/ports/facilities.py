"""What a deployment has for tools to work with."""

from __future__ import annotations

from typing import Protocol

from remit.ports.artifacts import Artifacts
from remit.ports.connections import Connections
from remit.ports.documents import Documents
from remit.ports.memories import Memories
from remit.ports.sandbox import Sandbox
from remit.ports.shared_state import SharedState
from remit.ports.web import Outside, Web


class Facilities(Protocol):
    """The facilities, as the tenant, run and agent of a call may use them. Each raises ConfigError where there is none."""

    @property
    def sandbox(self) -> Sandbox:
        """Runs code."""

    @property
    def artifacts(self) -> Artifacts:
        """What the run's tools have kept."""

    @property
    def web(self) -> Web:
        """Searches the web, or the corpus at hand, and reads pages."""

    @property
    def outside(self) -> Outside:
        """Sends requests to allowed addresses."""

    @property
    def documents(self) -> Documents:
        """The tenant's documents."""

    @property
    def memories(self) -> Memories:
        """The tenant's long-term memory."""

    @property
    def state(self) -> SharedState:
        """Key/value state that the tenant's runs share."""

    @property
    def connections(self) -> Connections:
        """The tenant's connections to other platforms."""
