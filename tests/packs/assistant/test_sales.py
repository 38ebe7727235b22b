"""Questions about sales, answered from the e-commerce database with a cell for each number (B7)."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from remit import open_app
from remit.bootstrap import App
from remit.core.task import Task
from remit.settings import Settings
from remit.testing import FakeClock
from remit_packs.assistant import pack
from remit_packs.assistant.shop import SMALL, load
from remit_packs.tools.sql import check_citations

TOP = "top 5 customers by total purchase amount"


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    """An app with the pack alone, and its shop in a file."""
    settings = Settings(home=tmp_path, store="memory:")
    async with open_app(settings, packs=[pack(tmp_path)], clock=FakeClock()) as opened:
        yield opened


async def asked(app: App, question: str) -> tuple[str, list[Any]]:
    """The answer, and what queries answered."""
    result = await app.run(Task("t1", "assistant", objective=question))
    assert result.status == "success", result.problem
    view = await app.runs.view(result.run_id, "local")
    return result.result_payload, [
        s.output for s in view.steps if s.name == "query_database" and s.state == "done"
    ]


async def test_the_top_customers_are_told_with_the_cells_of_their_numbers(app: App) -> None:
    """Every number of the answer is that of a cell of the result that was asked for, and is cited so."""
    answer, results = await asked(app, TOP)
    assert len(results[0]["rows"]) == 5
    found = check_citations(answer, results, given=answer.partition(":")[0])
    assert found.sound, found
    assert len([cited for cited in found.linked if cited.by_citation]) == 5
    totals = [row["total"] for row in results[0]["rows"]]
    assert totals == sorted(totals, reverse=True)


@pytest.mark.parametrize(
    ("question", "column"),
    [
        ("What are the best ten products?", "revenue"),
        ("revenue by category please", "revenue"),
        ("sales per country", "revenue"),
        ("how did sales go by channel", "revenue"),
        ("what is the average value of an order", "average"),
        ("How many orders are there?", "orders"),
        ("how many customers do we have", "customers"),
    ],
)
async def test_other_questions_about_sales_are_answered_from_results(
    app: App, question: str, column: str
) -> None:
    """Products, categories, countries, channels, averages and counts."""
    answer, results = await asked(app, question)
    assert results[0]["rows"], answer
    assert column in results[0]["rows"][0]
    assert f".{column}]]" in answer


async def test_a_chart_is_drawn_of_the_result_and_kept_with_the_run(app: App) -> None:
    """Asked to draw, the assistant answers with a page and a picture that can be downloaded."""
    pytest.importorskip("vl_convert", reason="pip install 'remit[charts]'")
    result = await app.run(Task("t1", "assistant", objective=f"Draw a chart: {TOP}"))
    kinds = {artifact.media_type for artifact in await app.runs.artifacts(result.run_id, "local")}
    assert {"text/html", "image/png"} <= kinds
    name = next(
        a.name for a in await app.runs.artifacts(result.run_id, "local") if a.media_type == "image/png"
    )
    _, picture = await app.runs.artifact(result.run_id, "local", name)
    assert picture.startswith(b"\x89PNG")


async def test_what_one_asks_to_remember_is_known_in_another_conversation(app: App) -> None:
    """A preference told in one session is recalled in the next, with its citation."""
    told = await app.run(
        Task("t1", "assistant", objective="Remember that I like short answers", session_id="one")
    )
    assert "memory:" in told.result_payload
    again = await app.run(Task("t2", "assistant", objective="What do you know about me?", session_id="two"))
    assert "I like short answers (memory:" in again.result_payload


async def test_the_web_is_searched_in_the_corpus_at_hand_and_cited(app: App) -> None:
    """Without a key or a network there is a corpus; what it says is quoted with its address."""
    result = await app.run(Task("t1", "assistant", objective="Search the web for idempotency keys"))
    assert "[https://corpus.remit.example/" in result.result_payload


@pytest.mark.service
async def test_the_same_questions_on_a_real_postgresql(tmp_path: Path) -> None:
    """With the secret `shop_database_url` the shop is a PostgreSQL, and the answer the same as from the file."""
    server = os.environ.get("REMIT_TEST_POSTGRES", "")
    if not server:
        assert os.environ.get("CI") != "true", "REMIT_TEST_POSTGRES must be set in CI"
        pytest.skip("REMIT_TEST_POSTGRES names no PostgreSQL to test with")
    import psycopg

    name = f"shop_{tmp_path.name.replace('-', '_')[-30:]}_{os.getpid()}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')  # type: ignore[arg-type]
    url = f"{server.rsplit('/', 1)[0]}/{name}"
    load(url, SMALL)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name}_reader LOGIN")  # type: ignore[arg-type]
        connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}_reader")  # type: ignore[arg-type]
    reader = url.replace("postgres@", f"{name}_reader@")
    settings = Settings(home=tmp_path, store="memory:", secrets={"shop_database_url": reader})
    async with open_app(settings, packs=[pack(tmp_path)], clock=FakeClock()) as app:
        answer, results = await asked(app, TOP)
    assert len(results[0]["rows"]) == 5, answer
    assert check_citations(answer, results, given=answer.partition(":")[0]).sound
