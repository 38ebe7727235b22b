"""Metadata Fetcher -> Rule Validator for each table -> Score Aggregator -> report."""

from __future__ import annotations

import pytest
from tests.examples.systems import System

SYSTEM = "scorecard"
TABLES = {"products": 100, "prices": 50, "stock": 25}


def test_scores_are_those_of_the_faults_that_were_planted(system: System) -> None:
    """Pass rates of tables and owners, the report as a file, and every run of a rule in the log."""
    applied, ran = system.follow_readme()
    assert (applied.code, ran.code) == (0, 0), ran.err
    found = ran.document
    assert found["tables"] == TABLES
    assert found["owners"] == {"catalogue": pytest.approx(66.67), "logistics": 25}
    assert found["unscored"] == []
    lines = (system.folder / "scorecard.md").read_text().splitlines()
    assert "| table stock | 4 | 1 | 25 % | stock-key, stock-pieces, stock-product |" in lines
    assert len(system.remit("validations", "runs", "--table", "stock", "--json").document["items"]) == 4


def test_a_table_alone_is_scored_too(system: System) -> None:
    """With the rules of all others switched off, one table and its owner are left."""
    system.follow_readme()
    for rule in ("products-key", "stock-key", "stock-pieces", "stock-product", "stock-shelf"):
        assert system.remit("disable", f"table_validation/{rule}", "--why", "not today").code == 0
    found = system.run("quality-scorecard")["result_payload"]
    assert (found["tables"], found["owners"]) == ({"prices": 50}, {"catalogue": 50})


def test_a_table_that_cannot_be_read_scores_nothing(system: System) -> None:
    """Its rules are errors, which do not pass; the others have their scores."""
    system.follow_readme()
    (system.folder / "data" / "stock.parquet").unlink()
    found = system.run("quality-scorecard")["result_payload"]
    assert found["tables"]["products"] == 100
    assert found["tables"]["stock"] < TABLES["stock"]
