"""Reports: what they show, and that nothing in a table's content can change them."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit_packs.validation.report.build import of_diff, of_validation, readable
from remit_packs.validation.report.junit import junit
from remit_packs.validation.report.page import page
from remit_packs.validation.report.value import DifferingRow, Line, Report, conditions, facts

EVIL = "<script>alert(1)</script> & \" ' ]]> \x00\x1b[31m"
VOID = {"meta", "br", "hr", "img", "link", "input"}


def line(status: Any = "FAILED", **fields: Any) -> Line:
    """A check."""
    given: dict[str, Any] = {
        "table": "orders",
        "name": "orders-rows",
        "kind": "row_diff",
        "reason": "rows differ",
    }
    return Line(**{**given, "status": status, **fields})


def report(*lines: Line, **fields: Any) -> Report:
    """A report of these checks."""
    given: dict[str, Any] = {
        "title": "orders",
        "status": "FAILED",
        "reason": "why",
        "made_at": 1_795_000_000_000,
    }
    return Report(**{**given, "lines": lines, **fields})


class Outline(HTMLParser):
    """The tags of a page, whether they are balanced, and every address in it."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.addresses: list[str] = []
        self.balanced = True

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [v or "" for n, v in attrs if n in ("src", "href", "action", "data")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.balanced = self.balanced and bool(self.open) and self.open.pop() == tag


def outline(text: str) -> Outline:
    """Read a page."""
    found = Outline()
    found.feed(text)
    return found


def everywhere(text: str) -> Report:
    """A report with a text in every place that comes from outside."""
    rows = (
        DifferingRow({text: text}, "changed", {text: (text, None)}),
        DifferingRow({text: text}, "missing"),
    )
    details = {
        text: text,
        "code": text,
        "help": text,
        "note": text,
        "filters": [{"column": text, "op": "=", "value": text}],
    }
    one = line(table=text, name=text, kind=text, reason=text, details=details, rows=rows, run_id=text)
    return report(
        one, line("PASSED"), title=text, reason=text, agent_run=text, triggered_by=text, notes=(text,)
    )


@given(st.text(max_size=40))
def test_no_text_becomes_markup(text: str) -> None:
    """Whatever stands in a table, the page has the same tags, and asks nobody for anything."""
    plain, found = outline(page(everywhere("x"))), outline(page(everywhere(text)))
    assert found.tags == plain.tags
    assert found.balanced
    assert not found.open
    assert not found.addresses


def test_the_page_has_no_script_and_no_outside_address() -> None:
    """One file: a policy that forbids loading, no script, no link."""
    text = page(everywhere(EVIL))
    assert "default-src 'none'" in text
    assert "<script" not in text
    assert not re.search(r"https?://|url\(|@import", text)


def test_the_page_shows_the_worst_first_and_opens_it() -> None:
    """What could not be decided comes before what failed, and that before what passed."""
    made = page(report(line("PASSED", name="a"), line("FAILED", name="b"), line("ERROR", name="c")))
    assert made.index(">c</h2>") < made.index(">b</h2>") < made.index(">a</h2>")
    assert made.count(" open>") == 2


def test_null_and_empty_are_told_apart() -> None:
    """NULL is no empty text."""
    made = page(report(line(rows=(DifferingRow({"id": "1"}, "changed", {"note": (None, "")}),))))
    assert ">NULL<" in made
    assert ">empty<" in made


@given(st.text(max_size=40))
def test_junit_is_xml_whatever_it_holds(text: str) -> None:
    """A parser reads it back, with the right counts."""
    root = ElementTree.fromstring(junit(everywhere(text)))
    assert root.get("failures") == "1"
    assert root.get("tests") == "2"


def test_junit_tells_failures_from_errors() -> None:
    """FAILED is a failure, ERROR an error with its code, PASSED neither."""
    lines = (
        line("PASSED", name="a"),
        line("FAILED", name="b"),
        line("ERROR", name="c", details={"code": "E562"}),
    )
    root = ElementTree.fromstring(junit(report(*lines)))
    cases = {case.get("name"): [child.tag for child in case] for case in root.iter("testcase")}
    assert cases == {"a": [], "b": ["failure"], "c": ["error"]}
    assert next(root.iter("error")).get("type") == "E562"


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("postgresql://ana:hunter2@db/shop/orders", "postgresql://ana@db/shop/orders"),
        ("postgresql://ana:${secret:cli_source}@db/shop/orders", "postgresql://ana@db/shop/orders"),
        ("orders.parquet", "orders.parquet"),
        ("s3://bucket/a:b@c.parquet", "s3://bucket/a:b@c.parquet"),
    ],
)
def test_a_location_is_shown_without_its_password(location: str, shown: str) -> None:
    """Neither the password nor the name of its secret."""
    assert readable(location) == shown


def test_a_diff_that_could_not_be_made_says_why() -> None:
    """The code and what to do go into the report."""
    payload = {
        "source": "a.csv",
        "target": "b.csv",
        "status": "ERROR",
        "reason": "no `b.csv`",
        "code": "E564",
        "help": "look",
    }
    made = of_diff(payload, made_at=1)
    assert (made.status, made.lines[0].details["code"]) == ("ERROR", "E564")
    assert "look" in page(made)


def test_a_validation_without_rules_is_an_error_in_every_form() -> None:
    """Nothing checked is not a pass in CI either."""
    payload = {
        "status": "ERROR",
        "reason": "`orders` has no active, enabled rule",
        "code": "E596",
        "runs": [],
    }
    made = of_validation(payload, title="orders", made_at=1)
    assert ElementTree.fromstring(junit(made)).get("errors") == "1"


def test_filters_are_told_in_words() -> None:
    """A reader sees which rows were looked at."""
    filters = [{"column": "day", "op": ">=", "value": "2026-11-20"}, {"column": "note", "op": "not_null"}]
    assert conditions({"filters": filters}) == "day >= 2026-11-20 and note not null"
    assert facts({"filters": filters, "expected_count": 1200, "extra": []}) == [("expected count", "1,200")]
