"""Long-term memory of all tenants: facts with their provenance, a word index beside them, and what is left of forgotten ones.

A fact, the fact that it supersedes and its index entries are written in one transaction, so that a kill leaves all or
nothing. A fact of very many words has entries written before it: without their fact they are never seen.
"""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from remit.core.codec import convert, digest, plain
from remit.core.errors import ConditionError, ConflictError, DeniedError, InputError, NotFoundError
from remit.core.memory import MOST_QUERY_WORDS, check_subject, place
from remit.core.words import stems
from remit.engine.bus.portions import portions
from remit.ports.clock import Clock
from remit.ports.memories import Fact, FactStatus
from remit.ports.store import ABSENT, Collection, Delete, Index, Put, Store, Write

FACT, WORD = "memory_fact", "memory_word"

COLLECTIONS = (
    Collection(
        FACT,
        ("fact_id",),
        (
            Index("by_tenant", ("tenant_id", "created_ts")),
            Index("by_scope", ("tenant_id", "scope", "created_ts")),
            Index("by_subject", ("tenant_id", "subject", "created_ts")),
            Index("by_expiry", ("expiring", "expires_ts")),
        ),
    ),
    Collection(WORD, ("place", "fact_id")),
)

EXPIRING, YES = "expiring", "yes"
"""A field that only facts have which will expire: by it those of all tenants are found."""

READ_A_WORD = 200
"""Index entries that are read for one word of a query."""

AT_ONCE = 80
"""Index entries in one transaction; DynamoDB takes a hundred writes."""

Facts = list[Fact]
Ids = list[str]


class FactPage(Struct, frozen=True):
    """A page of facts, newest first; `cursor` of the next page, or null at the end."""

    items: list[Fact]
    cursor: str | None = None


class Memories:
    """The facts of all tenants; every question names its tenant."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    # writing

    async def write(self, tenant_id: str, fact: Fact) -> Fact:
        """Write a fact that is in order, and supersede the one it names. A fact of this id that is there is left, and returned.

        Raises NotFoundError, InputError E945, DeniedError E943, ConflictError E944.
        """
        known = await self._find(tenant_id, fact.fact_id)
        if known is not None:
            return known
        again = await self._said_already(tenant_id, fact)
        if again is not None:
            return again
        old = await self._to_supersede(tenant_id, fact) if fact.supersedes else None
        after = 0 if old is None else old.created_ts + 1  # newer, also by a clock that is behind
        fact = replace(fact, created_ts=max(fact.created_ts, after), digest=digest(fact.text.encode()))
        writes: list[Write] = [Put(FACT, _row(tenant_id, fact), ABSENT)]
        if old is not None:
            past = replace(old, status="superseded", superseded_by=fact.fact_id)
            writes.append(Put(FACT, _row(tenant_id, past), {"status": "active"}))
        *before, last = portions(_entries(tenant_id, fact), AT_ONCE)
        try:
            for some in before:
                await self._store.transact(some)
            await self._store.transact([*last, *writes])
        except ConditionError:
            return await self._won(tenant_id, fact)
        if old is not None:
            await self._unindex(tenant_id, old)
        return fact

    async def _won(self, tenant_id: str, fact: Fact) -> Fact:
        """The fact as another attempt wrote it. Raises ConflictError E944: somebody superseded the same one first."""
        known = await self._find(tenant_id, fact.fact_id)
        if known is not None:
            return known
        await self._unindex(tenant_id, fact)
        raise ConflictError(
            f"`{fact.supersedes}` was superseded or forgotten meanwhile",
            code="E944",
            help="recall what is known now, and supersede that",
        )

    async def _said_already(self, tenant_id: str, fact: Fact) -> Fact | None:
        """The active fact that says the same and is trusted no less; one that is to expire or to supersede is always new."""
        if fact.supersedes or fact.expires_ts is not None:
            return None
        for known in (await self.list(tenant_id, subject=fact.subject, limit=50)).items:
            same = (known.scope, known.text, known.tag) == (fact.scope, fact.text, fact.tag)
            lasting = known.status == "active" and known.expires_ts is None
            of_same_worth = (known.provenance.trust, known.provenance.sensitivity) == (
                fact.provenance.trust,
                fact.provenance.sensitivity,
            )
            if same and lasting and of_same_worth:
                return known
        return None

    async def _to_supersede(self, tenant_id: str, fact: Fact) -> Fact:
        old = await self.get(tenant_id, fact.supersedes)
        if (old.scope, old.subject) != (fact.scope, fact.subject):
            raise InputError(
                f"`{old.fact_id}` is not about the same subject in the same scope",
                code="E945",
                help="recall what is known of this subject in this scope, and supersede that",
            )
        if old.status != "active":
            raise ConflictError(
                f"`{old.fact_id}` is {old.status}",
                code="E944",
                help="recall what is known now, and supersede that",
            )
        if old.provenance.trust == "trusted" and fact.provenance.trust == "untrusted":
            raise DeniedError(
                f"what was made of untrusted content cannot supersede `{old.fact_id}`, which is trusted",
                code="E943",
                help="a person can: `remit memories add ... --supersedes " + old.fact_id + "`",
            )
        return old

    async def forget(self, tenant_id: str, subject: str, *, scopes: Sequence[str] = ()) -> int:
        """Erase every fact about a subject, whatever its status, in all scopes or these; how many. Tombstones stay."""
        subject, gone = check_subject(subject), 0
        cursor: str | None = None
        while True:
            page = await self.list(tenant_id, subject=subject, limit=100, cursor=cursor)
            for fact in page.items:
                if not scopes or fact.scope in scopes:
                    gone += await self._erase(tenant_id, fact, "forgotten")
            cursor = page.cursor
            if cursor is None:
                return gone

    async def sweep(self, *, limit: int = 200) -> int:
        """Erase facts of all tenants whose time is over; how many."""
        page = await self._store.query(FACT, "by_expiry", (YES,), upper=self._clock.now(), limit=limit)
        return sum([await self._erase(row["tenant_id"], _fact(row), "expired") for row in page.items])

    async def _erase(self, tenant_id: str, fact: Fact, status: FactStatus) -> int:
        """Leave a tombstone of a fact: no text, no word in the index, and a digest for its subject; 0 if somebody was first."""
        await self._unindex(tenant_id, fact)
        tomb = replace(fact, status=status, text="", subject=digest(fact.subject.encode()), expires_ts=None)
        try:
            await self._store.transact([Put(FACT, _row(tenant_id, tomb), {"subject": fact.subject})])
        except ConditionError:
            return 0
        return 1

    async def _unindex(self, tenant_id: str, fact: Fact) -> None:
        gone = [Delete(WORD, (put.item["place"], fact.fact_id)) for put in _entries(tenant_id, fact)]
        for some in portions(gone, AT_ONCE):
            await self._store.transact(some)

    # looking

    async def get(self, tenant_id: str, fact_id: str) -> Fact:
        """A fact, or what is left of it. Raises NotFoundError."""
        found = await self._find(tenant_id, fact_id.removeprefix("memory:"))
        if found is None:
            raise NotFoundError(
                f"there is no fact `{fact_id[:100]}`", help="`remit memories list` shows them"
            )
        return found

    async def list(
        self,
        tenant_id: str,
        *,
        scope: str = "",
        subject: str = "",
        limit: int = 50,
        cursor: str | None = None,
    ) -> FactPage:
        """Facts of a tenant whatever their status, or of a scope, or about a subject, newest first. Raises InputError E946 for both."""
        if scope and subject:
            raise InputError("facts are listed by scope or by subject, not by both", code="E946")
        index = "by_tenant"
        equals: tuple[str, ...] = (tenant_id,)
        if scope or subject:
            index = "by_scope" if scope else "by_subject"
            equals = (tenant_id, scope or check_subject(subject))
        page = await self._store.query(FACT, index, equals, descending=True, limit=limit, cursor=cursor)
        return FactPage([_fact(row) for row in page.items], page.cursor)

    async def recall(
        self, tenant_id: str, scopes: Sequence[str], query: str, *, subject: str = "", limit: int = 5
    ) -> Facts:
        """Active facts of these scopes with words of the query, best first: rare words count more, then the newest fact.

        Without a word to look for: the newest facts about the subject. A word that is in more than 200 facts of a scope is looked
        up in 200 of them.
        """
        wanted = stems(query)[:MOST_QUERY_WORDS]
        about = check_subject(subject) if subject else ""
        if not wanted:
            return await self._newest(tenant_id, scopes, about, limit) if about else []
        ranked = await self._ranked(tenant_id, scopes, wanted, about)
        found: Facts = []
        for fact_id in ranked:
            fact = await self._find(tenant_id, fact_id)
            if fact is not None and self._is_active(fact):
                found.append(fact)
                if len(found) == limit:
                    break
        return found

    async def _ranked(self, tenant_id: str, scopes: Sequence[str], wanted: Ids, about: str) -> Ids:
        """Ids of facts by how much of the query they have."""
        places = [place(tenant_id, scope, word) for scope in scopes for word in wanted]
        pages = await asyncio.gather(
            *(self._store.query(WORD, "", (one,), limit=READ_A_WORD) for one in places)
        )
        score: dict[str, float] = defaultdict(float)
        written: dict[str, int] = {}
        now = self._clock.now()
        for page in pages:
            rarity = math.log(1 + READ_A_WORD / max(1, len(page.items)))
            for entry in page.items:
                over = entry["expires_ts"] is not None and entry["expires_ts"] <= now
                if over or (about and entry["about"] != _about(about)):
                    continue
                score[entry["fact_id"]] += rarity
                written[entry["fact_id"]] = entry["created_ts"]
        return sorted(score, key=lambda one: (-score[one], -written[one], one))

    async def _newest(self, tenant_id: str, scopes: Sequence[str], about: str, limit: int) -> Facts:
        found: Facts = []
        cursor: str | None = None
        while True:
            page = await self.list(tenant_id, subject=about, limit=50, cursor=cursor)
            found += [f for f in page.items if f.scope in scopes and self._is_active(f)]
            cursor = page.cursor
            if cursor is None or len(found) >= limit:
                return found[:limit]

    def _is_active(self, fact: Fact) -> bool:
        return fact.status == "active" and (fact.expires_ts is None or fact.expires_ts > self._clock.now())

    async def _find(self, tenant_id: str, fact_id: str) -> Fact | None:
        row = await self._store.get(FACT, (fact_id,))
        return _fact(row) if row is not None and row["tenant_id"] == tenant_id else None


def _row(tenant_id: str, fact: Fact) -> dict[str, Any]:
    row = {**plain(fact), "tenant_id": tenant_id}
    return {**row, EXPIRING: YES} if fact.expires_ts is not None else row


def _fact(row: dict[str, Any]) -> Fact:
    return convert({name: row[name] for name in Fact.__struct_fields__}, Fact)


def _entries(tenant_id: str, fact: Fact) -> list[Put]:
    """The entries of a fact in the index, by the words of its subject and of its text."""
    return [
        Put(
            WORD,
            {
                "place": place(tenant_id, fact.scope, word),
                "fact_id": fact.fact_id,
                "about": _about(fact.subject),
                "created_ts": fact.created_ts,
                "expires_ts": fact.expires_ts,
            },
        )
        for word in stems(f"{fact.subject} {fact.text}")
    ]


def _about(subject: str) -> str:
    return digest(subject.encode())[7:39]
