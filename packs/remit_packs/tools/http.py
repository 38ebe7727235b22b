"""Requests to the addresses that the deployment allows (`web.http_allow`).

Reading and writing are two tools, since a tool has one risk. `http_request` is a `plain` effect: whether a server honours the
`Idempotency-Key` that it is sent cannot be known here, so a request whose outcome is not known is never sent again by itself.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from remit.sdk import Reply, ToolContext, tool
from remit_packs.tools.facilities import using

MOST_BODY = 100_000

Url = Annotated[
    str, Meta(min_length=1, max_length=2_048, description="An address that the deployment allows.")
]
Headers = Annotated[
    dict[str, str],
    Meta(max_length=30, description="A credential is given by name only: `Bearer ${secret:NAME}`."),
]
Body = Annotated[
    str, Meta(max_length=MOST_BODY, description="Sent as it is; JSON unless `Content-Type` says otherwise.")
]


@tool(trust="untrusted", outward=True, timeout_s=60.0)
async def http_get(
    context: ToolContext,
    url: Url,
    method: Literal["GET", "HEAD"] = "GET",
    headers: Headers = {},  # noqa: B006  (never changed)
) -> Reply:
    """Read from an HTTP API. The answer has its status; a redirect is not followed."""
    with using(context) as facilities:
        return await facilities.outside.request(method, url, headers=headers)


@tool(risk="L2", trust="untrusted", timeout_s=60.0)
async def http_request(
    context: ToolContext,
    method: Literal["POST", "PUT", "PATCH", "DELETE"],
    url: Url,
    headers: Headers = {},  # noqa: B006  (never changed)
    body: Body = "",
) -> Reply:
    """Send to an HTTP API, which changes something there. The answer has its status: 400 and above mean that it was refused."""
    typed = headers if not body or _has_type(headers) else {**headers, "Content-Type": "application/json"}
    with using(context) as facilities:
        return await facilities.outside.request(
            method, url, headers=typed, body=body.encode(), idempotency_key=context.idempotency_key
        )


def _has_type(headers: dict[str, str]) -> bool:
    return any(name.lower() == "content-type" for name in headers)
