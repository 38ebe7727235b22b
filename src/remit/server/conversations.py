"""A person's own conversations with agents: find, read, name and forget them.

A conversation is there only for whom it belongs to, whatever else their roles open. A turn of one is a run: `POST /api/v1/runs`
with its `session_id`.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from msgspec import Meta, Struct

from remit.core.codec import plain
from remit.core.conversation import Conversation
from remit.engine.conversation_search import ConversationMatch, ConversationMatches, ConversationSearch, own
from remit.server.auth import READ, RUN, TheApp, Who
from remit.server.schemas import Cursor, Limit, operation, read, reply

router = APIRouter(prefix="/api/v1/conversations", tags=["conversations"])


class Rename(Struct, frozen=True, forbid_unknown_fields=True):
    """What a conversation is called from now on."""

    title: Annotated[str, Meta(min_length=1, max_length=120, pattern=r"\S")]


class ConversationMessage(Struct, frozen=True):
    """One message, and the run that it belongs to. `role` is user or assistant; times are Unix milliseconds.

    Each of `blocks` has a `type`: text, thinking, tool_use, tool_result (in a message of the user's role), image or document.
    """

    message_id: str
    run_id: str
    ts: int
    role: str
    blocks: list[dict[str, Any]]


class ConversationMessages(Struct, frozen=True):
    """A page of messages, newest first; `cursor` of the next page, or null at the end."""

    items: list[ConversationMessage]
    cursor: str | None = None


COMPONENTS = (
    Conversation,
    ConversationMatch,
    ConversationMatches,
    ConversationMessage,
    ConversationMessages,
    Rename,
)
"""Types that OpenAPI names."""

Words = Annotated[
    str, Query(max_length=200, description="Words that the title or one message has; empty for all.")
]
# A session's id may hold slashes.
Session = Annotated[str, Path(description="The conversation: the `session_id` of its runs.")]


@router.get(
    "",
    operation_id="listConversations",
    summary="One's own conversations",
    **operation(READ, {200: (ConversationMatches, "A page of conversations.")}),
)
async def list_conversations(
    app: TheApp, who: Who, q: Words = "", limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """The last used first. With `q` those that match: a page looks at a bounded number of messages, and its cursor looks further back."""
    if not q.strip():
        return reply(await own(app.conversations, who.tenant_id, who.actor, limit=limit, cursor=cursor))
    search = ConversationSearch(app.store, who.tenant_id, who.actor)
    return reply(await search.find(q, limit=limit, cursor=cursor))


@router.get(
    "/{session_id:path}/messages",
    operation_id="conversationMessages",
    summary="What was said in one's own conversation",
    **operation(READ, {200: (ConversationMessages, "A page of messages, newest first.")}, refusals=(404,)),
)
async def messages(
    session_id: Session, app: TheApp, who: Who, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """Every message, what passed between the agent and its tools too. Anybody else's conversation does not exist."""
    page = await app.conversations.messages(
        who.tenant_id, session_id, reader=who.actor, newest_first=True, limit=limit, cursor=cursor
    )
    shown = [
        ConversationMessage(s.message_id, s.run_id, s.ts, s.message.role, plain(list(s.message.blocks)))
        for s in page.items
    ]
    return reply(ConversationMessages(shown, page.cursor))


@router.get(
    "/{session_id:path}",
    operation_id="readConversation",
    summary="One's own conversation",
    **operation(READ, {200: (Conversation, "The conversation, without its messages.")}, refusals=(404,)),
)
async def show(session_id: Session, app: TheApp, who: Who) -> Response:
    """Its title, its agent, and when it was used last."""
    return reply(await app.conversations.get(who.tenant_id, session_id, reader=who.actor))


@router.put(
    "/{session_id:path}",
    operation_id="renameConversation",
    summary="Name one's own conversation",
    **operation(
        RUN, {200: (Conversation, "The conversation as it is now.")}, body=Rename, refusals=(404, 409)
    ),
)
async def rename(session_id: Session, request: Request, app: TheApp, who: Who) -> Response:
    """Give it another title."""
    asked = await read(request, Rename, who)
    title = app.kit.redactor("default").text(" ".join(asked.title.split()))
    return reply(await app.conversations.rename(who.tenant_id, session_id, title, reader=who.actor))


@router.delete(
    "/{session_id:path}",
    operation_id="forgetConversation",
    summary="Forget one's own conversation",
    **operation(RUN, {204: (None, "It and its messages are gone.")}, refusals=(404, 409)),
)
async def forget(session_id: Session, app: TheApp, who: Who) -> Response:
    """Delete it and its messages. The journals of its runs, which are the audit trail, stay."""
    await app.conversations.forget(who.tenant_id, session_id, reader=who.actor)
    return Response(status_code=204)
