"""What `make run` did, followed in the browser: who asked, what was paid, who died, what it proves, which rule changed; then one more customer."""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect
from tests.console.kit import Console, console_of, leaking

from remit.bootstrap import open_app
from remit.core.naming import LOCAL
from remit.core.task import Actor, Task
from remit.settings import Settings
from remit_packs.support import open_shop
from remit_packs.support.demo import stories

pytestmark = [pytest.mark.service, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

REMIT = Path(sys.executable).with_name("remit")
MIA = Actor("mia", ("operator",))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the demo left behind."""
    home = tmp_path_factory.mktemp("story") / "demo"
    demo = await asyncio.create_subprocess_exec(
        *(str(REMIT), "demo", "--once", "--approve", "--home", str(home)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await demo.communicate()
    assert demo.returncode == 0, said.decode()[-2000:]
    return home


@pytest_asyncio.fixture(loop_scope="module")
async def console(browser: Browser, tmp_path: Path, left: Path) -> AsyncIterator[Console]:
    """A console over a copy of it."""
    home = tmp_path / "demo"
    await asyncio.to_thread(shutil.copytree, left, home)
    app = open_app(
        Settings(home=home, store=f"sqlite:///{home / 'remit.db'}", packs=("support", "validation"))
    )
    async with console_of(app, browser, roles=("admin",)) as made:
        yield made


async def test_the_story_of_the_demo(console: Console) -> None:
    """Every part of it can be seen where one would look."""
    *_, twice = stories(open_shop(console.app.settings.home))
    page = await console.go("/")
    await expect(page.get_by_role("heading", name="Recent runs")).to_be_visible()

    # the customer whose worker was killed between the refund and its record: paid once, and the journal proves it
    await page.get_by_role("row").filter(has_text=f"order {twice.order_id}").first.click()
    await expect(page).to_have_title(re.compile(r"supervisor .*\[SUCCESS\]"))
    await page.get_by_role("tab", name="Handoffs").click()
    await expect(page.get_by_role("tabpanel")).to_contain_text("order-management")
    await page.get_by_role("tab", name="Audit").click()
    await page.get_by_role("button", name="Verify the chain").click()
    await expect(page.get_by_role("tabpanel")).to_contain_text("events are as they were written")
    assert _refunds(console, twice.order_id) == 1

    # the rule about tables that failed was changed, and holds since; it can be changed back
    await console.go("/quality")
    await page.get_by_role("link", name="orders", exact=True).first.click()
    await page.get_by_role("tab", name="Rules").click()
    await page.get_by_role("link", name="orders-status").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("orders-status")
    await console.go("/quality/rules/orders-status?tab=versions&a=2&b=1")
    await page.get_by_role("button", name="Roll back").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Reason").fill("the first rule was right")
    await dialog.get_by_role("button", name="Roll back").click()
    await expect(page.get_by_role("row", name="1 active")).to_be_visible()


async def test_a_customer_more_is_paid_once_and_by_keyboard(console: Console) -> None:
    """Whoever may not decide cannot, in the page or past it; whoever may does it with two keys, and the run goes on."""
    order_id, message = leaking(console.app.settings.home)
    run_id = await console.app.runs.submit(
        Task("story", "supervisor", message, tenant_id=LOCAL, actor_context=MIA)
    )
    await console.sign_in(roles=("viewer",), actor_id="vera")
    page = await console.go("/approvals")
    await expect(page.get_by_role("button", name="Approve", exact=True)).to_be_disabled()
    (waiting,) = (await console.app.approvals.list(LOCAL)).items
    csrf = (await (await console.context.request.get(f"{console.url}/api/v1/session")).json())["csrf"]
    refused = await console.context.request.post(
        f"{console.url}/api/v1/approvals/{waiting['approval_id']}/decide",
        data={"kind": "approve"},
        headers={"Origin": console.url, "X-Remit-CSRF": csrf},
    )
    assert (refused.status, (await refused.json())["code"]) == (403, "E320")
    assert _refunds(console, order_id) == 0

    await console.sign_in(roles=("approver",), actor_id="boss")
    await console.go("/approvals")
    await expect(page.get_by_role("button", name="Approve", exact=True)).to_be_enabled()
    await page.keyboard.press("a")
    await expect(page.get_by_role("dialog", name="Approve this call?")).to_be_visible()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("list", name="decisions so far")).to_contain_text("boss")
    queue = page.get_by_role("region", name="Approvals", exact=True)
    await expect(queue.get_by_role("listitem")).to_have_count(0)
    await console.go("/approvals")
    await expect(page.get_by_text("Nothing waits for a person")).to_be_visible()
    await console.go(f"/runs/{run_id}")
    await expect(page).to_have_title(re.compile(r"\[SUCCESS\]"))
    assert _refunds(console, order_id) == 1


def _refunds(console: Console, order_id: int) -> int:
    """How often the shop paid this order back."""
    with open_shop(console.app.settings.home).read() as connection:
        row = connection.execute("SELECT count(*) FROM refunds WHERE order_id = ?", (order_id,)).fetchone()
    return int(row[0])
