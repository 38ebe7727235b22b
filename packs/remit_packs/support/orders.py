"""Tools about orders that only look."""

from __future__ import annotations

import sqlite3
from typing import Any

from remit.sdk import FunctionTool, ToolError, tool
from remit_packs.support.database import Shop
from remit_packs.support.shapes import Charge, Limit, Line, Order, OrderSummary, Tracking, TrackingEvent, iso


def order_tools(shop: Shop) -> list[FunctionTool]:
    """get_order, list_orders and track_shipment."""

    @tool(sensitivity="private")
    def get_order(order_id: int) -> Order:
        """One order: status, address, lines, what was charged (look for the same charge twice) and what was refunded."""
        with shop.read() as connection:
            return read_order(connection, order_id)

    @tool(sensitivity="private")
    def list_orders(customer_id: int, status: str = "", limit: Limit = 10) -> list[OrderSummary]:
        """A customer's orders, newest first. `status` is empty or one of placed, packed, shipped, delivered, cancelled."""
        with shop.read() as connection:
            rows = connection.execute(
                "SELECT * FROM orders WHERE customer_id = ? AND (? = '' OR status = ?) ORDER BY placed_at DESC LIMIT ?",
                (customer_id, status, status, limit),
            ).fetchall()
        return [OrderSummary(r["order_id"], r["status"], iso(r["placed_at"]), r["total_cents"]) for r in rows]

    @tool(sensitivity="private")
    def track_shipment(order_id: int) -> Tracking:
        """Where the parcel of an order is: carrier, tracking number, expected day and every event so far."""
        with shop.read() as connection:
            return read_tracking(connection, order_id)

    return [get_order, list_orders, track_shipment]


def order_row(connection: sqlite3.Connection, order_id: int) -> sqlite3.Row:
    """The order's own row. Raises ToolError when there is none."""
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM orders WHERE order_id = ?", (order_id,)
    ).fetchone()
    if row is None:
        raise ToolError(
            f"there is no order `{order_id}`",
            code="E742",
            help="ask the customer for the number on the receipt",
        )
    return row


def refunded_cents(connection: sqlite3.Connection, order_id: int) -> int:
    """What was given back for an order so far."""
    return int(_sum(connection, "refunds", order_id))


def charged_cents(connection: sqlite3.Connection, order_id: int) -> int:
    """What was charged for an order in all."""
    return int(_sum(connection, "charges", order_id))


def read_order(connection: sqlite3.Connection, order_id: int) -> Order:
    """An order with everything that belongs to it."""
    row = order_row(connection, order_id)
    lines = connection.execute(
        "SELECT product_id, name, category, quantity, unit_price_cents FROM order_lines JOIN products USING (product_id)"
        " WHERE order_id = ? ORDER BY line",
        (order_id,),
    ).fetchall()
    charges = connection.execute(
        "SELECT amount_cents, method, charged_at FROM charges WHERE order_id = ? ORDER BY charge_id",
        (order_id,),
    ).fetchall()
    return Order(
        order_id=order_id,
        customer_id=row["customer_id"],
        status=row["status"],
        placed_at=iso(row["placed_at"]),
        total_cents=row["total_cents"],
        ship_to=row["ship_to"],
        lines=[Line(*line) for line in lines],
        charges=[Charge(c["amount_cents"], c["method"], iso(c["charged_at"])) for c in charges],
        refunded_cents=refunded_cents(connection, order_id),
    )


def read_tracking(connection: sqlite3.Connection, order_id: int) -> Tracking:
    """The parcel of an order, or an empty carrier when it has none yet."""
    order = order_row(connection, order_id)
    parcel = connection.execute("SELECT * FROM shipments WHERE order_id = ?", (order_id,)).fetchone()
    if parcel is None:
        return Tracking(order_id, order["status"], "", "", "", [])
    rows = connection.execute(
        "SELECT at, place, event FROM tracking_events WHERE shipment_id = ? ORDER BY seq",
        (parcel["shipment_id"],),
    ).fetchall()
    return Tracking(
        order_id=order_id,
        status=order["status"],
        carrier=parcel["carrier"],
        tracking_number=parcel["tracking_number"],
        expected_on=iso(parcel["expected_at"])[:10],
        events=[TrackingEvent(iso(r["at"]), r["place"], r["event"]) for r in rows],
    )


def _sum(connection: sqlite3.Connection, table: str, order_id: int) -> Any:
    query = f"SELECT coalesce(sum(amount_cents), 0) FROM {table} WHERE order_id = ?"
    return connection.execute(query, (order_id,)).fetchone()[0]
