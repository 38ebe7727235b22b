"""Three customers to show the cell with: real rows of the generated shop, the same on every machine."""

from __future__ import annotations

import sqlite3

from msgspec import Struct

from remit_packs.support.changes import REFUND_LIMIT_CENTS
from remit_packs.support.database import Shop


class Story(Struct, frozen=True):
    """What a customer writes to the supervisor, and what is to be seen then."""

    name: str
    shows: str
    customer_id: int
    order_id: int
    message: str
    refund_cents: int = 0
    address: str = ""


def stories(shop: Shop) -> list[Story]:
    """The three stories over this shop. Looks only; builds the shop if it is not there."""
    with shop.read() as connection:
        return [_parcel(connection), _broken(connection), _twice(connection)]


def _parcel(connection: sqlite3.Connection) -> Story:
    row = connection.execute(
        "SELECT order_id, customer_id FROM orders JOIN order_lines USING (order_id)"
        " WHERE status = 'shipped' GROUP BY order_id HAVING count(*) = 1 ORDER BY order_id LIMIT 1"
    ).fetchone()
    return Story(
        name="parcel",
        shows="three specialists answer one message; nothing changes, nobody is asked",
        customer_id=row["customer_id"],
        order_id=row["order_id"],
        message=(
            f"Hello, I am customer {row['customer_id']}. Where is my order {row['order_id']}? "
            "And can you recommend something similar to it for my sister?"
        ),
    )


def _broken(connection: sqlite3.Connection) -> Story:
    row = connection.execute(
        "SELECT order_id, customer_id, quantity * unit_price_cents AS price FROM orders JOIN order_lines USING (order_id)"
        " JOIN products USING (product_id) WHERE category = 'espresso machines' AND status = 'delivered' AND quantity = 1"
        " AND unit_price_cents > ? AND total_cents = unit_price_cents ORDER BY placed_at DESC, order_id LIMIT 1",
        (2 * REFUND_LIMIT_CENTS,),
    ).fetchone()
    return Story(
        name="broken",
        shows="troubleshooting finds a fault; the refund is over the limit and waits for a person",
        customer_id=row["customer_id"],
        order_id=row["order_id"],
        refund_cents=row["price"],
        message=(
            f"I am customer {row['customer_id']}. The espresso machine from order {row['order_id']} leaks: water runs out of "
            "the bottom of the case whenever the pump runs, even after I changed the gasket. I would like a refund."
        ),
    )


def _twice(connection: sqlite3.Connection) -> Story:
    row = connection.execute(
        "SELECT order_id, customer_id, total_cents, EXISTS (SELECT 1 FROM orders later WHERE later.customer_id ="
        " orders.customer_id AND later.status IN ('placed', 'packed')) AS waiting FROM orders JOIN charges USING (order_id)"
        " WHERE total_cents < ? GROUP BY order_id HAVING count(*) = 2 ORDER BY waiting DESC, order_id DESC LIMIT 1",
        (REFUND_LIMIT_CENTS,),
    ).fetchone()
    return Story(
        name="twice",
        shows="two effects, nobody is asked; killed and started again, each still happens once",
        customer_id=row["customer_id"],
        order_id=row["order_id"],
        refund_cents=row["total_cents"],
        address="12 Elm Street, Madison, WI 53703, US",
        message=(
            f"Hi, customer {row['customer_id']} here. I was charged twice for order {row['order_id']}, please refund the second "
            "charge. Also, I have moved: my new address is 12 Elm Street, Madison, WI 53703."
        ),
    )
