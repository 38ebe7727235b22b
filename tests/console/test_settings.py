"""Settings: what works, who has keys, what runs here, and the theme; and what a viewer sees of it."""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import Route, expect
from tests.console.kit import Console

pytestmark = [pytest.mark.service, pytest.mark.asyncio(loop_scope="module")]


async def test_health_says_what_the_doctor_says(console: Console) -> None:
    """Each check, its verdict in words, and what mends it; before that, what is being checked."""
    asked = asyncio.Event()

    async def slowly(route: Route) -> None:
        await asked.wait()
        await route.continue_()

    await console.page.route("**/api/v1/doctor", slowly)
    page = await console.go("/settings")
    await expect(page.get_by_role("status")).to_contain_text("sandbox")
    await console.axe()
    await console.shot("settings-health-checking")
    asked.set()
    table = page.get_by_role("table", name="checks")
    await expect(table.get_by_role("row", name=re.compile("store.*works.*accepts writes"))).to_be_visible(
        timeout=60_000
    )
    await expect(table.get_by_role("row", name=re.compile("model default.*note"))).to_contain_text(
        "REMIT_MODEL="
    )
    await console.axe()
    await console.shot("settings-health")


async def test_a_key_is_made_shown_once_and_ended(console: Console) -> None:
    """The secret works until its key is ended; it is never shown again."""
    page = await console.go("/settings?tab=keys")
    await page.get_by_role("button", name="Make a key").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Whose").fill("nightly-import")
    await console.axe()
    await console.shot("settings-key-new")
    await dialog.get_by_role("button", name="Make the key").click()
    secret = (await dialog.get_by_text(re.compile("^remit_")).inner_text()).strip()
    assert (await console.app.keys.authenticate(secret)).actor.roles == ("viewer",)
    await console.shot("settings-key-made")
    await dialog.get_by_role("button", name="Done").click()
    row = page.get_by_role("row", name=re.compile("nightly-import"))
    await expect(row).to_contain_text("works")
    assert secret not in await page.content()
    await console.shot("settings-keys")
    await console.axe()
    await row.get_by_role("button", name=re.compile("End key")).click()
    await page.get_by_role("dialog").get_by_role("button", name="End the key").click()
    await expect(row).to_contain_text("ended")
    with pytest.raises(Exception, match="E310"):
        await console.app.keys.authenticate(secret)


async def test_what_runs_here_and_how_it_looks(console: Console) -> None:
    """Adapters without addresses, extras with their command, and a theme that stays."""
    page = await console.go("/settings?tab=adapters")
    await expect(page.get_by_role("table", name="Adapters in use")).to_contain_text("sqlite")
    await expect(page.get_by_role("table", name="extras")).to_contain_text("postgres")
    assert str(console.app.settings.home) not in await page.content()
    await console.axe()
    await console.shot("settings-adapters", full=True)
    await page.get_by_role("tab", name="About").click()
    await expect(page.get_by_text("ada in tenant local")).to_be_visible()
    await console.axe()
    await console.shot("settings-about")
    await page.get_by_role("tab", name="Theme").click()
    await page.get_by_role("radio", name="Dark").click()
    await expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", "dark")
    await page.reload()
    await expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", "dark")
    await expect(page.get_by_role("radio", name="Dark")).to_be_checked()
    await console.axe()


async def test_a_viewer_is_told_who_may(console: Console) -> None:
    """Nothing is asked for that would be refused."""
    await console.sign_in(roles=["viewer"], actor_id="vera")
    page = await console.go("/settings")
    await expect(page.get_by_text("Health is for administrators")).to_be_visible()
    await page.get_by_role("tab", name="Keys").click()
    await expect(page.get_by_text("Keys are for administrators")).to_be_visible()
    await console.axe()
    await console.shot("settings-viewer")


async def test_many_keys_and_long_names(console: Console) -> None:
    """A page at a time; a name that is long stays in its cell."""
    for index in range(60):
        await console.app.keys.create(
            "local", f"actor-{index:02d}" + "-with-a-long-name" * (index % 5), ("viewer",)
        )
    page = await console.go("/settings?tab=keys")
    await expect(page.get_by_text("50+ keys")).to_be_visible()
    await page.get_by_role("button", name="Load more").click()
    await expect(page.get_by_text("61 keys")).to_be_visible()
    await console.shot("settings-keys-many")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_an_address_of_nothing_says_so(console: Console) -> None:
    """With a heading, and a way on."""
    for route, way in (("/nowhere", "the start"), ("/quality/nothing/x", "data quality")):
        page = await console.go(route)
        await expect(page.get_by_role("heading", level=1)).to_have_text("There is no such page")
        await expect(page.get_by_role("link", name=f"Go to {way}")).to_be_visible()
    await console.axe()
    await console.shot("nowhere")
