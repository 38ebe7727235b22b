"""Tools for what does not work: help articles and the fault table."""

from __future__ import annotations

import calendar
import math
import re
from collections import Counter
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from remit.sdk import FunctionTool, ToolContext, ToolError, tool
from remit_packs.support.database import Shop
from remit_packs.support.diagnostics import diagnose
from remit_packs.support.orders import order_row
from remit_packs.support.products import product_row
from remit_packs.support.shapes import Article, Diagnosis, Limit, Words, iso

_ARTICLES = Path(__file__).with_name("articles")
_COMMON_WORDS = (
    "and are but can did for from has have her his how its not now our out she that the then they this was what when with "
    "you your"
)
_COMMON = frozenset(_COMMON_WORDS.split())


def troubleshooting_tools(shop: Shop) -> list[FunctionTool]:
    """knowledge_search and run_diagnostic."""

    @tool(sensitivity="public")
    def knowledge_search(query: Words, category: str = "", limit: Limit = 2) -> list[Article]:
        """Help articles that fit the words best. With a category, only articles about it and general ones."""
        return search_articles(query, category)[:limit]

    @tool(sensitivity="private")
    def run_diagnostic(order_id: int, product_id: int, symptom: Words, context: ToolContext) -> Diagnosis:
        """Look a symptom up in the fault table, and whether the product of this order is in warranty.

        `verdict` is `faulty` (repair, exchange or refund), `fixable` (the article says how) or `unclear`.
        """
        with shop.read() as connection:
            order = order_row(connection, order_id)
            product = product_row(connection, product_id)
            query = "SELECT 1 FROM order_lines WHERE order_id = ? AND product_id = ?"
            if connection.execute(query, (order_id, product_id)).fetchone() is None:
                raise ToolError(f"order `{order_id}` holds no product `{product_id}`", code="E749")
        fault = diagnose(product["category"], symptom)
        until = months_later(order["placed_at"], product["warranty_months"])
        return Diagnosis(
            product_id=product_id,
            product=product["name"],
            verdict=fault.verdict,
            explanation=fault.explanation,
            article=fault.article,
            warranty_until=iso(until)[:10],
            in_warranty=context.clock.now() <= until,
        )

    return [knowledge_search, run_diagnostic]


def months_later(start: int, months: int) -> int:
    """The same day some months later (the month's last day if it is shorter), in Unix milliseconds."""
    day = datetime.fromtimestamp(start // 1000, UTC)
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return int(day.replace(year=year, month=month + 1, day=min(day.day, last)).timestamp()) * 1000


def search_articles(query: str, category: str = "") -> list[Article]:
    """Articles that share words with the query, best first; rare words weigh more, words of the title double."""
    words = _words(query)
    found = []
    for article, counts in articles():
        if category and article.category not in (category, "all"):
            continue
        score = sum(_rarity(word) * counts[word] / (counts[word] + 1.5) for word in words if counts[word])
        if score:
            found.append((score, article))
    found.sort(key=lambda pair: (-pair[0], pair[1].article))
    return [article for _, article in found]


@cache
def articles() -> tuple[tuple[Article, Counter[str]], ...]:
    """Every article with the count of its words."""
    return tuple(_read(path) for path in sorted(_ARTICLES.glob("*.md")))


def _read(path: Path) -> tuple[Article, Counter[str]]:
    head, category, text = path.read_text(encoding="utf-8").split("\n\n", 2)
    title = head.removeprefix("# ")
    article = Article(path.stem, title, category.removeprefix("Category: "), text.strip())
    return article, Counter([*_words(title), *_words(title), *_words(text)])


@cache
def _rarity(word: str) -> float:
    holders = sum(1 for _, counts in articles() if counts[word])
    return math.log(1 + len(articles()) / (holders + 0.5))


def _words(text: str) -> list[str]:
    found = re.findall(r"[a-z0-9]{3,}", text.lower())
    return [word.rstrip("s") for word in found if word not in _COMMON]
