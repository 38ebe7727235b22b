"""Pictures of a workflow: what they show, and that no name breaks them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.core.states.picture import Graph, Status, graph, to_mermaid, to_svg, to_text
from remit.core.states.picture.graph import condition, walk
from remit.core.states.picture.layout import Gaps, Link, lay_out
from remit.core.states.picture.words import cut, taken, width

SVG = "{http://www.w3.org/2000/svg}"
ORDER: dict[str, Any] = {
    "StartAt": "price",
    "States": {
        "price": {
            "Type": "Task",
            "Resource": "remit:tool:price",
            "Next": "route",
            "Catch": [{"ErrorEquals": ["OutOfStock", "States.ALL"], "Next": "sorry"}],
        },
        "route": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.total", "NumericGreaterThan": 100, "Next": "both"}],
            "Default": "each/one",
        },
        "both": {
            "Type": "Parallel",
            "Next": "each/one",
            "Branches": [
                {"StartAt": "geo", "States": {"geo": {"Type": "Pass", "End": True}}},
                {"StartAt": "news", "States": {"news": {"Type": "Wait", "Seconds": 5, "End": True}}},
            ],
        },
        "each/one": {
            "Type": "Map",
            "MaxConcurrency": 3,
            "ItemProcessor": {
                "StartAt": "ship",
                "States": {"ship": {"Type": "Task", "Resource": "remit:agent:shipper@b", "End": True}},
            },
            "End": True,
        },
        "sorry": {"Type": "Fail", "Error": "Sorry"},
    },
}
RUN = {
    "/States/price": Status("succeeded", 1000, 3500, retries=2),
    "/States/both": Status("running", 3500, done=1, total=2),
    "/States/both/Branches/0/States/geo": Status("failed", 3500, 3501, note="Remit.Denied"),
    "/States/each~1one/ItemProcessor/States/ship": Status("waiting"),
}


def picture() -> Graph:
    """The graph of ORDER."""
    return graph(ORDER, "order")


def test_a_graph_has_the_states_with_their_pointers_and_what_they_do() -> None:
    """Every state once, inner ones too; the pointer leads to it in the document."""
    found = {node.name: node for node in walk(picture().root)}
    assert set(found) == {"price", "route", "both", "each/one", "sorry", "geo", "news", "ship"}
    assert found["ship"].pointer == "/States/each~1one/ItemProcessor/States/ship"
    assert [found[name].detail for name in ("price", "ship", "news", "each/one", "sorry")] == [
        "tool price",
        "agent shipper@b",
        "5 s",
        "3 at a time",
        "Sorry",
    ]


def test_edges_say_why() -> None:
    """Conditions, defaults and errors are labels."""
    edges = {(e.source, e.target): (e.label, e.kind) for e in picture().root.edges}
    assert edges == {
        ("price", "route"): ("", "next"),
        ("price", "sorry"): ("OutOfStock, any error", "catch"),
        ("route", "both"): ("$.total > 100", "choice"),
        ("route", "each/one"): ("otherwise", "default"),
        ("both", "each/one"): ("", "next"),
    }


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ({"Condition": "{% ($states.input.n > 3) %}"}, "n > 3"),
        ({"Condition": "{% ($a) and ($b) %}"}, "($a) and ($b)"),
        ({"Variable": "$.a", "StringEquals": "x"}, "$.a = 'x'"),
        ({"Variable": "$.a", "StringEqualsPath": "$.b"}, "$.a = $.b"),
        ({"Variable": "$.a", "TimestampLessThanEquals": "2026-01-01T00:00:00Z"}, "$.a <= '2026-01-01T00:00:00Z'"),
        ({"Variable": "$.a", "BooleanEquals": False}, "$.a = false"),
        ({"Variable": "$.a", "StringMatches": "log-*"}, "$.a matches 'log-*'"),
        ({"Variable": "$.a", "IsPresent": False}, "not: $.a is present"),
        ({"Not": {"Variable": "$.a", "IsNull": True}}, "not ($.a is null)"),
        (
            {"And": [{"Variable": "$.a", "IsString": True}, {"Or": [{"Variable": "$.b", "NumericEquals": 1}]}]},
            "$.a is text and ($.b = 1)",
        ),
    ],
)  # fmt: skip
def test_a_rule_reads_as_a_sentence(rule: dict[str, Any], text: str) -> None:
    """Both query languages, all comparators."""
    assert condition(rule) == text


def test_mermaid_has_every_state_edge_and_colour() -> None:
    """Containers are subgraphs; a run's states have the class of their phase."""
    text = to_mermaid(picture(), RUN)
    assert text.startswith("flowchart TD\n")
    assert text.count("subgraph ") == text.count("\n  end\n") + text.count("\n    end\n") == 5
    assert '["#10003; price<br/>tool price<br/>retried 2 times, 2#46;5 s"]' in text
    assert re.search(r's\d -\.->\|"OutOfStock, any error"\| s\d', text)
    assert re.search(r"classDef running .*\n", text)
    assert len(re.findall(r"^  class s\d+ (succeeded|running|failed|waiting)$", text, re.MULTILINE)) == 4


def test_svg_shows_states_with_phase_and_time() -> None:
    """Well-formed, standalone, with a tooltip that has what was cut."""
    root = ET.fromstring(to_svg(picture(), RUN))
    classes = {
        g.find(f"{SVG}title").text.split("\n")[0]: g.get("class")
        for g in root.iter(f"{SVG}g")
        if g.get("class")
    }  # type: ignore[union-attr]
    assert classes["price"] == "Task succeeded"
    assert classes["geo"] == "Pass failed"
    assert classes["sorry"] == "Fail pending"
    texts = [t.text for t in root.iter(f"{SVG}text")]
    assert "✓ retried 2 times, 2.5 s" in texts
    assert "▶ 1/2" in texts
    assert "prefers-color-scheme:dark" in to_svg(picture())
    assert "http" not in to_svg(picture()).replace("http://www.w3.org/2000/svg", "")


def test_text_is_a_list_with_arrows_and_boxes() -> None:
    """States in the order of the flow; a line where the next is right below, an arrow with its reason where it is not."""
    assert (
        to_text(picture(), RUN, columns=60)
        == """\
order
✓ price  tool price                   retried 2 times, 2.5 s
├─ caught OutOfStock, any error ─▶ sorry
│
◇ route  choice
├─ $.total > 100 ─▶ both
└─ otherwise ─▶ each/one

▶ both  parallel                                         1/2
│ ┌─ branch 1 ─────────────────────────────────────────────┐
│ │ ✗ geo  pass                         1 ms, Remit.Denied │
│ │ └─▶ end                                                │
│ └────────────────────────────────────────────────────────┘
│ ┌─ branch 2 ─────────────────────────────────────────────┐
│ │ ◷ news  5 s                                            │
│ │ └─▶ end                                                │
│ └────────────────────────────────────────────────────────┘
│
≡ each/one  3 at a time
  ┌─ for each item ────────────────────────────────────────┐
  │ ◔ ship  agent shipper@b                                │
  │ └─▶ end                                                │
  └────────────────────────────────────────────────────────┘
└─▶ end

⊗ sorry  Sorry
"""
    )


def test_colour_is_asked_for() -> None:
    """No escape code without it, and the same text with it."""
    plain, coloured = to_text(picture(), RUN), to_text(picture(), RUN, colour=True)
    assert "\x1b" not in plain
    assert "\x1b[31" in coloured or "\x1b[1;31m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


def named(names: list[str]) -> dict[str, Any]:
    """A document whose states are called so, with a Choice, a Parallel and a way back."""
    states: dict[str, Any] = {}
    for index, name in enumerate(names):
        following = names[(index + 1) % len(names)]
        if index % 3 == 1:
            states[name] = {"Type": "Choice", "Choices": [{"Variable": "$", "StringEquals": name, "Next": names[0]}], "Default": following}  # fmt: skip
        elif index % 3 == 2:
            inner = {"StartAt": name, "States": {name: {"Type": "Succeed"}}}
            states[name] = {"Type": "Parallel", "Branches": [inner, inner], "Next": following}
        else:
            states[name] = (
                {"Type": "Fail", "Error": name}
                if index == len(names) - 1
                else {"Type": "Pass", "Next": following}
            )
    return {"StartAt": names[0], "States": states}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=80), min_size=1, max_size=12, unique=True), st.integers(0, 120))
def test_no_name_breaks_a_picture(names: list[str], columns: int) -> None:
    """Any name gives well-formed XML, one statement a line in Mermaid, and lines within the terminal."""
    made = graph(named(names), names[0])
    told = {node.pointer: Status("failed", note=names[-1]) for node in walk(made.root)}
    ET.fromstring(to_svg(made, told))
    for line in to_mermaid(made, told).splitlines()[1:]:
        outside = re.sub(r'"[^"]*"', "", line)
        assert line.startswith("  %%") or re.fullmatch(r"[\w\s\[\]{}()|>.:,#=-]*", outside), line
    for line in to_text(made, told, columns=columns).splitlines():
        assert width(line) <= max(columns, 40)
        assert line.isprintable() or not line


def boxes(layout: Any, sizes: dict[str, tuple[float, float]]) -> list[tuple[float, float, float, float]]:
    """Rectangles of the nodes: left, top, right, bottom."""
    return [(x, y, x + sizes[n][0], y + sizes[n][1]) for n, (x, y) in layout.corners.items()]


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_a_layout_keeps_nodes_apart_and_ends_on_them(data: st.DataObject) -> None:
    """No two nodes touch; an edge begins on the edge of its source and ends on that of its target; labels are in the picture."""
    names = [f"n{i}" for i in range(data.draw(st.integers(1, 25)))]
    sizes = {
        n: (float(data.draw(st.integers(10, 300))), float(data.draw(st.integers(10, 200)))) for n in names
    }
    name = st.sampled_from(names)
    links = [
        Link(s, t, *((40.0, 10.0) if labelled else (0.0, 0.0)))
        for s, t, labelled in data.draw(st.lists(st.tuples(name, name, st.booleans()), max_size=50))
    ]
    made = lay_out(sizes, links, names[0], Gaps(10, 20))
    rectangles = boxes(made, sizes)
    for i, a in enumerate(rectangles):
        assert a[0] >= -0.01
        assert a[1] >= -0.01
        assert a[2] <= made.width + 0.01
        assert a[3] <= made.height + 0.01
        for b in rectangles[i + 1 :]:
            assert a[2] <= b[0] + 0.01 or b[2] <= a[0] + 0.01 or a[3] <= b[1] + 0.01 or b[3] <= a[1] + 0.01
    for link, route in zip(links, made.routes, strict=True):
        for end, (x, y) in ((link.source, route[0]), (link.target, route[-1])):
            left, top = made.corners[end]
            assert left - 0.01 <= x <= left + sizes[end][0] + 0.01
            assert top - 0.01 <= y <= top + sizes[end][1] + 0.01
    for link, label in zip(links, made.labels, strict=True):
        assert (label is not None) == bool(link.label_width and link.source != link.target)


def test_texts_are_cut_by_columns() -> None:
    """A wide letter takes two columns, and is not halved."""
    assert (width("日本"), cut("日本語", 5), cut("abc", 3), cut("abcd", 3)) == (4, "日本…", "abc", "ab…")
    assert [taken(ms) for ms in (7, 1500, 61_000, 3_660_000, 200_000_000)] == [
        "7 ms",
        "1.5 s",
        "1 min 1 s",
        "1 h 1 min",
        "2 d 7 h",
    ]
