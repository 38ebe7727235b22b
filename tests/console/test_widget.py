"""The chat for a customer's own site: the tag of docs/howto/chat-widget.md in a page of another origin, in a real browser."""

from __future__ import annotations

import gzip
import re
import threading
from collections.abc import AsyncIterator, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from tests.console.kit import ROOT, Console, console_of
from tests.console.talking import Speaker, calls, said, talking

from remit.core.naming import LOCAL
from remit.core.task import Actor
from remit.server.console import folder_of

pytestmark = [pytest.mark.service, pytest.mark.asyncio(loop_scope="module")]

PAGE = ROOT / "docs" / "howto" / "chat-widget.md"
MOST_BYTES = 30_000


class Quiet(SimpleHTTPRequestHandler):
    """A plain static host that says nothing of what it serves, with a strict policy of its own."""

    policy = ""

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""

    def end_headers(self) -> None:
        """With the policy that the page on the widget names."""
        self.send_header("Content-Security-Policy", self.policy)
        super().end_headers()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A shop's own site: its address, and its folder."""
    folder = tmp_path / "shop"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def speaker() -> Speaker:
    """Who speaks."""
    return Speaker()


@pytest_asyncio.fixture(loop_scope="module")
async def remit(
    browser: Browser, tmp_path: Path, speaker: Speaker, shop: tuple[str, Path]
) -> AsyncIterator[Console]:
    """A Remit whose chat pages of the shop may ask; what leaves its own origin is the shop's, on purpose."""
    app = talking(tmp_path, speaker, chat_agent="guide", chat_origins=(shop[0],))
    async with console_of(app, browser, apart=True) as made:
        made.expected.append("left the origin")
        yield made


async def embedded(remit: Console, shop: tuple[str, Path], role: str = "visitor", **attributes: str) -> Page:
    """A page of the shop with the tag as the documentation has it, on this machine's addresses."""
    url, folder = shop
    key = await remit.app.keys.create(LOCAL, "shop-page", (role,))
    (tag,) = re.findall(r"```html\n(.*?)```", PAGE.read_text(), re.S)
    given = {
        "https://static.shop.example": url,
        "https://remit.shop.example": remit.url,
        "remit_...": key.secret,
    }
    for example, real in given.items():
        assert example in tag
        tag = tag.replace(example, real)
    more = "".join(f' {name}="{value}"' for name, value in attributes.items())
    tag = tag.replace("\n  defer", f"{more}\n  defer")
    built = folder_of(remit.app.settings)
    (folder / "widget.js").write_bytes((built / "widget.js").read_bytes())
    html = f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Shop</title><link rel="icon" href="data:,">{tag}</head>'
    (folder / "index.html").write_text(f"{html}<body><main><h1>The shop</h1></main></body></html>")
    Quiet.policy = f"default-src 'none'; script-src 'self'; connect-src {remit.url}; img-src data:"
    await remit.page.goto(f"{url}/")
    return remit.page


async def ask(page: Page, text: str) -> None:
    """Write a message and send it."""
    await page.get_by_role("textbox").fill(text)
    await page.get_by_role("textbox").press("Enter")


async def test_the_tag_of_the_documentation_works_on_any_static_host(
    remit: Console, shop: tuple[str, Path], speaker: Speaker
) -> None:
    """Asked, answered in Markdown that cannot act, kept over a reload, and begun anew; under a strict policy of the shop's."""
    hostile = "<img src=x onerror=alert(1)> [bad](javascript:alert(1)) ![x](https://evil.example/x.png)"
    speaker.replies = [said(f"It is **open** until `six`.\n\n- Mon\n- Tue\n\n{hostile}"), said("Yes.")]
    page = await embedded(remit, shop)
    await page.get_by_role("button", name="Ask the shop").click()
    chat = page.get_by_role("dialog", name="Ask the shop")
    await expect(chat.get_by_text("Hello! Ask me about orders and products.")).to_be_visible()
    await ask(page, "When do you close?")
    await expect(chat.locator("strong")).to_have_text("open")
    await expect(chat.get_by_role("listitem")).to_have_text(["Mon", "Tue"])
    await expect(chat.get_by_text("<img src=x onerror=alert(1)>")).to_be_visible()
    await expect(chat.get_by_role("link")).to_have_count(0)
    await expect(chat.locator("img")).to_have_count(0)
    await remit.axe()
    await remit.shot("widget")
    await page.reload()
    await page.get_by_role("button", name="Ask the shop").click()
    await expect(chat.get_by_text("When do you close?")).to_be_visible()
    await expect(chat.locator("strong")).to_have_text("open")
    await ask(page, "Really?")
    await expect(chat.get_by_text("Yes.")).to_be_visible()
    (only,) = (await remit.app.conversations.list(LOCAL)).items
    assert (only.actor_id, only.turns) == ("shop-page", 2)
    await page.get_by_role("button", name="New").click()
    await expect(chat.get_by_text("Yes.")).to_have_count(0)
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("button", name="Ask the shop")).to_be_focused()


async def test_a_cut_is_told_and_the_turn_runs_once(
    remit: Console, shop: tuple[str, Path], speaker: Speaker
) -> None:
    """Trying again sends the same turn; one that waits for a person says so, and its answer comes by itself."""
    remit.expected.append("ERR_FAILED")
    speaker.replies = [calls("wipe", "A person has to agree.", table="carts"), said("The carts are empty.")]
    page = await embedded(remit, shop, **{"data-page": ""})
    await page.clock.install()
    chat = page.get_by_role("region", name="Ask the shop")
    asked: list[dict[str, str]] = []

    async def lose_the_first(route: Any) -> None:
        asked.append(await route.request.all_headers())
        if len(asked) > 1:
            await route.continue_()
            return
        await route.fetch()
        await route.abort()

    await page.route(re.compile("/chat$"), lose_the_first)
    await ask(page, "Empty the carts")
    await expect(chat.get_by_text("The line is cut.")).to_be_visible()
    await chat.get_by_role("button", name="Try again").click()
    await expect(chat.get_by_text("A person must approve this")).to_be_visible()
    assert len({headers["idempotency-key"] for headers in asked}) == 1
    (waiting,) = (await remit.app.store.query("approval_event", "by_tenant", (LOCAL,))).items
    decider = Actor("bob", ("approver",))
    await remit.app.approvals.decide(waiting["approval_id"], LOCAL, decider, "approve")
    while await chat.get_by_text("The carts are empty.").count() == 0:
        await page.clock.run_for(5_000)
    runs = (await remit.app.runs.list(LOCAL)).items
    assert len(runs) == 1


async def test_a_key_that_may_not_chat_says_no_more_than_that(remit: Console, shop: tuple[str, Path]) -> None:
    """Visitors learn nothing of the inside, and are offered nothing that cannot help."""
    remit.expected.append("403")
    page = await embedded(remit, shop, "viewer")
    await page.get_by_role("button", name="Ask the shop").click()
    await ask(page, "Hello")
    await expect(page.get_by_text("The chat is not open to you.")).to_be_visible()
    await expect(page.get_by_role("button", name="Try again")).to_have_count(0)


async def test_it_is_small(remit: Console) -> None:
    """One script of at most 30 KB, compressed; and the page that is nothing but the chat."""
    built = folder_of(remit.app.settings)
    script = (built / "widget.js").read_bytes()
    assert len(gzip.compress(script)) <= MOST_BYTES
    assert b"import(" not in script
    page = (built / "widget.html").read_text()
    assert 'src="./widget.js" data-page' in page
