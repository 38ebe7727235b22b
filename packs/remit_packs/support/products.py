"""Tools about products: search, details, recommendations."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence

from remit.sdk import FunctionTool, ToolError, tool
from remit_packs.support.database import Shop
from remit_packs.support.shapes import Limit, Product, Recommendation, Words, dollars

_COMMON_WORDS = (
    "and any are can for from has have her his like need new not one our that the thi with you your"
)
_COMMON = frozenset(_COMMON_WORDS.split())

_BOUGHT_TOGETHER = """
SELECT other.product_id, count(*) FROM order_lines mine JOIN order_lines other USING (order_id)
WHERE mine.product_id = ? AND other.product_id <> mine.product_id GROUP BY other.product_id
"""


def product_tools(shop: Shop) -> list[FunctionTool]:
    """search_products, product_details and recommend_products."""

    @tool(sensitivity="public")
    def search_products(query: Words, max_price_cents: int | None = None, limit: Limit = 5) -> list[Product]:
        """Products whose name, category or description fit the words, best first; only what is in stock."""
        with shop.read() as connection:
            rows = connection.execute("SELECT * FROM products WHERE stock > 0").fetchall()
        scored = [
            (_score(row, query), row)
            for row in rows
            if max_price_cents is None or row["price_cents"] <= max_price_cents
        ]
        scored.sort(key=lambda pair: (-pair[0], -pair[1]["rating_tenths"], pair[1]["price_cents"]))
        return [_product(row) for score, row in scored[:limit] if score]

    @tool(sensitivity="public")
    def product_details(product_id: int) -> Product:
        """One product: price, stock, rating, warranty."""
        with shop.read() as connection:
            return _product(product_row(connection, product_id))

    @tool(sensitivity="public")
    def recommend_products(
        product_id: int,
        max_price_cents: int | None = None,
        exclude: list[int] | None = None,
        limit: Limit = 3,
    ) -> list[Recommendation]:
        """Products similar to a given one: same category, in stock, ranked by shared buyers, rating and price.

        `exclude` holds product numbers not to suggest, such as what the customer owns.
        """
        with shop.read() as connection:
            return recommend(connection, product_id, max_price_cents, exclude or [])[:limit]

    return [search_products, product_details, recommend_products]


def product_row(connection: sqlite3.Connection, product_id: int) -> sqlite3.Row:
    """A product's row. Raises ToolError when there is none."""
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM products WHERE product_id = ?", (product_id,)
    ).fetchone()
    if row is None:
        raise ToolError(
            f"there is no product `{product_id}`", code="E747", help="search by name with `search_products`"
        )
    return row


def recommend(
    connection: sqlite3.Connection, product_id: int, max_price_cents: int | None, exclude: Sequence[int]
) -> list[Recommendation]:
    """Every product of the same category that is in stock, best first."""
    wanted = product_row(connection, product_id)
    together = dict(connection.execute(_BOUGHT_TOGETHER, (product_id,)).fetchall())
    rows = connection.execute(
        "SELECT * FROM products WHERE category = ? AND stock > 0 AND product_id <> ?",
        (wanted["category"], product_id),
    ).fetchall()
    fitting = [
        row
        for row in rows
        if row["product_id"] not in exclude
        and (max_price_cents is None or row["price_cents"] <= max_price_cents)
    ]

    def rank(row: sqlite3.Row) -> tuple[float, int]:
        distance = abs(row["price_cents"] - wanted["price_cents"]) / wanted["price_cents"]
        return -(row["rating_tenths"] + together.get(row["product_id"], 0) / 4 - 10 * min(distance, 2)), row[
            "product_id"
        ]

    return [
        _recommendation(row, wanted, together.get(row["product_id"], 0)) for row in sorted(fitting, key=rank)
    ]


def _recommendation(row: sqlite3.Row, wanted: sqlite3.Row, together: int) -> Recommendation:
    difference = row["price_cents"] - wanted["price_cents"]
    price = (
        "the same price"
        if not difference
        else f"{dollars(abs(difference))} {'more' if difference > 0 else 'less'}"
    )
    reason = f"also {row['category']}, rated {row['rating_tenths'] / 10}, {price}"
    if together:
        reason += f", bought together {together} times"
    return Recommendation(
        row["product_id"], row["name"], row["price_cents"], row["rating_tenths"] / 10, reason
    )


def _product(row: sqlite3.Row) -> Product:
    return Product(
        product_id=row["product_id"],
        name=row["name"],
        category=row["category"],
        price_cents=row["price_cents"],
        stock=row["stock"],
        rating=row["rating_tenths"] / 10,
        warranty_months=row["warranty_months"],
        description=row["description"],
    )


def _score(row: sqlite3.Row, query: str) -> int:
    words, name = _words(query), _words(row["name"])
    return (
        3 * len(words & name)
        + 3 * len(words & _words(row["category"]))
        + len(words & _words(row["description"]))
    )


def _words(text: str) -> set[str]:
    return {word.rstrip("s") for word in re.findall(r"[a-z0-9-]{3,}", text.lower())} - _COMMON
