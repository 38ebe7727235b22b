"""Applying documents: the order, what a kind without versions brings, and somebody who is faster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.engine.registry_stores import EDITORS, open_store, registry_over

from remit.core.errors import ConflictError, InputError
from remit.core.task import Actor
from remit.engine.applying import AliasBody, Applying, Document, RegistryApplier, Standing
from remit.engine.registry import Registry
from remit.testing import FakeClock

ANA, BOB = Actor("ana"), Actor("bob")


class Boxes:
    """A kind without versions: things in a dictionary, which may refer to each other and to notes."""

    kind = "box"

    def __init__(self) -> None:
        self.there: dict[str, dict[str, Any]] = {}
        self.log: list[str] = []

    def check(self, tenant_id: str, document: Document) -> Document:
        if "size" not in document.spec:
            raise InputError("a box has a `size`")
        return document

    async def mistakes(self, tenant_id: str, document: Document, given: Any) -> list[str]:
        return ["a box is never `wrong`"] if document.name == "wrong" else []

    def references(self, document: Document) -> list[tuple[str, str]]:
        return [tuple(r.split("/")) for r in document.spec.get("needs", [])]  # type: ignore[misc]

    async def current(self, tenant_id: str, name: str) -> Standing | None:
        return Standing(self.there[name]) if name in self.there else None

    async def write(
        self, tenant_id: str, document: Document, now: Standing | None, *, actor: Actor, why: str
    ) -> None:
        self.there[document.name] = document.spec
        self.log.append(f"{document.name} by {actor.actor_id}: {why}")

    async def remove(self, tenant_id: str, name: str, *, actor: Actor, why: str) -> None:
        del self.there[name]
        self.log.append(f"{name} removed")

    async def names(self, tenant_id: str, *, from_files: bool) -> list[str]:
        return sorted(self.there)


class World:
    def __init__(self, registry: Registry) -> None:
        self.registry, self.boxes = registry, Boxes()
        self.applying = Applying([RegistryApplier(registry, "note"), self.boxes], EDITORS)


@pytest.fixture
async def world(tmp_path: Path) -> World:
    clock = FakeClock()
    store = open_store("memory:", "", clock)
    return World(await registry_over(store, tmp_path, clock))


def box(name: str, *needs: str) -> Document:
    return Document("box", name, {"size": 1, "needs": list(needs)}, where=f"{name}.yaml:1")


async def test_what_is_needed_comes_first_and_surplus_goes_last(world: World) -> None:
    """Kinds in their order, then by reference; dependants are removed before what they need."""
    documents = [box("a", "box/b"), box("b", "note/n"), Document("note", "n", {"t": 1})]
    planned = await world.applying.plan("local", documents)
    assert [p.step.name for p in planned] == ["n", "b", "a"]
    await world.applying.carry_out("local", planned, actor=ANA, why="new")
    assert world.boxes.log == ["b by ana: new", "a by ana: new"]
    again = await world.applying.plan("local", documents, prune=True)
    assert {p.step.verdict for p in again} == {"unchanged"}
    less = await world.applying.plan("local", [box("c")], prune=True)
    assert [(p.step.name, p.step.verdict) for p in less] == [
        ("c", "create"),
        ("a", "archive"),
        ("b", "archive"),
    ]


async def test_documents_that_do_not_fit_together_are_refused(world: World) -> None:
    """A circle, a reference to nothing, one thing twice, what its kind does not like; nothing is written."""
    with pytest.raises(InputError, match="in a circle: box/"):
        await world.applying.plan("local", [box("a", "box/b"), box("b", "box/a")])
    with pytest.raises(InputError, match=r"a\.yaml:1: box `a` refers to note `gone`"):
        await world.applying.plan("local", [box("a", "note/gone")])
    with pytest.raises(InputError, match=r"`a` is already in a\.yaml:1"):
        await world.applying.plan("local", [box("a"), box("a")])
    with pytest.raises(InputError, match=r"wrong\.yaml:1: a box is never"):
        await world.applying.plan("local", [box("wrong")])
    assert world.boxes.there == {}


async def test_somebody_who_was_faster_is_not_overwritten(world: World) -> None:
    """What was planned from an older version is refused, also when it was archived or made meanwhile."""
    r, at = world.registry, ("local", "note", "n")
    fresh = await world.applying.plan("local", [Document("note", "n", {"t": 1})])
    await r.create(*at, {"t": "bob"}, actor=BOB, reason="mine")
    with pytest.raises(ConflictError, match="`bob`: create"):
        await world.applying.carry_out("local", fresh, actor=ANA)
    edit = await world.applying.plan("local", [Document("note", "n", {"t": 2})])
    await r.edit(*at, {"t": "bob again"}, actor=BOB, reason="mine")
    with pytest.raises(ConflictError, match="`bob`: edit of version 2"):
        await world.applying.carry_out("local", edit, actor=ANA)
    switch = await world.applying.plan("local", [Document("note", "n", {"t": "bob again"}, enabled=False)])
    await world.applying.carry_out("local", switch, actor=ANA)
    assert (await r.get(*at)).enabled is False
    edit = await world.applying.plan("local", [Document("note", "n", {"t": 3})])
    await r.archive(*at, actor=BOB, reason="away")
    with pytest.raises(ConflictError, match="`bob`: archive of version 2"):
        await world.applying.carry_out("local", edit, actor=ANA)
    back = await world.applying.plan("local", [Document("note", "n", {"t": 3}, reason="back")])
    await world.applying.carry_out("local", back, actor=ANA)
    made = await r.get(*at)
    assert (made.version, made.change_reason) == (3, "back")


async def test_what_somebody_changed_since_the_plan_is_not_archived(world: World) -> None:
    """Pruning takes away what the plan showed, and nothing else; the same holds for changes of kinds without versions."""
    note = Document("note", "n", {"t": 1})
    await world.applying.carry_out("local", await world.applying.plan("local", [note, box("a")]), actor=ANA)
    prune = await world.applying.plan("local", [Document("note", "m", {"t": 1})], prune=True)
    assert [(p.step.name, p.step.verdict) for p in prune] == [("m", "create"), ("n", "archive")]
    await world.registry.edit("local", "note", "n", {"t": "bob"}, actor=BOB, reason="needed")
    with pytest.raises(ConflictError, match="note `n` was changed"):
        await world.applying.carry_out("local", prune, actor=ANA)
    assert (await world.registry.get("local", "note", "n")).body == {"t": "bob"}
    edit = await world.applying.plan("local", [Document("box", "a", {"size": 2})])
    world.boxes.there["a"] = {"size": "bob's"}
    with pytest.raises(ConflictError, match="box `a` was changed"):
        await world.applying.carry_out("local", edit, actor=ANA)
    assert world.boxes.there["a"] == {"size": "bob's"}


async def test_an_application_cut_off_is_finished_by_doing_it_again(world: World) -> None:
    """Each document is a change of its own: what was done is found unchanged, the rest is done."""
    documents = [Document("note", f"n{i}", {"i": i}) for i in range(4)]
    planned = await world.applying.plan("local", documents)
    await world.applying.carry_out("local", planned[:2], actor=ANA)
    verdicts = [p.step.verdict for p in await world.applying.plan("local", documents)]
    assert verdicts == ["unchanged", "unchanged", "create", "create"]


async def test_everything_there_is_exported(world: World) -> None:
    """All kinds, or those named; what is archived is not there."""
    await world.applying.carry_out(
        "local", await world.applying.plan("local", [box("a"), Document("note", "n", {"t": 1})]), actor=ANA
    )
    await world.registry.create("local", "note", "gone", {}, actor=ANA, reason="r")
    await world.registry.archive("local", "note", "gone", actor=ANA, reason="r")
    assert [d.key for d in await world.applying.export("local")] == [("note", "n"), ("box", "a")]
    assert [d.key for d in await world.applying.export("local", ["box"])] == [("box", "a")]
    with pytest.raises(InputError, match="no kind `x`"):
        await world.applying.export("local", ["x"])


async def test_aliases_go_out_and_come_back(world: World, tmp_path: Path) -> None:
    """Exported by what they stand for, they are the same in a store whose versions have other numbers; twice is once."""
    r, at = world.registry, ("local", "note", "n")
    who: dict[str, Any] = {"actor": BOB, "reason": "mine"}
    await r.create(*at, {"t": 1}, **who)
    for t in (2, 3):
        await r.edit(*at, {"t": t}, **who)
    await r.draft(*at, {"t": 4}, **who)
    await r.set_alias(*at, "stable", 2, **who)
    await r.set_alias(*at, "newest", 3, **who)
    await r.set_alias(*at, "trial", 2, canary=(4, 20), **who)
    await r.set_alias(*at, "active", 3, canary=(4, 5), **who)
    documents = await world.applying.export("local")
    assert {p.step.verdict for p in await world.applying.plan("local", documents)} == {"unchanged"}

    clock = FakeClock()
    other = World(await registry_over(open_store("memory:", "", clock), tmp_path / "other", clock))
    for _ in range(2):
        planned = await other.applying.plan("local", documents)
        await other.applying.carry_out("local", planned, actor=ANA)
    assert {p.step.verdict for p in planned} == {"unchanged"}
    head = await other.registry.head(*at)
    assert head is not None

    async def body(version: int) -> Any:
        return (await other.registry.get(*at, version)).body["t"]

    there = {
        name: (await body(a.version), await body(a.canary) if a.canary else 0, a.canary_percent)
        for name, a in {**head.aliases, "active": head.active}.items()
    }
    assert there == {"stable": (2, 0, 0), "newest": (3, 0, 0), "trial": (2, 4, 20), "active": (3, 4, 5)}
    assert head.latest == 3, "each body is written once"
    assert await other.applying.export("local") == documents


async def test_aliases_of_a_document_are_all_that_there_are(world: World) -> None:
    """Named ones are set and others taken away; a document that speaks of none leaves them as they are."""
    r, at = world.registry, ("local", "note", "n")
    who: dict[str, Any] = {"actor": BOB, "reason": "mine"}
    await r.create(*at, {"t": 1}, **who)
    await r.set_alias(*at, "old", 1, **who)
    await r.set_alias(*at, "gone", 1, **who)
    plain = Document("note", "n", {"t": 2})
    (planned,) = await world.applying.plan("local", [plain])
    await world.applying.carry_out("local", [planned], actor=ANA)
    head = await r.head(*at)
    assert head is not None
    assert {k: a.version for k, a in head.aliases.items()} == {"old": 1, "gone": 1}
    told = replace(plain, aliases={"old": AliasBody(), "first": AliasBody({"t": 1})})
    (planned,) = await world.applying.plan("local", [told])
    assert planned.step.verdict == "alias"
    await world.applying.carry_out("local", [planned], actor=ANA, why="tidied")
    head = await r.head(*at)
    assert head is not None
    assert {k: a.version for k, a in head.aliases.items()} == {"old": 2, "first": 1}
    assert (head.last.author, head.last.reason, head.latest) == ("ana", "tidied", 2)
    (planned,) = await world.applying.plan("local", [told])
    assert planned.step.verdict == "unchanged"


async def test_aliases_that_mean_nothing_are_refused(world: World) -> None:
    """A kind without versions has none, `active` is the document itself, a body must fit, a name must be one."""
    for document, said in (
        (replace(box("a"), aliases={}), "has no versions"),
        (
            Document("note", "n", {"t": 1}, aliases={"active": AliasBody({"t": 2})}),
            "the document's own `spec`",
        ),
        (Document("note", "n", {"t": 1}, aliases={"x": AliasBody({"bad": 2})}), "note"),
        (Document("note", "n", {"t": 1}, aliases={"7": AliasBody()}), "no name for an alias"),
    ):
        with pytest.raises(InputError, match=said):
            await world.applying.plan("local", [document])
