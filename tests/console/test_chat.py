"""Chat in the browser (B8): it streams, shows what is thought and done, asks people, and keeps what was said."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, expect
from tests.console.kit import Console, console_of
from tests.console.talking import Speaker, calls, said, talking

from remit.core.codec import plain
from remit.core.conversation import Conversation, message_id
from remit.core.message import assistant, user
from remit.core.naming import LOCAL
from remit.engine.remembering import MESSAGE, SESSION
from remit.ports.store import Put

pytestmark = [pytest.mark.service, pytest.mark.asyncio(loop_scope="module")]

HANDBOOK = "# Kettle\n\nThe kettle switches off before the water boils. Descale it with vinegar, then rinse it twice."
SPAN = "Descale it with vinegar"


@pytest.fixture
def speaker() -> Speaker:
    """Who speaks."""
    return Speaker()


@pytest_asyncio.fixture(loop_scope="module")
async def chat(browser: Browser, tmp_path: Path, speaker: Speaker) -> AsyncIterator[Console]:
    """The console of an app with somebody to talk with."""
    async with console_of(talking(tmp_path, speaker), browser) as made:
        yield made


async def ask(console: Console, text: str, agent: str = "") -> None:
    """Write a message and send it."""
    page = console.page
    if agent:
        await page.get_by_role("button", name=agent, exact=True).click()
    box = page.get_by_role("textbox", name="Message")
    await box.fill(text)
    await expect(page.get_by_role("button", name="Send")).to_be_enabled()
    await box.press("Enter")


async def listened(console: Console, text: str, agent: str, speaker: Speaker) -> None:
    """Send a message to somebody who begins to speak once the page listens, and stops half-way."""
    speaker.held = True
    async with console.page.expect_response(re.compile("/events")):
        await ask(console, text, agent)
    speaker.start.set()


def turns(console: Console) -> Locator:
    """What was asked, each with its answer."""
    return console.page.get_by_role("article")


async def test_an_answer_streams_with_thoughts_calls_a_table_a_chart_and_sources(
    chat: Console, speaker: Speaker
) -> None:
    """Words are there while the model speaks; then calls with their verdict, rows, a chart in a frame, and cited characters."""
    await chat.app.documents.add(LOCAL, HANDBOOK.encode(), document_id="kettle", source="kettle.md")
    start = HANDBOOK.index(SPAN)
    speaker.replies = [
        calls("sales"),
        calls("draw_chart", "A picture says more.", title="Sales by month"),
        said(
            f"Sales **grew** every month to 11,254.5 [[r9.total]]. Descale it: doc:kettle#{start}-{start + len(SPAN)}",
            thought="I should look at the numbers first.",
        ),
    ]
    page = await chat.go("/chat")
    await listened(chat, "How are sales?", "guide", speaker)
    turn = turns(chat).last
    await expect(turn.locator("[data-draft]")).to_have_text(re.compile("^I look it up"))
    await expect(turn).not_to_contain_text("of the shop")
    await chat.shot("chat-streaming")
    await expect(page.get_by_role("button", name="Stop")).to_be_visible()
    speaker.let_go()
    await expect(turn.get_by_text("grew every month")).to_be_visible()
    await expect(turn.get_by_role("table").get_by_text("2026-09")).to_be_visible()
    await expect(turn.get_by_role("img", name="Chart: Sales by month")).to_be_visible()
    await turn.get_by_role("button", name="What it thought").click()
    await expect(turn.get_by_text("I should look at the numbers first.")).to_be_visible()
    call = turn.get_by_role("button", name="sales").first
    await call.click()
    await expect(turn.get_by_text("Policy: allow by tools-run")).to_be_visible()
    await chat.axe()
    await chat.shot("chat")
    await turn.get_by_role("button", name="Show it interactive").click()
    drawn = turn.frame_locator("iframe").locator("svg")
    await expect(drawn).to_have_attribute("aria-label", "drawn by its own script, without an origin")
    await turn.get_by_role("button", name="r9.total").click()
    await expect(page.get_by_text("11254.5 – SELECT month, total FROM sales")).to_be_visible()
    await turn.get_by_role("button", name=f"kettle {start}–{start + len(SPAN)}").click()
    await expect(page.get_by_role("dialog").locator("mark")).to_have_text(SPAN)
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    # the same from the text: a number shows what it stands for when it is pointed at or tabbed to, and opens it in its place
    source = page.get_by_role("tooltip")
    await turn.get_by_role("button", name="Source 1").focus()
    await expect(source).to_have_text("11254.5 – SELECT month, total FROM sales")
    await page.keyboard.press("Tab")
    await expect(turn.get_by_role("button", name="Source 2")).to_be_focused()
    await expect(source).to_contain_text(SPAN)
    await expect(turn.get_by_role("button", name="Source 2")).to_have_accessible_description(re.compile(SPAN))
    await chat.shot("chat-source")
    await page.keyboard.press("Escape")
    await expect(source).to_have_count(0)
    await turn.get_by_role("button", name="Source 2").hover()
    await expect(source).to_contain_text(SPAN)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog").locator("mark")).to_have_text(SPAN)
    await chat.shot("chat-citation")
    await page.keyboard.press("Escape")
    async with page.expect_download() as saved:
        await turn.get_by_role("button", name="CSV").click()
    file = await saved.value
    assert "2026-09,11254.5" in Path(await file.path()).read_text()
    await turn.get_by_role("button", name="Trace").click()
    steps = page.get_by_role("list", name="Steps")
    await expect(steps.get_by_text("draw_chart")).to_be_visible()
    await chat.axe()
    await chat.shot("chat-trace")
    # what was seen live is there again after a reload, from what was kept
    await page.reload()
    await expect(turns(chat).last.get_by_role("img", name=re.compile("Chart"))).to_be_visible()
    await expect(turns(chat).last.get_by_text("grew every month")).to_be_visible()


async def test_an_approval_is_shown_where_it_came_up(chat: Console, speaker: Speaker) -> None:
    """Nobody decides their own request, and the card says so. Somebody else does in a window of their own: the card changes where
    it stands, and the turn goes on by itself."""
    speaker.replies = [calls("wipe", table="orders"), said("It is done.")]
    page = await chat.go("/chat")
    first = page.get_by_role("button", name=re.compile("^(guide|echo)$"))
    await expect(first).to_have_text(["guide", "echo"])
    await expect(first.first).to_have_attribute("aria-pressed", "true")
    await ask(chat, "Empty the orders")
    card = page.get_by_role("group", name="Approval of wipe")
    await expect(card.get_by_text("A person must decide")).to_be_visible()
    await expect(card.get_by_role("button", name="Approve")).to_have_attribute("aria-disabled", "true")
    await expect(card).to_contain_text("own request")
    await chat.axe()
    await chat.shot("chat-approval")
    address = await card.get_by_role("link", name="More ways to decide").get_attribute("href") or ""
    await card.evaluate("card => { window.seenCard = card; }")
    async with chat.beside("bob", "approver") as bob:
        await bob.go(address.removeprefix("#"))
        await bob.page.get_by_role("button", name="Approve", exact=True).click()
        await bob.page.get_by_role("dialog").get_by_role("button", name="Approve").click()
        await expect(bob.page.get_by_role("alert").filter(has_text="Approved")).to_be_visible()
    await expect(card).to_contain_text("approved")
    await expect(card.get_by_role("button", name="Approve")).to_have_count(0)
    assert await card.evaluate("card => window.seenCard === card")
    await expect(turns(chat).last.get_by_text("It is done.")).to_be_visible()


async def test_a_turn_is_stopped_and_asked_again(chat: Console, speaker: Speaker) -> None:
    """Stop ends its run; asking again is a turn of its own."""
    speaker.replies = [calls("sales", "This takes very very long to say to you")]
    page = await chat.go("/chat")
    await listened(chat, "Tell me", "guide", speaker)
    await expect(turns(chat).last.locator("[data-draft]")).to_contain_text("This takes")
    await page.get_by_role("button", name="Stop").click()
    await expect(page.get_by_text("It stops at its next step")).to_be_visible()
    speaker.let_go()
    await expect(turns(chat).last.get_by_text("asked to stop")).to_be_visible()
    speaker.replies = [said("Shorter.")]
    await turns(chat).last.get_by_role("button", name="Ask again").click()
    await expect(turns(chat)).to_have_count(2)
    await expect(turns(chat).last.get_by_text("Shorter.")).to_be_visible()


async def test_a_turn_goes_on_after_a_cut_and_a_reload(chat: Console, speaker: Speaker) -> None:
    """The page connects again and shows what came meanwhile; reloaded in mid-run, it follows the same run."""
    chat.expected.append("ERR_INTERNET_DISCONNECTED")
    speaker.replies = [calls("sales"), said("All of it is there.")]
    page = await chat.go("/chat")
    await listened(chat, "What is there?", "guide", speaker)
    await expect(turns(chat).last.locator("[data-draft]")).to_contain_text("I look")
    await page.reload()
    await expect(turns(chat).last).to_contain_text("What is there?")
    await chat.context.set_offline(True)
    speaker.let_go()
    await chat.context.set_offline(False)
    await expect(turns(chat).last.get_by_text("All of it is there.")).to_be_visible()
    await expect(turns(chat)).to_have_count(1)


async def test_conversations_are_kept_found_named_and_forgotten(chat: Console, speaker: Speaker) -> None:
    """By what was said in them; somebody else's is not there."""
    page = await chat.go("/chat?agent=echo")
    await expect(page.get_by_role("button", name="echo", exact=True)).to_have_attribute(
        "aria-pressed", "true"
    )
    await ask(chat, "What about the kettle?")
    await expect(turns(chat).last.get_by_role("group", name="answer")).to_be_visible()
    await page.get_by_role("button", name="New conversation").click()
    await ask(chat, "And toasters?", "echo")
    await expect(turns(chat).last.get_by_role("group", name="answer")).to_be_visible()
    side = page.get_by_role("region", name="Conversations found")
    await expect(side.get_by_role("link")).to_have_count(2)
    await page.get_by_role("searchbox", name="Search conversations").fill("KETTLE")
    await expect(side.get_by_role("link")).to_have_count(1)
    await side.get_by_role("link").click()
    await expect(turns(chat)).to_contain_text(["What about the kettle?"])
    await expect(turns(chat)).to_have_count(1)
    await side.get_by_role("button", name="What to do with").click()
    await page.get_by_role("menuitem", name="Name it").click()
    await page.get_by_role("textbox", name="Name").fill("Kettles")
    await page.get_by_role("textbox", name="Name").press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Kettles")
    await chat.axe()
    await chat.shot("chat-search")
    await side.get_by_role("button", name="What to do with").click()
    await page.get_by_role("menuitem", name="Forget it").click()
    await page.get_by_role("button", name="Forget it").click()
    await expect(side.get_by_text("Nothing was found")).to_be_visible()
    address = "/chat/" + (await chat.app.conversations.list(LOCAL)).items[0].session_id
    chat.expected.append("404")
    await chat.sign_in(roles=["operator"], actor_id="eve")
    await chat.go(address)
    await expect(page.get_by_role("alert")).to_contain_text("there is no conversation")


async def test_a_conversation_of_thousands_of_messages_stays_quick(chat: Console) -> None:
    """Only what is near is loaded and made; scrolling up brings what was said before, to the first word."""
    turns_said = 600
    await chat.app.store.transact(
        [
            Put(
                SESSION,
                plain(Conversation("long", LOCAL, "ada", "ada", "echo", "A long story", 1, 2, turns_said)),
            )
        ]
    )
    rows = [
        Put(
            MESSAGE,
            {
                "conversation_id": "long",
                "message_id": message_id(n, f"run_{n:05}", at),
                "tenant_id": LOCAL,
                "user_id": "ada",
                "run_id": f"run_{n:05}",
                "role": message.role,
                "ts": n + 1,
                "message": plain(message),
                "ref": "",
                "untrusted": False,
                "sensitivity": "internal",
            },
        )
        for n in range(turns_said)
        for at, message in enumerate(
            (user(f"question {n}"), assistant(f"answer {n}\n\n" + "It has a few lines.\n\n" * (n % 4)))
        )
    ]
    for at in range(0, len(rows), 200):
        await chat.app.store.transact(rows[at : at + 200])
    page = await chat.go("/chat/long")
    await expect(turns(chat).last).to_contain_text(f"question {turns_said - 1}")
    assert await turns(chat).count() <= 60
    box = page.get_by_role("region", name="What was said")
    first = turns(chat).filter(has_text=re.compile("^question 0"))
    await page.wait_for_function(
        """() => {
          const box = document.querySelector('.remit-chat-scroll');
          box.scrollTop = -box.scrollHeight;
          return box.innerText.startsWith('question 0\\n');
        }"""
    )
    await expect(first).to_be_visible()
    await expect(box).to_be_visible()
    assert await turns(chat).count() <= 200
