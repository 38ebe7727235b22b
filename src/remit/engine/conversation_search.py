"""Searching one's own conversations, or as an operator those of a user: their titles, then all that was said, newest first.

Nothing is indexed by word: a request looks at a bounded number of rows of two indexes, says how far back it came, and its
cursor goes on from there. So nothing that is there is missed, and no search costs more than its bound.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from remit.core.conversation import Conversation
from remit.core.errors import InputError
from remit.core.task import Actor
from remit.engine.conversations import Conversations, is_of, said_in, shown
from remit.engine.remembering import MESSAGE, SESSION
from remit.ports.store import Page, Store

LOOKS = 20
"""Pages of an index that one request looks at, of at most as many rows as it may answer."""

EXCERPT_CHARS = 160
LONGEST_QUERY = 200

TITLES, SAID = "titles:", "said:"
"""What a cursor begins with: which of the two indexes it goes on with."""


class ConversationMatch(Struct, frozen=True):
    """A conversation that was found. `excerpt` of message `message_id` where what was said matches; empty where the title does."""

    conversation: Conversation
    excerpt: str = ""
    message_id: str = ""


class ConversationMatches(Struct, frozen=True):
    """A page of conversations that were found. `searched_to`: how far back this page looked, Unix milliseconds; null for all.

    A page may be short, or empty, and the search not over: it is at an end when `cursor` is null.
    """

    items: list[ConversationMatch]
    cursor: str | None = None
    searched_to: int | None = None


class ConversationSearch:
    """Searches the conversations of one reader; where that is None, for whoever operates Remit, all those of `user_id`."""

    def __init__(self, store: Store, tenant_id: str, reader: Actor | None, *, user_id: str = "") -> None:
        self._store = store
        self._tenant = tenant_id
        self._reader = reader
        self._user = user_id if reader is None else reader.origin
        self._known: dict[str, Conversation | None] = {}

    async def find(self, query: str, *, limit: int = 50, cursor: str | None = None) -> ConversationMatches:
        """The conversations in which every word of `query` occurs in the title or in one message. Raises InputError."""
        words = query.casefold().split()
        if not words or len(query) > LONGEST_QUERY:
            raise InputError(
                f"a search takes words, at most {LONGEST_QUERY} characters",
                code="E102",
                help="search for one telling word",
            )
        found: dict[str, ConversationMatch] = {}
        at: str | None = cursor or TITLES
        searched_to: int | None = None
        for _ in range(LOOKS):
            room = limit - len(found)
            if at is None or room * 2 < limit:
                break
            page, at = await self._page(at, room)
            for match in await self._matching(page, words):
                found.setdefault(match.conversation.session_id, match)
            searched_to = _moment(page, searched_to)
        return ConversationMatches(list(found.values()), at, None if at is None else searched_to)

    async def _page(self, at: str, limit: int) -> tuple[Page, str | None]:
        """The next rows, and where to go on: titles first, then what was said."""
        kind = SAID if at.startswith(SAID) else TITLES
        page = await self._store.query(
            MESSAGE if kind == SAID else SESSION,
            "by_user",
            (self._tenant, self._user),
            descending=True,
            limit=limit,
            cursor=at.removeprefix(kind) or None,
        )
        if page.cursor is not None:
            return page, kind + page.cursor
        return page, None if kind == SAID else SAID

    async def _matching(self, page: Page, words: list[str]) -> list[ConversationMatch]:
        if page.items and "message_id" in page.items[0]:
            return await self._in_messages(page.items, words)
        titled = (shown(self._tenant, item) for item in page.items)
        return [ConversationMatch(c) for c in titled if self._sees(c) and _has(c.title, words)]

    async def _in_messages(self, rows: list[dict[str, Any]], words: list[str]) -> list[ConversationMatch]:
        found = []
        for row, said in zip(rows, await said_in(self._store, rows), strict=True):
            text = said.message.text
            if not _has(text, words):
                continue
            conversation = await self._conversation(row["conversation_id"])
            if conversation is not None:
                found.append(ConversationMatch(conversation, excerpt(text, words), said.message_id))
        return found

    async def _conversation(self, key: str) -> Conversation | None:
        """The conversation of a message, if it is the reader's."""
        if key not in self._known:
            item = await self._store.get(SESSION, (key,))
            known = None if item is None else shown(self._tenant, item)
            self._known[key] = known if known is not None and self._sees(known) else None
        return self._known[key]

    def _sees(self, conversation: Conversation) -> bool:
        return self._reader is None or is_of(conversation, self._reader)


async def own(
    conversations: Conversations, tenant_id: str, reader: Actor, *, limit: int, cursor: str | None
) -> ConversationMatches:
    """All of the reader's conversations, the last used first."""
    page = await conversations.mine(tenant_id, reader, limit=limit, cursor=cursor)
    return ConversationMatches([ConversationMatch(c) for c in page.items], page.cursor)


def excerpt(text: str, words: list[str]) -> str:
    """What stands around the first of the words, on one line."""
    flat = " ".join(text.split())
    at = min((p for w in words if (p := flat.casefold().find(w)) >= 0), default=0)
    start = max(0, min(at - EXCERPT_CHARS // 3, len(flat) - EXCERPT_CHARS))
    cut = flat[start : start + EXCERPT_CHARS]
    return f"{'…' if start else ''}{cut}{'…' if start + EXCERPT_CHARS < len(flat) else ''}"


def _has(text: str, words: list[str]) -> bool:
    folded = text.casefold()
    return all(word in folded for word in words)


def _moment(page: Page, before: int | None) -> int | None:
    """When the last message of a page was said; of titles nothing is told, for they are no time."""
    if page.items and "message_id" in page.items[-1]:
        return int(page.items[-1]["ts"])
    return before
