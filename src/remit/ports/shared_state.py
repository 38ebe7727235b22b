"""What tools ask of state that runs share: JSON values under keys, with a version, a time to live and labels (F6, P5)."""

from __future__ import annotations

from typing import Any, Protocol

from msgspec import Struct

from remit.core.provenance import Sensitivity, Trust


class StateValue(Struct, frozen=True):
    """What stands under a key. `version` counts its writes from 1; `agent` of `run_id` wrote it last. Times are Unix milliseconds."""

    scope: str
    key: str
    value: Any
    version: int
    agent: str
    run_id: str
    updated_ts: int
    expires_ts: int
    trust: Trust = "trusted"
    sensitivity: Sensitivity = "internal"


class SharedState(Protocol):
    """The shared state of one tenant, as the call of a tool may use it.

    Scopes: `run` (this run, whoever it delegates to, and who delegated to it), `agent`, `user`, `tenant`, `team:NAME`.
    """

    async def get(self, key: str, *, scope: str = "run") -> StateValue | None:
        """What stands under a key; None for nothing, and for what has expired."""

    async def put(
        self,
        key: str,
        value: Any,
        *,
        scope: str = "run",
        if_version: int | None = None,
        ttl_s: float | None = None,
    ) -> StateValue:
        """Write a value, if `if_version` is the version now (0: nothing is there). Sent again in the same call it is the same write.

        Raises InputError E947 for what is too large, ConflictError E948 that names the version that is there.
        """

    async def delete(self, key: str, *, scope: str = "run", if_version: int | None = None) -> None:
        """Delete what stands under a key, if `if_version` is the version now. Raises ConflictError E948."""
