"""Rules: what a target is given, and what cannot be a rule."""

from __future__ import annotations

from typing import Any

import pytest

from remit.core.cloudevent import CloudEvent
from remit.core.codec import convert
from remit.core.errors import InputError
from remit.core.rule import InputSpec, RuleBody, check_declared, declares, given, hops_of, problems_of, via

EVENT = CloudEvent("e1", "shop", "order.placed", {"id": 7, "items": [{"sku": "a"}, {"sku": "b"}], "a-b": 1})


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"path": "$.data"}, EVENT.data),
        ({"path": "$.data.items[1].sku"}, "b"),
        ({"path": "$.data['a-b']"}, 1),
        ({"path": "$.data.nothing"}, None),
        ({"path": "$.data.items[9]"}, None),
        ({"template": {"n": 1}}, {"n": 1}),
        ({"paths": {"id": "$.data.id"}, "template": {"order": "<id>"}}, {"order": 7}),
        ({"paths": {"id": "$.data.id"}, "template": ["order <id> of <id>"]}, ["order 7 of 7"]),
        ({"paths": {"all": "$.data.items"}, "template": "items: <all>"}, 'items: [{"sku":"a"},{"sku":"b"}]'),
        ({"paths": {"no": "$.data.no"}, "template": {"a": "<no>", "b": "(<no>)"}}, {"a": None, "b": "()"}),
        ({"template": "by <remit.rule>"}, "by R"),
    ],
)
def test_what_a_target_is_given(spec: dict[str, Any], expected: Any) -> None:
    """A path, or a template with the values at its paths; a value alone keeps its type."""
    assert given(convert(spec, InputSpec), "R", EVENT) == expected


def test_without_a_word_a_target_is_given_the_event() -> None:
    """As JSON, whole."""
    whole = given(InputSpec(), "R", EVENT)
    assert (whole["id"], whole["type"], whole["data"]) == ("e1", "order.placed", EVENT.data)
    assert given(convert({"template": "<remit.event>"}, InputSpec), "R", EVENT) == whole


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"pattern": {}}, "names no field"),
        ({"input": {"path": "data"}}, "is no path"),
        ({"input": {"path": "$.a..b"}}, "is no path"),
        ({"input": {"path": "$.a", "template": "x"}}, "one of them"),
        ({"input": {"paths": {"a": "$.b"}}}, "there is none"),
        ({"input": {"paths": {"a b": "$.b"}, "template": "x"}}, "cannot name a value"),
        ({"input": {"template": {"deep": ["<who>"]}}}, "has `<who>`"),
    ],
)
def test_what_is_wrong_with_a_rule_is_said_when_it_is_written(change: dict[str, Any], said: str) -> None:
    """A sentence for each mistake."""
    body = {"pattern": {"type": ["t"]}, "target": "agent", **change}
    assert any(said in problem for problem in problems_of(convert(body, RuleBody)))


@pytest.mark.parametrize("change", [{"target": ""}, {"retry": {"attempts": 0}}, {"what": 1}, {"pattern": []}])
def test_a_rule_of_another_shape_is_refused(change: dict[str, Any]) -> None:
    """Nothing that is unknown is taken."""
    with pytest.raises(InputError):
        convert({"pattern": {"type": ["t"]}, "target": "agent", **change}, RuleBody)


def test_how_far_an_event_has_come_is_kept_in_the_way_of_a_run() -> None:
    """And a run that no event started begins at none."""
    assert hops_of(via("rule", "a#b", 3)) == 3
    assert hops_of(via("agent", "x", 16)) == 16
    assert [hops_of(text) for text in ("api", "sdk", "scheduler", "", "rule:x", "cli#4")] == [0] * 6


def test_what_an_agent_declares() -> None:
    """Types, also all that begin alike; anything else is refused."""
    assert declares(("order.placed", "log.*"), "log.info")
    assert declares(("order.placed",), "order.placed")
    assert not declares(("order.placed", "log.*"), "order.paid")
    check_declared("a", ["x", "y.*", {"type": ["z"]}], ["x", "y.*"])
    for subscribes, publishes in (([{"type": []}], []), ([], [""]), ([], ["a*b"]), (["a**"], [])):
        with pytest.raises(InputError) as refusal:
            check_declared("a", subscribes, publishes)
        assert refusal.value.code == "E663"
