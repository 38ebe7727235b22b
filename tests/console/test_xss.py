"""Cross-site scripting: nothing that a model, a tool or a customer writes is ever more than text on a page."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, Page, Request, expect
from tests.console.hostile import Filler, app_of, ended
from tests.console.kit import console_of, settings
from tests.console.payloads import PAYLOADS

from remit.core.task import Task

pytestmark = [pytest.mark.service, pytest.mark.asyncio(loop_scope="module")]

WATCH = """
document.addEventListener("securitypolicyviolation", (e) => console.error("CSP: " + e.violatedDirective + " " + e.blockedURI));
"""

MADE_OF_TEXT = """() => {
  const bad = [];
  const never = ["object", "embed", "base", "marquee", "math", "template", "audio", "video", "link[rel=prefetch]"];
  for (const each of document.querySelectorAll(never.join(","))) bad.push(each.tagName);
  for (const each of document.querySelectorAll("script")) if (!each.src.startsWith(location.origin)) bad.push("script");
  for (const each of document.querySelectorAll("meta[http-equiv]")) bad.push("meta " + each.httpEquiv);
  for (const each of document.querySelectorAll("iframe"))
    if (each.getAttribute("sandbox") !== "allow-scripts" || each.srcdoc) bad.push("iframe");
  for (const each of document.querySelectorAll("*")) {
    for (const { name, value } of each.attributes) {
      const here = each.tagName + " " + name + "=" + value.slice(0, 60);
      if (name.startsWith("on")) bad.push(here);
      if (/^(xlink:)?(href|src|action|formaction|data)$/.test(name) && /^[\\x00-\\x20]*(javascript|vbscript|data:text)/i.test(value)) bad.push(here);
      if (name === "src" && !/^(\\.?\\/(?!\\/)|data:image\\/|blob:)/i.test(value) && !value.startsWith(location.origin)) bad.push(here);
      if (name === "style" && /url\\(/i.test(value)) bad.push(here);
    }
  }
  if (document.title.includes("owned")) bad.push("title");
  return bad;
}"""
"""What must not be in a page: whatever a text could have become."""


class Asked:
    """What a page has asked its server for and not yet got; streams, which never end, are no part of it."""

    def __init__(self, page: Page) -> None:
        self._open: set[Request] = set()
        self._changed = asyncio.Event()
        page.on("request", lambda request: self._note(request, is_open=True))
        page.on("requestfinished", lambda request: self._note(request, is_open=False))
        page.on("requestfailed", lambda request: self._note(request, is_open=False))

    def _note(self, request: Request, *, is_open: bool) -> None:
        if "text/event-stream" in request.headers.get("accept", ""):
            return
        (self._open.add if is_open else self._open.discard)(request)
        self._changed.set()

    async def nothing(self) -> None:
        """Wait until everything has come."""
        async with asyncio.timeout(30):
            while self._open:
                self._changed.clear()
                await self._changed.wait()


COOKIE = "(() => { try { return document.cookie } catch (e) { return e.name } })()"
FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


async def settled(page: Page, asked: Asked) -> str:
    """Wait until a page has what it asked for; what it says when it could not be drawn."""
    broken = page.get_by_role("alert").filter(
        has_text=re.compile("Cannot read|is not a function|undefined|Minified")
    )
    nothing = page.get_by_text("There is no such page")
    await expect(page.get_by_role("heading", level=1).or_(broken).or_(nothing).first).to_be_visible()
    for _ in range(2):  # what came may ask for more
        await asked.nothing()
        await page.evaluate(FRAMES)
    return await broken.first.inner_text() if await broken.count() else ""


async def test_hostile_texts_stay_texts(browser: Browser, tmp_path: Path) -> None:
    """Every page over every field: no script runs, nothing is asked of another host, and the policy has nothing to stop."""
    async with console_of(app_of(settings(tmp_path)), browser, apart=True) as console:
        await console.page.add_init_script(WATCH)
        key = await console.app.keys.create("local", "mallory", ("admin",))
        async with httpx.AsyncClient(
            base_url=console.url, headers={"x-api-key": key.secret}, timeout=30
        ) as client:
            filled = await Filler(console.app, client, tmp_path).fill()
        lacking = {kind for kind, count in filled.taken.items() if count == 0}
        assert lacking <= {"name", "described table", "notifier", "schedule"}, (
            f"nothing of this kind was taken: {lacking}"
        )
        shown: set[str] = set()
        wrong: list[str] = []
        asked = Asked(console.page)
        console.expected.append(r"Failed to load resource.*(404|422)")  # of the routes that name nothing
        for route in filled.routes:
            await console.page.goto(f"{console.url}/#{route}")
            said = await settled(console.page, asked)
            made = await console.page.evaluate(MADE_OF_TEXT)
            text = await console.page.evaluate("document.body.innerText")
            shown |= {payload for payload in PAYLOADS if payload.split("\n")[0].strip() in text}
            wrong += [f"{route}: {each}" for each in (said, *made, *console.complaints()) if each]
            console.said.clear()
        assert not wrong, "\n".join(wrong)
        await console.page.evaluate(
            "text => document.body.insertAdjacentHTML('beforeend', text)", PAYLOADS[6]
        )
        assert await console.page.evaluate(MADE_OF_TEXT), "what is looked for would not be found"
        assert [said for said in console.complaints() if "CSP" in said], "the policy would not stop it"
        console.said.clear()
        assert len(PAYLOADS) - len(shown) < 5, f"most were not shown at all: {set(PAYLOADS) - shown}"


async def test_what_an_agent_drew_is_alone_in_its_frame(browser: Browser, tmp_path: Path) -> None:
    """A chart draws itself, and reaches neither the page nor the session; hostile pages among the artifacts reach no host either."""
    async with console_of(app_of(settings(tmp_path)), browser, apart=True) as console:
        page = console.page
        run_id = await console.app.runs.submit(Task("drawn", "mirror", "draw", ["x"]))
        await ended(console.app, [run_id])
        console.expected += [
            r"Blocked|blocked|violates|Refused|sandbox|Failed to load resource|Not allowed|SecurityError"
        ]
        stopped: dict[str, str | None] = {}
        page.on("requestfailed", lambda request: stopped.update({request.url: request.failure}))
        await page.goto(f"{console.url}/#/runs/{run_id}?tab=artifacts")
        drawn = page.locator(".run-message").filter(has_text="text/html · ")
        await expect(drawn.filter(has=page.get_by_text("chart.html", exact=True))).to_have_count(1)
        count = await drawn.count()
        for index in [*range(10), count - 1]:
            await drawn.nth(index).get_by_role("button", name="Show").click()
            await drawn.nth(index).locator("iframe").scroll_into_view_if_needed()
        await expect(page.locator("iframe[sandbox='allow-scripts']")).to_have_count(11)
        await expect(page.frame_locator("iframe[title='chart.html']").get_by_text("drawn")).to_be_attached()
        assert "owned" not in await page.title()
        frames = [frame for frame in page.frames if frame != page.main_frame]
        assert {await frame.evaluate("self.origin") for frame in frames} == {"null"}
        assert {await frame.evaluate(COOKIE) for frame in frames} == {"SecurityError"}
        wanted = [text.removeprefix("left the origin: ") for text in console.said if text.startswith("left")]
        assert wanted, "these pages do ask; it is the policy that stops them"
        assert {stopped.get(url) for url in wanted} == {"csp"}
        console.expected.append("left the origin: https://evil.invalid/")
