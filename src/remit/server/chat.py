"""Chat over HTTP: a turn of a conversation, asked and answered in one request (B3)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response

from remit.server.auth import CHAT, TheApp, Who
from remit.server.details import MEDIA_TYPE
from remit.server.schemas import JSON, Cursor, body_bytes, operation, reply
from remit.server.turns import Answer, Ask, Pending, Reply, Transcript, chat, look, transcript

router = APIRouter(prefix="/chat", tags=["chat"])

COMPONENTS = (Ask, Reply, Pending, Transcript)

User = Annotated[str, Query(min_length=1, max_length=128, description="Whose conversation it is.")]
Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        max_length=256,
        description="The same key again is the same turn, not another.",
    ),
]


@router.post(
    "",
    operation_id="chat",
    summary="Take a turn of a conversation",
    **operation(
        CHAT,
        {
            200: (Reply, "The answer, or that a person is waited for."),
            202: (Pending, "It takes longer; ask again at `Location`."),
        },
        body=Ask,
        refusals=(409, 429),
    ),
)
async def take_turn(request: Request, app: TheApp, who: Who, idempotency_key: Key = "") -> Response:
    """Ask the assistant, and wait up to 25 seconds for its answer."""
    body = await body_bytes(request)
    return _response(await chat(app, who.tenant_id, who.actor, body, key=idempotency_key))


@router.get(
    "/conversations/{conversation_id}",
    operation_id="showConversation",
    summary="What was said in a conversation",
    **operation(CHAT, {200: (Transcript, "A page of messages, oldest first.")}, refusals=(400, 404)),
)
async def show_conversation(
    conversation_id: str, user_id: User, app: TheApp, who: Who, cursor: Cursor = None
) -> Response:
    """The messages of a conversation of this user; anybody else's does not exist."""
    return _response(await transcript(app, who.tenant_id, who.actor, conversation_id, user_id, cursor))


@router.get(
    "/{task_id}",
    operation_id="chatTurn",
    summary="How a turn stands",
    **operation(
        CHAT,
        {
            200: (Reply, "The answer, or that a person is waited for."),
            202: (Pending, "It still takes longer; ask again."),
        },
        refusals=(404,),
    ),
)
async def show_turn(task_id: str, user_id: User, app: TheApp, who: Who) -> Response:
    """A turn that took longer than one request."""
    return _response(await look(app, who.tenant_id, who.actor, task_id, user_id))


def _response(answer: Answer) -> Response:
    headers = {}
    if answer.status == 202:
        headers = {"Location": f"/chat/{answer.body['task_id']}", "Retry-After": "1"}
    response = reply(answer.body, answer.status, headers)
    response.headers["content-type"] = JSON if answer.status < 400 else MEDIA_TYPE
    return response
