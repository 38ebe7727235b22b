"""Schemas that are made of type hints."""

from __future__ import annotations

import json
from typing import Annotated

import pytest
from msgspec import Meta

from remit import tool
from remit.bootstrap.packs import BUILT_IN, load_pack
from remit.sdk import Pack

Names = Annotated[tuple[str, ...], Meta(max_length=3)]


@tool
def pick(names: Names = (), most: int = 3) -> str:
    """Pick some."""
    return ", ".join(names[:most])


def test_a_default_is_plain_json() -> None:
    """An empty tuple is an empty list: providers take nothing but JSON."""
    assert pick.spec.input_schema["properties"]["names"]["default"] == []
    assert pick.spec.input_schema == json.loads(json.dumps(pick.spec.input_schema))


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_tool_of_a_built_in_pack_can_be_shown_to_a_provider(name: str, tmp_path: object) -> None:
    """Its schema is plain JSON, its description is not empty."""
    pack = load_pack(name, tmp_path)  # type: ignore[arg-type]
    assert isinstance(pack, Pack)
    for each in pack.tools:
        assert type(json.loads(json.dumps(each.spec.input_schema))) is dict
        assert each.spec.input_schema == json.loads(json.dumps(each.spec.input_schema)), each.spec.name
        assert each.spec.description
