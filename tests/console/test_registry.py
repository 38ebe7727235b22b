"""The registry in the browser: look, compare, edit with problems in place, roll back, alias, and look back in time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect
from tests.console.kit import Console, console_of, settings

from remit import open_app
from remit.core.naming import LOCAL
from remit.core.task import Actor
from remit.settings import Settings

pytestmark = [pytest.mark.service, pytest.mark.asyncio(loop_scope="module")]

LONG = "because the customers asked for it in many more words than a table has room for, again and again " * 3
FIRST = "You answer questions about orders.\nBe short.\nNever promise a date.\n"
SECOND = "You answer questions about orders.\nBe short and kind.\nNever promise a date.\nName the order.\n"


AT = (LOCAL, "prompt", "greeting")
WHO: dict[str, Any] = {"actor": Actor("bea"), "reason": LONG}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def console(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Console]:
    """One console for all tests here."""
    home = tmp_path_factory.mktemp("registry")
    async with console_of(open_app(Settings(**settings(home))), browser) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(console: Console) -> Console:
    """The console, once there is a prompt in three versions with an alias and a canary, an agent, and many more."""
    registry = console.app.registry
    await registry.create(*AT, {"text": FIRST}, **WHO, comment="the first")
    await registry.edit(*AT, {"text": SECOND}, **WHO)
    await registry.draft(*AT, {"text": SECOND + "Say who you are.\n"}, **WHO)
    await registry.set_alias(*AT, "stable", 1, **WHO)
    await registry.set_alias(*AT, "active", 2, canary=(3, 10), **WHO)
    await registry.create(LOCAL, "agent", "clerk", {"instructions": {"prompt": "greeting"}}, **WHO)
    await registry.create(LOCAL, "prompt", "old", {"text": "x"}, **WHO)
    await registry.archive(LOCAL, "prompt", "old", **WHO)
    for n in range(120):
        await registry.create(LOCAL, "prompt", f"p{n:03}", {"text": f"number {n}"}, **WHO)
    return console


async def answered(console: Console, action: str, reason: str) -> None:
    """Give a reason in the dialog, and confirm."""
    dialog = console.page.get_by_role("dialog")
    await dialog.get_by_label("Reason").fill(reason)
    await dialog.get_by_role("button", name=action).click()
    await expect(dialog).to_have_count(0)


async def test_an_empty_registry_says_what_to_do(console: Console) -> None:
    """Both lists name the next step."""
    page = await console.go("/registry")
    await expect(page.get_by_text("remit apply -f DIR")).to_be_visible()
    await console.shot("registry-empty")
    await page.get_by_role("tab", name="Changes").click()
    await expect(page.get_by_text("Nothing was changed yet")).to_be_visible()


async def test_definitions_are_found(shop: Console) -> None:
    """By kind and by the beginning of the name, in the URL; the list goes on past its first page, and leads to one."""
    page = await shop.go("/registry")
    await page.reload()
    await expect(page.get_by_role("row", name="greeting")).to_contain_text("active: 10 % get 3; stable = 1")
    await expect(page.get_by_text("100+ definitions")).to_be_visible()
    await shop.shot("registry")
    await page.get_by_role("button", name="Load more").click()
    await expect(page.get_by_text("123 definitions")).to_be_visible()
    await page.get_by_label("Name begins with").fill("p11")
    await expect(page.get_by_text("10 definitions")).to_be_visible()
    await page.reload()
    await expect(page.get_by_text("10 definitions")).to_be_visible()
    await expect(page.get_by_label("Name begins with")).to_have_value("p11")
    await shop.axe()
    await page.get_by_role("button", name="Clear").click()
    await page.get_by_role("combobox", name="Kind").click()
    await page.get_by_role("option", name="agent").click()
    await expect(page.get_by_text("1 definition", exact=True)).to_be_visible()
    await page.get_by_role("link", name="clerk").click()
    await expect(page).to_have_title("agent clerk [ACTIVE] | Remit")


async def test_any_two_versions_are_compared_and_an_old_one_is_rolled_back_to(shop: Console) -> None:
    """A changed line of a prompt is a changed line; the dialog shows what would change, and asks why."""
    page = await shop.go("/registry/prompt/greeting?tab=versions&a=1&b=3")
    diff = page.get_by_role("group", name="differences")
    await expect(diff.locator(".removed")).to_have_text(["−     Be short."])
    await expect(diff.locator(".added")).to_have_text(
        ["+     Be short and kind.", "+     Name the order.", "+     Say who you are."]
    )
    await shop.shot("registry-versions")
    await shop.axe()
    await page.get_by_role("button", name="Roll back").click()
    await expect(page.get_by_role("dialog").locator(".removed")).to_have_text(
        ["−     Be short and kind.", "−     Name the order."]
    )
    await shop.shot("registry-rollback")
    await answered(shop, "Roll back", "the second promised too much")
    await expect(page.get_by_role("tab", name="Version 1, active")).to_be_visible()
    assert (await shop.app.registry.get(*AT)).version == 1
    await page.get_by_role("tab", name="Changes").click()
    await expect(page.get_by_role("row").nth(1)).to_contain_text("2 → 1")
    await expect(page.get_by_role("row").nth(1)).to_contain_text("the second promised too much")
    await shop.shot("registry-changes")


async def test_a_draft_is_refused_with_a_reason(shop: Console) -> None:
    """It is archived, and no longer waits."""
    registry = shop.app.registry
    await registry.draft(LOCAL, "prompt", "p001", {"text": "worse"}, **WHO)
    page = await shop.go("/registry/prompt/p001?tab=versions")
    await page.get_by_role("button", name="Refuse").click()
    await answered(shop, "Refuse", "it is worse")
    await expect(page.get_by_role("row", name="2 archived")).to_be_visible()
    (last,) = (await registry.changes(LOCAL, "prompt", "p001", limit=1)).items
    assert (last.action, last.version, last.reason) == ("refuse", 2, "it is worse")


async def test_an_edit_is_checked_in_place_and_overwrites_nobody(shop: Console) -> None:
    """What is wrong is marked at its line as one types; who was faster wins, and the text is not lost."""
    registry = shop.app.registry
    page = await shop.go("/registry/agent/clerk?tab=edit")
    editor = page.get_by_role("textbox", name="body of agent clerk as JSON")
    await editor.fill('{\n  "instructions": "x",\n  "tools": [\n    "no_such_tool"\n  ]\n}')
    problems = page.get_by_role("list", name="problems")
    await expect(problems).to_contain_text("no_such_tool")
    await editor.fill('{\n  "instructions": "x",\n  "max_iterations": 0\n}')
    await expect(problems.get_by_role("button", name="line 3")).to_be_visible()
    await shop.shot("registry-edit")
    await shop.axe()
    await problems.get_by_role("button", name="line 3").click()
    assert await page.evaluate("getSelection().toString()") == '  "max_iterations": 0'
    await editor.fill('{"instructions": ')
    await expect(problems).to_contain_text("JSON")
    await editor.fill('{"instructions": "You file.", "description": "files"}')
    await expect(problems).to_have_count(0)
    await page.get_by_label("Reason").fill("it only files")
    await registry.edit(LOCAL, "agent", "clerk", {"instructions": "You lose."}, **WHO)
    shop.expected.append("409")
    await page.get_by_role("button", name="Save and make active").click()
    await expect(page.get_by_role("alert").filter(has_text="E516")).to_contain_text(
        "by bea: edit of version 2"
    )
    await page.get_by_role("button", name="Save as draft").click()
    await expect(page.get_by_role("row", name="3 draft")).to_be_visible()
    drafted = await registry.get(LOCAL, "agent", "clerk", 3)
    assert (drafted.status, drafted.body["instructions"]) == ("draft", "You file.")


async def test_a_new_definition_is_written(shop: Console) -> None:
    """A prompt is written as text, not as JSON with escapes."""
    shop.expected.append("404")
    page = await shop.go("/registry?kind=prompt")
    await page.get_by_role("button", name="New definition").click()
    await page.get_by_role("dialog").get_by_label("Name").fill("farewell")
    await page.get_by_role("button", name="Write it").click()
    await expect(page.get_by_role("heading", name="New prompt farewell")).to_be_visible()
    await page.get_by_role("textbox", name="text of prompt farewell").fill("Say goodbye.\nBe warm.")
    await page.get_by_label("Reason").fill("people leave, too")
    await shop.shot("registry-new")
    await page.get_by_role("button", name="Save and make active").click()
    await expect(page).to_have_title("prompt farewell [ACTIVE] | Remit")
    assert (await shop.app.registry.get(LOCAL, "prompt", "farewell")).body == {
        "text": "Say goodbye.\nBe warm."
    }


async def test_aliases_canaries_and_the_switch(shop: Console) -> None:
    """An alias is set and taken away, a canary is given its share, and the whole is switched off."""
    registry, name = shop.app.registry, "p002"
    await registry.draft(LOCAL, "prompt", name, {"text": "other"}, **WHO)
    page = await shop.go(f"/registry/prompt/{name}?tab=aliases")
    await page.get_by_label("Canary version").fill("2")
    await page.get_by_label("Share of keys, %").fill("25")
    await page.get_by_role("button", name="Set").click()
    await answered(shop, "Set", "try it")
    await expect(page.get_by_role("row", name="active")).to_contain_text("version 2 for 25 % of the keys")
    await shop.shot("registry-aliases")
    await shop.axe()
    await page.get_by_role("button", name="End the canary").click()
    await answered(shop, "End it", "enough seen")
    await expect(page.get_by_role("button", name="End the canary")).to_have_count(0)
    await page.get_by_role("button", name="Switch off").click()
    await answered(shop, "Switch off", "not now")
    await expect(page).to_have_title(f"prompt {name} [DISABLED] | Remit")
    head = await registry.head(LOCAL, "prompt", name)
    assert head is not None
    assert (head.active.canary, head.enabled) == (0, False)


async def test_what_was_active_on_a_day(shop: Console) -> None:
    """Before anything was there, the list is empty; today, a definition is shown as it stood."""
    page = await shop.go("/registry?on=2001-01-01")
    await expect(page.get_by_text("Nothing fits")).to_be_visible()
    first = (await shop.app.registry.history(*AT, limit=10)).items[-1]
    await shop.go(f"/registry/prompt/greeting?at={first.created_at}")
    await expect(page.get_by_text("This is what was active on")).to_be_visible()
    await expect(page.get_by_role("tab", name="As it stood")).to_be_visible()
    await shop.shot("registry-then")
    await shop.axe()
    await page.get_by_role("button", name="Show what is active now").click()
    await expect(page.get_by_text("This is what was active on")).to_have_count(0)


async def test_the_export_is_what_apply_takes(shop: Console) -> None:
    """Every active definition of the kind, page after page, in one file."""
    page = await shop.go("/registry?kind=prompt")
    async with page.expect_download() as waiting:
        await page.get_by_role("button", name="Export").click()
    path = await (await waiting.value).path()
    documents = json.loads(await asyncio.to_thread(path.read_text))
    names = [document["name"] for document in documents]
    assert {"greeting", "p000", "p119"} <= set(names)
    assert "old" not in names
    assert all(set(document) >= {"kind", "name", "spec"} for document in documents)


async def test_who_may_only_look_changes_nothing(shop: Console) -> None:
    """What one may not do is off, and says why."""
    await shop.sign_in(roles=["viewer"], actor_id="vera")
    page = await shop.go("/registry/prompt/greeting?tab=versions")
    for name in ("Roll back", "Switch off", "Archive"):
        await expect(page.get_by_role("button", name=name).first).to_be_disabled()
    await shop.sign_in()
