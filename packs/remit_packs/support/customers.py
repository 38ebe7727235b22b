"""Tools about customers. All they answer is private."""

from __future__ import annotations

import sqlite3

from remit.sdk import FunctionTool, ToolContext, ToolError, tool
from remit_packs.support.database import Shop
from remit_packs.support.shapes import Customer, Limit, LongText, Preferences, Purchase, Queued, Words, iso


def customer_tools(shop: Shop) -> list[FunctionTool]:
    """find_customer, purchase_history and customer_preferences."""

    @tool(sensitivity="private")
    def find_customer(query: Words) -> list[Customer]:
        """Customers by number, whole e-mail address, or part of the name; at most five."""
        with shop.read() as connection:
            return search(connection, query.strip())

    @tool(sensitivity="private")
    def purchase_history(customer_id: int, limit: Limit = 10) -> list[Purchase]:
        """What a customer bought, newest first."""
        with shop.read() as connection:
            customer_row(connection, customer_id)
            rows = connection.execute(
                "SELECT product_id, name, category, order_id, placed_at, unit_price_cents FROM orders"
                " JOIN order_lines USING (order_id) JOIN products USING (product_id)"
                " WHERE customer_id = ? AND status <> 'cancelled' ORDER BY placed_at DESC, line LIMIT ?",
                (customer_id, limit),
            ).fetchall()
        return [Purchase(r[0], r[1], r[2], r[3], iso(r[4])[:10], r[5]) for r in rows]

    @tool(sensitivity="private")
    def customer_preferences(customer_id: int) -> Preferences:
        """A customer's favourite category, usual budget, wished contact, and what the orders show."""
        with shop.read() as connection:
            return preferences(connection, customer_id)

    return [find_customer, purchase_history, customer_preferences]


def send_email_tool(shop: Shop) -> FunctionTool:
    """send_email: a plain effect on purpose. Mail has no key and no look-up, so in doubt a person is asked."""

    @tool(risk="L1", effect="plain", outward=True)
    def send_email(customer_id: int, subject: Words, text: LongText, context: ToolContext) -> Queued:
        """Send a customer an e-mail at the address on file; another address cannot be given."""
        with shop.write() as connection:
            customer_row(connection, customer_id)
            (number,) = connection.execute("SELECT coalesce(max(message_id), 0) + 1 FROM outbox").fetchone()
            connection.execute(
                "INSERT INTO outbox VALUES (?, ?, ?, ?, ?)",
                (number, customer_id, subject, text, context.clock.now()),
            )
        return Queued(number, customer_id)

    return send_email


def customer_row(connection: sqlite3.Connection, customer_id: int) -> sqlite3.Row:
    """A customer's row. Raises ToolError when there is none."""
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM customers WHERE customer_id = ?", (customer_id,)
    ).fetchone()
    if row is None:
        raise ToolError(
            f"there is no customer `{customer_id}`",
            code="E744",
            help="look up the number with `find_customer`",
        )
    return row


def search(connection: sqlite3.Connection, query: str) -> list[Customer]:
    """Customers that fit a number, an address or a name."""
    if query.isdigit():
        condition, value = "customer_id = ?", query
    elif "@" in query:
        condition, value = "email = ?", query.lower()
    else:
        condition, value = r"name LIKE ? ESCAPE '\'", f"%{_literal(query)}%"
    rows = connection.execute(
        f"SELECT * FROM customers WHERE {condition} ORDER BY customer_id LIMIT 5", (value,)
    ).fetchall()
    return [
        Customer(
            customer_id=r["customer_id"],
            name=r["name"],
            email=r["email"],
            phone=r["phone"],
            address=f"{r['street']}, {r['city']}, {r['region']} {r['postal_code']}, {r['country']}",
        )
        for r in rows
    ]


def preferences(connection: sqlite3.Connection, customer_id: int) -> Preferences:
    """Stated preferences, and the categories and products of the orders."""
    row = customer_row(connection, customer_id)
    bought = connection.execute(
        "SELECT product_id, category FROM orders JOIN order_lines USING (order_id) JOIN products USING (product_id)"
        " WHERE customer_id = ? AND status <> 'cancelled'",
        (customer_id,),
    ).fetchall()
    categories = [r["category"] for r in bought]
    most = sorted(set(categories), key=lambda c: (-categories.count(c), c))[:3]
    return Preferences(
        customer_id=customer_id,
        favourite_category=row["favourite_category"],
        budget_cents=row["budget_cents"],
        contact_by=row["contact_by"],
        bought_most=most,
        owns=sorted({r["product_id"] for r in bought}),
    )


def _literal(text: str) -> str:
    return text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
