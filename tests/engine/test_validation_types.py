"""Validation types: built in or written, always with an agent and a JSON Schema."""

from __future__ import annotations

from typing import Any

import pytest
from tests.engine.validation_world import COUNTS, WHY, World, counting, world  # noqa: F401

from remit.core.errors import InputError, NotFoundError
from remit.core.validation import ValidationType
from remit.engine.validation_types import TYPES, parameter_mistakes, tables_in
from remit.testing import app_for_tests

OWN = ValidationType("own_counts", "Ours.", "counting", COUNTS)


def with_(**fields: Any) -> ValidationType:
    return ValidationType(**{f: fields.get(f, getattr(OWN, f)) for f in OWN.__struct_fields__})


async def test_built_in_types_are_known_to_every_tenant(world: World) -> None:  # noqa: F811
    """They come from the packs that are loaded, and cannot be changed or removed."""
    types = world.app.validation_types
    built_in = await types.get("acme", "row_counts")
    assert built_in.agent == "counting"
    assert not await types.put("acme", built_in, **WHY)
    with pytest.raises(InputError, match="built in"):
        await types.put("acme", ValidationType("row_counts", "Mine.", "counting", COUNTS), **WHY)
    with pytest.raises(InputError, match="built in"):
        await world.app.validations.remove_type("acme", "row_counts", **WHY)


async def test_a_tenants_own_type_is_its_own(world: World) -> None:  # noqa: F811
    """Written once, found by its tenant alone, listed behind the built-in ones, and removed again."""
    types = world.app.validation_types
    assert await types.put("acme", OWN, **WHY)
    assert not await types.put("acme", OWN, **WHY)
    assert await types.put("acme", with_(description="Ours, better."), **WHY)
    assert (await types.get("acme", "own_counts")).description == "Ours, better."
    assert [t.validation_type for t in (await types.list("acme")).items] == ["row_counts", "own_counts"]
    assert [t.validation_type for t in (await types.list("local")).items] == ["row_counts"]
    with pytest.raises(NotFoundError, match="own_counts"):
        await types.get("local", "own_counts")
    item = await world.app.store.get(TYPES, ("acme/own_counts",))
    assert set(item or {}) == {*ValidationType.__struct_fields__, "tenant_id"}
    await world.app.validations.remove_type("acme", "own_counts", **WHY)
    assert await types.find("acme", "own_counts") is None


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"agent": "nobody"}, "there is no agent `nobody`"),
        ({"parameters": {"type": "string"}}, "not of `type: object`"),
        ({"parameters": {"type": "objekt"}}, "not valid JSON Schema"),
        ({"parameters": {"type": "object", "$ref": "https://example.com/x"}}, "not valid JSON Schema"),
    ],
)
async def test_a_type_that_nobody_can_run_is_refused(fields, said, world: World) -> None:  # noqa: F811
    """Its agent exists here, and its parameters are a JSON Schema of an object."""
    with pytest.raises(InputError, match=said):
        await world.app.validation_types.put("local", with_(**fields), **WHY)
    assert (await world.app.validation_types.list("local")).items[1:] == []


@pytest.mark.parametrize("field", ["description", "parameters"])
async def test_a_type_holds_no_secret(field: str) -> None:
    """Types are read by everybody, shown to models and exported."""
    held = "hunter2-hunter2"
    fields = {
        "description": f"Log in with {held}.",
        "parameters": {**COUNTS, "default": {"source_table": held}},
    }
    async with app_for_tests(counting, secrets={"db": held}) as app:
        with pytest.raises(InputError, match="it holds a secret"):
            await app.validation_types.put("local", with_(**{field: fields[field]}), **WHY)
        assert await app.validation_types.find("local", "own_counts") is None


def test_the_schema_marks_the_parameters_that_name_tables() -> None:
    """Directly, behind a choice, in a list, and behind a reference."""
    given = {"source_table": "a", "target_table": "b", "others": [{"table": "c"}, {"table": "a"}]}
    assert tables_in(OWN, given) == ["a", "b", "c"]
    assert tables_in(OWN, {"source_table": "a", "target_table": None}) == ["a"]
    assert tables_in(OWN, {"source_table": 3, "others": "x"}) == []


def test_a_schema_that_refers_to_itself_is_walked_to_an_end() -> None:
    """A recursive schema cannot hang the check of a rule."""
    schema = {
        "type": "object",
        "properties": {"next": {"$ref": "#/$defs/node"}},
        "$defs": {
            "node": {
                "anyOf": [{"type": "string", "format": "table"}, {"$ref": "#/$defs/node"}],
            }
        },
    }
    assert tables_in(with_(parameters=schema), {"next": "a"}) == ["a"]


def test_every_mistake_in_the_parameters_is_named_by_its_path() -> None:
    """A person corrects a rule once."""
    said = parameter_mistakes(OWN, {"threshold_percent": -1, "more": 1})
    assert len(said) == 3
    assert any(s.startswith("parameters.threshold_percent:") for s in said)
