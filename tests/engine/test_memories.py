"""Long-term memory (P5): facts with their provenance, found by words, superseded, expired and forgotten, once whatever dies."""

# ruff: noqa: F811 (fixtures are imported, and given by their names)
from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.engine.any_store import clock, store  # noqa: F401
from tests.faults.faultlib.ledger import Troubled

from remit import Agent
from remit.adapters.store import _sql
from remit.adapters.store.memory import MemoryStore
from remit.adapters.store.paging import plan
from remit.adapters.store.sqlite import SqliteStore
from remit.core import memory, words
from remit.core.errors import (
    ConflictError,
    DeniedError,
    InputError,
    NotFoundError,
    StoreError,
)
from remit.core.task import Actor
from remit.engine import memories as engine
from remit.engine import shared_state
from remit.engine.memories import FACT, WORD, Memories
from remit.engine.shared_state import STATE
from remit.ports.memories import Fact, Provenance
from remit.ports.store import Store
from remit.testing import FakeClock, app_for_tests

ANA = Actor("ana")


def a_fact(text: str, subject: str = "customer:42", /, **fields: Any) -> Fact:
    """A fact as an agent writes it."""
    trust, scope = fields.pop("trust", "trusted"), fields.get("scope", "agent:clerk")
    made = Fact(
        fact_id=memory.fact_id("local", fields.pop("key", text), scope, subject, text),
        scope=scope,
        subject=subject,
        text=text,
        tag="fact",
        provenance=Provenance("r1", "m0.0", "clerk", "alice", trust, "internal"),
        created_ts=fields.pop("at", 1),
    )
    return replace(made, **fields)


@pytest.fixture
async def facts(store: Store, clock: FakeClock) -> Memories:
    """Memory over each kind of store."""
    await store.open()
    await store.declare(engine.COLLECTIONS)
    return Memories(store, clock)


def texts(found: list[Fact]) -> list[str]:
    """What the facts say."""
    return [fact.text for fact in found]


async def rows(store: Store, tenant: str = "local") -> list[dict[str, Any]]:
    """Everything that is stored of a tenant's facts."""
    return (await store.query(FACT, "by_tenant", (tenant,), limit=200)).items


async def test_facts_are_recalled_by_their_words_the_best_first(facts: Memories) -> None:
    """Rare words count more than frequent ones; plural, case and accents do not matter; the newest first where all else is equal."""
    for i in range(12):
        await facts.write("local", a_fact(f"Order {i} of the customer was delivered", at=i))
    await facts.write("local", a_fact("Prefers Café Crème to tea", at=20))
    await facts.write("local", a_fact("Orders are sent to the café", at=21))
    search = lambda query, **more: facts.recall("local", ["agent:clerk"], query, **more)  # noqa: E731
    assert texts(await search("which cafes?")) == ["Orders are sent to the café", "Prefers Café Crème to tea"]
    assert texts(await search("order to the CAFE", limit=1)) == ["Orders are sent to the café"]
    assert texts(await search("delivered", limit=2)) == [
        "Order 11 of the customer was delivered",
        "Order 10 of the customer was delivered",
    ]
    assert await search("nothing of the kind") == []
    assert await search("what is the") == []


async def test_a_subject_narrows_and_alone_gives_its_newest_facts(facts: Memories) -> None:
    """Facts about a subject however it is spelt, with words or without."""
    await facts.write("local", a_fact("likes tea", "customer:1", at=1))
    await facts.write("local", a_fact("likes coffee", "customer:2", at=2))
    await facts.write("local", a_fact("lives in Bonn", "customer:1", at=3))
    asked = ("local", ["agent:clerk"])
    assert texts(await facts.recall(*asked, "likes", subject=" Customer:1 ")) == ["likes tea"]
    assert texts(await facts.recall(*asked, "", subject="CUSTOMER:1")) == ["lives in Bonn", "likes tea"]
    assert texts(await facts.recall(*asked, "", subject="customer:1", limit=1)) == ["lives in Bonn"]


async def test_scopes_and_tenants_are_apart(facts: Memories) -> None:
    """Nothing is found in a scope that was not asked for, and nothing of another tenant, by whatever door."""
    mine = await facts.write("local", a_fact("the code is 1234"))
    await facts.write("local", a_fact("the code is 99", scope="user:bob"))
    assert await facts.recall("local", ["user:alice"], "code") == []
    assert texts(await facts.recall("local", ["agent:clerk", "user:bob"], "code 99")) == [
        "the code is 99",
        "the code is 1234",
    ]
    assert await facts.recall("acme", ["agent:clerk"], "code") == []
    assert (await facts.list("acme", subject="customer:42")).items == []
    assert await facts.forget("acme", "customer:42") == 0
    with pytest.raises(NotFoundError):
        await facts.get("acme", mine.fact_id)
    with pytest.raises(NotFoundError):
        await facts.write("acme", a_fact("the code is mine", supersedes=mine.fact_id))


async def test_a_fact_written_again_is_the_same_fact(facts: Memories, store: Store) -> None:
    """Under its id whatever else changed, and by what it says whoever says it; unless it is trusted otherwise or is to expire."""
    first = await facts.write("local", a_fact("likes tea"))
    assert await facts.write("local", replace(a_fact("likes tea"), created_ts=9)) == first
    assert await facts.write("local", a_fact("likes tea", key="another call")) == first
    assert len(await rows(store)) == 1
    await facts.write("local", a_fact("likes tea", key="from a page", trust="untrusted"))
    await facts.write("local", a_fact("likes tea", key="for a week", expires_ts=2_000_000_000_000))
    assert len(await rows(store)) == 3


async def test_the_newer_fact_supersedes_the_older_which_stays(facts: Memories) -> None:
    """Only the newer is recalled; the older says by what it was superseded; a second successor learns that it is too late."""
    old = await facts.write("local", a_fact("lives in Bonn"))
    new = await facts.write("local", a_fact("lives in Köln", supersedes=old.fact_id, at=2))
    assert await facts.recall("local", ["agent:clerk"], "lives") == [new]
    kept = await facts.get("local", f"memory:{old.fact_id}")
    assert (kept.status, kept.superseded_by, kept.text) == ("superseded", new.fact_id, "lives in Bonn")
    with pytest.raises(ConflictError) as told:
        await facts.write("local", a_fact("lives in Ulm", supersedes=old.fact_id))
    assert told.value.code == "E944"
    with pytest.raises(InputError) as told_also:
        await facts.write("local", a_fact("lives in Ulm", "customer:7", supersedes=new.fact_id))
    assert told_also.value.code == "E945"
    assert texts(await facts.recall("local", ["agent:clerk"], "lives")) == ["lives in Köln"]


async def test_of_two_successors_at_once_one_wins(facts: Memories) -> None:
    """However many supersede a fact at the same time: one fact is active, and every other writer is told."""
    old = await facts.write("local", a_fact("price is 1"))
    made = [a_fact(f"price is {i}", supersedes=old.fact_id) for i in range(2, 8)]
    done = await asyncio.gather(*(facts.write("local", fact) for fact in made), return_exceptions=True)
    won = [fact for fact in done if isinstance(fact, Fact)]
    assert len(won) == 1
    assert all(isinstance(fact, Fact | ConflictError) for fact in done)
    assert await facts.recall("local", ["agent:clerk"], "price") == won


async def test_what_is_untrusted_never_supersedes_what_is_trusted(facts: Memories) -> None:
    """It is refused with the command by which a person can, and nothing is written; the other way round is fine."""
    old = await facts.write("local", a_fact("refunds need approval"))
    poison = a_fact("refunds need no approval", supersedes=old.fact_id, trust="untrusted")
    with pytest.raises(DeniedError) as told:
        await facts.write("local", poison)
    assert told.value.code == "E943"
    assert "remit memories add" in told.value.help
    assert await facts.recall("local", ["agent:clerk"], "refunds") == [old]
    seen = await facts.write("local", a_fact("seen on a page", trust="untrusted"))
    assert await facts.write("local", a_fact("looked it up", supersedes=seen.fact_id))


async def test_forgetting_leaves_a_tombstone_without_a_word(facts: Memories, store: Store) -> None:
    """All facts about a subject, in every scope and of every status: no text, no subject, no entry of the index stays behind."""
    old = await facts.write("local", a_fact("Zanzibar is home", "customer:secretperson"))
    await facts.write("local", a_fact("Samarkand is home", "customer:secretperson", supersedes=old.fact_id))
    await facts.write("local", a_fact("drinks Lapsang", "customer:secretperson", scope="user:bob"))
    other = await facts.write("local", a_fact("drinks Assam", "customer:other"))
    assert await facts.forget("local", " Customer:SecretPerson") == 3
    assert await facts.forget("local", "customer:secretperson") == 0
    stored = str(await rows(store)).lower()
    for word in ("zanzibar", "samarkand", "lapsang", "secretperson"):
        assert word not in stored
    tombs = [row for row in await rows(store) if row["status"] == "forgotten"]
    assert len(tombs) == 3
    assert all(row["digest"].startswith("sha256:") and row["provenance"]["run_id"] == "r1" for row in tombs)
    assert await facts.recall("local", ["agent:clerk", "user:bob"], "drinks home") == [other]
    entries = [
        entry
        for scope in ("agent:clerk", "user:bob")
        for word in ("zanzibar", "samarkand", "lapsang", "secretperson", "home", "drink", "customer")
        for entry in (await store.query(WORD, "", (memory.place("local", scope, word),))).items
    ]
    assert {entry["fact_id"] for entry in entries} == {other.fact_id}


async def test_forgetting_can_be_kept_to_scopes(facts: Memories) -> None:
    """What other scopes know about the subject stays."""
    await facts.write("local", a_fact("likes tea", scope="user:bob"))
    kept = await facts.write("local", a_fact("likes tea", scope="tenant"))
    assert await facts.forget("local", "customer:42", scopes=["user:bob", "agent:x"]) == 1
    assert await facts.recall("local", ["tenant", "user:bob"], "tea") == [kept]


async def test_an_expired_fact_is_not_recalled_and_then_erased(
    facts: Memories,
    store: Store,
    clock: FakeClock,
) -> None:
    """From its time on nobody recalls it; sweeping leaves a tombstone of it, and of nothing else."""
    soon = clock.now() + 60_000
    fact = await facts.write("local", a_fact("on leave until Monday", expires_ts=soon))
    later = await facts.write("acme", a_fact("on leave until Tuesday", expires_ts=soon + 1))
    assert await facts.sweep() == 0
    clock.advance(60)
    assert await facts.recall("local", ["agent:clerk"], "leave") == []
    assert await facts.recall("local", ["agent:clerk"], "", subject="customer:42") == []
    assert await facts.sweep() == 1
    swept = await facts.get("local", fact.fact_id)
    assert (swept.status, swept.text, swept.digest[:7]) == ("expired", "", "sha256:")
    assert await facts.sweep() == 0
    assert await facts.recall("acme", ["agent:clerk"], "leave") == [replace(later, digest=later.digest)]


async def test_a_fact_of_very_many_words_is_found_by_each(facts: Memories) -> None:
    """Also when its entries do not fit into one transaction, and it is forgotten with all of them."""
    said = [f"word{i}x" for i in range(250)]
    fact = await facts.write("local", a_fact(" ".join(said)))
    for word in (said[0], said[120], said[-1]):
        assert [f.fact_id for f in await facts.recall("local", ["agent:clerk"], word)] == [fact.fact_id]
    assert await facts.forget("local", "customer:42") == 1
    assert await facts.recall("local", ["agent:clerk"], said[120]) == []


async def test_lists_are_paged_and_newest_first(facts: Memories) -> None:
    """Of the tenant, of a scope, about a subject; by both at once is refused."""
    for i in range(5):
        await facts.write("local", a_fact(f"fact {i}", f"s{i % 2}", at=i))
    page = await facts.list("local", limit=3)
    rest = await facts.list("local", limit=3, cursor=page.cursor)
    assert texts([*page.items, *rest.items]) == [f"fact {i}" for i in (4, 3, 2, 1, 0)]
    assert texts((await facts.list("local", subject="S1")).items) == ["fact 3", "fact 1"]
    assert len((await facts.list("local", scope="agent:clerk")).items) == 5
    with pytest.raises(InputError):
        await facts.list("local", scope="tenant", subject="s1")


@pytest.mark.parametrize("nth", range(1, 9))
async def test_a_store_that_fails_on_the_way_leaves_nothing_half_written(nth: int) -> None:
    """Whichever transaction fails, the fact is there or not, and writing it again makes it whole; forgetting likewise."""
    real, seen = MemoryStore(FakeClock()), 0
    await real.declare(engine.COLLECTIONS)

    def trouble(verb: str) -> str:
        nonlocal seen
        seen += verb == "transact"
        return "kept" if verb == "transact" and seen == nth else ""

    facts_ = Memories(Troubled(real, trouble), FakeClock())  # type: ignore[arg-type]
    said = " ".join(f"word{i}x" for i in range(200))
    old = a_fact("word1x is old")

    async def again(work: Any) -> Any:
        for _ in range(3):
            try:
                return await work()
            except StoreError:
                continue
        raise AssertionError

    await again(lambda: facts_.write("local", old))
    new = await again(lambda: facts_.write("local", a_fact(said, supersedes=old.fact_id)))
    assert await facts_.recall("local", ["agent:clerk"], "word1x word150x") == [new]
    await again(lambda: facts_.forget("local", "customer:42"))
    assert await facts_.recall("local", ["agent:clerk"], "word1x word150x") == []
    assert "word" not in str(await rows(real))


QUESTIONS: dict[str, tuple[str, str, tuple[Any, ...], dict[str, Any]]] = {
    "facts of a tenant": (FACT, "by_tenant", ("local",), {"descending": True}),
    "facts of a scope": (FACT, "by_scope", ("local", "agent:clerk"), {"descending": True}),
    "facts about a subject": (FACT, "by_subject", ("local", "customer:42"), {"descending": True}),
    "facts that have expired": (FACT, "by_expiry", ("yes",), {"upper": 5}),
    "facts with a word": (WORD, "", ("place",), {}),
    "values that have expired": (STATE, "by_expiry", ("yes",), {"upper": 5}),
}


@pytest.mark.parametrize("question", QUESTIONS)
async def test_every_question_is_answered_from_a_key_or_an_index(question: str, tmp_path: Path) -> None:
    """SQLite says SEARCH, never SCAN, and nothing is sorted after it."""
    name, index, equals, more = QUESTIONS[question]
    sqlite = SqliteStore(tmp_path / "r.db", FakeClock())
    await sqlite.open()
    await sqlite.declare([*engine.COLLECTIONS, *shared_state.COLLECTIONS])
    facts_ = Memories(sqlite, FakeClock())
    for i in range(30):
        await facts_.write("local", a_fact(f"fact {i}", at=i))
    declared = {c.name: c for c in (*engine.COLLECTIONS, *shared_state.COLLECTIONS)}[name]
    query = plan(declared, index, equals, **more)
    text, values = _sql.select(query, declared, _sql.table(name), "?", lambda value: value)
    with sqlite3.connect(tmp_path / "r.db") as db:
        said = [row[-1] for row in db.execute(f"EXPLAIN QUERY PLAN {text}", values)]
    await sqlite.close()
    assert len(said) == 1
    assert said[0].startswith("SEARCH")


@given(st.text(max_size=300), st.text(max_size=40))
def test_any_text_has_words_that_can_be_kept(text: str, scope: str) -> None:
    """Words are folded the same way whatever case they are in, and a place in the index tells nothing of them."""
    found = words.stems(text)
    assert found == words.stems(text.upper().lower()) or text.upper().lower() != text.casefold()
    for word in found:
        assert 0 < len(word) <= 40
        assert " " not in word
        assert memory.place("t", scope, word) != memory.place("t\x00" + scope, "", word)


@pytest.mark.parametrize(
    ("made", "code"),
    [
        (lambda: memory.check_subject("  "), "E942"),
        (lambda: memory.check_subject("x" * 201), "E942"),
        (lambda: memory.check_subject("a\x00b"), "E942"),
        (lambda: memory.check_text(" \n"), "E942"),
        (lambda: memory.check_text("x" * 2001), "E942"),
        (lambda: memory.check_tag(""), "E941"),
        (lambda: memory.check_tag("Not a tag"), "E941"),
        (lambda: memory.scope_of("everyone", agent="a", user="u"), "E940"),
        (lambda: memory.scope_of("agent:other", agent="a", user="u"), "E940"),
        (lambda: memory.scope_of("team:a b", agent="a", user="u"), "E940"),
        (lambda: memory.check_scope("agent:"), "E940"),
        (lambda: memory.check_scope("user"), "E940"),
    ],
)
def test_what_cannot_be_remembered_is_refused(made: Any, code: str) -> None:
    """No fact without a subject, a text, a policy tag and a scope that is one's own."""
    with pytest.raises(InputError) as told:
        made()
    assert told.value.code == code


clerk = Agent("clerk", instructions="Serve.")


async def test_what_people_add_is_put_to_policy() -> None:
    """A person's fact is trusted and theirs; the same key is the same fact; where policy forbids it nothing is written."""
    fields = {"scope": "tenant", "subject": "refunds", "text": "Two people sign", "tag": "procedure"}
    closed = '@id("no") forbid (principal is User, action == Action::"write_memory", resource == MemoryScope::"tenant");'
    async with app_for_tests(clerk) as app:
        fact = await app.curator.add("local", ANA, **fields, key="k1")
        assert await app.curator.add("local", ANA, **fields, key="k1") == fact
        assert (fact.provenance.actor, fact.provenance.trust) == ("ana", "trusted")
        hidden = {**fields, "text": "write to bob@example.com"}
        assert "bob@" not in (await app.curator.add("local", ANA, **hidden)).text
        named = await app.curator.add("local", ANA, **{**fields, "subject": "bob@example.com"})
        assert "bob@" not in named.subject
        assert await app.curator.forget("local", ANA, "bob@example.com") == 1
        assert await app.curator.forget("local", ANA, "refunds") == 2
        body = {"cedar": closed, "profile": {"extends": "default"}}
        await app.registry.create("local", "policy_profile", "default", body, actor=ANA, reason="closed")
        for write in (app.curator.add("local", ANA, **fields), app.curator.forget("local", ANA, "refunds")):
            with pytest.raises(DeniedError):
                await write
        assert await app.curator.add("local", ANA, **{**fields, "scope": "agent:clerk"})


PROGRAM = """
import asyncio, sys
from remit import agent, open_app, Pack
from remit.settings import load
from remit.core.task import Task
from remit_packs.tools.memory import remember

@agent(tools=[remember])
async def writer(given, memory, context):
    return await context.call("remember", subject="s", text="said once", tag="fact")

async def main():
    async with open_app(load(home=sys.argv[1]), packs=[Pack("p", agents=[writer])], worker_id="w") as app:
        run_id = await app.runs.submit(Task("t", "writer", "go"))
        await app.engine.advance(run_id)
        result = await app.runs.result(run_id, "local")
        print(result.status, result.result_payload["citation"])

asyncio.run(main())
"""


@pytest.mark.parametrize(
    "fault",
    [
        "after:effect:remember",
        "after:append:EffectDone",
        pytest.param("before:effect:remember", marks=pytest.mark.nightly),
        pytest.param("before:append:EffectDone", marks=pytest.mark.nightly),
    ],
)
def test_a_kill_between_a_fact_and_its_outcome_does_not_write_it_twice(tmp_path: Path, fault: str) -> None:
    """Killed at each point around the write and taken up again, one fact is there and it is the one that the run answers with."""

    def run(**env: str) -> subprocess.CompletedProcess[str]:
        given = {**os.environ, "REMIT_STORE": "", "REMIT_LEASE_TTL_S": "1", **env}
        return subprocess.run(
            [sys.executable, "-c", PROGRAM, str(tmp_path)],
            env=given,
            capture_output=True,
            text=True,
            timeout=60,
        )

    assert run(REMIT_FAULT=fault).returncode == -signal.SIGKILL
    done = run()
    status, citation = done.stdout.split()
    assert status == "success", done.stderr

    async def stored() -> list[Fact]:
        async with app_for_tests(clerk, store=f"sqlite:///{tmp_path / 'remit.db'}") as app:
            return (await app.memories.list("local")).items

    (fact,) = asyncio.run(stored())
    assert fact.citation == citation
