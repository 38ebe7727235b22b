"""The tools against the real generated shop."""

from __future__ import annotations

from typing import Any

import pytest

from remit.sdk import ToolError
from remit_packs.support.database import Shop
from remit_packs.support.demo import stories
from remit_packs.support.diagnostics import diagnose
from remit_packs.support.shop import LATEST
from remit_packs.support.tools import support_tools
from remit_packs.support.troubleshooting import articles, months_later, search_articles


def test_every_tool_says_what_it_is(shop: Shop) -> None:
    tools = support_tools(shop)
    assert len(tools) == 18
    for name, tool in tools.items():
        assert len(tool.spec.description) > 20, name
        assert tool.spec.output_schema, name
        assert "context" not in tool.spec.input_schema.get("properties", {}), name
    risks = {name: (t.spec.risk, t.spec.effect) for name, t in tools.items() if t.spec.risk != "L0"}
    assert risks == {
        "create_ticket": ("L1", "keyed"),
        "add_ticket_note": ("L1", "keyed"),
        "cancel_order": ("L1", "keyed"),
        "send_email": ("L1", "plain"),
        "change_address": ("L2", "keyed"),
        "issue_refund": ("L2", "keyed"),
    }
    assert tools["search_tickets"].spec.trust == "untrusted"
    private = {"find_customer", "get_order", "purchase_history", "customer_preferences", "search_tickets"}
    assert all(tools[name].spec.sensitivity == "private" for name in private)


def test_no_agent_both_reads_tickets_and_moves_money(shop: Shop) -> None:
    from remit_packs.support import pack_of

    for agent in pack_of(shop).agents:
        assert not {"search_tickets", "issue_refund"} <= set(agent.spec.tools)


async def test_find_customer_by_number_address_and_name(call: Any) -> None:
    (by_number,) = await call("find_customer", query="20007")
    assert await call("find_customer", query=by_number["email"].upper()) == [by_number]
    by_name = await call("find_customer", query=by_number["name"][:6])
    assert 1 <= len(by_name) <= 5
    assert all(by_number["name"][:6] in found["name"] for found in by_name)
    assert await call("find_customer", query="100%") == []
    assert await call("find_customer", query="nobody@example.com") == []


async def test_an_order_with_its_lines_charges_and_parcel(call: Any, shop: Shop) -> None:
    parcel = stories(shop)[0]
    order = await call("get_order", order_id=parcel.order_id)
    assert order["customer_id"] == parcel.customer_id
    assert order["total_cents"] == sum(line["quantity"] * line["unit_price_cents"] for line in order["lines"])
    tracking = await call("track_shipment", order_id=parcel.order_id)
    assert tracking["status"] == "shipped"
    assert tracking["events"][0]["event"] == "picked up by the carrier"
    assert parcel.order_id in [
        o["order_id"] for o in await call("list_orders", customer_id=parcel.customer_id, limit=20)
    ]
    with pytest.raises(ToolError, match="there is no order `7`"):
        await call("get_order", order_id=7)


async def test_products_are_found_and_recommended_within_the_wishes(call: Any) -> None:
    found = await call("search_products", query="some headphones", max_price_cents=9_000)
    assert found
    assert all(p["category"] == "headphones" and p["price_cents"] <= 9_000 and p["stock"] > 0 for p in found)
    first = found[0]["product_id"]
    similar = await call("recommend_products", product_id=first, exclude=[found[1]["product_id"]], limit=20)
    assert {first, found[1]["product_id"]}.isdisjoint(p["product_id"] for p in similar)
    assert (await call("product_details", product_id=first))["name"] == found[0]["name"]
    with pytest.raises(ToolError, match="no product"):
        await call("recommend_products", product_id=1)


async def test_preferences_and_history_come_from_the_orders(call: Any, query: Any) -> None:
    ((customer,),) = query("SELECT customer_id FROM orders GROUP BY 1 ORDER BY count(*) DESC LIMIT 1")
    likes = await call("customer_preferences", customer_id=customer)
    history = await call("purchase_history", customer_id=customer)
    assert {p["product_id"] for p in history} <= set(likes["owns"])
    assert [p["bought_on"] for p in history] == sorted((p["bought_on"] for p in history), reverse=True)
    with pytest.raises(ToolError, match="no customer"):
        await call("customer_preferences", customer_id=1)


async def test_a_refund_happens_once_under_one_key(call: Any, shop: Shop, query: Any) -> None:
    story = stories(shop)[2]
    refund = {"order_id": story.order_id, "amount_cents": 500, "reason": "late"}
    first = await call("issue_refund", key="k1", **refund)
    assert await call("issue_refund", key="k1", **refund) == first
    assert query("SELECT count(*), sum(amount_cents) FROM refunds") == [(1, 500)]
    assert query("SELECT count(*) FROM effects WHERE idempotency_key = 'k1'") == [(1,)]
    with pytest.raises(ToolError, match="already used"):
        await call("issue_refund", key="k1", **{**refund, "amount_cents": 501})
    with pytest.raises(ToolError, match="already used"):
        await call("cancel_order", key="k1", order_id=story.order_id)
    assert query("SELECT count(*) FROM refunds") == [(1,)]


async def test_a_refund_that_fails_leaves_nothing_behind(call: Any, shop: Shop, query: Any) -> None:
    order = stories(shop)[1].order_id
    with pytest.raises(ToolError, match="more than the"):
        await call("issue_refund", key="big", order_id=order, amount_cents=9_999_999, reason="greed")
    assert query("SELECT count(*) FROM effects") == [(0,)]
    tool = support_tools(shop)["issue_refund"]
    assert tool.can_reconcile
    assert shop.find("big").happened is False


async def test_part_refunds_do_not_walk_around_the_limit(call: Any, shop: Shop, query: Any) -> None:
    order = stories(shop)[1].order_id
    facts = support_tools(shop)["issue_refund"].context_facts
    assert facts({"order_id": order, "amount_cents": 10_000, "reason": "x"}) == {
        "amount": 10_000,
        "over_limit": False,
    }
    assert facts({"order_id": order, "amount_cents": 10_001, "reason": "x"}) == {
        "amount": 10_001,
        "over_limit": True,
    }
    await call("issue_refund", order_id=order, amount_cents=9_000, reason="part")
    with pytest.raises(ToolError, match="only a person may grant"):
        await call("issue_refund", order_id=order, amount_cents=9_000, reason="part")
    assert query("SELECT sum(amount_cents) FROM refunds") == [(9_000,)]


@pytest.mark.parametrize("amount", [0, -5, 10**9])
async def test_amounts_out_of_range_are_refused(call: Any, shop: Shop, amount: int) -> None:
    with pytest.raises(Exception, match=r"amount_cents|Expected"):
        await call("issue_refund", order_id=stories(shop)[1].order_id, amount_cents=amount, reason="x")


async def test_only_what_is_not_shipped_can_be_cancelled(call: Any, query: Any) -> None:
    ((waiting,),) = query("SELECT min(order_id) FROM orders WHERE status = 'placed'")
    ((gone,),) = query("SELECT min(order_id) FROM orders WHERE status = 'delivered'")
    done = await call("cancel_order", key="c", order_id=waiting)
    assert (
        done["refund_due_cents"] == (await call("get_order", order_id=waiting))["charges"][0]["amount_cents"]
    )
    assert await call("cancel_order", key="c", order_id=waiting) == done
    with pytest.raises(ToolError, match="is cancelled"):
        await call("cancel_order", order_id=waiting)
    with pytest.raises(ToolError, match="is delivered"):
        await call("cancel_order", order_id=gone)


async def test_a_new_address_redirects_what_still_waits(call: Any, query: Any) -> None:
    ((order, customer),) = query("SELECT order_id, customer_id FROM orders WHERE status = 'packed' LIMIT 1")
    new = {"street": "12 Elm Street", "city": "Madison", "region": "WI", "postal_code": "53703"}
    moved = await call("change_address", customer_id=customer, **new)
    assert order in moved["orders_redirected"]
    assert (await call("get_order", order_id=order))["ship_to"] == "12 Elm Street, Madison, WI 53703, US"
    with pytest.raises(ToolError, match="no customer"):
        await call("change_address", customer_id=1, **new)


async def test_tickets_are_made_found_and_noted(call: Any, query: Any) -> None:
    made = await call("create_ticket", key="t", customer_id=20001, subject="Lid", text="The lid is loose.")
    assert (
        await call("create_ticket", key="t", customer_id=20001, subject="Lid", text="The lid is loose.")
        == made
    )
    (found,) = await call("search_tickets", customer_id=20001, words="LID loose", status="open")
    assert found["ticket_id"] == made["ticket_id"]
    assert await call("add_ticket_note", **made, text="sent a new lid") == {**made, "note": 1}
    with pytest.raises(ToolError, match="no ticket"):
        await call("add_ticket_note", ticket_id=1, text="x")


async def test_mail_goes_to_the_customer_on_file_only(call: Any, query: Any, shop: Shop) -> None:
    await call("send_email", customer_id=20001, subject="Hello", text="World")
    assert query("SELECT customer_id, subject, text FROM outbox") == [(20001, "Hello", "World")]
    assert "address" not in str(support_tools(shop)["send_email"].spec.input_schema["properties"])


@pytest.mark.parametrize(
    ("category", "symptom", "verdict"),
    [
        ("espresso machines", "it leaks from the bottom of the case", "faulty"),
        ("espresso machines", "it leaks a bit", "fixable"),
        ("espresso machines", "no pressure although I descaled it", "faulty"),
        ("espresso machines", "no pressure, I have not descaled it yet", "fixable"),
        ("kettles", "it doesn't switch on", "fixable"),
        ("webcams", "It won’t… it doesn’t switch on!", "faulty"),
        ("webcams", "purple", "unclear"),
        ("monitors", "flickers, also in its own menu", "faulty"),
    ],
)
def test_the_fault_table(category: str, symptom: str, verdict: str) -> None:
    assert diagnose(category, symptom).verdict == verdict


async def test_a_diagnosis_knows_the_warranty(call: Any, shop: Shop, query: Any) -> None:
    story = stories(shop)[1]
    ((product,),) = query("SELECT product_id FROM order_lines WHERE order_id = ?", story.order_id)
    found = await call("run_diagnostic", order_id=story.order_id, product_id=product, symptom=story.message)
    assert (found["verdict"], found["in_warranty"]) == ("faulty", True)
    with pytest.raises(ToolError, match="holds no product"):
        await call("run_diagnostic", order_id=story.order_id, product_id=1001, symptom="x")


def test_months_end_on_the_last_day() -> None:
    leap = 1_709_164_800_000  # 2024-02-29
    assert months_later(leap, 12) == leap + 365 * 86_400_000
    assert months_later(LATEST, 24) > LATEST


def test_thirty_articles_that_the_fault_table_knows() -> None:
    from remit_packs.support.diagnostics import FAULTS

    known = {article.article for article, _ in articles()}
    assert len(known) >= 30
    assert {fault.article for fault in FAULTS} <= known
    assert (
        search_articles("my kettle switches off before the water boils")[0].article == "kettle-switches-off"
    )
    assert search_articles("chair sinks when I sit")[0].article == "chair-sinks"
    assert search_articles("xyzzy") == []
