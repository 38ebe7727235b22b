"""Policies in the console: a text that is checked as one types, tools and what they need, questions, and the decision log."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect
from tests.console.kit import Console, console_of, settings

from remit import Pack, agent, open_app, tool
from remit.core.task import Actor, Task
from remit.sdk import RunContext
from remit.settings import Settings

pytestmark = [pytest.mark.service, pytest.mark.asyncio(loop_scope="module")]

MINE = '\n@id("no-florists")\nforbid (principal, action == Action::"call_tool", resource == Tool::"pay")\nwhen { context.actor == "florist" };\n'


@tool(risk="L3", effect="keyed", outward=True)
async def pay(amount: int) -> str:
    """Pay an amount to somebody outside."""
    return f"paid {amount}"


@tool
async def look(at: str) -> str:
    """Look something up."""
    return f"saw {at}"


@agent(tools=[pay, look])
async def payer(input: Any, memory: Any, context: RunContext) -> Any:
    """Looks, then pays."""
    await context.call("look", at="the bill")
    return await context.call("pay", amount=input["amount"])


@pytest_asyncio.fixture(loop_scope="module")
async def console(browser: Browser, tmp_path: Path) -> AsyncIterator[Console]:
    """A console over a tool that always needs a person and one that never does."""
    app = open_app(Settings(**settings(tmp_path), packs=()), packs=[Pack("tests", agents=[payer])])
    async with console_of(app, browser) as made:
        yield made


async def test_a_text_is_checked_as_one_types_and_saved_as_a_draft(console: Console) -> None:
    """A mistake stands at its line and column; a valid text becomes a draft that is not in force until it is promoted."""
    page = await console.go("/policies")
    editor = page.get_by_role("textbox", name="Policies in Cedar")
    await expect(editor).to_have_value(re.compile("privileged-needs-approval"))
    await expect(page.get_by_text("valid", exact=True)).to_be_visible()
    await console.shot("policies")
    text = await editor.input_value()
    await editor.fill(text + MINE.replace("context.actor", "context.actr"))
    line = text.count("\n") + 4
    problems = page.get_by_role("list", name="problems")
    await expect(problems).to_contain_text(
        f"line {line} column 16: `no-florists`: attribute `actr` not found"
    )
    await expect(page.get_by_role("button", name="Save as a draft")).to_have_attribute(
        "aria-disabled", "true"
    )
    await console.shot("policies-wrong")
    await console.axe()
    await editor.fill(text + MINE)
    await expect(problems).to_have_count(0)
    await page.get_by_label("Reason").fill("No payments for the florist")
    await page.get_by_role("button", name="Save as a draft").click()
    await expect(page.get_by_text("Draft 1 is written")).to_be_visible()
    versions = await console.app.registry.history("local", "policy_profile", "default")
    assert [(made.version, made.status, made.body["cedar"]) for made in versions.items] == [
        (1, "draft", text + MINE)
    ]
    # The text that is edited can be asked before anything holds it.
    await page.get_by_role("tab", name="Test a request").click()
    await page.get_by_role("combobox", name="Tool").fill("pay")
    await page.get_by_role("textbox", name="Person").fill("florist")
    await page.get_by_role("checkbox", name="Ask the text that is being edited").check()
    await page.get_by_role("button", name="Ask", exact=True).click()
    answer = page.get_by_role("region", name="Answer")
    await expect(answer).to_contain_text("no-florists")
    await page.get_by_role("checkbox", name="Ask the text that is being edited").uncheck()
    await page.get_by_role("button", name="Ask", exact=True).click()
    await expect(answer).to_contain_text("needs approval")
    await expect(answer).to_contain_text("privileged-needs-approval")
    await console.shot("policies-test")
    await console.axe()


async def test_tools_say_which_calls_need_a_person_and_why(console: Console) -> None:
    """A column for each situation; the reasons are beside."""
    page = await console.go("/policies?tab=tools")
    table = page.get_by_role("table", name="tools")
    row = table.get_by_role("row").filter(has_text="pay")
    await expect(row).to_contain_text("asks")
    await expect(row).to_contain_text("refused")
    await console.shot("policies-tools")
    await console.axe()
    await page.get_by_text("Not always allowed").click()
    await expect(table.get_by_role("row").filter(has_text="look")).to_have_count(0)
    await row.click()
    drawer = page.get_by_role("dialog")
    await expect(drawer).to_contain_text("1 of approver")
    await expect(drawer).to_contain_text("untrusted-text-decides-nothing")
    await console.shot("policies-tool")


async def test_the_log_shows_what_was_let_through_and_held(console: Console) -> None:
    """Filtered by verdict, and each leads to its run."""
    page = await console.go("/policies?tab=log")
    await expect(page.get_by_text("No decision fits")).to_be_visible()
    who = Actor("grace", ("operator",))
    run_id = await console.app.runs.submit(Task("t1", "payer", "pay", input={"amount": 3}, actor_context=who))
    async for event in console.app.runs.follow(run_id, "local"):
        if event.type == "RunParked":
            break
    await page.get_by_role("button", name="Look again").click()
    rows = page.get_by_role("table", name="decisions", exact=True).get_by_role("row")
    await expect(rows).to_have_count(3)
    await expect(rows.nth(1)).to_contain_text("privileged-needs-approval")
    await console.shot("policies-log")
    await console.axe()
    await page.get_by_role("combobox", name="Verdict").click()
    await page.get_by_role("option", name="let through").click()
    await expect(rows).to_have_count(2)
    await expect(rows.nth(1)).to_contain_text("look")
    await rows.nth(1).click()
    await page.wait_for_url(f"**/#/runs/{run_id}/steps/**")
