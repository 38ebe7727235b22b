"""Long-term memory as people tend it: they add facts and have subjects forgotten, as far as policy lets them write there."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from remit.core import memory
from remit.core.errors import DeniedError
from remit.core.policy import PolicyRequest, Principal
from remit.core.task import Actor
from remit.engine.memories import Memories
from remit.engine.profiles import in_force
from remit.engine.registry import Registry
from remit.ports.clock import Clock
from remit.ports.memories import Fact, Provenance
from remit.ports.policy import Policy

PROFILE = "default"
"""The profile that says where people may write."""


class Curator:
    """What people do with facts. What they say is trusted."""

    def __init__(
        self,
        memories: Memories,
        clock: Clock,
        registry: Registry,
        policy: Policy,
        clean: Callable[[str], str],
    ) -> None:
        """`clean` takes secrets and personal data out of a text, as journals have it."""
        self._memories = memories
        self._clock = clock
        self._registry = registry
        self._policy = policy
        self._clean = clean

    async def add(
        self,
        tenant_id: str,
        actor: Actor,
        *,
        scope: str,
        subject: str,
        text: str,
        tag: str,
        supersedes: str = "",
        ttl_s: float | None = None,
        key: str = "",
    ) -> Fact:
        """Write a fact; under the same `key` it is the same fact. Raises InputError, NotFoundError, ConflictError E944, DeniedError E301."""
        where, about = memory.check_scope(scope), memory.check_subject(self._clean(subject))
        said, marked = memory.check_text(self._clean(text)), memory.check_tag(tag)
        await self._may_write(tenant_id, actor, where, [marked, *(["supersedes"] if supersedes else [])])
        now = self._clock.now()
        fact = Fact(
            fact_id=memory.fact_id(tenant_id, key or self._clock.new_id("fact"), where, about, said),
            scope=where,
            subject=about,
            text=said,
            tag=marked,
            provenance=Provenance(
                "", "", "", actor.actor_id, "trusted", "internal", (f"person:{actor.actor_id}",)
            ),
            created_ts=now,
            expires_ts=None if ttl_s is None else now + round(ttl_s * 1000),
            supersedes=supersedes.removeprefix("memory:"),
        )
        return await self._memories.write(tenant_id, fact)

    async def forget(self, tenant_id: str, actor: Actor, subject: str, *, scope: str = "") -> int:
        """Erase every fact about a subject, in all scopes or in one; how many. Raises InputError, DeniedError E301."""
        scopes = (memory.check_scope(scope),) if scope else ()
        await self._may_write(tenant_id, actor, scope or "tenant", ["forget"])
        gone = 0
        for each in dict.fromkeys(
            (subject, self._clean(subject))
        ):  # facts were redacted before they were written
            gone += await self._memories.forget(tenant_id, each, scopes=scopes)
        return gone

    async def _may_write(self, tenant_id: str, actor: Actor, scope: str, tags: Sequence[str]) -> None:
        found = await in_force(self._registry, self._policy, tenant_id, PROFILE)
        decision = self._policy.decide(
            PolicyRequest(
                Principal(tenant_id, actor.actor_id, actor.roles),
                "write_memory",
                scope if scope.startswith("team:") else scope.partition(":")[0],
                {"effect": "keyed", "tags": list(tags)},
                profile=found.key,
            )
        )
        if decision.verdict != "allow":
            raise DeniedError(
                decision.reason or f"policy does not let `{actor.actor_id}` write to `{scope}`",
                code="E301",
                help=decision.help,
            )
