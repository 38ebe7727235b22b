"""The offline rules for questions about sales: a few patterns of questions, each with the SQL that answers it.

A question that fits none of them is not for these rules; they know no grammar and guess nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from remit.sdk import Message, ModelRequest, assistant
from remit_packs.listening import Talk, listen

MOST = 50

_COUNTED = "o.status NOT IN ('cancelled', 'returned')"
_LINE = "oi.quantity * oi.unit_price - oi.discount"
_LINES = "order_items AS oi JOIN orders AS o ON o.id = oi.order_id JOIN products AS p ON p.id = oi.product_id"
_NUMBERS = {"three": 3, "five": 5, "ten": 10, "twenty": 20}
_CHART = re.compile(r"\b(?:chart|draw|plot|diagram|graph)\b", re.IGNORECASE)


class Question(NamedTuple):
    """A kind of question: what it looks like, the SQL for it with `{n}` rows, and how it is told."""

    pattern: re.Pattern[str]
    sql: str
    told: str


def _question(pattern: str, sql: str, told: str) -> Question:
    return Question(re.compile(pattern, re.IGNORECASE), sql, told)


QUESTIONS = (
    _question(
        r"\bcustomers?\b.*\b(?:purchase|spen[dt]|revenue|total|amount|paid)|\b(?:top|best|biggest)\b.*\bcustomers?\b",
        f"SELECT c.name AS customer, SUM(o.total) AS total FROM orders AS o JOIN customers AS c ON c.id = o.customer_id"
        f" WHERE {_COUNTED} GROUP BY c.id, c.name ORDER BY total DESC, c.name LIMIT {{n}}",
        "Top {n} customers by total purchase amount, in EUR, without cancelled and returned orders",
    ),
    _question(
        r"\b(?:top|best)\b.*\bproducts?\b|\bproducts?\b.*\b(?:sold|sell|revenue)",
        f"SELECT p.name AS product, SUM({_LINE}) AS revenue FROM {_LINES}"
        f" WHERE {_COUNTED} GROUP BY p.id, p.name ORDER BY revenue DESC, p.name LIMIT {{n}}",
        "Top {n} products by revenue, in EUR",
    ),
    _question(
        r"\b(?:revenue|sales|sold)\b.*\bcategor",
        f"SELECT g.name AS category, SUM({_LINE}) AS revenue FROM {_LINES} JOIN categories AS g ON g.id = p.category_id"
        f" WHERE {_COUNTED} GROUP BY g.id, g.name ORDER BY revenue DESC, g.name LIMIT {{n}}",
        "Revenue by category, in EUR",
    ),
    _question(
        r"\b(?:revenue|sales|orders|sold)\b.*\bcountr",
        f"SELECT c.country AS country, SUM(o.total) AS revenue FROM orders AS o JOIN customers AS c ON c.id = o.customer_id"
        f" WHERE {_COUNTED} GROUP BY c.country ORDER BY revenue DESC, c.country LIMIT {{n}}",
        "Revenue by country, in EUR",
    ),
    _question(
        r"\b(?:revenue|sales|orders|sold)\b.*\bchannel",
        f"SELECT o.channel AS channel, SUM(o.total) AS revenue FROM orders AS o WHERE {_COUNTED}"
        " GROUP BY o.channel ORDER BY revenue DESC, o.channel LIMIT {n}",
        "Revenue by channel, in EUR",
    ),
    _question(
        r"\baverage\b.*\border",
        f"SELECT ROUND(AVG(o.total), 2) AS average FROM orders AS o WHERE {_COUNTED} LIMIT {{n}}",
        "The average order, in EUR",
    ),
    _question(
        r"\bhow many\b.*\borders\b",
        "SELECT o.status AS status, COUNT(*) AS orders FROM orders AS o GROUP BY o.status ORDER BY orders DESC, o.status LIMIT {n}",
        "Orders by status",
    ),
    _question(
        r"\bhow many\b.*\bcustomers\b",
        "SELECT COUNT(*) AS customers FROM customers AS c LIMIT {n}",
        "Customers",
    ),
)


def ask_sales(request: ModelRequest) -> Message | None:
    """Ask the database, draw what came back if that is wanted, and tell it with the cell that each number is from."""
    talk = listen(request)
    kind = next((each for each in QUESTIONS if each.pattern.search(talk.said)), None)
    if kind is None:
        return None
    number = how_many(talk.said)
    results = talk.answers("query_database")
    if not results:
        return talk.call(
            "That is in the shop's database: I ask it.", "query_database", {"sql": kind.sql.format(n=number)}
        )
    title = kind.told.format(n=number)
    if _CHART.search(talk.said) and not _drawn(talk):
        return _draw(talk, results[0], title.partition(",")[0])
    return assistant("\n".join([f"{title}:", *_told(results[0]), *_shown(talk)]))


def how_many(text: str) -> int:
    """The number of rows that are wanted, 10 where none is named."""
    found = re.search(rf"\b(\d{{1,3}}|{'|'.join(_NUMBERS)})\b", text.lower())
    if found is None:
        return 10
    return min(MOST, int(found[1]) if found[1].isdigit() else _NUMBERS[found[1]]) or 10


def _drawn(talk: Talk) -> bool:
    return any(step.tool == "draw_chart" for step in talk.steps)


def _draw(talk: Talk, result: Mapping[str, Any], title: str) -> Message | None:
    names = [column["name"] for column in result["columns"]]
    if len(names) < 2:
        return None
    given = {
        "kind": "bar",
        "data": {"columns": names, "rows": [[row[n] for n in names] for row in result["rows"]]},
    }
    return talk.call(
        "A bar for each row shows it best.",
        "draw_chart",
        {**given, "x": names[0], "y": names[1], "title": title},
    )


def _told(result: Mapping[str, Any]) -> list[str]:
    """A line a row: the label, and each number with its cell."""
    label, *numbers = (column["name"] for column in result["columns"])
    if not numbers:
        return [f"{row[label]:,} [[{row['#']}.{label}]]" for row in result["rows"]]
    return [
        f"{place}. {row[label]}: "
        + ", ".join(f"{_number(row[name])} [[{row['#']}.{name}]]" for name in numbers)
        for place, row in enumerate(result["rows"], 1)
    ] or ["nothing was found"]


def _number(value: Any) -> str:
    return (
        f"{value:,.2f}"
        if isinstance(value, float)
        else f"{value:,}"
        if isinstance(value, int)
        else str(value)
    )


def _shown(talk: Talk) -> list[str]:
    return [
        f"Charts: {chart['html']} (page), {chart['png']} (picture)" for chart in talk.answers("draw_chart")
    ]
