"""Key/value state that runs share: the working memory of a supervisor and its workers, and state of an agent, a user or a tenant.

A value keeps the labels of the run that wrote it, and brings them back to whoever reads it. What is written is kept for a time.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from remit.sdk import ConflictError, InputError, ToolContext, tool
from remit_packs.tools.facilities import using

Key = Annotated[str, Meta(min_length=1, max_length=200, description="The key.")]
Scope = Annotated[
    str,
    Meta(
        max_length=110,
        description="Who shares it: `run` (all agents that work on this), `agent`, `user`, `tenant`, `team:NAME`.",
    ),
]
IfVersion = (
    Annotated[
        int,
        Meta(
            ge=0,
            description="Only if this is the version now; 0: only if there is nothing. Left out: whatever is.",
        ),
    ]
    | None
)
Hours = Annotated[float, Meta(gt=0, le=87_600, description="For how many hours it is kept.")] | None


class Entry(Struct, frozen=True):
    """What stands under a key. `version` 0: nothing."""

    key: str
    version: int
    value: Any = None


@tool
async def get_state(context: ToolContext, key: Key, scope: Scope = "run") -> Entry:
    """Read a shared value and its version."""
    with using(context, InputError, ConflictError) as facilities:
        found = await facilities.state.get(key, scope=scope)
    if found is None:
        return Entry(key, 0)
    context.mark(f"state:{found.scope}/{key}", trust=found.trust, sensitivity=found.sensitivity)
    return Entry(key, found.version, found.value)


@tool(risk="L1", effect="keyed", outward=False)
async def put_state(
    context: ToolContext,
    key: Key,
    value: Any,
    scope: Scope = "run",
    if_version: IfVersion = None,
    hours: Hours = None,
) -> Entry:
    """Write a shared value; with `if_version` only if nobody has written it since."""
    with using(context, InputError, ConflictError) as facilities:
        ttl_s = None if hours is None else hours * 3600
        made = await facilities.state.put(key, value, scope=scope, if_version=if_version, ttl_s=ttl_s)
    return Entry(key, made.version)


@tool(risk="L1", effect="keyed", outward=False)
async def delete_state(
    context: ToolContext, key: Key, scope: Scope = "run", if_version: IfVersion = None
) -> Entry:
    """Delete a shared value."""
    with using(context, InputError, ConflictError) as facilities:
        await facilities.state.delete(key, scope=scope, if_version=if_version)
    return Entry(key, 0)
