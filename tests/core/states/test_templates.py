"""Payload templates of JSONPath states."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.states import templates
from remit.core.states.env import Env
from remit.core.states.failures import INTRINSIC, PARAMETER_PATH, RUNTIME, StateFailure

ENV = Env(now_ms=lambda: 0, random=lambda: 0.5, new_id=lambda: "an-id")
SIGHT = templates.Sight({"a": {"b": [1, None]}}, {"Execution": {"Id": "e"}}, {"v": {"w": 7}}, ENV)


def test_fields_that_end_in_a_dollar_are_evaluated_at_any_depth() -> None:
    """Paths, the context object, variables and functions; all else stays as it is."""
    filled = templates.fill(
        {
            "plain": "$.a",
            "path.$": "$.a.b",
            "in": [{"context.$": "$$.Execution.Id", "list": ["$.a"]}],
            "variable.$": "$v.w",
            "function.$": "States.Format('{}', $.a.b[0])",
        },
        SIGHT,
    )
    assert filled == {
        "plain": "$.a",
        "path": [1, None],
        "in": [{"context": "e", "list": ["$.a"]}],
        "variable": 7,
        "function": "1",
    }


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("$.nothing", PARAMETER_PATH),
        ("$unset", PARAMETER_PATH),
        ("States.Array($.nothing)", PARAMETER_PATH),
        ("States.ArrayLength(1)", INTRINSIC),
        ("nothing", RUNTIME),
        (1, RUNTIME),
    ],
)
def test_a_field_that_has_no_value_fails(value: Any, error: str) -> None:
    """With the error that the States Language gives for it."""
    with pytest.raises(StateFailure) as failed:
        templates.fill({"x.$": value}, SIGHT)
    assert failed.value.error == error


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text().filter(lambda name: not name.endswith(".$")), inner)
    ),
)


@given(JSON)
def test_a_template_of_constants_gives_itself(value: Any) -> None:
    """Types included."""
    assert templates.fill(value, SIGHT) == value
