"""A console in a real browser: a server on a real socket, Debian's Chromium, and a watch over what the page does."""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from playwright.async_api import Browser, BrowserContext, Page, ViewportSize, expect

from remit.bootstrap import App
from remit.core.naming import LOCAL
from remit.server.serving import serve

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "console" / "node_modules" / "axe-core" / "axe.min.js"
SERIOUS = {"serious", "critical"}
COLOURS = ["color-contrast", "link-in-text-block"]
"""The rules of axe that a scheme of colours can break; every other finds in dark what it finds in light."""
WAIT_MS = 15_000
SIZE: ViewportSize = {"width": 1360, "height": 860}

FORGET = """() => {
  localStorage.clear();
  sessionStorage.clear();
  addEventListener("beforeunload", (event) => event.stopImmediatePropagation(), true);
}"""
"""What was kept is gone, and a page with unsaved text may be left."""

expect.set_options(timeout=WAIT_MS)


class Console:
    """One person before the console of one app."""

    def __init__(self, app: App, url: str, context: BrowserContext, page: Page) -> None:
        self.app = app
        self.url = url
        self.context = context
        self.page = page
        self.shots = Path(os.environ["REMIT_SHOTS"]) if "REMIT_SHOTS" in os.environ else None
        self.said: list[str] = []
        """What the page complained of: errors, blocked content, requests that left the origin."""
        self.expected: list[str] = []
        """Regular expressions of complaints that a test provokes on purpose."""
        self._watch(page)

    async def sign_in(self, *, roles: Sequence[str] = ("admin", "approver"), actor_id: str = "ada") -> None:
        """Sign in as somebody else: a key of theirs, exchanged for a session."""
        made = await self.app.keys.create(LOCAL, actor_id, tuple(roles))
        await self.context.clear_cookies()
        answer = await self.context.request.post(
            f"{self.url}/api/v1/session", data={"key": made.secret}, headers={"Origin": self.url}
        )
        assert answer.ok, await answer.text()
        if self.page.url.startswith(self.url):
            await self.page.reload()

    @asynccontextmanager
    async def beside(self, actor_id: str, *roles: str) -> AsyncIterator[Console]:
        """Somebody else before the same console, in a window of their own."""
        browser = self.context.browser
        assert browser is not None
        window = await _opened(browser)
        try:
            other = Console(self.app, self.url, window.context, window.page)
            other.said = self.said
            await other.sign_in(roles=roles, actor_id=actor_id)
            yield other
        finally:
            await window.context.close()

    async def go(self, route: str) -> Page:
        """Open a route, and wait for its heading."""
        await self.page.goto(f"{self.url}/#{route}")
        await expect(self.page.get_by_role("heading", level=1).first).to_be_visible()
        return self.page

    async def shot(self, name: str, *, full: bool = False) -> None:
        """Keep a picture in light and in dark in `shots` ($REMIT_SHOTS), if that is set."""
        if self.shots is None:
            return
        await asyncio.to_thread(self.shots.mkdir, parents=True, exist_ok=True)
        for scheme in ("light", "dark"):
            await self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            await self.page.screenshot(path=self.shots / f"{name}-{scheme}.png", full_page=full)
        await self.page.emulate_media(color_scheme="light", reduced_motion="reduce")

    async def axe(self) -> None:
        """Fail on anything that axe finds serious, in light and, as to colours, in dark."""
        if not await self.page.evaluate("'axe' in window"):
            await self.page.evaluate(await asyncio.to_thread(AXE.read_text))
        for scheme, only in (("light", None), ("dark", COLOURS)):
            await self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            # a mark asks for nothing, so axe sees the page after its next frame
            await self.page.evaluate(
                "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
            )
            found = await self.page.evaluate(
                "only => axe.run(document, {resultTypes: ['violations'], ...(only && {runOnly: only})})", only
            )
            bad = [
                f"{rule['id']} ({scheme}): {node['html'][:200]} {node.get('failureSummary', '')[:300]}"
                for rule in found["violations"]
                if rule["impact"] in SERIOUS
                for node in rule["nodes"]
            ]
            assert not bad, "\n".join(bad)
        await self.page.emulate_media(color_scheme="light", reduced_motion="reduce")

    def complaints(self) -> list[str]:
        """What the page complained of and the test did not provoke."""
        return [text for text in self.said if not any(re.search(known, text) for known in self.expected)]

    def _watch(self, page: Page) -> None:
        page.on(
            "console",
            lambda message: (
                message.type in ("error", "warning") and self.said.append(f"console: {message.text}")
            ),
        )
        page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        page.on("dialog", lambda dialog: self.said.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: self._note(request.url))

    def _note(self, address: str) -> None:
        if not address.startswith((f"{self.url}/", "data:", "blob:")):
            self.said.append(f"left the origin: {address}")


FIRST_PORT, PORTS = 20_000, 12_000
"""Below the ports that the system gives to connections: nobody takes one of these while no server listens."""


def free_port() -> int:
    """A port nobody listens on; another one first in each process."""
    for step in range(PORTS):
        port = FIRST_PORT + (os.getpid() * 37 + step) % PORTS
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("every port is taken")


@dataclass
class Window:
    """A window of one person, and the port of the server it looks at."""

    context: BrowserContext
    page: Page
    port: int


_LEFT: WeakKeyDictionary[Browser, Window] = WeakKeyDictionary()
"""A window that somebody left, by browser. Whoever comes next to the same address finds the page's code compiled."""


@asynccontextmanager
async def console_of(
    app: App, browser: Browser, *, roles: Sequence[str] = ("admin", "approver"), apart: bool = False
) -> AsyncIterator[Console]:
    """The console of an app (not yet entered), signed in; at the end the page must not have complained of anything.

    The window may be one that an earlier console had, tidied up. `apart`: one of its own, in which nothing need be tidied.
    """
    stop = asyncio.Event()
    async with app:
        window = (None if apart else _LEFT.pop(browser, None)) or await _opened(browser)
        serving = asyncio.create_task(serve(app, port=window.port, stop=stop, grace_s=1.0))
        try:
            await _answers(window.port, serving)
            console = Console(app, f"http://127.0.0.1:{window.port}", window.context, window.page)
            await console.sign_in(roles=roles)
            yield console
            if not apart:
                await _tidy(window)
                _LEFT[browser] = window
        finally:
            if _LEFT.get(browser) is not window:
                await window.context.close()
            stop.set()
            await serving
    assert not console.complaints(), "\n".join(console.complaints())


async def _opened(browser: Browser) -> Window:
    """A browser of one person: its cookies are nobody else's."""
    context = await browser.new_context(
        viewport=SIZE, color_scheme="light", reduced_motion="reduce", accept_downloads=True
    )
    context.set_default_timeout(WAIT_MS)
    return Window(context, await context.new_page(), free_port())


async def _tidy(window: Window) -> None:
    """Leave nothing behind but what the browser keeps of files that never change."""
    context, page = window.context, window.page
    for other in context.pages:
        if other is not page:
            await other.close()
    await page.unroute_all()
    await context.set_offline(False)
    if page.url.startswith("http"):
        await page.evaluate(FORGET)
    await page.goto("about:blank")
    await context.clear_cookies()
    await page.set_viewport_size(SIZE)
    await page.emulate_media(color_scheme="light", reduced_motion="reduce")


async def _answers(port: int, serving: asyncio.Task[None]) -> None:
    """Wait until the server listens."""
    while True:
        if serving.done():
            serving.result()
            raise AssertionError("the server stopped by itself")
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.01)
        else:
            writer.close()
            return


def settings(home: Path) -> dict[str, Any]:
    """Settings of an app whose console is the built one, or another build in $REMIT_CONSOLE_DIR."""
    build = os.environ.get("REMIT_CONSOLE_DIR", "")
    return {"home": home, "store": f"sqlite:///{home / 'remit.db'}", "console_dir": build}


def leaking(home: Path, offset: int = 1) -> tuple[int, str]:
    """An order of the demo's shop, and what its customer writes: a faulty machine whose refund is over the limit."""
    from remit_packs.support import open_shop

    with open_shop(home).read() as connection:
        row = connection.execute(
            "SELECT order_id, customer_id FROM orders JOIN order_lines USING (order_id) JOIN products USING (product_id)"
            " WHERE category = 'espresso machines' AND status = 'delivered' AND quantity = 1 AND unit_price_cents > 20000"
            " AND total_cents = unit_price_cents ORDER BY placed_at DESC, order_id LIMIT 1 OFFSET ?",
            (offset,),
        ).fetchone()
    return row["order_id"], (
        f"I am customer {row['customer_id']}. The espresso machine from order {row['order_id']} leaks: water runs out of the "
        "bottom of the case whenever the pump runs, even after I changed the gasket. I would like a refund."
    )
