"""Message Router -> Intent Classifier -> Response Generator: money only when a person says so, and as they say it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.examples.systems import System

SYSTEM = "support-bot"
SHOP = ".remit/shop.db"
TWICE = {"customer_id": 20137, "message": "I was charged twice for order 100821, please refund one."}
REFUNDS = "SELECT order_id, amount_cents FROM refunds WHERE order_id = 100821"
Rows = Callable[..., list[tuple[Any, ...]]]


def test_a_parcel_is_tracked_and_a_refund_waits_for_a_person(system: System, rows: Rows) -> None:
    """Before the approval there is no refund, after it there is one, of what was charged too much."""
    parcel, asked, listed, approved, worked = system.follow_readme()
    assert (parcel.code, asked.code, approved.code, worked.code) == (0, 5, 0, 0), asked.err
    (status,) = rows(SHOP, "SELECT status FROM orders WHERE order_id = 102965")[0]
    assert f"Your order 102965 is {status}" in parcel.document["answer"]
    assert "100821" in listed.out
    assert rows(SHOP, REFUNDS) == [(100821, 4290)]
    run = next(
        r
        for r in system.remit("runs", "list", "--limit", "200", "--json").document["items"]
        if r["agent_id"] == SYSTEM
    )
    shown = system.remit("runs", "show", run["run_id"]).out
    assert "We gave back 4290 cents for order 100821." in shown


def test_nothing_is_paid_before_somebody_decides(system: System, rows: Rows) -> None:
    """The run waits, and the database is as it was; the approval holds the exact order and amount."""
    result = system.run(SYSTEM, TWICE, "--no-wait")
    assert result["status"] == "needs_approval"
    assert rows(SHOP, REFUNDS) == []
    shown = system.remit("approvals", "show", system.approval(), "--json").document
    assert "4290" in str(shown)


@pytest.mark.parametrize(
    ("decision", "given", "paid", "kind"),
    [
        ("reject", [], [], "refused"),
        ("constrain", ['{"amount_cents": 2000}'], [(100821, 2000)], "refund"),
    ],
)
def test_the_person_has_the_last_word(
    system: System, rows: Rows, decision: str, given: list[str], paid: list[Any], kind: str
) -> None:
    """A refusal pays nothing and is explained; a lower amount is what is paid."""
    system.run(SYSTEM, TWICE, "--no-wait")
    decided = system.remit("approvals", decision, system.approval(), *given, "--why", "see the file")
    assert decided.code == 0, decided.err
    assert system.remit("worker", "--until-idle").code == 0
    assert rows(SHOP, REFUNDS) == paid
    assert answer(system)["kind"] == kind


@pytest.mark.parametrize(
    "arguments", ['{"amount_cents": 5000}', '{"order_id": 100630}', '{"amount_cents": 0}']
)
def test_nobody_may_agree_to_more(system: System, rows: Rows, arguments: str) -> None:
    """A higher amount, or another order, is refused when it is said."""
    system.run(SYSTEM, TWICE, "--no-wait")
    approval = system.approval()
    refused = system.remit("approvals", "constrain", approval, arguments, "--why", "more")
    assert refused.code != 0
    assert rows(SHOP, REFUNDS) == []
    assert system.approval() == approval


@pytest.mark.parametrize(
    ("message", "kind", "says"),
    [
        ("My espresso machine leaks", "help", "Espresso machine: water under the machine"),
        ("I want to speak to a person", "ticket", "your ticket is"),
        ("Good morning", "ticket", "your ticket is"),
        ("Automatic reply: I am on holiday", "none", ""),
        ("I was charged twice for order 100630", "not theirs", "no order 100630 of yours"),
        ("Where is my order 102965?", "not theirs", "no order 102965 of yours"),
        ("Please refund order ORDER", "nothing due", "every charge of this order is in order"),
        ("Refund order 199999 please", "ticket", "your ticket is"),
    ],
)
def test_every_other_message_has_its_way(
    system: System, rows: Rows, message: str, kind: str, says: str
) -> None:
    """Help, a ticket, silence, or no: nobody is asked for money, and nobody learns about an order that is not theirs."""
    if "ORDER" in message:
        system.run(SYSTEM, {"customer_id": 20137, "message": "Good morning"})  # makes the shop
        query = "SELECT max(order_id) FROM orders WHERE customer_id = 20137 AND order_id <> 100821"
        message = message.replace("ORDER", str(rows(SHOP, query)[0][0]))
    result = system.run(SYSTEM, {"customer_id": 20137, "message": message}, "--no-wait")
    assert result["status"] == "success", result["problem"]
    assert result["result_payload"]["kind"] == kind
    assert says in result["result_payload"]["answer"]


def test_a_ticket_is_really_opened(system: System, rows: Rows) -> None:
    """With the customer's own words."""
    system.run(SYSTEM, {"customer_id": 20137, "message": "I want to speak to a person, please"})
    found = rows(SHOP, "SELECT customer_id, body FROM tickets ORDER BY ticket_id DESC LIMIT 1")
    assert found == [(20137, "I want to speak to a person, please")]


def answer(system: System) -> Any:
    """What the newest run of the bot came to."""
    runs = system.remit("runs", "list", "--limit", "200", "--json").document["items"]
    run = next(r for r in runs if r["agent_id"] == SYSTEM)
    return system.remit("runs", "show", run["run_id"], "--json").document["result"]["result_payload"]
