"""What tools ask of long-term memory: facts with where they came from, which may be recalled, replaced and forgotten (P5)."""

from __future__ import annotations

from typing import Literal, Protocol

from msgspec import Struct

from remit.core.provenance import Sensitivity, Trust

FactStatus = Literal["active", "superseded", "forgotten", "expired"]


class Provenance(Struct, frozen=True):
    """Where a fact came from: who said it in which step of which run, and how far that is to be trusted.

    `sources` are the labels of what the run had read by then. `approved_by` are the people who approved exactly this fact: what they
    have approved is trusted, whatever it was made of.
    """

    run_id: str
    step: str
    agent: str
    actor: str
    trust: Trust
    sensitivity: Sensitivity
    sources: tuple[str, ...] = ()
    approved_by: tuple[str, ...] = ()


class Fact(Struct, frozen=True):
    """One thing worth remembering about a `subject`, e.g. `customer:42`. `tag` is the policy tag it was written under.

    `scope` is who may recall it: `agent:NAME`, `user:ID`, `team:NAME` or `tenant`. `digest` is that of its text. What is forgotten or
    expired has no text any more, and a digest in the place of its subject. Times are Unix milliseconds.
    """

    fact_id: str
    scope: str
    subject: str
    text: str
    tag: str
    provenance: Provenance
    created_ts: int
    digest: str = ""
    status: FactStatus = "active"
    expires_ts: int | None = None
    supersedes: str = ""
    superseded_by: str = ""

    @property
    def citation(self) -> str:
        """By which an answer can name it."""
        return f"memory:{self.fact_id}"


class Memories(Protocol):
    """Long-term memory of one tenant, as the call of a tool may use it."""

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
        """Write a fact; sent again in the same call of a tool it is the same fact. `scope`: `agent`, `user`, `tenant`, `team:NAME`.

        Raises InputError, NotFoundError for what it is to supersede, DeniedError E943 for an untrusted fact in the place of a
        trusted one, ConflictError E944 when somebody else has superseded that.
        """

    async def recall(self, query: str, *, subject: str = "", scope: str = "", limit: int = 5) -> list[Fact]:
        """Active facts that have to do with a query, best first; of the agent, the user and the tenant, or of one scope."""

    async def forget(self, subject: str, *, scope: str = "") -> int:
        """Erase every fact about a subject that is the agent's or the user's, or of one scope; how many."""
