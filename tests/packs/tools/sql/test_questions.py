"""Over a hundred questions with known answers: a scripted model writes wrong queries and right ones; only right numbers come back."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from world import World, at

from remit.core.task import Task
from remit.sdk import Agent, ArgumentsError, Pack
from remit.testing import ScriptedModel, app_for_tests, call
from remit_packs.assistant.shop import SMALL, shop_database
from remit_packs.assistant.shop.rows import tables
from remit_packs.tools.sql import check_citations, database_tools

ROWS = tables(SMALL)


class Question(NamedTuple):
    """What is asked; what a model writes first, which is wrong; what it writes then; and the answer, computed without SQL."""

    asked: str
    wrong: str
    code: str
    right: str
    answer: list[tuple[Any, ...]]


_WRONG = (
    ("SELECT revenue FROM orders WHERE {c}", "E903"),
    ("SELECT total FROM order WHERE {c}", "E902"),
    ("SELECT sum(total) FROM sales WHERE {c}", "E902"),
    ("SELECT sum(o.price) FROM orders o WHERE o.{c}", "E903"),
    ("SELECT sum_of_totals(total) FROM orders WHERE {c}", "E901"),
    ("SELECT sum(total) FROM orders WHERE tenant_id = 'globex' AND {c}", "E903"),
    ("DELETE FROM orders WHERE {c}", "E900"),
    ("SELECT sum(total) FROM orders WHERE {c}; DROP TABLE orders", "E900"),
    ("SELECT sum(total) FROM public.order_facts WHERE {c}", "E902"),
    ("SELECT sum(total), pg_sleep(9) FROM orders WHERE {c}", "E901"),
)


def questions() -> Iterator[Question]:
    """All of them, each with another wrong query before the right one."""
    number = 0
    orders = [o for o in ROWS["orders"] if o[1] == "acme"]
    customers = {c[0]: c for c in ROWS["customers"] if c[1] == "acme"}

    def ask(asked: str, condition: str, right: str, answer: list[tuple[Any, ...]]) -> Question:
        nonlocal number
        wrong, code = _WRONG[number % len(_WRONG)]
        number += 1
        return Question(asked, wrong.format(c=condition), code, right, answer)

    for status in sorted({str(o[4]) for o in orders}):
        for channel in ("web", "app", "store"):
            found = [float(str(o[7])) for o in orders if (o[4], o[5]) == (status, channel)]
            where = f"status = '{status}' AND channel = '{channel}'"
            yield ask(
                f"How many {status} orders came by {channel}?",
                where,
                f"SELECT count(*) FROM orders WHERE {where}",
                [(len(found),)],
            )
            yield ask(
                f"What were {status} orders by {channel} worth?",
                where,
                f"SELECT coalesce(sum(total), 0) FROM orders WHERE {where}",
                [(sum(found),)],
            )
            largest = max(found, default=None)
            yield ask(
                f"The largest {status} order by {channel}?",
                where,
                f"SELECT max(total) FROM orders WHERE {where}",
                [(largest,)],
            )
    for country in sorted({str(c[6]) for c in customers.values()}):
        ids = {n for n, c in customers.items() if c[6] == country}
        spent = sum(float(str(o[7])) for o in orders if o[2] in ids)
        joined = f"FROM orders o JOIN customers c ON c.id = o.customer_id WHERE c.country = '{country}'"
        yield ask(
            f"What did customers in {country} spend?",
            "id > 0",
            f"SELECT coalesce(sum(o.total), 0) {joined}",
            [(spent,)],
        )
        yield ask(
            f"How many of them in {country}?",
            "id > 0",
            f"SELECT count(*) FROM customers WHERE country = '{country}'",
            [(len(ids),)],
        )
    spending: dict[Any, float] = defaultdict(float)
    for order in orders:
        spending[order[2]] += float(str(order[7]))
    best = sorted(spending.items(), key=lambda item: (-item[1], item[0]))
    for top in range(1, 11):
        yield ask(
            f"top {top} customers by total purchase amount",
            "id > 0",
            "SELECT c.name, sum(o.total) AS amount FROM customers c JOIN orders o ON o.customer_id = c.id"
            f" GROUP BY c.id, c.name ORDER BY amount DESC, c.id LIMIT {top}",
            [(customers[c][2], amount) for c, amount in best[:top]],
        )
    for year in (2024, 2025, 2026):
        for month in range(1, 13):
            found = [o for o in orders if (o[3].year, o[3].month) == (year, month)]  # type: ignore[attr-defined]
            after = f"{year + month // 12}-{month % 12 + 1:02d}-01"
            where = f"ordered_at >= '{year}-{month:02d}-01' AND ordered_at < '{after}'"
            yield ask(
                f"Orders in {year}-{month:02d}?",
                where,
                f"SELECT count(*) FROM orders WHERE {where}",
                [(len(found),)],
            )
    ratings = Counter(r[4] for r in ROWS["reviews"] if r[1] == "acme")
    for stars in range(1, 6):
        yield ask(
            f"Reviews with {stars} stars?",
            "id > 0",
            f"SELECT count(*) FROM reviews WHERE rating = {stars}",
            [(ratings[stars],)],
        )


def test_right_numbers_and_refusals_that_teach(here: World) -> None:
    """Of each question the wrong query is refused with a code and a help, and the right one gives the number that Python computes."""
    asked = list(questions())
    assert len(asked) >= 100
    shop = here.shop()
    for question in asked if here.kind == "sqlite" else asked[::7]:
        with pytest.raises(ArgumentsError) as refused:
            shop.query(question.wrong, at())
        assert refused.value.code == question.code, question
        assert refused.value.help, question
        result = shop.query(question.right, at())
        assert [tuple(row[c.name] for c in result.columns) for row in result.rows] == question.answer, (
            question
        )
        told = "; ".join(
            f"{row[c.name]} [[{row['#']}.{c.name}]]"
            for row in result.rows
            for c in result.columns
            if isinstance(row[c.name], int | float)
        )
        assert check_citations(told, [result]).sound, question


async def test_a_model_mends_its_query_and_cites_the_cells(tmp_path: Path) -> None:
    """Through the gateway: a refusal reaches the model with what to write instead, its second query runs, and the answer's numbers are cells."""
    shop = shop_database(tmp_path, size=SMALL)
    analyst = Agent("analyst", instructions="Ask the database.", tools=database_tools(shop))
    first = "SELECT c.name, sum(o.amount) AS total FROM customers c JOIN orders o ON o.customer_id = c.id GROUP BY c.id, c.name ORDER BY 2 DESC LIMIT 5"
    model = ScriptedModel(
        [
            call("describe_database"),
            call("query_database", sql=first),
            call("query_database", sql=first.replace("o.amount", "o.total")),
            "Ada Dietz leads.",
        ]
    )
    async with app_for_tests(model=model, packs=[Pack("p", agents=[analyst])]) as app:
        result = await app.run(Task("t1", "analyst", objective="top 5 customers by total purchase amount"))
    assert result.status == "success", result.problem
    refusal, answer = str(model.requests[2].messages[-1]), str(model.requests[3].messages[-1])
    assert "E903" in refusal
    assert "total" in refusal
    assert "E903" not in answer
    assert "'#': 'r5'" in answer
