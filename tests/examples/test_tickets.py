"""Classifier -> Resolver Matcher -> Assigner, led by rules about what each found."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.examples.systems import System

SYSTEM = "tickets"
EXPECTED = {
    1001: "network",
    1002: "access",
    1003: "hardware",
    1004: "billing",
    1005: "network",
    1006: "hardware",
    1007: "network",
}
OPEN = "SELECT ticket_id, status, category, assignee, note FROM tickets WHERE ticket_id > 1000"
Rows = Callable[..., list[tuple[Any, ...]]]


def test_a_ticket_finds_its_resolver_and_an_unclear_one_finds_people(system: System, rows: Rows) -> None:
    """Four agents run, none of which knows another; the tickets nobody spoke of stay open."""
    *_, listed = system.follow_readme()
    assert listed.code == 0, listed.err
    tickets = {row[0]: row[1:] for row in rows("tickets.db", OPEN)}
    status, category, assignee, _ = tickets[1001]
    assert (status, category) == ("assigned", "network")
    assert (assignee, "network") in rows("tickets.db", "SELECT name, category FROM skills")
    assert tickets[1008] == ("triage", None, None, "the classifier is sure to 0.0 of 1")
    assert {row[0] for n, row in tickets.items() if n not in (1001, 1008)} == {"open"}
    ran = Counter(
        run["agent_id"] for run in system.remit("runs", "list", "--limit", "200", "--json").document["items"]
    )
    assert ran == {"ticket-classifier": 2, "resolver-matcher": 1, "assigner": 1, "triage": 1}


def test_nobody_gets_more_tickets_than_there_is_room_for(system: System, rows: Rows) -> None:
    """All at once, each published twice: every ticket is assigned once, by skill, within everybody's capacity."""
    setup(system)
    for number in [*EXPECTED, *EXPECTED]:
        publish(system, number)
    system.remit("worker", "--until-idle")
    tickets = {row[0]: row[1:] for row in rows("tickets.db", OPEN)}
    assert {n: tickets[n][1] for n in EXPECTED} == EXPECTED
    skills = set(rows("tickets.db", "SELECT name, category FROM skills"))
    assert {(tickets[n][2], category) for n, category in EXPECTED.items()} <= skills
    load = Counter(tickets[n][2] for n in EXPECTED)
    capacity = dict(rows("tickets.db", "SELECT name, capacity FROM resolvers"))
    assert all(load[name] <= capacity[name] for name in load), load
    ran = Counter(
        run["agent_id"] for run in system.remit("runs", "list", "--limit", "200", "--json").document["items"]
    )
    assert ran["ticket-classifier"] == ran["assigner"] == len(EXPECTED)


def test_a_ticket_nobody_has_room_for_goes_to_people(system: System, rows: Rows) -> None:
    """The only one who knows billing is full: the rule for `matched: false` leads to triage."""
    setup(system)
    with sqlite3.connect("tickets.db") as db:
        db.execute("UPDATE resolvers SET capacity = 0 WHERE name = 'Lea'")
    publish(system, 1004)
    system.remit("worker", "--until-idle")
    (row,) = [row for row in rows("tickets.db", OPEN) if row[0] == 1004]
    assert row[1:] == ("triage", None, None, "nobody for billing has room")


def setup(system: System) -> None:
    """The database and the rules."""
    subprocess.run([sys.executable, "make.py"], check=True)
    assert system.remit("apply", "-f", "rules.yaml").code == 0


def publish(system: System, number: int) -> None:
    """A ticket was opened; the same event however often it is said."""
    data = f'{{"ticket_id": {number}}}'
    assert system.remit("events", "publish", "ticket.opened", "--data", data, "--id", f"t{number}").code == 0
