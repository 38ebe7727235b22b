"""Signing in: by a key, by the link of `remit up`, and what happens when that does not work."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import expect
from tests.console.kit import Console

from remit.server.local import ensure_local_key, sign_in_link

pytestmark = [pytest.mark.service, pytest.mark.asyncio(loop_scope="module")]

REFUSED = r"Failed to load resource.*(401|403|429)"


async def _signed_out(console: Console, route: str = "/") -> None:
    """Before the door: asking who one is gets refused, which the browser notes."""
    console.expected.append(REFUSED)
    await console.context.clear_cookies()
    await console.page.goto(f"{console.url}/#{route}")
    await expect(console.page.get_by_role("heading", name="Sign in to Remit")).to_be_visible()


async def test_a_key_opens_what_was_asked_for(console: Console) -> None:
    """A wrong key is refused in words; the right one leads to the page that was asked for. No script reads the cookie."""
    page = console.page
    await _signed_out(console, "/settings?tab=about")
    await console.axe()
    await console.shot("login")
    await page.get_by_label("API key").fill("remit_wrong")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_contain_text("E310")
    await console.shot("login-refused")
    made = await console.app.keys.create("local", "ada", ("viewer",))
    await page.get_by_label("API key").fill(made.secret)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1, name="Settings")).to_be_visible()
    await expect(page.get_by_text("ada in tenant local")).to_be_visible()
    assert await page.evaluate("document.cookie") == ""
    assert made.secret not in await page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")


async def test_the_link_of_remit_up_signs_in_once(console: Console, tmp_path: Path) -> None:
    """The code is gone from the address; a reload needs no code; a second use is refused and says what to do."""
    page = console.page
    console.expected.append(REFUSED)
    await console.context.clear_cookies()
    port = int(console.url.rpartition(":")[2])
    key = await ensure_local_key(console.app, tmp_path)
    link = await sign_in_link(console.app, key, "127.0.0.1", port)
    await page.goto(link)
    await expect(page.get_by_role("button", name="Sign out local")).to_be_visible()
    await expect(page).to_have_url(re.compile(r"#/$"))
    await page.reload()
    await expect(page.get_by_role("button", name="Sign out local")).to_be_visible()
    await console.context.clear_cookies()
    await page.goto("about:blank")
    await page.goto(link)
    await expect(page.get_by_role("alert")).to_contain_text("E1050")
    await expect(page.get_by_role("alert")).to_contain_text("remit keys link")
    assert "code=" not in page.url
    console.expected.append("left the origin: about:blank")


async def test_signing_out_and_a_session_that_ends(console: Console) -> None:
    """Signing out leads to the door; so does a session that ends meanwhile, at the next request."""
    page = console.page
    console.expected.append(REFUSED)
    await console.go("/settings?tab=about")
    await page.get_by_role("button", name="Sign out", exact=True).click()
    await expect(page.get_by_role("heading", name="Sign in to Remit")).to_be_visible()
    await console.sign_in(actor_id="eve")
    await console.go("/settings?tab=keys")
    for key in await console.app.keys.list("local"):
        await console.app.keys.revoke(key.key_id)
    await page.get_by_role("tab", name="About").click()
    await expect(page.get_by_role("heading", name="Sign in to Remit")).to_be_visible()


async def test_a_problem_of_the_provider_is_told_in_our_words(console: Console) -> None:
    """What the address brings back is a code; anything else of it is not shown."""
    page = console.page
    await _signed_out(console, "/login?problem=E1057")
    await expect(page.get_by_role("alert")).to_contain_text("you have no role here")
    await _signed_out(console, "/login?problem=<img src=x onerror=alert(1)>")
    await page.reload()
    await expect(page.get_by_role("heading", name="Sign in to Remit")).to_be_visible()
    assert await page.locator("img[src=x]").count() == 0


async def test_it_works_with_the_network_cable_out(console: Console) -> None:
    """A browser that calls itself offline still asks the server on its own machine."""
    page = await console.go("/")
    await page.evaluate("dispatchEvent(new Event('offline'))")
    await console.go("/workflows")
    await expect(page.get_by_role("link", name="research-team")).to_be_visible()
