"""Tables and validation types are changed in place, and every change of one is on record (V5)."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import Any

import pytest
from tests.engine.validation_world import ANA, BOB, WHY, World, a_table, world  # noqa: F401

from remit.core.codec import decode, plain
from remit.core.errors import ConflictError, DeniedError, InputError, NotFoundError
from remit.core.task import Actor
from remit.core.validation import ValidationType
from remit.engine.applying import Document
from remit.testing import app_for_tests

OWN = ValidationType("own_counts", "Ours.", "counting", {"type": "object"})


async def test_every_change_says_who_when_why_before_and_after(world: World) -> None:  # noqa: F811
    """Registered, edited, removed, registered again: four records in order, each a snapshot in the blob store too."""
    tables, start = world.app.tables, world.clock.now()
    first, second = a_table("orders", owner="ana"), a_table("orders", owner="bob")
    await tables.put("local", first, actor=ANA, reason="new")
    world.clock.advance(1)
    await tables.put("local", second, actor=BOB, reason="mine now")
    await tables.put("local", second, actor=BOB, reason="the same again")
    world.clock.advance(1)
    await tables.remove("local", "orders", actor=ANA, reason="gone")
    await tables.put("local", first, actor=BOB, reason="back")
    page = await tables.changes("local", "orders", limit=3)
    rest = await tables.changes("local", "orders", limit=3, cursor=page.cursor)
    found = [*page.items, *rest.items][::-1]
    assert rest.cursor is None
    assert [(c.revision, c.action, c.author, c.reason) for c in found] == [
        (1, "create", "ana", "new"),
        (2, "edit", "bob", "mine now"),
        (3, "remove", "ana", "gone"),
        (4, "create", "bob", "back"),
    ]
    assert [c.changed_ts - start for c in found] == [0, 1000, 2000, 2000]
    owners = [((c.before or {}).get("owner"), (c.after or {}).get("owner")) for c in found]
    assert owners == [(None, "ana"), ("ana", "bob"), ("bob", None), (None, "ana")]
    assert found[1].after == plain(second) | {"created_at": start}
    blob = await world.app.blobs.get(found[1].snapshot)
    kept = decode(blob, dict[str, Any])
    assert (kept["before"], kept["after"]) == (found[1].before, found[1].after)


async def test_types_are_on_record_too(world: World) -> None:  # noqa: F811
    """Under the same verbs; a built-in type has no changes and one that never was is not found."""
    types = world.app.validation_types
    await types.put("acme", OWN, **WHY)
    await world.app.validations.remove_type("acme", "own_counts", actor=BOB, reason="gone")
    found = (await types.changes("acme", "own_counts")).items
    assert [(c.action, c.author, c.kind) for c in found] == [
        ("remove", "bob", "validation_type"),
        ("create", "ana", "validation_type"),
    ]
    assert (await types.changes("acme", "row_counts")).items == []
    for tenant, name in (("local", "own_counts"), ("acme", "never")):
        with pytest.raises(NotFoundError):
            await types.changes(tenant, name)


async def test_a_change_needs_a_reason_that_holds_no_secret(tmp_path: Path) -> None:
    """Without one nothing is written; a secret in one is redacted."""
    async with app_for_tests(home=tmp_path, secrets={"db": "hunter2hunter2"}) as app:
        with pytest.raises(InputError, match="needs a reason"):
            await app.tables.put("local", a_table("orders"), actor=ANA, reason=" ")
        assert await app.tables.find("local", "orders") is None
        await app.tables.put("local", a_table("orders"), actor=ANA, reason="as hunter2hunter2 says")
        (change,) = (await app.tables.changes("local", "orders")).items
        assert "hunter2" not in change.reason


async def test_who_change_one_table_at_once_are_all_on_record(world: World) -> None:  # noqa: F811
    """Each change follows from the one before it: none is lost, none is made up."""
    await world.tables("orders", owner="nobody")
    tables = world.app.tables
    done = await asyncio.gather(
        *(
            tables.put("local", a_table("orders", owner=f"o{n}"), actor=Actor(f"p{n}"), reason="r")
            for n in range(4)
        ),
        return_exceptions=True,
    )
    assert all(isinstance(d, ConflictError) or d is True for d in done), done
    found = (await tables.changes("local", "orders")).items[::-1]
    assert len(found) == 1 + sum(d is True for d in done)
    for before, after in itertools.pairwise(found):
        assert after.before == before.after
        assert after.revision == before.revision + 1
    assert found[-1].after == plain(await tables.get("local", "orders"))


async def test_applying_from_files_is_on_record_and_a_plan_of_no_change_is_not(world: World) -> None:  # noqa: F811
    """The actor and the reason of the application; twice the same is one change."""
    documents = [Document("table", "orders", {"location": "orders.parquet"}, reason="from git")]
    for _ in range(2):
        planned = await world.app.applying.plan("local", documents)
        await world.app.applying.carry_out("local", planned, actor=BOB)
    found = (await world.app.tables.changes("local", "orders")).items
    assert [(c.action, c.author, c.reason) for c in found] == [("create", "bob", "from git")]


GUARD = """
@id("all") permit (principal, action, resource);
@id("only-data-edits-tables")
forbid (principal, action == Action::"edit_definition", resource in Kind::"table")
unless { principal in Role::"data" };
"""


async def test_policy_says_who_changes_a_table(tmp_path: Path) -> None:
    """Whoever may not is refused, and a batch that holds such a change is not begun."""
    home = tmp_path / "policies" / "default"
    home.mkdir(parents=True)
    (home / "profile.toml").write_text('name = "default"\n')
    (home / "policy.cedar").write_text(GUARD)
    dan = Actor("dan", ("data",))
    async with app_for_tests(policies=(tmp_path / "policies",)) as app:
        with pytest.raises(DeniedError, match="only-data-edits-tables"):
            await app.tables.put("local", a_table("orders"), **WHY)
        await app.tables.put("local", a_table("orders"), actor=dan, reason="new")
        with pytest.raises(DeniedError, match="only-data-edits-tables"):
            await app.validations.remove_table("local", "orders", **WHY)
        batch = [
            Document("prompt", "greeting", {"text": "Hi."}),
            Document("table", "items", {"location": "items.csv"}),
        ]
        planned = await app.applying.plan("local", batch)
        with pytest.raises(DeniedError, match="only-data-edits-tables"):
            await app.applying.carry_out("local", planned, actor=ANA)
        assert await app.registry.head("local", "prompt", "greeting") is None, "nothing was begun"
        await app.applying.carry_out("local", planned, actor=dan)
        assert await app.tables.find("local", "items") is not None
