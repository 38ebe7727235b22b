"""The cell end to end on the engine: a customer's message reaches the supervisor, specialists work, people approve."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.bootstrap import App, open_app
from remit.core.task import Actor, Result, Task
from remit.settings import load
from remit_packs.support import pack_of
from remit_packs.support.database import Shop
from remit_packs.support.demo import stories

BOSS = Actor("boss", ("approver",))


@pytest.fixture
async def app(shop: Shop, tmp_path: Path) -> AsyncIterator[App]:
    settings = msgspec.structs.replace(load({}, directory=tmp_path), store="memory:")
    async with open_app(settings, packs=[pack_of(shop)]) as opened:
        yield opened


async def ask(app: App, message: str, agent: str = "supervisor") -> Result:
    return await app.run(Task(task_id=app.clock.new_id("t"), agent=agent, objective=message))


async def children(app: App, agent: str) -> int:
    return len((await app.runs.list("local", agent=agent)).items)


async def test_a_parcel_and_something_similar(app: App, shop: Shop, query: Any) -> None:
    story = stories(shop)[0]
    result = await ask(app, story.message)
    assert result.status == "success"
    ((carrier, number),) = query(
        "SELECT carrier, tracking_number FROM shipments WHERE order_id = ?", story.order_id
    )
    assert f"{carrier} parcel {number}" in result.result_payload
    assert "Similar to" in result.result_payload
    for agent in ("order-management", "personalization", "product-recommendation"):
        assert await children(app, agent) == 1
    assert query("SELECT count(*) FROM effects") == [(0,)]


async def test_a_fault_is_refunded_after_a_person_said_yes(app: App, shop: Shop, query: Any) -> None:
    story = stories(shop)[1]
    result = await ask(app, story.message)
    assert result.status == "needs_approval"
    assert query("SELECT count(*) FROM refunds") == [(0,)]
    (approval,) = (await app.approvals.list("local")).items
    assert approval["tool"] == "issue_refund"
    assert approval["arguments"]["amount_cents"] == story.refund_cents
    await app.approvals.decide(approval["approval_id"], "local", BOSS, "approve", rationale="seen the photo")
    await app.worker.run_until_idle()
    final = await app.runs.result(result.run_id, "local")
    assert final is not None
    assert final.status == "success"
    assert "is faulty, in warranty" in final.result_payload
    assert "was refunded" in final.result_payload
    assert query("SELECT order_id, amount_cents FROM refunds") == [(story.order_id, story.refund_cents)]


async def test_a_person_says_no_and_the_answer_says_so(app: App, shop: Shop, query: Any) -> None:
    result = await ask(app, stories(shop)[1].message)
    (approval,) = (await app.approvals.list("local")).items
    await app.approvals.decide(approval["approval_id"], "local", BOSS, "reject", rationale="send it in first")
    await app.worker.run_until_idle()
    final = await app.runs.result(result.run_id, "local")
    assert final is not None
    assert "Not done: issue refund" in final.result_payload
    assert "was refunded" not in final.result_payload
    assert query("SELECT count(*) FROM refunds") == [(0,)]


async def test_a_double_charge_and_a_move_ask_nobody(app: App, shop: Shop, query: Any) -> None:
    story = stories(shop)[2]
    result = await ask(app, story.message)
    assert result.status == "success"
    assert query("SELECT order_id, amount_cents FROM refunds") == [(story.order_id, story.refund_cents)]
    assert story.address in result.result_payload
    again = await ask(app, story.message)
    assert "nothing to give back" in again.result_payload
    assert query("SELECT count(*) FROM refunds") == [(1,)]


async def test_nothing_changes_for_a_stranger(app: App, shop: Shop, query: Any) -> None:
    story = stories(shop)[2]
    stranger = story.customer_id + 1
    for message in (
        f"I am customer {stranger}. Charged twice for order {story.order_id}, refund please.",
        f"Charged twice for order {story.order_id}, refund please.",
        f"Customer {stranger}: cancel order {story.order_id}, and change my address to 1 Oak Street, Boise, ID 83700",
    ):
        result = await ask(app, message)
        assert result.status == "success"
        assert "refunded for" not in result.result_payload
    assert query("SELECT count(*) FROM effects") == [(0,)]


@pytest.mark.parametrize(
    ("message", "part"),
    [
        ("blah blah", "offline rules model"),
        ("Where is my order?", "I need the order number"),
        ("Where is order 999999?", "there is no order `999999`"),
        ("recommend a kettle under $60", "Kettle (product"),
        ("my kettle switches off before it boils", "citric acid"),
        ("What is in my purchase history? I am customer 20003", "Customer 20003"),
    ],
)
async def test_other_messages_get_an_honest_answer(app: App, message: str, part: str) -> None:
    result = await ask(app, message)
    assert result.status == "success"
    assert part in result.result_payload


async def test_a_cancelled_order_is_refunded(app: App, query: Any) -> None:
    rows = query(
        "SELECT order_id, customer_id, total_cents FROM orders WHERE status = 'placed' AND total_cents < 9000 LIMIT 1"
    )
    ((order, customer, total),) = rows
    result = await ask(app, f"Please cancel order {order} and confirm by e-mail, customer {customer}")
    assert f"Order {order} was cancelled." in result.result_payload
    assert query("SELECT count(*) FROM refunds") == [(1,)]
    ((refunded,),) = query("SELECT sum(amount_cents) FROM refunds")
    assert refunded >= total
    assert query("SELECT count(*) FROM outbox WHERE customer_id = ?", customer) == [(1,)]
