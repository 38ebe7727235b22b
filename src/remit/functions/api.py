"""The whole HTTP API as a Lambda function, behind API Gateway (REST or HTTP) or a function URL.

It serves no console: files belong on a host of files. That of `remit deploy` has the API under its own address (`front`); any other
names this API to the files (`REMIT_CONSOLE_ORIGINS`).
"""

from __future__ import annotations

import functools
from typing import Any

from remit.bootstrap import App
from remit.functions import front
from remit.functions.asgi import Application, answer_for, ask, body_of, scope_of
from remit.functions.claims import identity_of
from remit.functions.container import shared
from remit.functions.invocation import Event, Left, time_left
from remit.server.app import build_api
from remit.server.auth import PROVED
from remit.settings import in_lambda

STREAM_S = 25.0
"""Seconds that a stream is listened to: API Gateway waits 29 for an answer."""

ANSWERING_S = 2.0


def handler(event: Event, context: Any) -> Event:
    """Answer one request."""
    return shared().run(lambda app: respond(app, event, time_left(context)))


async def respond(app: App, event: Event, left: Left) -> Event:
    """The API's answer to the request that the event is."""
    scope, listening_s = scope_of(event), STREAM_S
    if front.is_door(event):
        scope, listening_s = front.entered(scope), front.STREAM_S
    settings = app.settings
    who = identity_of(event, tenant_claim=settings.tenant_claim, roles_claim=settings.roles_claim)
    if who is not None:
        scope[PROVED] = who
    stream_s = max(0.0, min(listening_s, left() - ANSWERING_S))
    return answer_for(event, await ask(_api(app), scope, body_of(event), stream_s=stream_s))


@functools.lru_cache(maxsize=1)
def _api(app: App) -> Application:
    return build_api(app, with_console=False)


async def _build(app: App) -> None:
    """Build the API before it is asked for."""
    _api(app)


if in_lambda():
    shared().prepare(_build)
