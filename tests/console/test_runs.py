"""Runs in the console: what needs a person, the live list, its filters and views, and many runs steered at once."""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route, expect
from tests.console.kit import Console, console_of, settings

from remit import Pack, agent, open_app, tool
from remit.core.task import Actor, Task
from remit.sdk import RunContext
from remit.settings import Settings

pytestmark = [pytest.mark.service, pytest.mark.asyncio(loop_scope="module")]

LONG = "Compare every invoice of the last quarter with its order and say which differ. " * 4
HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=2</script>'


@tool(risk="L3", effect="keyed")
async def pay(amount: int) -> str:
    """Pay an amount."""
    return f"paid {amount}"


@agent
async def echo(input: Any, memory: Any, context: RunContext) -> Any:
    """Says what it was given."""
    return {"said": input}


@agent(tools=[pay])
async def payer(input: Any, memory: Any, context: RunContext) -> Any:
    """Pays, when somebody lets it."""
    return {"receipt": await context.call("pay", amount=input["amount"] if isinstance(input, dict) else 1)}


@agent
async def broken(input: Any, memory: Any, context: RunContext) -> Any:
    """Always fails."""
    raise ValueError("no")


@pytest_asyncio.fixture(loop_scope="module")
async def console(browser: Browser, tmp_path: Path) -> AsyncIterator[Console]:
    """A console over three agents: one answers, one needs an approval, one fails."""
    app = open_app(
        Settings(**settings(tmp_path), packs=()), packs=[Pack("tests", agents=[echo, payer, broken])]
    )
    async with console_of(app, browser) as made:
        yield made


async def submit(console: Console, agent: str, task_id: str, objective: str, **fields: Any) -> str:
    """A run that somebody else began."""
    who = Actor("grace", ("operator",))
    return await console.app.runs.submit(Task(task_id, agent, objective, actor_context=who, **fields))


def row(page: Page, text: str) -> Any:
    """The row of the list that has this text."""
    return page.get_by_role("table", name="runs", exact=True).get_by_role("row").filter(has_text=text)


async def chosen(page: Page, *texts: str) -> None:
    """Choose the rows that have these texts."""
    for text in texts:
        await row(page, text).get_by_role("checkbox").check()


async def test_the_first_use_says_what_to_do_and_starts_a_run(console: Console) -> None:
    """From an empty store to a run that waits for a person, who is told so at home."""
    page = await console.go("/")
    await expect(page.get_by_text("Nothing has run yet")).to_be_visible()
    await expect(page.get_by_role("button", name="payer")).to_be_visible()
    await console.shot("home-first")
    await console.axe()
    await page.get_by_role("button", name="payer").click()
    form = page.get_by_role("dialog", name="Start a run")
    await expect(form.get_by_label("Agent or workflow")).to_have_value("payer")
    await form.get_by_label("Objective").fill("Pay the caterer")
    await form.get_by_label("Input").fill('{"amount": 1')
    await expect(form.get_by_role("button", name="Start")).to_be_disabled()
    await form.get_by_label("Input").fill('{"amount": 12}')
    await console.shot("runs-start")
    await console.axe()
    await form.get_by_role("button", name="Start").click()
    await page.wait_for_url("**/#/runs/run_*")
    (run,) = (await console.app.runs.list("local")).items
    assert (run["agent_id"], run["objective"]) == ("payer", "Pay the caterer")
    await submit(console, "broken", "b1", LONG)
    await submit(console, "echo", "e1", HOSTILE)
    page = await console.go("/")
    waiting = page.get_by_role("region", name="Approvals waiting")
    await expect(waiting.get_by_role("link", name="pay · payer")).to_be_visible()
    failures = page.get_by_role("region", name="Failures of the last day")
    await expect(failures.get_by_role("link", name="broken")).to_be_visible()
    recent = page.get_by_role("table", name="recent runs")
    await expect(recent.get_by_text("<img src=x")).to_be_visible()
    await expect(page).to_have_title("Home | Remit")
    await expect(form).to_be_hidden()
    await console.shot("home", full=True)
    await console.axe()


async def test_the_list_follows_what_happens_and_holds_still_for_who_reads(console: Console) -> None:
    """A run comes, waits and ends in its row; once somebody walks through the list, new ones wait to be shown."""
    page = await console.go("/runs")
    await expect(page.get_by_text("Nothing has run yet")).to_be_visible()
    await console.shot("runs-empty")
    first = await submit(console, "payer", "l1", "Pay the first bill")
    await expect(row(page, "Pay the first bill").get_by_text("waiting")).to_be_visible()
    await console.app.runs.cancel(first, "local", Actor("grace"), "not now")
    await expect(row(page, "Pay the first bill").get_by_text("failure")).to_be_visible()
    strip = (
        page.get_by_role("list", name="Last runs of each").get_by_role("listitem").filter(has_text="payer")
    )
    await expect(strip.get_by_role("listitem", name="failure")).to_have_count(1)
    await page.keyboard.press("j")
    await submit(console, "echo", "l2", "Say hello")
    await expect(page.get_by_role("button", name="1 new run: show")).to_be_visible()
    await expect(row(page, "Say hello")).to_have_count(0)
    await page.get_by_role("button", name="1 new run: show").click()
    await expect(row(page, "Say hello").get_by_text("success")).to_be_visible()
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/#/runs/run_*")
    old = await submit(console, "payer", "l3", "Pay the old bill")
    await submit(console, "broken", "l4", "Break later")
    page = await console.go("/runs?status=failure")
    await expect(row(page, "Break later")).to_be_visible()
    await console.app.runs.cancel(old, "local", Actor("grace"), "not now")
    await expect(row(page, "Pay the old bill")).to_be_visible()


async def test_filters_are_in_the_address_and_kept_as_views(console: Console) -> None:
    """What is looked at can be pasted and named; each person has views of their own."""
    for number in range(3):
        await submit(console, "echo", f"e{number}", f"Echo number {number}")
        await submit(console, "broken", f"b{number}", f"Break number {number}")
    await submit(console, "payer", "p", "Pay " + LONG)
    page = await console.go("/runs?agent=broken&status=failure")
    await expect(row(page, "Break number")).to_have_count(3)
    await expect(row(page, "Echo number")).to_have_count(0)
    await page.get_by_role("button", name="Views").click()
    await page.get_by_role("menuitem", name="Save these filters …").click()
    await page.get_by_label("Name").fill("What broke")
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.get_by_role("button", name="View: What broke")).to_be_visible()
    await page.get_by_role("button", name="Clear").click()
    await expect(row(page, "Echo number")).to_have_count(3)
    assert page.url.endswith("#/runs")
    await console.shot("runs")
    await console.axe()
    await page.get_by_text("Waiting", exact=True).click()
    await expect(row(page, "Pay Compare").get_by_text("waiting")).to_be_visible()
    await expect(row(page, "Echo number")).to_have_count(0)
    await page.get_by_role("button", name="Views").click()
    await console.shot("runs-views")
    await page.get_by_role("menuitem", name="What broke").click()
    await expect(row(page, "Break number")).to_have_count(3)
    assert "agent=broken" in page.url
    async with page.expect_download() as offered:
        await page.get_by_role("button", name="CSV").click()
    path = await (await offered.value).path()
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {line["Agent"] for line in rows} == {"broken"}
    assert len(rows) == 3
    await page.goto(f"{console.url}/#/runs?agent=nobody")
    await expect(page.get_by_text("No run is like that")).to_be_visible()
    await console.sign_in(actor_id="eve")
    await page.get_by_role("button", name="Views").click()
    await expect(page.get_by_text("Filters that you use often")).to_be_visible()


async def test_many_are_cancelled_and_done_again(console: Console) -> None:
    """With a reason, each with its own outcome; what is refused is told run by run."""
    for number in range(3):
        await submit(console, "payer", f"p{number}", f"Pay bill {number}")
    await submit(console, "broken", "b", "Break it")
    await submit(console, "echo", "e", "Say it")
    page = await console.go("/runs")
    for number in range(3):
        await expect(row(page, f"Pay bill {number}").get_by_text("waiting")).to_be_visible()
    await expect(row(page, "Break it").get_by_text("failure")).to_be_visible()
    await chosen(page, "Pay bill 0", "Pay bill 1", "Break it")
    await console.shot("runs-chosen")
    await console.axe()
    await page.get_by_role("button", name="Cancel 2").click()
    ask = page.get_by_role("dialog", name="Cancel 2 runs?")
    await expect(ask.get_by_role("button", name="Cancel 2 runs")).to_be_disabled()
    await ask.get_by_label("Reason").fill("Twice paid")
    await ask.get_by_role("button", name="Cancel 2 runs").click()
    await expect(page.get_by_text("2 runs asked to end.")).to_be_visible()
    for number in range(2):
        await expect(row(page, f"Pay bill {number}").get_by_text("failure")).to_be_visible()
    await chosen(page, "Break it")
    await page.get_by_role("button", name="Retry 1").click()
    await page.get_by_role("dialog").get_by_role("button", name="Retry 1 run").click()
    await expect(page.get_by_text("1 run begun anew.")).to_be_visible()
    await expect(row(page, "Break it")).to_have_count(2)
    again = (await console.app.runs.list("local", agent="broken")).items
    views = [await console.app.runs.view(run["run_id"], "local") for run in again]
    assert {view.task.actor_context.actor_id for view in views} == {"grace", "ada"}

    async def refuse(route: Route) -> None:
        """The run ends between the choice and the request."""
        body = {"run_id": "run_gone12345678", "outcome": "refused", "made": "", "problem": GONE}
        await route.fulfill(json={"items": [body]})

    await page.route("**/api/v1/runs/retry", refuse)
    await chosen(page, "Pay bill 1")
    await page.get_by_role("button", name="Retry 1").click()
    await page.get_by_role("dialog").get_by_role("button", name="Retry 1 run").click()
    await expect(page.get_by_text("1 refused.")).to_be_visible()
    await expect(page.get_by_text("there is no run")).to_be_visible()
    await console.shot("runs-refused")


GONE = {
    "code": "E104",
    "message": "there is no run `run_gone12345678`",
    "help": "`remit runs list` shows the runs",
}


async def test_who_may_only_look_cannot_steer(console: Console) -> None:
    """The buttons say why they are off; what the server refuses is shown with its code."""
    await submit(console, "payer", "p", "Pay the bill")
    await console.sign_in(roles=["viewer"], actor_id="vera")
    page = await console.go("/runs")
    await expect(row(page, "Pay the bill").get_by_text("waiting")).to_be_visible()
    await chosen(page, "Pay the bill")
    off = page.get_by_role("button", name="Cancel 1")
    await expect(off).to_have_attribute("aria-disabled", "true")
    await off.hover()
    await expect(page.get_by_role("tooltip")).to_have_text("None of your roles may run.")
    await expect(page.get_by_role("button", name="Start a run")).to_have_attribute("aria-disabled", "true")
    console.expected.append("503")
    await page.route(
        "**/api/v1/runs?*", lambda route: route.fulfill(status=503, json=DOWN, content_type=PROBLEM)
    )
    await page.get_by_text("Failure", exact=True).click()
    await expect(page.get_by_role("alert")).to_contain_text("E800")
    await console.shot("runs-refused-by-store")
    await page.unroute("**/api/v1/runs?*")
    await page.get_by_role("button", name="Try again").click()
    await expect(page.get_by_text("No run is like that")).to_be_visible()


PROBLEM = "application/problem+json"
DOWN = {
    "type": "urn:remit:error:E800",
    "title": "Store unavailable",
    "status": 503,
    "detail": "the store cannot be read",
    "code": "E800",
    "help": "look at the operator's log",
}
