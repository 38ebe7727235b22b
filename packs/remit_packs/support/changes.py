"""Tools that change orders, money and addresses. Each happens at most once per idempotency key."""

from __future__ import annotations

import sqlite3
from typing import Any

from remit.sdk import FunctionTool, ToolContext, ToolError, tool
from remit_packs.support.database import Shop
from remit_packs.support.orders import charged_cents, order_row, refunded_cents
from remit_packs.support.shapes import Cancelled, Cents, Moved, Refunded, Words, dollars

REFUND_LIMIT_CENTS = 10_000
"""Above this a person decides."""


def change_tools(shop: Shop) -> list[FunctionTool]:
    """cancel_order, change_address and issue_refund."""
    return [_cancel_order(shop), _change_address(shop), _issue_refund(shop)]


def _cancel_order(shop: Shop) -> FunctionTool:
    @tool(risk="L1", effect="keyed", sensitivity="private")
    def cancel_order(order_id: int, context: ToolContext) -> Cancelled:
        """Cancel an order that has not been shipped. It does not refund: `refund_due_cents` says what is then owed."""

        def effect(connection: sqlite3.Connection) -> dict[str, Any]:
            status = order_row(connection, order_id)["status"]
            if status not in ("placed", "packed"):
                raise ToolError(f"order `{order_id}` is {status} and can no longer be cancelled", code="E743")
            connection.execute("UPDATE orders SET status = 'cancelled' WHERE order_id = ?", (order_id,))
            due = charged_cents(connection, order_id) - refunded_cents(connection, order_id)
            return {"order_id": order_id, "refund_due_cents": due}

        return Cancelled(**shop.once("cancel_order", {"order_id": order_id}, context, effect))

    cancel_order.reconciler(shop.find)
    return cancel_order


def _change_address(shop: Shop) -> FunctionTool:
    @tool(risk="L2", effect="keyed", sensitivity="private")
    def change_address(
        customer_id: int,
        street: Words,
        city: Words,
        region: Words,
        postal_code: Words,
        context: ToolContext,
        country: Words = "US",
    ) -> Moved:
        """Give a customer a new address, and send orders there that have not left the warehouse."""
        address = f"{street}, {city}, {region} {postal_code}, {country}"

        def effect(connection: sqlite3.Connection) -> dict[str, Any]:
            changed = connection.execute(
                "UPDATE customers SET street = ?, city = ?, region = ?, postal_code = ?, country = ? WHERE customer_id = ?",
                (street, city, region, postal_code, country, customer_id),
            )
            if changed.rowcount == 0:
                raise ToolError(f"there is no customer `{customer_id}`", code="E744")
            redirected = connection.execute(
                "UPDATE orders SET ship_to = ? WHERE customer_id = ? AND status IN ('placed', 'packed') RETURNING order_id",
                (address, customer_id),
            ).fetchall()
            return {
                "customer_id": customer_id,
                "address": address,
                "orders_redirected": sorted(r[0] for r in redirected),
            }

        arguments = {"customer_id": customer_id, "address": address}
        return Moved(**shop.once("change_address", arguments, context, effect))

    change_address.reconciler(shop.find)
    return change_address


def _issue_refund(shop: Shop) -> FunctionTool:
    @tool(risk="L2", effect="keyed", sensitivity="private", tags=("money",))
    def issue_refund(order_id: int, amount_cents: Cents, reason: Words, context: ToolContext) -> Refunded:
        """Give money back for an order, never more than was charged. Above $100 a person is asked first.

        For a charge made twice, refund one of the two. For a faulty product in warranty, refund its line.
        """

        def effect(connection: sqlite3.Connection) -> dict[str, Any]:
            return _refund(connection, order_id, amount_cents, reason, context)

        arguments = {"order_id": order_id, "amount_cents": amount_cents, "reason": reason}
        return Refunded(**shop.once("issue_refund", arguments, context, effect))

    @issue_refund.facts
    def facts(order_id: int, amount_cents: int, reason: str) -> dict[str, Any]:
        return {"amount": amount_cents, "over_limit": amount_cents > REFUND_LIMIT_CENTS}

    issue_refund.reconciler(shop.find)
    return issue_refund


def _refund(
    connection: sqlite3.Connection, order_id: int, amount_cents: int, reason: str, context: ToolContext
) -> dict[str, Any]:
    order_row(connection, order_id)
    before = refunded_cents(connection, order_id)
    left = charged_cents(connection, order_id) - before
    if amount_cents > left:
        raise ToolError(
            f"`{dollars(amount_cents)}` is more than the {dollars(left)} that can still be refunded for order `{order_id}`",
            code="E745",
        )
    total = before + amount_cents
    if before and amount_cents <= REFUND_LIMIT_CENTS < total:  # small steps must not walk around the limit
        raise ToolError(
            f"part refunds of order `{order_id}` would add up to {dollars(total)}, which only a person may grant",
            code="E746",
            help="open a ticket for the finance team",
        )
    (refund_id,) = connection.execute("SELECT coalesce(max(refund_id), 0) + 1 FROM refunds").fetchone()
    connection.execute(
        "INSERT INTO refunds VALUES (?, ?, ?, ?, ?, ?)",
        (refund_id, order_id, amount_cents, reason, context.idempotency_key, context.clock.now()),
    )
    return {
        "refund_id": refund_id,
        "order_id": order_id,
        "amount_cents": amount_cents,
        "refunded_cents": total,
    }
