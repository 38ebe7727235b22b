"""Tables, types, rules and the scorecard from a terminal."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from remit.bootstrap import open_app
from remit.core.scorecard import DAY_MS
from remit.core.validation import ValidationRun
from remit.settings import load

TYPE = '''
from remit import agent
from remit.sdk import ValidationType

SCHEMA = {
    "type": "object",
    "properties": {
        "source_table": {"type": "string", "format": "table", "description": "The expected side."},
        "threshold_percent": {"type": "number", "minimum": 0, "default": 0},
    },
    "required": ["source_table"],
    "additionalProperties": False,
}

@agent
async def counting(input, memory, context):
    """Checks nothing."""

counting.validation_type = ValidationType("row_counts", "Counts agree.", "counting", SCHEMA)
'''


@pytest.fixture
def shop(project: Path, remit):
    """A project with a type, two tables and a rule."""
    (project / "checks.py").write_text(TYPE)
    (project / "remit.toml").write_text('app = "checks.py"\n')
    assert remit("tables", "add", "orders", "data/orders.parquet", "--owner", "ana").code == 0
    assert remit("tables", "add", "items", "s3://b/items.csv", "--schedule", "daily").code == 0
    made = remit(
        "validations", "create", "c1", "--table", "orders", "--type", "row_counts", "-p", "source_table=items"
    )
    assert made.code == 0, made.err
    return project


def record(*lines: ValidationRun) -> None:
    """Write the run log as a validation does."""

    async def write() -> None:
        async with open_app(load()) as app:
            for line in lines:
                await app.validation_runs.record("local", line)

    asyncio.run(write())


def test_the_rows_that_failed_a_rule_are_listed(shop: Path, remit) -> None:
    """As far as they were kept; what is gone is said."""
    kept = b'{"key": {"id": 7}, "change": "missing"}\n'

    async def write() -> None:
        async with open_app(load()) as app:
            found = (await app.blobs.put(kept), "sha256:" + "0" * 64)
            failed = ValidationRun("r1", "orders", "c1", 1, "row_counts", "FAILED", {}, "cli", 1, "", found)
            await app.validation_runs.record("local", failed)

    asyncio.run(write())
    answer = remit("validations", "rows", "r1")
    assert ("missing" in answer.out, "1 row kept, 1 file gone" in answer.err) == (True, True)
    (row,) = remit("validations", "rows", "r1", "--json").document["items"]
    assert row["key"] == {"id": 7}


def now() -> int:
    return open_app(load()).clock.now()


def test_tables_are_added_listed_and_removed(shop: Path, remit) -> None:
    """What the location says need not be said; the same again changes nothing; a needed table stays."""
    listed = remit("tables", "list", "--json").document["items"]
    assert [(t["table_id"], t["source"], t["format"]) for t in listed] == [
        ("items", "s3", "csv"),
        ("orders", "file", "parquet"),
    ]
    assert "nothing changed" in remit("tables", "add", "orders", "data/orders.parquet", "--owner", "ana").err
    changed = remit(
        "tables", "add", "orders", "data/orders.parquet", "--owner", "bob", "--as", "bob", "--why", "mine"
    )
    assert changed.code == 0, changed.err
    assert remit("tables", "add", "orders", "data/orders.parquet", "--owner", "ana", "--why", "no").code == 0
    shown = remit("tables", "history", "orders").out
    assert "owner: ana -> bob" in shown
    trail = remit("tables", "history", "orders", "--json").document["items"]
    assert [(c["revision"], c["action"], c["author"], c["reason"]) for c in trail] == [
        (3, "edit", "local", "no"),
        (2, "edit", "bob", "mine"),
        (1, "create", "local", "registered"),
    ]
    assert remit("tables", "history", "nothing").code == 2
    assert "rules      c1" in remit("tables", "show", "orders").out
    assert remit("tables", "list", "--owner", "ana").out.count("\n") == 2
    refused = remit("tables", "remove", "items")
    assert (refused.code, "E542" in refused.err) == (1, True)
    assert remit("validations", "delete", "c1", "--why", "done").code == 0
    assert remit("tables", "remove", "items", "--why", "sold").code == 0
    assert "sold" in remit("tables", "history", "items").out
    assert remit("tables", "show", "items").code == 2


def test_types_say_what_they_need(shop: Path, remit) -> None:
    """Each parameter with its type, its default and its meaning."""
    assert "row_counts  counting  Counts agree." in remit("types", "list").out
    said = remit("types", "show", "row_counts").out
    assert re.search(r"source_table +table +required +The expected side\.", said)
    assert re.search(r"threshold_percent +number +0", said)
    assert remit("types", "show", "nothing").code == 2


def test_a_rule_is_edited_compared_rolled_back_and_switched(shop: Path, remit) -> None:
    """What is not named stays; every version is kept; the audit trail says who and why."""
    edited = remit(
        "validations", "edit", "c1", "-p", "threshold_percent=0.5", "--why", "noise", "--as", "ana", "--json"
    )
    assert edited.document["parameters"] == {"source_table": "items", "threshold_percent": 0.5}
    assert (edited.document["version"], edited.document["change_author"]) == (2, "ana")
    assert "+  threshold_percent: 0.5" in remit("validations", "diff", "c1", "1", "2").out
    assert remit("validations", "rollback", "c1", "1", "--why", "too loose").code == 0
    assert remit("validations", "show", "c1", "--json").document["version"] == 1
    assert remit("validations", "disable", "c1", "--why", "quiet").out.splitlines()[0].endswith("disabled")
    assert remit("validations", "enable", "c1", "--why", "loud").code == 0
    versions = remit("validations", "history", "c1", "--json").document["items"]
    assert [(v["version"], v["status"]) for v in versions] == [(2, "archived"), (1, "active")]
    trail = remit("validations", "history", "c1", "--changes", "--json").document["items"]
    assert [c["action"] for c in trail] == ["enable", "disable", "rollback", "edit", "create"]
    stale = remit("validations", "edit", "c1", "--why", "x", "--expect", "2")
    assert (stale.code, "E516" in stale.err) == (1, True)


def test_a_rule_that_cannot_run_is_refused_with_all_its_mistakes(shop: Path, remit) -> None:
    """Exit code 2, one sentence, and what to do next."""
    said = remit(
        "validations", "create", "c2", "--table", "gone", "--type", "row_counts", "-p", "threshold_percent=-1",
        "--schedule", "some day",
    )  # fmt: skip
    assert said.code == 2
    assert all(
        part in said.err for part in ("`gone`", "source_table", "threshold_percent", "schedule", "help")
    )
    assert (
        remit("validations", "create", "c2", "--table", "orders", "--type", "row_counts", "-p", "x").code == 2
    )


def test_a_draft_is_promoted(shop: Path, remit) -> None:
    """It is listed as a draft, and active afterwards."""
    made = remit(
        "validations", "create", "c2", "--table", "orders", "--type", "row_counts", "-p", "source_table=orders",
        "--draft", "--schedule", "hourly",
    )  # fmt: skip
    assert made.out.splitlines()[0].endswith("draft")
    assert "c2" in remit("validations", "list", "--status", "draft").out
    (proposal,) = remit("validations", "proposals", "--json").document["items"]
    assert (proposal["rule"]["config_id"], proposal["active_version"]) == ("c2", 0)
    assert "c2" in remit("validations", "proposals", "--table", proposal["rule"]["table_id"]).out
    assert remit("validations", "list", "--due", "hourly", "--json").document["items"] == []
    assert remit("validations", "promote", "c2", "1", "--why", "reviewed").code == 0
    assert remit("validations", "refuse", "c2", "1", "--why", "late").code == 2, "it is active by now"
    due = remit("validations", "list", "--due", "hourly", "--json").document["items"]
    assert [r["config_id"] for r in due] == ["c2"]


def test_the_run_log_and_the_scorecard(shop: Path, remit) -> None:
    """Newest first; a bar a day; a rate that is not whole is never rounded up to it."""
    at = now()

    def line(run_id: str, verdict: str, days_ago: int) -> ValidationRun:
        details = {"expected_count": 1, "note": "\x1b[2Jx"}
        return ValidationRun(
            run_id, "orders", "c1", 1, "row_counts", verdict, details, "cli", at - days_ago * DAY_MS
        )  # type: ignore[arg-type]

    record(line("r1", "PASSED", 2), line("r2", "FAILED", 1), line("r3", "PASSED", 0), line("r4", "PASSED", 0))
    listed = remit("validations", "runs", "--table", "orders", "--json").document["items"]
    assert [r["run_id"] for r in listed][2:] == ["r2", "r1"]
    shown = remit("validations", "runs", "r2").out
    assert "FAILED" in shown
    assert "\x1b" not in shown
    assert "FAILED" not in remit("validations", "list").out
    measured = remit("validations", "series", "c1", "--json").document["items"]
    assert [point["run_id"] for point in measured] == [r["run_id"] for r in listed]
    assert "FAILED" in remit("validations", "series", "c1").out
    assert remit("validations", "series", "none").code == 2
    card = remit("scorecard", "--days", "5")
    row = next(text for text in card.out.splitlines() if text.startswith("orders"))
    assert re.split(r"  +", row)[:7] == ["orders", "75 %", "+50.0", "4", "1", "0", "··█▁█"]
    assert "ana (owner)" in card.out
    score = remit("scorecard", "orders", "--json").document["tables"][0]
    assert (score["pass_rate"], score["failing"]) == (75.0, [])
    assert remit("scorecard", "orders", "--owner", "ana").code == 2
    assert remit("scorecard", "nothing").code == 2


def test_colour_is_for_terminals_and_can_be_switched_off(shop: Path, on_screen) -> None:
    """NO_COLOR is honoured."""
    code, coloured = on_screen("scorecard")
    assert (code, "\x1b[" in coloured) == (0, True)
    code, plain = on_screen("scorecard", NO_COLOR="1")
    assert (code, "\x1b[" in plain) == (0, False)
    assert "orders" in plain


def test_a_change_of_a_rule_is_shown_with_its_own_reason(shop, remit) -> None:
    """Who deleted it and why, besides who wrote the version that stands."""
    gone = remit("validations", "delete", "c1", "--why", "replaced", "--as", "ana")
    assert gone.code == 0, gone.err
    assert "by ana: replaced" in gone.out


def test_a_page_of_due_rules_is_not_empty_while_there_are_some(shop: Path, remit) -> None:
    """However small it is: rules on their table's schedule come after those on their own."""
    rule = ("--table", "items", "--type", "row_counts", "-p", "source_table=orders")
    assert remit("validations", "create", "c2", *rule).code == 0
    page = remit("validations", "list", "--due", "daily", "--limit", "1", "--json").document
    assert [rule["config_id"] for rule in page["items"]] == ["c2"]
