"""Data quality in the browser: scores, a failing rule and its rows, versions, proposals, schedules and who is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect
from tests.console.kit import Console, console_of, settings

from remit import open_app
from remit.core.naming import LOCAL
from remit.core.notification import NotifierConfig
from remit.core.scorecard import DAY_MS
from remit.core.task import Actor
from remit.core.validation import Table, ValidationRun
from remit.engine.validations import Rule
from remit.settings import Settings
from remit_packs.validation.demo_tables import demo_tables

pytestmark = [pytest.mark.service, pytest.mark.asyncio(loop_scope="module")]

WHY: dict[str, Any] = {"actor": Actor("bea"), "reason": "the shop asked for it"}
LONG = "a reason that somebody wrote in more words than a table has room for, and then some more " * 4


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def console(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Console]:
    """One console for all tests here: each has rules of its own to change."""
    home = tmp_path_factory.mktemp("quality")
    async with console_of(open_app(Settings(**settings(home))), browser) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(console: Console, tmp_path_factory: pytest.TempPathFactory) -> Console:
    """The console, once tables are watched."""
    await watched(console, tmp_path_factory.mktemp("data"))
    await console.page.reload()  # it keeps for two seconds what it knew before
    return console


async def watched(console: Console, folder: Path) -> None:
    """Two tables, three rules, a month of runs, a proposal of a new version, and somebody who is told."""
    app = console.app
    parquet, database = await asyncio.to_thread(demo_tables, folder)
    for table in (
        Table("shop_orders", "file", str(parquet), "parquet", owner="shop"),
        Table(
            "orders", "sqlite", f"{database}::orders", "table", owner="warehouse", schedule="daily at 06:30"
        ),
    ):
        await app.tables.put(LOCAL, table, **WHY)
    rules = {
        "orders-count": Rule(
            "orders", "record_count_match", {"source_table": "shop_orders", "threshold_percent": 1}
        ),
        "orders-rows": Rule(
            "orders", "row_diff", {"source_table": "shop_orders", "key": ["order_id"], "ignore": ["status"]}
        ),
        "shop-amount": Rule("shop_orders", "value_range", {"column": "amount_cents", "min": 0}, "hourly"),
    }
    for config_id, rule in rules.items():
        await app.validations.create(LOCAL, config_id, rule, **WHY)
    lenient = Rule("orders", "record_count_match", {"source_table": "shop_orders", "threshold_percent": 5})
    await app.validations.edit(LOCAL, "orders-count", lenient, actor=Actor("bea"), reason=LONG)
    await app.validations.draft(
        LOCAL,
        "shop-status",
        Rule("shop_orders", "value_set", {"column": "status", "values": ["placed", "packed"]}, "daily"),
        actor=Actor("suggester"),
        reason="suggested: 4 different values in 5,000 rows",
    )
    strict = Rule("orders", "record_count_match", {"source_table": "shop_orders", "threshold_percent": 0})
    await app.validations.draft(
        LOCAL, "orders-count", strict, actor=Actor("suggester"), reason="suggested: they agree exactly"
    )
    await app.notifiers.put(
        LOCAL, NotifierConfig("desk", "webhook", "https://desk.example/hook", tables=("shop_orders",))
    )
    now = app.clock.now()
    for back in range(1, 30):
        for n, config_id in enumerate(rules):
            status = "FAILED" if (back * 7 + n * 3) % 11 < 2 else "PASSED"
            details = {
                "reason": f"{status.lower()} on day {back}",
                "actual_count": 5000 - back * 3 - n,
                "diff_pct": back % 7 / 10,
            }
            table_id = rules[config_id].table_id
            run = ValidationRun(
                f"vr_{back}_{n}",
                table_id,
                config_id,
                1,
                rules[config_id].validation_type,
                status,
                details,
                "scheduler",
                now - back * DAY_MS,
                duration_ms=20 + back,  # type: ignore[arg-type]
            )
            await app.validation_runs.record(LOCAL, run)


async def settled(console: Console) -> None:
    """Wait until nothing is being fetched."""
    await expect(console.page.get_by_label("Loading")).to_have_count(0)
    await expect(console.page.locator(".mantine-Skeleton-root")).to_have_count(0)


async def answered(console: Console, action: str, reason: str) -> None:
    """Give a reason in the dialog, and confirm."""
    dialog = console.page.get_by_role("dialog")
    await expect(dialog.get_by_role("button", name=action)).to_be_disabled()
    await dialog.get_by_label("Reason").fill(reason)
    await dialog.get_by_role("button", name=action).click()
    await expect(dialog).to_have_count(0)


async def test_an_empty_store_says_what_to_do(console: Console) -> None:
    """Every list that is empty names the next step."""
    console.expected.append("404")
    page = await console.go("/quality")
    await expect(page.get_by_text("No table is watched yet")).to_be_visible()
    await expect(page.get_by_text("remit demo")).to_be_visible()
    await console.shot("quality-empty")
    for tab, said in (
        ("Owners", "remit tables add"),
        ("Proposals", "remit validate suggest"),
        ("Run log", "remit validate run"),
    ):
        await page.get_by_role("tab", name=tab).click()
        await expect(page.get_by_role("tabpanel").get_by_text(said)).to_be_visible()
    await console.go("/quality/tables/none")
    await expect(page.get_by_text("There is no such table")).to_be_visible()
    await console.go("/quality/rules/none")
    await expect(page.get_by_text("There is no such rule")).to_be_visible()


async def test_a_score_leads_to_the_rows_that_differ(shop: Console) -> None:
    """From all tables to one, checked now, to its failing rule, and the two rows because of which it fails."""
    page = await shop.go("/quality")
    await expect(page.get_by_role("row", name="shop_orders")).to_contain_text("79.3 %")
    await settled(shop)
    await shop.shot("quality")
    await shop.axe()
    await page.get_by_role("tab", name="Owners").click()
    await page.get_by_role("button", name="warehouse").click()
    await expect(page.get_by_role("row", name="orders")).to_have_count(1)
    await expect(page.get_by_role("link", name="shop_orders")).to_have_count(0)
    await page.get_by_role("link", name="orders").click()
    await expect(page).to_have_title("orders | Remit")
    await expect(page.get_by_role("heading", name="Passed each day")).to_be_visible()
    await settled(shop)
    await shop.shot("quality-table")
    await page.get_by_role("button", name="Check now").click()
    await expect(page.get_by_label("the run: failure")).to_be_visible()
    failing = page.get_by_role("link", name="orders-rows")
    await expect(failing).to_be_visible()
    await shop.axe()
    await failing.click()
    await expect(page).to_have_title("orders-rows [ACTIVE] | Remit")
    rows = page.get_by_role("table", name="differing values")
    await expect(rows.get_by_role("row").nth(1)).to_contain_text("only in the source")
    await expect(rows.get_by_role("row").nth(2)).to_contain_text("amount_cents")
    await settled(shop)
    await shop.shot("quality-rule")
    await shop.axe()


async def test_every_number_is_drawn_over_time(shop: Console) -> None:
    """A number that is chosen is large, and stays so in the URL; a run opens beside the page."""
    page = await shop.go("/quality/rules/shop-amount?tab=numbers")
    await page.get_by_role("button", name="diff pct").click()
    await expect(page.get_by_role("heading", name="diff pct")).to_be_visible()
    await page.reload()
    await expect(page.get_by_role("button", name="diff pct")).to_have_attribute("aria-pressed", "true")
    await expect(page.locator(".recharts-line")).to_be_visible()
    await shop.shot("quality-numbers")
    await shop.axe()
    await page.get_by_role("tab", name="Run log").click()
    await page.get_by_role("button", name="failed on day 4").click()
    beside = page.get_by_role("dialog", name="Validation run")
    await expect(beside.get_by_text("No rows were kept")).to_be_visible()
    await shop.shot("quality-run")
    await shop.axe()
    await page.keyboard.press("Escape")
    await expect(beside).to_have_count(0)


async def test_a_version_is_compared_and_rolled_back(shop: Console) -> None:
    """What would change is shown before; the reason is kept with the change."""
    page = await shop.go("/quality/rules/orders-count?tab=versions&a=1&b=2")
    diff = page.get_by_role("group", name="differences")
    await expect(diff.locator(".removed")).to_have_text("−   threshold_percent: 1")
    await expect(diff.locator(".added")).to_have_text("+   threshold_percent: 5")
    await shop.shot("quality-versions")
    await shop.axe()
    await page.get_by_role("button", name="Roll back").click()
    await expect(page.get_by_role("dialog").locator(".added")).to_have_text("+   threshold_percent: 1")
    await answered(shop, "Roll back", "five was too lenient")
    await expect(page.get_by_role("row", name="1 active")).to_be_visible()
    now = await shop.app.validations.get(LOCAL, "orders-count")
    assert (now.version, now.parameters["threshold_percent"]) == (1, 1)
    (change, *_) = await shop.app.validations.changes(LOCAL, "orders-count")
    assert (change.action, change.author, change.reason) == ("rollback", "ada", "five was too lenient")


async def test_a_rule_is_edited_in_a_form(shop: Console) -> None:
    """What the server says against it stands in place, and the next version is active once it fits."""
    shop.expected.append("422")
    page = await shop.go("/quality/rules/shop-amount?tab=edit")
    await page.get_by_label("When").fill("now and then")
    await page.get_by_label("Reason").fill("less often")
    await page.get_by_role("button", name="Save and make active").click()
    await expect(page.get_by_role("alert").filter(has_text="E540")).to_be_visible()
    await shop.shot("quality-edit", full=True)
    await shop.axe()
    await page.get_by_label("When").fill("weekly on monday")
    await page.get_by_role("button", name="Save and make active").click()
    await expect(page.get_by_text("weekly on monday")).to_be_visible()
    assert (await shop.app.validations.get(LOCAL, "shop-amount")).version == 2


async def test_proposals_are_made_accepted_and_refused(shop: Console) -> None:
    """One that is accepted is active, one that is refused is kept with the reason; more are found in the data."""
    page = await shop.go("/quality?tab=proposals")
    await expect(page.get_by_role("listitem")).to_have_count(2)
    await shop.shot("quality-proposals")
    await shop.axe()
    await page.get_by_role("button", name="Refuse orders-count").click()
    await answered(shop, "Refuse", "one per cent is what we promised")
    await expect(page.get_by_role("listitem")).to_have_count(1)
    await page.get_by_role("button", name="Accept shop-status").click()
    await expect(page.get_by_text("No proposal waits")).to_be_visible()
    assert (await shop.app.validations.get(LOCAL, "shop-status")).status == "active"
    refused = await shop.app.validations.get(LOCAL, "orders-count", 3)
    assert refused.status == "archived"
    await shop.go("/quality/tables/shop_orders?tab=proposals")
    await page.get_by_role("button", name="Propose rules").click()
    await expect(page.get_by_role("listitem").filter(has_text="uniqueness").first).to_be_visible()
    await shop.shot("quality-suggested")


async def test_schedules_rest_and_notifiers_are_muted(shop: Console) -> None:
    """Paused and muted on the page is paused and muted in the store."""
    page = await shop.go("/quality/tables/orders?tab=schedules")
    await page.get_by_role("button", name="Pause").click()
    await expect(page.get_by_role("button", name="Resume")).to_be_visible()
    entry = await shop.app.schedules.get(LOCAL, "validation/orders/daily at 06:30")
    assert entry.state == "paused"
    await shop.shot("quality-schedules")
    await shop.axe()
    await shop.go("/quality?tab=notifiers")
    await page.get_by_role("button", name="Mute desk").click()
    await page.get_by_role("menuitem", name="for a day").click()
    await expect(page.get_by_text("muted until")).to_be_visible()
    await shop.shot("quality-notifiers")
    await shop.axe()
    assert (await shop.app.notifiers.get(LOCAL, "desk")).muted_until > shop.app.clock.now()


async def test_a_table_is_registered_and_changed(shop: Console, tmp_path: Path) -> None:
    """A password in a location is refused in place; afterwards the table is there, and says whose it is."""
    shop.expected.append("422")
    page = await shop.go("/quality")
    await page.get_by_role("button", name="Register a table").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("textbox", name="Table").fill("returns")
    await dialog.get_by_label("Location").fill("postgresql://ana:hunter2@db/returns")
    await dialog.get_by_label("Reason").fill("they come back")
    await dialog.get_by_role("button", name="Register").click()
    await expect(dialog.get_by_role("alert").filter(has_text="E532")).to_be_visible()
    await shop.shot("quality-register")
    await shop.axe()
    await dialog.get_by_label("Location").fill(str(tmp_path / "returns.csv"))
    await dialog.get_by_role("button", name="Register").click()
    await expect(page).to_have_title("returns | Remit")
    await page.get_by_role("tab", name="Edit").click()
    await page.get_by_label("Owner").fill("shop")
    await page.get_by_label("Reason").fill("the shop looks after it")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("link", name="shop", exact=True)).to_be_visible()
    made = await shop.app.tables.get(LOCAL, "returns")
    assert (made.owner, made.source, made.format) == ("shop", "file", "csv")


async def test_who_may_only_look_changes_nothing(shop: Console) -> None:
    """What one may not do is off, and says why."""
    await shop.sign_in(roles=["viewer"], actor_id="vera")
    page = await shop.go("/quality/rules/orders-rows")
    for name in ("Run now", "Switch off", "Archive"):
        await expect(page.get_by_role("button", name=name)).to_be_disabled()
    await page.get_by_role("button", name="Run now").hover(force=True)
    await expect(page.get_by_role("tooltip", name="None of your roles may run.")).to_be_visible()
    await shop.shot("quality-viewer")
    await shop.sign_in()


async def test_a_server_that_is_gone_is_said(shop: Console) -> None:
    """The page says so with a way to try again, and goes on once it is back."""
    page = await shop.go("/quality")
    shop.expected.append("ERR_FAILED")
    await page.route("**/api/v1/scorecards/**", lambda route: route.abort())
    await page.reload()
    await expect(page.get_by_role("alert")).to_contain_text("The server does not answer")
    await shop.shot("quality-down")
    await page.unroute("**/api/v1/scorecards/**")
    await page.get_by_role("button", name="Try again").click()
    await expect(page.get_by_role("link", name="shop_orders")).to_be_visible()
