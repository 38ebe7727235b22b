"""Planner, bounded workers, resolver, a person for what evidence does not decide."""

from __future__ import annotations

import csv
import sqlite3
import subprocess
import sys
from decimal import Decimal

from tests.examples.systems import System

from remit import open_app
from remit.core.pricing import Price
from remit.core.task import Actor, Task
from remit.engine.models import Route
from remit.settings import Settings

SYSTEM = "supervisor-worker"


def test_conflicts_are_settled_by_evidence_else_by_a_person(system: System) -> None:
    """Two by the newer evidence, one by the person; the stock list has every product once."""
    asked, shown, approved, worked = system.follow_readme()
    assert (asked.code, approved.code, worked.code) == (5, 0, 0), asked.err
    assert "A-07" in shown.out
    with sqlite3.connect("stock.db") as db:
        ledger = dict(db.execute("SELECT sku, sum(pieces) FROM moves GROUP BY sku"))
        scanned = dict(db.execute("SELECT sku, pieces FROM scans"))
    wanted = ledger | {"C-05": scanned["C-05"], "A-07": scanned["A-07"]}
    assert stock(system) == wanted
    assert {sku for sku in ledger if ledger[sku] != scanned[sku]} == {"B-03", "C-05", "A-07"}


def test_a_person_may_give_another_count_but_not_none(system: System) -> None:
    """What the gate asks for must be answered, with a number."""
    make()
    system.run("count-stock", None, "--no-wait")
    approval = system.approval()
    assert system.remit("approvals", "constrain", approval, '{"A-07": "many"}', "--why", "?").code
    assert system.remit("approvals", "constrain", approval, '{"A-07": 99}', "--why", "I counted").code == 0
    system.remit("worker", "--until-idle")
    assert stock(system)["A-07"] == 99


def test_a_part_that_nobody_counted_fails_the_whole(system: System) -> None:
    """Half a stock list is none: the workflow says which count is missing, and writes no file."""
    make()
    with sqlite3.connect("stock.db") as db:
        db.execute("DROP TABLE scans")
    result = system.run("count-stock", None, "--no-wait")
    assert result["result_payload"]["Error"] == "NotCounted"
    assert not (system.folder / "stock.csv").exists()


async def test_a_worker_cannot_spend_more_than_its_slice(system: System) -> None:
    """With a model that costs a dollar a call, no worker makes a call that its two cents may not cover."""
    make()
    settings = Settings(home=system.folder / ".remit", store="memory:", app="app.py")
    dear = Price(input=Decimal(10_000), output=Decimal(10_000))
    async with open_app(settings, routes={"default": Route("rules", "rules", price=dear)}) as app:
        result = await app.run(Task("t1", "count-stock", actor_context=Actor("ada")))
    assert result.status == "failure"
    assert result.result_payload["Error"] == "NotCounted"
    assert result.result_payload["Cause"].count("`max_cost_usd` is 0.02") == 6
    assert result.cost_usage.cost_usd == 0


def stock(system: System) -> dict[str, int]:
    """The stock list that was written."""
    with (system.folder / "stock.csv").open(newline="") as file:
        return {row["sku"]: int(row["pieces"]) for row in csv.DictReader(file)}


def make() -> None:
    """The database."""
    subprocess.run([sys.executable, "make.py"], check=True)
