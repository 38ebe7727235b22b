"""The chat as a Lambda function behind API Gateway, REST or HTTP (B3): no web framework is loaded, so that it starts fast.

API keys, usage plans and throttling are API Gateway's. Whom it let through is taken from what it says: the subject of a
checked token, what an authorizer calls the caller, the caller's ARN, else the API key's id. A Remit API key as
`Authorization: Bearer` is understood as well, and names its tenant. Where roles are known, one must be allowed to run agents.
"""

from __future__ import annotations

import binascii
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from remit.bootstrap import App
from remit.core.codec import encode
from remit.core.errors import DeniedError, InputError, NotFoundError
from remit.core.naming import LOCAL
from remit.core.task import Actor
from remit.engine.keys import Identity
from remit.engine.worker import Worker
from remit.functions.asgi import body_of
from remit.functions.claims import caller_of, identity_of
from remit.functions.container import shared
from remit.functions.invocation import Event, Left, time_left
from remit.server.cors import cors_headers
from remit.server.details import MEDIA_TYPE
from remit.server.scopes import CHAT, check_scope
from remit.server.turns import WAIT_S, Answer, Drive, chat, look, told, transcript

ANSWERING_S = 2.0
"""Seconds kept for the answer itself."""

GATEWAY = "api-gateway"
_KEY = "Bearer remit_"


class Request(NamedTuple):
    """An event of API Gateway, of either kind; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    query: dict[str, str]


def handler(event: Event, context: Any) -> Event:
    """Answer one request."""
    return shared().run(lambda app: respond(app, event, time_left(context)))


async def respond(app: App, event: Event, left: Left) -> Event:
    """The answer to an event of API Gateway. Never raises."""
    asked = request_of(event)
    allowed = app.settings.chat_origins
    origin = asked.headers.get("origin", "")
    if asked.method == "OPTIONS":
        return {"statusCode": 204, "headers": cors_headers(origin, allowed, preflight=True), "body": ""}
    try:
        answer = await _answer(app, event, asked, left)
    except Exception as error:
        answer = told(app, error)
    return _event(answer, cors_headers(origin, allowed))


def request_of(event: Event) -> Request:
    """What an event asks. One without a method, as somebody sends who invokes the function directly, is a POST."""
    http = (event.get("requestContext") or {}).get("http") or {}
    method = http.get("method") or event.get("httpMethod") or "POST"
    path = event.get("rawPath") or event.get("path") or "/chat"
    headers = {str(k).lower(): str(v) for k, v in (event.get("headers") or {}).items()}
    query = dict(parse_qsl(event.get("rawQueryString") or "")) or event.get("queryStringParameters") or {}
    return Request(str(method).upper(), str(path), headers, query)


async def _answer(app: App, event: Event, asked: Request, left: Left) -> Answer:
    who = await caller(app, event, asked)
    wait_s = max(0.0, min(WAIT_S, left() - ANSWERING_S))
    if asked.method == "POST":
        key = asked.headers.get("idempotency-key", "")[:256]
        return await chat(
            app, who.tenant_id, who.actor, _body(event), key=key, wait_s=wait_s, drive=_drive(app)
        )
    if asked.method != "GET":
        raise InputError(f"`{asked.method[:20]}` is not done here", code="E111", help="use `POST` or `GET`")
    *_, kind, name = ["", *asked.path.rstrip("/").split("/")]
    user_id = asked.query.get("user_id", "")
    if kind == "conversations":
        return await transcript(app, who.tenant_id, who.actor, name, user_id, asked.query.get("cursor"))
    if kind == "chat":
        return await look(app, who.tenant_id, who.actor, name, user_id)
    raise NotFoundError("there is nothing here", help="`POST /chat`, or `GET /chat/TASK`")


async def caller(app: App, event: Event, asked: Request) -> Identity:
    """Whom API Gateway let through. Raises DeniedError E310 where tokens are asked for and none was checked, E320 by its roles."""
    settings = app.settings
    credential = asked.headers.get("authorization", "")
    if credential.startswith(_KEY):
        who = await app.keys.authenticate(credential.removeprefix("Bearer "))
        check_scope(who.actor, CHAT)
        return who
    proved = identity_of(event, tenant_claim=settings.tenant_claim, roles_claim=settings.roles_claim)
    if proved is not None:
        if settings.roles_claim:
            check_scope(proved.actor, CHAT)
        return proved
    if settings.tenant_claim:
        raise DeniedError(
            "no token with a tenant was shown", code="E310", help="send one as `Authorization: Bearer ...`"
        )
    return Identity(LOCAL, Actor(caller_of(event) or GATEWAY, (), GATEWAY))


def _body(event: Event) -> bytes:
    try:
        return body_of(event)
    except (binascii.Error, AttributeError, TypeError, ValueError) as error:
        raise InputError("the body cannot be read", code="E112", help="send JSON as UTF-8") from error


def _drive(app: App) -> Drive | None:
    """Without a deployment nobody else advances the run, so that it is done here, to its end."""
    return None if app.settings.deployment else Worker(app.kit, app.engine).run_until_idle


def _event(answer: Answer, cors: dict[str, str]) -> Event:
    headers = {
        **cors,
        "content-type": "application/json" if answer.status < 400 else MEDIA_TYPE,
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
    }
    if answer.status == 202:
        headers |= {"location": f"/chat/{answer.body['task_id']}", "retry-after": "1"}
    return {
        "statusCode": answer.status,
        "headers": headers,
        "body": encode(answer.body).decode(),
        "isBase64Encoded": False,
    }
