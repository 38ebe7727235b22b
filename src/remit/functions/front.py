"""The console's door: requests that a browser sent to the console's own address, and that a CDN handed on to API Gateway.

`remit deploy` puts the console's files and the API under one address of CloudFront, so that a session's cookie goes with each request as
it does with a server of one's own. What the CDN adds on the way is taken off here: its key, which opens API Gateway and is no
credential of Remit, and the address of who asked, which stands for the CDN's own.
"""

from __future__ import annotations

from remit.functions.asgi import Message
from remit.functions.invocation import Event

STAGE = "console"
"""The stage of API Gateway that is this door. API Gateway says it of each request; no client can. Environments have other names."""

KEY = b"x-api-key"
VIEWER = "x-remit-viewer"
"""The header in which the CDN says who asked: it writes it anew on each request, whatever a client sent."""

STREAM_S = 1.0
"""Seconds that a stream is listened to. Lambda answers whole and each open page follows streams: held for long they would keep as many
functions from all else. The page asks again after as many seconds as the stream says."""


def is_door(event: Event) -> bool:
    """Whether a request came by the console's door."""
    return bool(event.get("requestContext", {}).get("stage") == STAGE)


def entered(scope: Message) -> Message:
    """The request as its browser sent it."""
    known = dict(scope["headers"])
    viewer = known.get(VIEWER.encode(), b"").decode("latin-1").strip()
    own = (KEY, VIEWER.encode())
    headers = [(name, value) for name, value in scope["headers"] if name not in own]
    return {**scope, "headers": headers, "scheme": "https", "client": (viewer or scope["client"][0], 0)}
