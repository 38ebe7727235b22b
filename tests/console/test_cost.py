"""Costs in the console: by agent, model, workflow and day, with the budget, as a table that can be saved."""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect
from tests.console.kit import Console, console_of, settings

from remit import Agent, Pack, agent, open_app
from remit.adapters.model.scripted import ScriptedModel
from remit.bootstrap import App
from remit.core.budget import Usage
from remit.core.pricing import Price
from remit.core.task import Task
from remit.engine.envelopes import set_limit
from remit.engine.models import Route
from remit.ports.model import ModelReply, ModelRequest, OnDelta
from remit.sdk import RunContext
from remit.settings import Settings

pytestmark = [pytest.mark.service, pytest.mark.asyncio(loop_scope="module")]

writer = Agent("writer", instructions="Write.", max_tokens=500)
TERM = "agent-with-a-very-long-name-that-somebody-gave-it-because-it-says-what-it-does"


class Costly(ScriptedModel):
    """A model that uses as many tokens for each answer."""

    async def ask(self, request: ModelRequest, on_delta: OnDelta | None = None) -> ModelReply:
        reply = await super().ask(request, on_delta)
        return ModelReply(reply.message, reply.stop_reason, Usage(input_tokens=4_000, output_tokens=200))


@agent(name=TERM)
async def broken(input: Any, memory: Any, context: RunContext) -> Any:
    """Asks, and fails."""
    await context.ask("what now?")
    raise ValueError("no")


def asking(home: Path, price: Price | None) -> App:
    """An app of two agents whose model costs so much."""
    return open_app(
        Settings(**settings(home), packs=()),
        packs=[Pack("tests", agents=[writer, broken])],
        models={"scripted": Costly(["done"], cycle=True)},
        routes={"default": Route("scripted", "scripted", price=price)},
    )


@pytest_asyncio.fixture(loop_scope="module")
async def console(browser: Browser, tmp_path: Path) -> AsyncIterator[Console]:
    """A console over two agents whose model costs money."""
    async with console_of(asking(tmp_path, Price(Decimal(3), Decimal(15))), browser) as made:
        yield made


async def test_an_empty_store_has_cost_nothing(console: Console) -> None:
    """And says what limits runs."""
    page = await console.go("/cost")
    await expect(page.get_by_text("Nothing has cost anything")).to_be_visible()
    await expect(page.get_by_text("No budget limits what runs may spend together")).to_be_visible()
    await console.shot("cost-empty")
    await console.axe()


async def test_costs_are_shown_by_agent_model_and_day(console: Console) -> None:
    """With the share of the whole, what failed, the budget, and as CSV; other tenants are refused in place."""
    await set_limit(console.app.kit, "local", max_cost_usd=Decimal("20"))
    runs = [await console.app.runs.submit(Task(f"t{n}", "writer", "Write")) for n in range(3)]
    runs.append(await console.app.runs.submit(Task("t9", TERM, "Try")))
    for run_id in runs:
        async for _ in console.app.runs.follow(run_id, "local"):
            """Until it has ended."""
    page = await console.go("/cost")
    rows = page.get_by_role("table", name="costs by agent").get_by_role("row")
    await expect(rows).to_have_count(3)
    await expect(rows.nth(1)).to_contain_text("writer")
    # Three times 4000 tokens at $3 and 200 at $15 a million.
    await expect(rows.nth(1)).to_contain_text("$0.05")
    await expect(rows.nth(1)).to_contain_text("75 %")
    await expect(page.get_by_text("1 failed")).to_be_visible()
    budget = page.get_by_role("list", name="Budgets")
    await expect(budget).to_contain_text(
        "$0.06 used, $0.00 reserved by runs under way, $19.94 of $20.00 left"
    )
    await expect(page.locator(".recharts-bar-rectangle").last).to_be_visible()
    await console.shot("cost")
    await console.axe()
    async with page.expect_download() as waiting:
        await page.get_by_role("button", name="CSV").click()
    path = await (await waiting.value).path()
    lines = list(csv.DictReader(path.read_text().splitlines()))
    assert [(line["Agent"], Decimal(line["Cost"]), line["Runs"]) for line in lines] == [
        ("writer", Decimal("0.045"), "3"),
        (TERM, Decimal("0.015"), "1"),
    ]
    await page.get_by_role("tab", name="Models").click()
    await expect(page.get_by_role("table", name="costs by model")).to_contain_text("100 %")
    await page.get_by_role("tab", name="Days").click()
    await expect(page.get_by_role("table", name="costs by day").get_by_role("row")).to_have_count(2)
    console.expected.append("403")
    await page.get_by_role("tab", name="Tenants").click()
    await expect(page.get_by_role("alert")).to_contain_text("E1025")
    await console.shot("cost-tenants")
    await page.get_by_role("tab", name="Agents").click()
    await rows.nth(1).click()
    await page.wait_for_url("**/#/runs?agent=writer")


async def test_where_nothing_has_a_price_tokens_are_drawn(browser: Browser, tmp_path: Path) -> None:
    """An axis of dollars would say nothing."""
    async with console_of(asking(tmp_path, None), browser) as console:
        run_id = await console.app.runs.submit(Task("t", "writer", "Write"))
        async for _ in console.app.runs.follow(run_id, "local"):
            """Until it has ended."""
        page = await console.go("/cost")
        await expect(page.get_by_role("img", name="Tokens by day: 4,200 from")).to_be_visible()
        await expect(page.locator(".recharts-bar-rectangle").last).to_be_visible()
        await expect(page.get_by_text("no run has cost anything")).to_be_visible()
        await console.shot("cost-tokens")
        await console.axe()
