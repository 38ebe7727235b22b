"""What somebody is told to do about a value that does not fit."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta, Struct

from remit.core.codec import convert, decode
from remit.core.errors import InputError
from remit.core.extras import how_to_install


class Inner(Struct, forbid_unknown_fields=True):
    """Something inside."""

    colour: Literal["red", "green"] = "red"
    size: Annotated[int, Meta(ge=0)] = 0


class Outer(Struct, forbid_unknown_fields=True):
    """Something with things inside."""

    name: str
    one: Inner | None = None
    many: dict[str, list[Inner]] = {}


@pytest.mark.parametrize(
    ("given", "help"),
    [
        ({}, "add `name`"),
        ({"name": 1}, "correct `name`"),
        ({"name": "x", "nam": 1}, "known fields: `name`, `many`, `one`"),
        ({"name": "x", "one": {"colour": "blue"}}, "known values: `green`, `red`"),
        ({"name": "x", "one": {"size": -1}}, "correct `one.size`"),
        ({"name": "x", "many": {"a": [{"colr": 1}]}}, "known fields: `colour`, `size`"),
        ([], "check that it is whole and well-formed, and of the fields that are expected"),
    ],
    ids=["missing", "type", "unknown", "value", "bound", "nested", "shape"],
)
def test_help_names_what_would_fit(given: Any, help: str) -> None:
    """The known fields or values, the nearest first; else the place to correct."""
    with pytest.raises(InputError) as refused:
        convert(given, Outer)
    assert (refused.value.code, refused.value.help) == ("E102", help)


def test_broken_json_has_help_too() -> None:
    """There is always a next action."""
    with pytest.raises(InputError) as refused:
        decode(b"{", Outer)
    assert refused.value.help


def test_an_extra_is_installed_from_the_source_or_a_wheel() -> None:
    """Never by a bare name: Remit is on no package index."""
    said = how_to_install("kafka")
    assert "pip install '.[kafka]'" in said
    assert "WHEEL[kafka]" in said
    assert "'remit[" not in said
