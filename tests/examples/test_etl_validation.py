"""Ingestor -> Validator -> Notifier over two engines, with the faults that the load made."""

from __future__ import annotations

import json
import socket
import sqlite3
from pathlib import Path

from tests.examples.systems import System

SYSTEM = "etl-validation"


def test_the_load_is_not_released_and_the_desk_is_told_once(system: System) -> None:
    """Each fault is found by its rule, by count and kind; a second run tells nobody again."""
    port = free_port()
    *_, applied, ran = system.follow_readme(_8799=str(port))
    assert (applied.code, ran.code) == (0, 0), ran.err
    found = ran.document
    assert (found["release"], found["checked"], found["told"], found["untold"]) == (False, 6, 1, [])
    reasons = {one["rule"]: one["reason"] for one in found["findings"]}
    assert sorted(reasons) == ["orders-count", "orders-customer", "orders-rows", "orders-status"]
    assert "1,000 rows and the target 999" in reasons["orders-count"]
    assert "1 missing in the target, 3 changed" in reasons["orders-rows"]
    (message,) = told(system)
    assert (message["subject"], len(message["data"]["lines"])) == ("orders_warehouse", 4)
    again = system.run("etl-validation")["result_payload"]
    assert (again["release"], again["told"]) == (False, 0)
    assert len(told(system)) == 1


def test_a_mended_load_is_released_and_the_desk_hears_of_it(system: System) -> None:
    """Once the warehouse holds what the extract holds, every rule passes and a recovery is told."""
    system.follow_readme(_8799=str(free_port()))
    mend(system.folder / "data")
    found = system.run("etl-validation")["result_payload"]
    assert (found["release"], found["findings"], found["told"]) == (True, [], 1)
    assert [m["type"].rpartition(".")[2] for m in told(system)] == ["failed", "recovered"]


def test_a_desk_that_does_not_answer_is_reported(system: System) -> None:
    """Nobody listens: the findings stand, and the result says who was not told."""
    instead = {"_8799": str(free_port()), "_python desk.py": "cd examples/workflows/etl-validation #"}
    *_, ran = system.follow_readme(**instead)
    assert (ran.document["told"], len(ran.document["findings"])) == (0, 4)
    (untold,) = ran.document["untold"]
    assert untold["notifier"] == "data-desk"


def test_without_rules_nothing_passes(system: System) -> None:
    """Nothing to check is a failure with its name, not a pass."""
    system.remit("apply", "-f", "definitions/workflow.yaml")
    result = system.run("etl-validation")
    assert (result["status"], result["result_payload"]["Error"]) == ("failure", "NothingToCheck")


def told(system: System) -> list[dict]:
    """What the desk wrote down."""
    return [json.loads(line) for line in (system.folder / "told.jsonl").read_text().splitlines()]


def mend(data: Path) -> None:
    """Load the extract again, carefully."""
    head, *lines = (data / "orders.csv").read_text().splitlines()
    assert head.startswith("order_id")
    with sqlite3.connect(data / "warehouse.db") as db:
        db.execute("DELETE FROM orders")
        db.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?)", [line.split(",") for line in lines])


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
