"""Long-term memory as one call of a tool may use it: in its tenant and scopes, with the run's labels, under the call's key."""

from __future__ import annotations

from remit.core import memory
from remit.core.run import Run, Step
from remit.engine.memories import Memories
from remit.ports.clock import Clock
from remit.ports.memories import Fact, Provenance

MOST_RECALLED = 50
MOST_SOURCES = 20

Facts = list[Fact]


class RunMemories:
    """`ports.memories.Memories` for one step of a run. What it writes is as trusted and as sensitive as what the run has read."""

    def __init__(self, memories: Memories, clock: Clock, run: Run, step: Step) -> None:
        self._memories = memories
        self._clock = clock
        self._run = run
        self._step = step
        self._tenant = run.task.tenant_id

    async def remember(
        self,
        subject: str,
        text: str,
        *,
        tag: str,
        scope: str = "",
        supersedes: str = "",
        ttl_s: float | None = None,
    ) -> Fact:
        """Write a fact; see the port."""
        now = self._clock.now()
        where, about, said = self._scope(scope), memory.check_subject(subject), memory.check_text(text)
        fact = Fact(
            fact_id=memory.fact_id(self._tenant, self._step.key, where, about, said),
            scope=where,
            subject=about,
            text=said,
            tag=memory.check_tag(tag),
            provenance=self._provenance(),
            created_ts=now,
            expires_ts=None if ttl_s is None else now + round(ttl_s * 1000),
            supersedes=supersedes.removeprefix("memory:"),
        )
        return await self._memories.write(self._tenant, fact)

    async def recall(self, query: str, *, subject: str = "", scope: str = "", limit: int = 5) -> Facts:
        """Active facts that have to do with a query; see the port."""
        names = (scope,) if scope else ("agent", "user", "tenant")
        scopes = [self._scope(name) for name in names]
        most = max(1, min(limit, MOST_RECALLED))
        return await self._memories.recall(self._tenant, scopes, query, subject=subject, limit=most)

    async def forget(self, subject: str, *, scope: str = "") -> int:
        """Erase every fact about a subject; see the port."""
        names = (scope,) if scope else ("agent", "user")
        scopes = [self._scope(name) for name in names]
        return await self._memories.forget(self._tenant, subject, scopes=scopes)

    def _scope(self, name: str) -> str:
        actor = self._run.task.actor_context
        return memory.scope_of(name, agent=self._run.agent.name, user=actor.origin)

    def _provenance(self) -> Provenance:
        run, approved = self._run, self._approved_by()
        labels = run.labels
        return Provenance(
            run_id=run.run_id,
            step=self._step.step,
            agent=run.agent.name,
            actor=run.task.actor_context.origin,
            trust="untrusted" if labels.untrusted and not approved else "trusted",
            sensitivity=labels.sensitivity,
            sources=self._sources(),
            approved_by=approved,
        )

    def _approved_by(self) -> tuple[str, ...]:
        """The people who approved this very call: they vouch for what is remembered."""
        approval = self._run.approvals.get(self._step.approval_id)
        if approval is None or approval.reason != "policy":
            return ()
        if approval.status not in ("approved", "constrained"):
            return ()
        agreed = (vote.approver_id for vote in approval.votes if vote.kind in ("approve", "constrain"))
        return tuple(dict.fromkeys(agreed))

    def _sources(self) -> tuple[str, ...]:
        read = [step.label.source for step in self._run.steps.values() if step.label is not None]
        return tuple(dict.fromkeys(["user", *read]))[-MOST_SOURCES:]
