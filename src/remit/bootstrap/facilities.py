"""What tools work with, opened as settings name it when a tool first asks: a sandbox, the web, documents, memory, connections."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from remit.core.run import Run, Step
from remit.engine import memories as long_term
from remit.engine.documents import Library
from remit.engine.passages import TenantDocuments
from remit.engine.run_artifacts import RunArtifacts
from remit.engine.run_memories import RunMemories
from remit.engine.shared_state import RunState, SharedStates
from remit.engine.tenant_secrets import TenantSecrets
from remit.ports.artifacts import Artifacts
from remit.ports.blobs import Blobs
from remit.ports.clock import Clock
from remit.ports.connections import Connections
from remit.ports.documents import Documents
from remit.ports.memories import Memories
from remit.ports.sandbox import Sandbox
from remit.ports.secrets import Secrets
from remit.ports.shared_state import SharedState
from remit.ports.store import Store
from remit.ports.web import Outside, Web
from remit.settings import Settings

if TYPE_CHECKING:
    from remit.bootstrap.connections import ConnectionOpener
    from remit.bootstrap.web import WebOpener


class Equipment:
    """The facilities of a deployment. What is of no tenant is opened once; what is a tenant's, for each call."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        blobs: Blobs,
        clock: Clock,
        secrets: Secrets,
    ) -> None:
        self.settings = settings
        self.store = store
        self.blobs = blobs
        self.clock = clock
        self.secrets = secrets
        self.memories = long_term.Memories(store, clock)
        self.states = SharedStates(store, clock, ttl_s=settings.memory.working_ttl_s)

    def of(self, run: Run, step: Step) -> Facilities:
        """The facilities as a call of a tool, which is a step of a run, may use them."""
        return Facilities(self, run, step)

    @functools.cached_property
    def sandbox(self) -> Sandbox:
        """The sandbox."""
        from remit.bootstrap.sandboxes import open_sandbox

        return open_sandbox(self.settings, self.secrets)

    @functools.cached_property
    def web(self) -> WebOpener:
        """The web of every tenant."""
        from remit.bootstrap.web import WebOpener

        return WebOpener(self.settings.web, self.clock)

    @functools.cached_property
    def connections(self) -> ConnectionOpener:
        """The connections of every tenant."""
        from remit.bootstrap.connections import ConnectionOpener

        return ConnectionOpener(self.settings.connections, self.store, self.clock, self.secrets)

    @functools.cached_property
    def library(self) -> Library:
        """The documents of every tenant."""
        from remit.bootstrap.documents import open_library

        return open_library(self.settings, self.store, self.blobs, self.clock, self.secrets)

    async def close(self) -> None:
        """Let go of what was opened."""
        if "library" in self.__dict__:
            await self.library.close()


class Facilities:
    """`ports.facilities.Facilities` for one call of a tool."""

    def __init__(self, equipment: Equipment, run: Run, step: Step) -> None:
        self._all = equipment
        self._run = run
        self._step = step

    @property
    def sandbox(self) -> Sandbox:
        """Runs code."""
        return self._all.sandbox

    @property
    def artifacts(self) -> Artifacts:
        """What the run's tools have kept."""
        return RunArtifacts(self._run, self._all.blobs)

    @property
    def web(self) -> Web:
        """Searches and reads the web."""
        return self._all.web.web(self._secrets())

    @property
    def outside(self) -> Outside:
        """Sends requests to allowed addresses."""
        return self._all.web.outside(self._secrets())

    @property
    def documents(self) -> Documents:
        """The tenant's documents."""
        return TenantDocuments(self._all.library, self._run.task.tenant_id)

    @property
    def memories(self) -> Memories:
        """The tenant's long-term memory."""
        return RunMemories(self._all.memories, self._all.clock, self._run, self._step)

    @property
    def state(self) -> SharedState:
        """Key/value state that the tenant's runs share."""
        return RunState(self._all.states, self._run, self._step)

    @property
    def connections(self) -> Connections:
        """The tenant's connections."""
        return self._all.connections.of(self._run.task.tenant_id)

    def _secrets(self) -> Secrets:
        return TenantSecrets(self._all.secrets, self._run.task.tenant_id)
