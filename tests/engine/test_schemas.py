"""Values are checked before they are believed, and nothing about them crashes the check."""

from __future__ import annotations

import time
from typing import Any

import pytest

from remit.core.errors import ConfigError
from remit.engine import schemas
from remit.engine.schemas import Validator, check_schema

SCHEMA = {
    "type": "object",
    "properties": {
        "amount": {"type": "integer", "minimum": 1},
        "mail": {"type": "string", "format": "email"},
        "lines": {"type": "array", "items": {"type": "object", "required": ["sku"]}},
        "odd name": {"type": "string"},
    },
    "required": ["amount"],
    "additionalProperties": False,
}


def test_a_valid_value_has_no_problems() -> None:
    """An empty tuple."""
    assert Validator(SCHEMA).problems({"amount": 5, "mail": "a@b.co", "lines": [{"sku": 1}]}) == ()


@pytest.mark.parametrize(
    ("value", "start"),
    [
        ({"amount": "x"}, "$.amount: "),
        ({"amount": 5, "lines": [{}]}, "$.lines[0]: "),
        ({"amount": 5, "odd name": 1}, "$['odd name']: "),
        ({"amount": 5, "mail": "nobody"}, "$.mail: "),
        ({"amount": 5, "more": 1}, "$: "),
        ({}, "$: "),
        ([], "$: "),
        ({"amount": True}, "$.amount: "),
    ],
)
def test_each_problem_names_its_path(value: Any, start: str) -> None:
    """As a sentence after a path."""
    (problem,) = Validator(SCHEMA).problems(value)
    assert problem.startswith(start)
    assert len(problem) < 300


def test_all_problems_are_told_up_to_a_limit() -> None:
    """A thousand problems are not a thousand sentences."""
    validator = Validator({"items": {"type": "string"}})
    assert len(validator.problems([1, 2, 3])) == 3
    assert len(validator.problems(list(range(1000)))) == schemas.MAX_PROBLEMS + 1


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (nested(65), "nested more than 64 levels"),
        (nested(100_000), "nested more than 64 levels"),
        ("x" * 1_000_001, "larger than"),
        (["x" * 1000] * 1001, "larger than"),
        ({"x" * 1_000_001: 1}, "larger than"),
        (float("nan"), "NaN"),
        ({"a": [float("inf")]}, "NaN and infinity"),
        ({"a": -float("inf")}, "NaN and infinity"),
        ({"a": b"bytes"}, "`bytes` is not a JSON value"),
        ({1: 2}, "key that is not text"),
        ({"a": {1, 2}}, "`set` is not a JSON value"),
        ("\ud800", "cannot be checked"),
    ],
)
def test_unfit_values_are_problems_not_crashes(value: Any, words: str) -> None:
    """Depth, size, NaN, and what is no JSON."""
    (problem,) = Validator({}).problems(value)
    assert words in problem


def test_64_levels_are_fine_and_big_numbers_too() -> None:
    """The limits are where they say."""
    assert Validator({}).problems(nested(64)) == ()
    assert Validator({}).problems(10**400) == ()


def test_a_value_that_holds_itself_is_a_problem() -> None:
    """Not an endless loop."""
    loop: list[Any] = []
    loop.append(loop)
    assert Validator({}).problems(loop)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "strin"},
        {"minimum": "x"},
        {"pattern": "("},
        {"$ref": "#/$defs/none"},
        {"$ref": "https://example.com/schema.json"},
        {"$schema": "https://example.com/draft"},
        {"properties": {"a": {"enum": "x"}}},
        {"const": float("nan")},
        {"x": nested(100)},
        ["not", "an", "object"],
        {"default": {1}},
    ],
)
def test_an_invalid_schema_is_a_config_error(schema: Any) -> None:
    """When it is declared, not when a value comes."""
    with pytest.raises(ConfigError) as raised:
        check_schema(schema)
    assert raised.value.code == "E230"


def test_equal_schemas_share_what_was_compiled() -> None:
    """By digest, whatever the order of their keys."""
    before = len(schemas._compiled)
    one = Validator({"type": "string", "minLength": 3})
    two = Validator({"minLength": 3, "type": "string"})
    assert one._schema is two._schema
    assert len(schemas._compiled) == before + 1


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|aa)+$", "^(?=(a+)+$)a", "(a*)*b(?!c)"])
def test_a_hostile_pattern_does_not_stop_the_clock(pattern: str) -> None:
    """Steps are bounded; running out of them is a problem of the value."""
    start = time.perf_counter()
    Validator({"pattern": pattern}).problems("a" * 5000 + "!")
    assert time.perf_counter() - start < 2
