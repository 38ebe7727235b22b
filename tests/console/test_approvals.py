"""Approvals in the console: the queue by keyboard, changed arguments, questions, and what is decided together."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route, expect
from tests.console.kit import Console, console_of, settings

from remit import Pack, agent, open_app, tool
from remit.core.task import Actor, Task
from remit.sdk import RunContext
from remit.settings import Settings

pytestmark = [pytest.mark.service, pytest.mark.asyncio(loop_scope="module")]

GRACE = Actor("grace", ("operator",))
LONG = "A note that goes on and on, as notes of customers do, with every detail of what was agreed. " * 60
HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=2</script>'
PAID: list[dict[str, Any]] = []


@tool(risk="L3", effect="keyed", outward=True)
async def pay(
    amount: Annotated[int, "Cents."], to: str = "acme", note: str = "", urgent: bool = False
) -> str:
    """Pay an amount to somebody."""
    PAID.append({"amount": amount, "to": to, "note": note, "urgent": urgent})
    return f"paid {amount}"


@agent(tools=[pay])
async def payer(input: Any, memory: Any, context: RunContext) -> Any:
    """Pays, when somebody lets it."""
    return await context.call("pay", **input)


@pytest_asyncio.fixture(loop_scope="module")
async def console(browser: Browser, tmp_path: Path) -> AsyncIterator[Console]:
    """A console over an agent whose every payment needs a person."""
    PAID.clear()
    app = open_app(Settings(**settings(tmp_path), packs=()), packs=[Pack("tests", agents=[payer])])
    async with console_of(app, browser) as made:
        yield made


async def asked(console: Console, task_id: str, **arguments: Any) -> str:
    """A payment that waits for a person; its approval's id."""
    known = {item["approval_id"] for item in (await console.app.approvals.list("local", status="open")).items}
    task = Task(task_id, "payer", "Pay what we owe the caterer", input=arguments, actor_context=GRACE)
    run_id = await console.app.runs.submit(task)
    async for event in console.app.runs.follow(run_id, "local"):
        if event.type == "ApprovalRequested":
            break
    items = (await console.app.approvals.list("local", status="open", limit=200)).items
    return next(item["approval_id"] for item in items if item["approval_id"] not in known)


async def settled(console: Console, approval_id: str) -> Any:
    """The approval as the server has it."""
    return await console.app.approvals.get(approval_id, "local")


def queue(page: Page) -> Any:
    """The entries of the queue."""
    return page.get_by_role("region", name="Approvals").get_by_role("listitem")


async def test_an_empty_queue_says_what_comes_here(console: Console) -> None:
    """And leads to which tools need approval."""
    page = await console.go("/approvals")
    await expect(page.get_by_text("Nothing waits for a person")).to_be_visible()
    await console.shot("approvals-empty")
    await page.get_by_role("link", name="Which tools need approval").click()
    await expect(page.get_by_role("tab", name="Tools")).to_have_attribute("aria-selected", "true")


async def test_the_queue_is_worked_by_keyboard(console: Console) -> None:
    """j and k walk, a approves the exact call, r rejects with a reason, i asks, and the next one is shown."""
    first = await asked(console, "t1", amount=100, note=LONG + HOSTILE)
    second = await asked(console, "t2", amount=250, to="bistro")
    third = await asked(console, "t3", amount=300, to="florist")
    page = await console.go("/approvals")
    await expect(queue(page)).to_have_count(3)
    arguments = page.get_by_role("region", name="arguments")
    await expect(arguments).to_contain_text(LONG.strip()[-60:])  # to the last letter
    await expect(arguments).to_contain_text(HOSTILE.replace('"', '\\"'))
    await expect(page.get_by_text("Pay what we owe the caterer")).to_be_visible()
    await expect(page.get_by_text("one person with role approver, never the requester")).to_be_visible()
    await console.shot("approvals")
    await console.axe()
    await page.keyboard.press("j")
    await expect(page).to_have_url(f"{console.url}/#/approvals/{second}")
    await expect(arguments).to_contain_text('"bistro"')
    await page.keyboard.press("k")
    await expect(page).to_have_url(f"{console.url}/#/approvals/{first}")
    await page.keyboard.press("a")
    dialog = page.get_by_role("dialog", name="Approve this call?")
    await expect(dialog.get_by_role("region", name="the call")).to_contain_text('"amount": 100')
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(f"{console.url}/#/approvals/{second}")
    assert (await settled(console, first)).status == "approved"
    await expect(queue(page)).to_have_count(2)
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.keyboard.press("r")
    dialog = page.get_by_role("dialog", name="Reject this call?")
    await expect(dialog.get_by_role("button", name="Reject")).to_be_disabled()
    await dialog.get_by_label("Reason").fill("The bistro was paid in May")
    await dialog.get_by_role("button", name="Reject").click()
    await expect(page).to_have_url(f"{console.url}/#/approvals/{third}")
    rejected = await settled(console, second)
    assert (rejected.status, rejected.votes[0].rationale) == ("rejected", "The bistro was paid in May")
    await expect(page.get_by_role("table", name="earlier decisions")).to_contain_text(
        "The bistro was paid in May"
    )
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.keyboard.press("i")
    dialog = page.get_by_role("dialog", name="Ask the requester")
    await dialog.get_by_label("Your question").fill("Which flowers?")
    await dialog.get_by_role("button", name="Ask").click()
    await expect(page.get_by_role("button", name="Answer the question")).to_be_enabled()
    await page.get_by_role("button", name="Answer the question").click()
    dialog = page.get_by_role("dialog", name="Answer for the requester")
    await expect(dialog).to_contain_text("Which flowers?")
    await dialog.get_by_label("Your answer").fill("Sunflowers")
    await dialog.get_by_role("button", name="Answer").click()
    said = page.get_by_role("list", name="decisions so far")
    await expect(said).to_contain_text("Sunflowers")
    await console.shot("approvals-asked")
    assert (await settled(console, third)).status == "pending"


async def test_arguments_are_changed_in_a_form(console: Console) -> None:
    """Made from the tool's schema, with what differs; the server's refusal stands in place, and what is agreed to happens."""
    approval = await asked(console, "t1", amount=100)
    page = await console.go(f"/approvals/{approval}")
    await expect(page.get_by_role("button", name="Change and approve")).to_be_enabled()
    await page.keyboard.press("c")
    dialog = page.get_by_role("dialog", name="Change and approve: pay")
    await expect(dialog.get_by_role("button", name="Approve with these")).to_be_disabled()
    await dialog.get_by_label("amount").fill("40")
    await expect(dialog.get_by_role("group", name="differences")).to_contain_text('"amount": 40')
    await dialog.get_by_label("Reason").fill("the first part")
    await console.shot("approvals-constrain")
    await console.axe()
    await dialog.get_by_role("button", name="Approve with these").click()
    await expect(dialog).to_be_hidden()
    async for event in console.app.runs.follow((await settled(console, approval)).run_id, "local"):
        last = event
    assert last.type == "RunFinished"
    assert [one["amount"] for one in PAID] == [40]
    page = await console.go(f"/approvals/{approval}?state=all")
    await expect(page.get_by_role("group", name="differences")).to_contain_text('"amount": 40')
    await expect(page.get_by_text("Arguments, as they were edited")).to_be_visible()
    await console.shot("approvals-edited")


async def test_only_identical_calls_are_decided_together(console: Console) -> None:
    """All of the call that is looked at are chosen at once, or ticked one by one; others then not. One decision settles all."""
    like = [await asked(console, f"t{n}", amount=5) for n in range(3)]
    other = await asked(console, "t9", amount=6)
    page = await console.go(f"/approvals/{like[0]}")
    await expect(page.get_by_text("2 other approvals wait for exactly the same call")).to_be_visible()
    boxes = page.get_by_role("checkbox")
    await expect(boxes).to_have_count(3)
    await page.get_by_role("button", name="Choose all 3 identical").click()
    for box in await boxes.all():
        await expect(box).to_be_checked()
    await expect(page.get_by_role("button", name="Change and approve")).to_be_hidden()
    await page.keyboard.press("x")
    await expect(page.get_by_role("button", name="Change and approve")).to_be_visible()
    await boxes.first.check()
    await expect(page.get_by_role("button", name="Approve", exact=True)).to_be_visible()
    await page.keyboard.press("j")
    await expect(page).to_have_url(re.compile(like[1]))
    await expect(page.get_by_role("button", name="Choose all 3 identical")).to_be_visible()
    await page.keyboard.press("x")
    for box in await boxes.all():
        await expect(box).to_be_checked()
    await console.shot("approvals-together")
    await page.get_by_role("button", name="Approve 3 calls").click()
    await page.get_by_role("dialog").get_by_role("button", name="Approve 3 calls").click()
    await expect(page.get_by_text("3 of 3 decided")).to_be_visible()
    assert {(await settled(console, each)).status for each in like} == {"approved"}
    assert (await settled(console, other)).status == "pending"


async def test_a_refused_decision_is_undone(console: Console) -> None:
    """What was shown at once goes back, and the refusal is told with its code."""
    approval = await asked(console, "t1", amount=100)
    page = await console.go(f"/approvals/{approval}")
    await expect(page.get_by_role("button", name="Approve", exact=True)).to_be_enabled()
    console.expected.append("409")

    async def late(route: Route) -> None:
        """Somebody else decides just before."""
        if (await settled(console, approval)).status == "pending":
            boss = Actor("boss", ("approver",))
            await console.app.approvals.decide(approval, "local", boss, "reject", rationale="no")
        await route.continue_()

    await page.route("**/decide", late)
    await page.keyboard.press("a")
    await page.get_by_role("dialog").get_by_role("button", name="Approve").click()
    await expect(page.get_by_text("E405")).to_be_visible()
    await expect(page.get_by_role("list", name="decisions so far")).to_contain_text("rejected")
    assert (await settled(console, approval)).status == "rejected"


async def test_who_may_not_decide_is_told_why(console: Console) -> None:
    """Nobody decides their own request, and a viewer decides nothing: the buttons are off, and the keys too."""
    approval = await asked(console, "t1", amount=100)
    await console.sign_in(roles=["admin", "approver"], actor_id="grace")
    page = await console.go(f"/approvals/{approval}")
    await expect(page.get_by_text("nobody approves their own request")).to_be_visible()
    await expect(page.get_by_role("button", name="Approve", exact=True)).to_have_attribute(
        "aria-disabled", "true"
    )
    await page.keyboard.press("a")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await console.shot("approvals-own")
    await console.axe()
    await console.sign_in(roles=["viewer"], actor_id="vera")
    page = await console.go(f"/approvals/{approval}")
    await expect(page.get_by_text("has none of the roles")).to_be_visible()
    await page.get_by_role("button", name="Approve", exact=True).hover()
    await expect(page.get_by_text("None of your roles may decide approvals")).to_be_visible()


async def test_what_others_do_comes_by_itself(console: Console) -> None:
    """A new approval appears, and one that somebody else decided goes, without a reload."""
    first = await asked(console, "t1", amount=100)
    page = await console.go("/approvals")
    await expect(queue(page)).to_have_count(1)
    await asked(console, "t2", amount=200, to="bistro")
    await expect(queue(page)).to_have_count(2)
    await console.app.approvals.decide(first, "local", Actor("boss", ("approver",)), "approve")
    await expect(queue(page)).to_have_count(1)
