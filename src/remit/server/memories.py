"""Long-term memory: what agents remember, what people add, and what is forgotten (P5)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response
from msgspec import Meta, Struct

from remit.core.memory import LONGEST_NAME, LONGEST_TEXT
from remit.engine.memories import FactPage
from remit.ports.memories import Fact
from remit.server.auth import EDIT, READ, TheApp, Who
from remit.server.schemas import Cursor, Limit, operation, read, reply

router = APIRouter(prefix="/api/v1/memories", tags=["memories"])


class FactBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A fact that a person adds. `scope`: `agent:NAME`, `user:ID`, `team:NAME` or `tenant`; `ttl_s`: after how many seconds it expires."""

    scope: Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME + 10)]
    subject: Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME)]
    text: Annotated[str, Meta(min_length=1, max_length=LONGEST_TEXT)]
    tag: Annotated[str, Meta(pattern="^[a-z][a-z0-9_-]{0,39}$")]
    supersedes: Annotated[str, Meta(max_length=60)] = ""
    ttl_s: Annotated[float, Meta(gt=0, le=315_360_000)] | None = None


class FactsForgotten(Struct, frozen=True):
    """How many facts were erased."""

    facts: int


COMPONENTS = (Fact, FactPage, FactBody, FactsForgotten)
"""Types that OpenAPI names."""

LINKS = {"fact": {"operationId": "showFact", "parameters": {"fact_id": "$response.body#/fact_id"}}}

Scope = Annotated[
    str, Query(max_length=LONGEST_NAME + 10, description="Only this scope's facts, e.g. `agent:clerk`.")
]
About = Annotated[str, Query(max_length=LONGEST_NAME, description="Only facts about this subject.")]
Subject = Annotated[str, Query(min_length=1, max_length=LONGEST_NAME, description="What is forgotten.")]
Key = Annotated[
    str, Header(alias="Idempotency-Key", max_length=200, description="Sent again, it is the same fact.")
]


@router.get(
    "",
    operation_id="listFacts",
    summary="What is remembered",
    **operation(READ, {200: (FactPage, "A page of facts, newest first.")}),
)
async def list_facts(
    app: TheApp, who: Who, scope: Scope = "", subject: About = "", limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """Facts of the tenant, of a scope or about a subject, superseded ones and what is left of forgotten ones too."""
    page = await app.memories.list(who.tenant_id, scope=scope, subject=subject, limit=limit, cursor=cursor)
    return reply(page)


@router.post(
    "",
    operation_id="addFact",
    summary="Remember a fact",
    **operation(
        EDIT,
        {201: (Fact, "The fact.")},
        body=FactBody,
        refusals=(404, 409),
        links=LINKS,
    ),
)
async def add(request: Request, app: TheApp, who: Who, idempotency_key: Key = "") -> Response:
    """It is trusted, since a person says it; policy must let that person write to its scope."""
    asked = await read(request, FactBody, who)
    fact = await app.curator.add(
        who.tenant_id,
        who.actor,
        scope=asked.scope,
        subject=asked.subject,
        text=asked.text,
        tag=asked.tag,
        supersedes=asked.supersedes,
        ttl_s=asked.ttl_s,
        key=f"{who.actor.actor_id}:{idempotency_key}" if idempotency_key else "",
    )
    return reply(fact, 201, {"Location": f"/api/v1/memories/{fact.fact_id}"})


@router.delete(
    "",
    operation_id="forgetSubject",
    summary="Forget everything about a subject",
    **operation(EDIT, {200: (FactsForgotten, "How many facts were erased.")}),
)
async def forget(app: TheApp, who: Who, subject: Subject, scope: Scope = "") -> Response:
    """Text, subject and index entries are erased, in all scopes or in one; tombstones stay. Journals of runs are not touched."""
    return reply(FactsForgotten(await app.curator.forget(who.tenant_id, who.actor, subject, scope=scope)))


@router.get(
    "/{fact_id}",
    operation_id="showFact",
    summary="A fact",
    **operation(READ, {200: (Fact, "The fact, or what is left of it.")}, refusals=(404,), links=LINKS),
)
async def show(fact_id: str, app: TheApp, who: Who) -> Response:
    """What it says, where it is from, and what became of it."""
    return reply(await app.memories.get(who.tenant_id, fact_id))
