"""The registry keeps its contract on every store: versions, aliases, audit records, points in time."""

from __future__ import annotations

import itertools
import json
import os
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.store import redis_world
from tests.engine.registry_stores import open_store, registry_over

from remit.adapters.blobs.files import FileBlobs
from remit.core.codec import digest_of
from remit.core.definition import Alias, Definition
from remit.core.errors import ConflictError, InputError, NotFoundError
from remit.core.task import Actor
from remit.engine.registry import Registry
from remit.engine.versions import Kind
from remit.ports.store import ABSENT, Collection, Index, Put, Write
from remit.testing import FakeClock

DSN = os.environ.get("REMIT_TEST_POSTGRES", "")
ANA, BOB = Actor("ana"), Actor("bob")
RULES = Collection("rules", ("config_id", "version"), (Index("by_table", ("table_id", "config_id")),))
SEEN = Collection("rules_seen", ("seen",))


class RuleKind(Kind):
    """Versions in a collection of its own, with flat fields and a further row a change."""

    name = "rule"
    collection = "rules"

    def check(self, body: dict[str, Any]) -> None:
        if "table_id" not in body:
            raise InputError("a rule needs a `table_id`", code="E509")

    def key(self, tenant_id: str, name: str) -> str:
        return name if tenant_id == "local" else f"{tenant_id}/{name}"

    def item(self, definition: Definition) -> dict[str, Any]:
        d = definition
        return {
            "config_id": self.key(d.tenant_id, d.name),
            "version": d.version,
            **d.body,
            "status": d.status,
            "enabled": d.enabled,
            "comment": d.comment,
            "change_author": d.change_author,
            "change_reason": d.change_reason,
            "created_at": d.created_at,
            "updated_at": d.updated_at,
        }

    def read(self, item: dict[str, Any]) -> Definition:
        tenant, _, name = item["config_id"].rpartition("/")
        body = {k: item[k] for k in ("table_id", "parameters") if k in item}
        rest = {k: v for k, v in item.items() if k not in (*body, "config_id")}
        return Definition(
            tenant_id=tenant or "local", kind=self.name, name=name, body=body, digest=digest_of(body), **rest
        )

    async def also(self, definition: Definition, before: Definition | None) -> list[Write]:
        was = f"{before.version}:{before.status}" if before else "-"
        row = {"seen": f"{definition.name}/{definition.version}/{definition.status}/{definition.updated_at}"}
        return [Put("rules_seen", {**row, "before": was})]


class World:
    """A registry, its clock and its store."""

    def __init__(self, registry: Registry, clock: FakeClock, store: Any, blobs: Path) -> None:
        self.registry, self.clock, self.store, self.blobs = registry, clock, store, blobs


STORES = [
    "memory",
    "sqlite",
    pytest.param("postgres", marks=pytest.mark.service),
    *(pytest.param(n, marks=[pytest.mark.service, pytest.mark.nightly]) for n in ("redis", "dynamodb")),
]


@pytest.fixture(params=STORES)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """A registry over one of the stores."""
    if request.param == "postgres" and not DSN:
        assert os.environ.get("CI") != "true", "REMIT_TEST_POSTGRES must be set in CI"
        pytest.skip("REMIT_TEST_POSTGRES names no PostgreSQL to test with")
    urls = {"memory": "memory:", "sqlite": str(tmp_path / "r.db"), "postgres": DSN, "dynamodb": "dynamodb:"}
    url = redis_world.url() if request.param == "redis" else urls[request.param]
    schema, clock = f"test_{secrets.token_hex(6)}", FakeClock()
    store = open_store(url, schema, clock)
    made = await registry_over(
        store, tmp_path / "blobs", clock, [RuleKind()], [RULES, SEEN], secrets=("hunter2-hunter2",)
    )
    yield World(made, clock, store, tmp_path / "blobs")
    await store.close()
    if request.param == "postgres":
        import psycopg

        with psycopg.connect(DSN, autocommit=True) as db:
            db.execute(f"DROP SCHEMA {schema} CASCADE")
    elif request.param == "redis":
        redis_world.drop(schema)


def why(text: str = "because", actor: Actor = ANA) -> dict[str, Any]:
    return {"actor": actor, "reason": text}


async def statuses(
    registry: Registry, name: str, kind: str = "note", tenant: str = "local"
) -> dict[int, str]:
    page = await registry.history(tenant, kind, name)
    return {d.version: d.status for d in reversed(page.items)}


async def test_an_edit_archives_the_version_before_and_a_rollback_brings_it_back(world: World) -> None:
    """New: version 1 active. Edit: version 2 active, 1 archived. Rollback: 1 active, 2 archived."""
    r = world.registry
    first = await r.create("local", "note", "n", {"text": "one"}, comment="first", **why("new"))
    assert (first.version, first.status, first.enabled) == (1, "active", True)
    assert (first.comment, first.change_author, first.change_reason) == ("first", "ana", "new")
    assert first.digest == digest_of({"text": "one"})
    await r.edit("local", "note", "n", {"text": "two"}, **why())
    assert await statuses(r, "n") == {1: "archived", 2: "active"}
    await r.rollback("local", "note", "n", 1, **why())
    assert await statuses(r, "n") == {1: "active", 2: "archived"}
    assert (await r.get("local", "note", "n")).body == {"text": "one"}
    assert (await r.edit("local", "note", "n", {"text": "three"}, **why())).version == 3


async def test_what_was_archived_stays_and_can_be_revived(world: World) -> None:
    """Delete is archive: nothing is active, all is kept; an edit or a rollback makes a version active again."""
    r = world.registry
    await r.create("local", "note", "n", {"text": "one"}, **why())
    await r.archive("local", "note", "n", **why("gone"))
    with pytest.raises(NotFoundError):
        await r.get("local", "note", "n")
    assert (await r.get("local", "note", "n", 1)).body == {"text": "one"}
    with pytest.raises(ConflictError, match="no active version"):
        await r.archive("local", "note", "n", **why())
    with pytest.raises(ConflictError, match="`ana`: create of version 1"):
        await r.create("local", "note", "n", {}, **why())
    await r.rollback("local", "note", "n", 1, **why())
    await r.archive("local", "note", "n", **why())
    assert (await r.edit("local", "note", "n", {"text": "two"}, **why())).version == 2
    assert await statuses(r, "n") == {1: "archived", 2: "active"}


async def test_a_draft_is_not_active_until_it_is_promoted(world: World) -> None:
    """Also the first version of a definition can be a draft; only a draft is promoted."""
    r = world.registry
    assert (await r.draft("local", "note", "n", {"text": "one"}, **why())).status == "draft"
    with pytest.raises(NotFoundError):
        await r.get("local", "note", "n")
    await r.promote("local", "note", "n", 1, **why())
    await r.draft("local", "note", "n", {"text": "two"}, **why())
    assert await statuses(r, "n") == {1: "active", 2: "draft"}
    with pytest.raises(InputError, match="version 2 is draft"):
        await r.rollback("local", "note", "n", 2, **why())
    await r.promote("local", "note", "n", 2, **why())
    assert await statuses(r, "n") == {1: "archived", 2: "active"}
    with pytest.raises(InputError, match="only a draft"):
        await r.promote("local", "note", "n", 1, **why())
    with pytest.raises(NotFoundError):
        await r.promote("local", "note", "n", 9, **why())


async def test_the_loser_is_told_who_won(world: World) -> None:
    """The conflict names the winner's author, action, version and time."""
    r = world.registry
    await r.create("local", "note", "n", {"text": "one"}, **why())
    await r.edit("local", "note", "n", {"text": "bob's"}, expect_version=1, **why(actor=BOB))
    world.clock.advance(5)
    await r.disable("local", "note", "n", **why(actor=Actor("carl")))
    with pytest.raises(ConflictError, match=r"`bob`: edit of version 2 at 2027-01-15T08:00:00.000Z"):
        await r.edit("local", "note", "n", {"text": "ana's"}, expect_version=1, **why())
    with pytest.raises(ConflictError, match="`ana`: create of version 1"):
        await r.create("local", "note", "n", {}, **why(actor=BOB))
    assert (await r.get("local", "note", "n")).body == {"text": "bob's"}


async def test_a_definition_is_switched_off_and_on(world: World) -> None:
    """The switch is the definition's: the active version carries it, and so does the next one."""
    r = world.registry
    await r.create("local", "note", "n", {"text": "one"}, **why())
    assert (await r.disable("local", "note", "n", **why())).enabled is False
    assert (await r.get("local", "note", "n")).enabled is False
    assert (await r.edit("local", "note", "n", {"text": "two"}, **why())).enabled is False
    assert (await r.edit("local", "note", "n", {"text": "three"}, enabled=True, **why())).enabled is True
    before = (await r.changes("local", "note", "n")).items[0].revision
    await r.enable("local", "note", "n", **why())
    assert (await r.changes("local", "note", "n")).items[0].revision == before, "no change, no record"


async def test_aliases_and_canaries(world: World) -> None:
    """An alias stands for one version; a canary takes its share of keys, always the same ones, and more when raised."""
    r = world.registry
    for text in ("one", "two", "three"):
        if text == "one":
            await r.create("local", "note", "n", {"text": text}, **why())
        else:
            await r.edit("local", "note", "n", {"text": text}, **why())
    await r.set_alias("local", "note", "n", "stable", 2, **why())
    assert (await r.get("local", "note", "n", alias="stable")).version == 2
    await r.set_alias("local", "note", "n", "active", 3, canary=(1, 20), **why())

    async def canaries() -> set[str]:
        keys = [f"k{i}" for i in range(300)]
        return {k for k in keys if (await r.resolve("local", "note", "n", key=k)).version == 1}

    few = await canaries()
    assert 30 <= len(few) <= 90
    await r.set_alias("local", "note", "n", "active", 3, canary=(1, 60), **why())
    assert few < await canaries()
    assert (await r.resolve("local", "note", "n")).version == 3, "without a key there is no canary"
    await r.edit("local", "note", "n", {"text": "four"}, **why())
    assert await canaries() == set(), "a new active version ends the canary"
    await r.set_alias("local", "note", "n", "stable", 0, **why())
    for bad in (("active", 1, (0, 0)), ("stable", 1, (1, 50)), ("stable", 1, (2, 0)), ("7", 1, (0, 0))):
        with pytest.raises(InputError):
            await r.set_alias("local", "note", "n", bad[0], bad[1], canary=bad[2], **why())
    for name, version in (("stable", 9), ("stable", 0)):
        with pytest.raises(NotFoundError):
            await r.set_alias("local", "note", "n", name, version, **why())
    with pytest.raises(NotFoundError, match="`stable`"):
        await r.get("local", "note", "n", alias="stable")


async def test_what_was_active_on_a_day(world: World) -> None:
    """A point in time answers from the audit trail, switch included; before the beginning there was nothing."""
    r, times = world.registry, []
    await r.create("local", "note", "n", {"text": "one"}, **why())
    for step in (
        lambda: r.edit("local", "note", "n", {"text": "two"}, **why()),
        lambda: r.disable("local", "note", "n", **why()),
        lambda: r.rollback("local", "note", "n", 1, **why()),
        lambda: r.archive("local", "note", "n", **why()),
    ):
        times.append(world.clock.now())
        world.clock.advance(3600)
        await step()
    seen = [await r.at("local", "note", "n", ts + 1000) for ts in times]
    assert [(d.version, d.status, d.enabled) for d in seen] == [
        (1, "active", True),
        (2, "active", True),
        (2, "active", False),
        (1, "active", False),
    ]
    for ts in (times[0] - 1, world.clock.now()):
        with pytest.raises(NotFoundError, match="active at that time"):
            await r.at("local", "note", "n", ts)


async def test_history_never_runs_backwards(world: World) -> None:
    """A clock that is set back does not reorder the trail of a definition."""
    r = world.registry
    await r.create("local", "note", "n", {"text": "one"}, **why())
    world.clock.set_back(3600)
    await r.edit("local", "note", "n", {"text": "two"}, **why())
    world.clock.set_back(-3600)
    assert (await r.at("local", "note", "n", world.clock.now())).version == 2


async def test_every_change_leaves_a_record_and_a_snapshot(world: World) -> None:
    """Who, when, why, before, after; the blob holds the whole version with its metadata."""
    r = world.registry
    await r.create("local", "note", "n", {"text": "one"}, **why("new"))
    await r.draft("local", "note", "n", {"text": "two"}, **why())
    await r.promote("local", "note", "n", 2, **why())
    await r.rollback("local", "note", "n", 1, **why("two is wrong", BOB))
    await r.set_alias("local", "note", "n", "old", 2, **why())
    await r.disable("local", "note", "n", **why())
    await r.enable("local", "note", "n", **why())
    await r.archive("local", "note", "n", **why())
    trail = list(reversed((await r.changes("local", "note", "n")).items))
    assert [c.action for c in trail] == (
        ["create", "draft", "promote", "rollback", "alias", "disable", "enable", "archive"]
    )
    assert [c.revision for c in trail] == list(range(1, 9))
    assert trail[0].before is None
    for earlier, later in itertools.pairwise(trail):
        assert later.before == earlier.after
    back = trail[3]
    assert (back.author, back.reason, back.version) == ("bob", "two is wrong", 1)
    assert (back.digest, back.digest_before) == (digest_of({"text": "one"}), digest_of({"text": "two"}))
    for change in trail:
        kept = json.loads(await FileBlobs(world.blobs).get(change.snapshot))
        assert kept["definition"]["version"] == change.version
        assert kept["head"]["revision"] == change.revision
    assert (await r.changes("local")).items[0].action == "archive"


async def test_a_change_needs_a_reason_and_a_body_that_fits(world: World) -> None:
    """Nothing is written otherwise; a secret never gets in."""
    r = world.registry
    for body in ({"bad": 1}, "text", [1], {"text": "x" * 300_000}, {"text": "it is hunter2-hunter2"}):
        with pytest.raises(InputError):
            await r.create("local", "note", "n", body, **why())
    with pytest.raises(InputError, match="reason"):
        await r.create("local", "note", "n", {}, **why("  "))
    for kind, name in (("nokind", "n"), ("note", "a/b"), ("note", ""), ("note", "-x"), ("note", "x" * 129)):
        with pytest.raises(InputError):
            await r.create("local", kind, name, {}, **why())
    assert (await r.list("local")).items == []
    await r.create("local", "note", "n", {}, comment="hunter2-hunter2", **why("hunter2-hunter2"))
    made = await r.get("local", "note", "n", 1)
    assert "hunter2" not in made.comment + made.change_reason


async def test_a_tenant_sees_only_its_own(world: World) -> None:
    """The same name in two tenants is two definitions; nothing of the other's is found."""
    r = world.registry
    await r.create("acme", "note", "n", {"of": "acme"}, **why())
    await r.create("zeta", "note", "n", {"of": "zeta"}, **why())
    await r.create("acme", "note", "only", {}, **why())
    assert (await r.get("acme", "note", "n")).body == {"of": "acme"}
    assert (await r.get("zeta", "note", "n")).body == {"of": "zeta"}
    assert [h.name for h in (await r.list("zeta")).items] == ["n"]
    assert [h.name for h in (await r.list("acme", "note")).items] == ["n", "only"]
    assert {c.tenant_id for c in (await r.changes("zeta")).items} == {"zeta"}
    for look in (r.get, r.history, r.archive):
        with pytest.raises(NotFoundError):
            await look("zeta", "note", "only", **(why() if look == r.archive else {}))
    assert (await r.changes("zeta", "note", "only")).items == []


async def test_lists_are_paged_from_an_index(world: World) -> None:
    """Pages follow each other without gaps or repeats; a kind's list can start behind a name."""
    r = world.registry
    names = [*(f"n{i:02d}" for i in range(7)), "n0-x"]
    for name in names:
        await r.create("local", "note", name, {}, **why())
    seen, cursor = [], None
    while True:
        page = await r.list("local", "note", limit=3, cursor=cursor)
        seen += [h.name for h in page.items]
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == sorted(names)
    assert [h.name for h in (await r.list("local", "note", after="n04")).items] == ["n05", "n06"]


async def test_a_kind_may_keep_its_versions_as_it_likes(world: World) -> None:
    """Its own collection, its own flat items, and more rows in the same transaction; all verbs work as ever."""
    r = world.registry
    for tenant in ("local", "acme"):
        await r.create(tenant, "rule", "c1", {"table_id": "t", "parameters": {"a": 1}}, **why())
    await r.edit("local", "rule", "c1", {"table_id": "t", "parameters": {"a": 2}}, **why("more", BOB))
    flat = await world.store.get("rules", ("c1", 2))
    assert (flat["table_id"], flat["parameters"], flat["status"]) == ("t", {"a": 2}, "active")
    assert (flat["change_author"], flat["change_reason"], flat["enabled"]) == ("bob", "more", True)
    assert await world.store.get("rules", ("acme/c1", 1)) is not None
    assert await world.store.get("definition_version", ("rule/c1", 1)) is None
    found = await world.store.query("rules", "by_table", ("t",))
    assert len(found.items) == 3
    await r.rollback("local", "rule", "c1", 1, **why())
    await r.disable("local", "rule", "c1", **why())
    assert await statuses(r, "c1", "rule") == {1: "active", 2: "archived"}
    assert (await world.store.get("rules", ("c1", 1)))["enabled"] is False
    seen = await world.store.get("rules_seen", (f"c1/2/active/{world.clock.now()}",))
    assert seen["before"] == "1:archived"
    assert [d.path for d in await r.diff("local", "rule", "c1", 1, 2)] == ["/parameters/a"]
    with pytest.raises(InputError, match="table_id"):
        await r.create("local", "rule", "c2", {}, **why())


async def test_what_a_kind_adds_can_stop_the_change(world: World) -> None:
    """The further writes are part of the transaction: if one fails, nothing was changed."""

    class Unique(RuleKind):
        name = "unique"
        collection = "definition_version"
        item, read, key = Kind.item, Kind.read, Kind.key

        async def also(self, definition: Definition, before: Definition | None) -> list[Write]:
            return [Put("rules_seen", {"seen": f"table:{definition.body['table_id']}"}, ABSENT)]

    world.registry._kinds["unique"] = Unique()
    await world.registry.create("local", "unique", "a", {"table_id": "t"}, **why())
    with pytest.raises(ConflictError):
        await world.registry.create("local", "unique", "b", {"table_id": "t"}, **why())
    assert await world.registry.head("local", "unique", "b") is None


async def test_the_head_says_who_changed_it_last(world: World) -> None:
    """A reader of the head needs no audit trail to see where a definition stands."""
    r = world.registry
    await r.create("local", "note", "n", {}, source="files", **why())
    await r.set_alias("local", "note", "n", "prod", 1, **why("ship", BOB))
    head = await r.head("local", "note", "n")
    assert head is not None
    assert (head.active, head.aliases, head.source) == (Alias(1), {"prod": Alias(1)}, "files")
    assert (head.last.author, head.last.action, head.last.reason) == ("bob", "alias", "ship")
