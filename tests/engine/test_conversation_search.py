"""Searching conversations: every match is found, each page looks at a bounded number of rows, and naming loses to no turn."""

from __future__ import annotations

from remit import agent
from remit.core.task import Actor
from remit.engine.conversation_search import LOOKS, ConversationSearch, excerpt
from remit.ports.store import Page
from remit.testing import FakeClock, app_for_tests, task

ALICE = Actor("alice")


@agent
async def echo(input):
    """Says what it was given."""
    return "yes"


async def talk(app, session: str, texts: list[str]) -> None:
    """Take turns in a session."""
    for n, text in enumerate(texts):
        await app.run(task(echo, f"{session}-{n}", objective=text, session_id=session))


async def found(app, query: str, limit: int) -> tuple[list[str], int]:
    """The sessions that a search finds with all of its pages, and how many pages it took."""
    sessions, cursor, pages = [], None, 0
    while True:
        page = await ConversationSearch(app.store, "local", ALICE).find(query, limit=limit, cursor=cursor)
        assert len(page.items) <= limit
        sessions += [match.conversation.session_id for match in page.items]
        pages, cursor = pages + 1, page.cursor
        if cursor is None:
            assert page.searched_to is None
            return sessions, pages


async def test_what_was_said_long_ago_is_found_by_going_on():
    """A page that finds nothing says how far back it looked; its cursor goes on from there."""
    async with app_for_tests(echo, clock=FakeClock()) as app:
        await talk(app, "old", ["begin", "where is the xylophone?"])
        await talk(app, "new", [f"question {n}" for n in range(LOOKS)])
        first = await ConversationSearch(app.store, "local", ALICE).find("xylophone", limit=1)
        assert first.items == []
        assert first.cursor is not None
        assert first.searched_to is not None
        sessions, pages = await found(app, "xylophone", 1)
        assert (sessions, pages > 1) == (["old"], True)


async def test_a_page_reads_a_bounded_number_of_rows(monkeypatch):
    """However much there is, and however little of it matches."""
    async with app_for_tests(echo, clock=FakeClock()) as app:
        await talk(app, "much", [f"question {n}" for n in range(30)])
        read: list[int] = []
        query = app.store.query

        async def counting(*args: object, **more: object) -> Page:
            page: Page = await query(*args, **more)
            read.append(len(page.items))
            return page

        monkeypatch.setattr(app.store, "query", counting)
        await ConversationSearch(app.store, "local", ALICE).find("nothing", limit=2)
        assert len(read) <= LOOKS
        assert sum(read) <= 2 * LOOKS


async def test_every_match_is_found_once_whatever_the_page(monkeypatch):
    """By the title, and by what was said; small pages and large ones find the same conversations."""
    async with app_for_tests(echo, clock=FakeClock()) as app:
        for n in range(7):
            await talk(app, f"s{n}", [f"about {'kettles' if n % 2 else 'toasters'}", "and so on"])
        await app.conversations.rename("local", "s0", "Renamed to kettles", reader=ALICE)
        for limit in (1, 3, 200):
            sessions, _ = await found(app, "KETTLES", limit)
            assert set(sessions) == {"s0", "s1", "s3", "s5"}, limit


async def test_a_name_given_while_a_turn_begins_stays(monkeypatch):
    """The turn was made from the conversation as it was before: it is made anew."""
    async with app_for_tests(echo, clock=FakeClock()) as app:
        await talk(app, "s", ["begin"])
        turn = app.conversations.turn
        names = iter(["Named meanwhile"])

        async def named_meanwhile(*args, **more):
            made = await turn(*args, **more)
            for title in names:
                await app.conversations.rename("local", "s", title, reader=ALICE)
            return made

        monkeypatch.setattr(app.conversations, "turn", named_meanwhile)
        await app.run(task(echo, "again", objective="go on", session_id="s"))
        kept = await app.conversations.get("local", "s")
        assert (kept.title, kept.turns) == ("Named meanwhile", 2)


def test_an_excerpt_shows_what_stands_around_the_word():
    """On one line, with what is left out marked."""
    text = "a " * 300 + "\n\nthe  kettle stops" + " b" * 300
    made = excerpt(text, ["kettle"])
    assert "the kettle stops b" in made
    assert (made[0], made[-1], "\n" in made) == ("…", "…", False)
    assert excerpt("short", ["short"]) == "short"
