"""OpenAPI 3.1 made from the core Structs, and the few helpers that keep endpoints short."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import Depends, FastAPI, Query, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import Response
from msgspec import Struct

from remit import __version__
from remit.core.agent import AgentSpec
from remit.core.approval import Approval
from remit.core.codec import convert, decode, encode
from remit.core.errors import InputError
from remit.core.records import AgentRun
from remit.core.view import EventView
from remit.core.words import closest
from remit.engine.keys import Identity
from remit.server.auth import needs
from remit.server.details import MEDIA_TYPE, BadRequestError, MediaTypeError, ProblemDetails, TooLargeError

T = TypeVar("T")

MAX_BODY = 1_048_576
"""Bytes of a request body that are read before it is refused with 413."""

JSON = "application/json"
REFERENCE = "#/components/schemas/{name}"

Limit = Annotated[int, Query(ge=1, le=200, description="How many items at most.")]
Cursor = Annotated[str | None, Query(max_length=2000, description="The `cursor` of the page before.")]

PUBLIC = ""
"""The scope of an operation that needs no key."""

FROM_THE_KEY = ("tenant_id", "actor_context")
"""Fields that a body may repeat but never decide."""

REFUSALS = {
    400: "The request cannot be understood.",
    401: "No valid API key.",
    403: "The key's roles, or policy, refuse.",
    404: "There is no such thing for this tenant.",
    409: "Somebody else was first; read again and decide again.",
    413: "The body is longer than 1 MB.",
    415: "The body is not JSON.",
    422: "The input does not fit.",
    429: "A budget is used up, or too many attempts failed.",
    500: "The server failed.",
    503: "The store is not available; nothing was done.",
}
"""What every refusal means, by status; the body is always a problem."""

_ALWAYS = (401, 403, 422, 500, 503)
_WITH_BODY = (400, 413, 415)


class RunPage(Struct, frozen=True):
    """A page of runs, newest first; `cursor` of the next page, or null at the end."""

    items: list[AgentRun]
    cursor: str | None = None


class ApprovalPage(Struct, frozen=True):
    """A page of approvals; `cursor` of the next page, or null at the end."""

    items: list[Approval]
    cursor: str | None = None


class AgentPage(Struct, frozen=True):
    """A page of agents by name; `cursor` of the next page, or null at the end."""

    items: list[AgentSpec]
    cursor: str | None = None


class EventPage(Struct, frozen=True):
    """Events in order. `cursor` is the last seq as text: pass it as `after` for what follows; null when none came."""

    items: list[EventView]
    cursor: str | None = None


def operation(
    scope: str | tuple[str, ...],
    answers: Mapping[int, tuple[type[Any] | None, str]],
    *,
    body: type[Any] | None = None,
    body_required: bool = True,
    refusals: Sequence[int] = (),
    links: Mapping[str, Any] | None = None,
    media: Mapping[int, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """The scopes one operation needs, all of them, and what OpenAPI says of it, as arguments of a route decorator.

    `answers` maps a status to the type of its body and a sentence; `refusals` adds to those every operation has;
    `media` gives other representations of an answer. The scopes are published as `x-remit-scope`.
    """
    scopes = [scope] if isinstance(scope, str) else list(scope)
    scopes = [name for name in scopes if name]
    responses = {status: _answer(kind, text, links) for status, (kind, text) in answers.items()}
    for status, more in (media or {}).items():
        responses[status].setdefault("content", {}).update(more)
    wanted = {*(_ALWAYS if scopes else ()), *(_WITH_BODY if body else ()), *refusals}
    responses.update({status: _refusal(status) for status in sorted(wanted)})
    extra: dict[str, Any] = {"x-remit-scope": scopes}
    extra["security"] = [{"bearer": []}, {"key": []}] if scopes else []
    if body is not None:
        content = {JSON: {"schema": _reference(body)}}
        extra["requestBody"] = {"required": body_required, "content": content}
    return {
        "status_code": min(answers),
        "responses": responses,
        "openapi_extra": extra,
        "response_class": Response,
        "dependencies": [
            *(Depends(needs(name)) for name in scopes),
            *([Depends(only_known)] if scopes else []),
        ],
    }


async def only_known(request: Request) -> None:
    """Refuse a query with a parameter that the operation does not have: a filter misspelt would show everything.

    Raises InputError E1113.
    """
    if not request.scope["query_string"]:
        return
    known = [parameter.alias for parameter in request.scope["route"].dependant.query_params]
    if unknown := sorted(set(request.query_params) - set(known)):
        raise InputError(
            f"`{unknown[0][:100]}` is no parameter of this operation",
            code="E1113",
            help=f"its parameters: {closest(unknown[0], known, 40)}",
        )


async def read(request: Request, type: type[T], who: Identity) -> T:
    """The body as a typed value. An empty one counts as `{}`.

    Tenant and actor come from the key: a body that names the same ones is accepted, one that names others is refused.
    Raises InputError, BadRequestError, MediaTypeError, TooLargeError.
    """
    raw = await _object(request)
    _refuse_forged(raw, who)
    mine = {name: value for name, value in raw.items() if name not in FROM_THE_KEY}
    unknown = sorted(set(mine) - set(getattr(type, "__struct_fields__", mine)))
    if unknown:
        raise InputError(
            f"`{unknown[0][:100]}` is no field of `{type.__name__}`", code="E102", help="see /openapi.json"
        )
    return convert(mine, type)


def reply(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A value as JSON."""
    return Response(encode(value), status, dict(headers or {}), JSON)


def document(api: FastAPI, components: Sequence[type[Any]]) -> dict[str, Any]:
    """The OpenAPI 3.1 document of `api`, with the schemas of `components` and of everything they use."""
    made = get_openapi(
        title="Remit",
        version=__version__,
        openapi_version="3.1.0",
        summary="Governed agents that run durably.",
        description="Failures are `application/problem+json`. The tenant comes from the API key, never from a body.",
        routes=api.routes,
    )
    _, schemas = msgspec.json.schema_components([ProblemDetails, *components], ref_template=REFERENCE)
    made["components"] = {
        "schemas": dict(sorted(schemas.items())),
        "securitySchemes": {
            "bearer": {"type": "http", "scheme": "bearer", "description": "An API key: `remit_...`."},
            "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        },
    }
    return made


def _answer(kind: type[Any] | None, text: str, links: Mapping[str, Any] | None) -> dict[str, Any]:
    made: dict[str, Any] = {"description": text}
    if kind is not None:
        made["content"] = {JSON: {"schema": _reference(kind)}}
    if links and kind is not None:
        made["links"] = dict(links)
    return made


def _refusal(status: int) -> dict[str, Any]:
    return {"description": REFUSALS[status], "content": {MEDIA_TYPE: {"schema": _reference(ProblemDetails)}}}


_made: dict[type[Any], dict[str, Any]] = {}
"""Schemas of types, made once each: all that one refers to is looked through for it, and every operation has the same refusals."""


def _reference(kind: type[Any]) -> dict[str, Any]:
    if kind not in _made:
        (_made[kind],), _ = msgspec.json.schema_components([kind], ref_template=REFERENCE)
    return _made[kind]


async def read_json(request: Request) -> Any:
    """The body as JSON; None for an empty one. Raises BadRequestError, MediaTypeError, TooLargeError."""
    media = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    body = await body_bytes(request)
    if not body:
        return None
    if media != JSON and not media.endswith("+json"):
        raise MediaTypeError(f"the body is `{media[:100]}`", help=f"send JSON as `Content-Type: {JSON}`")
    try:
        return decode(body, object)
    except InputError as error:
        raise BadRequestError("the body is not JSON", help="check it with a JSON parser") from error


async def _object(request: Request) -> dict[str, Any]:
    raw = await read_json(request)
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise InputError("the body is no JSON object", code="E102", help="send `{...}`")
    return raw


async def body_bytes(request: Request) -> bytes:
    """The body. Raises TooLargeError."""
    declared = request.headers.get("content-length", "")
    body = bytearray()
    if not (declared.isdigit() and int(declared) > MAX_BODY):
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY:
                break
        else:
            return bytes(body)
    raise TooLargeError(f"the body is longer than {MAX_BODY} bytes", help="pass large content as an artifact")


def _refuse_forged(raw: Mapping[str, Any], who: Identity) -> None:
    actor = raw.get("actor_context") or {}
    claims = {
        "tenant_id": (raw.get("tenant_id", who.tenant_id), who.tenant_id),
        "actor_context": (type(actor), dict),
    }
    if isinstance(actor, dict):
        claims["actor_context.actor_id"] = (actor.get("actor_id", who.actor.actor_id), who.actor.actor_id)
        claims["actor_context.roles"] = (actor.get("roles", list(who.actor.roles)), list(who.actor.roles))
    for name, (said, proved) in claims.items():
        if said != proved:
            raise InputError(
                f"`{name}` of the body is not what the API key says",
                code="E105",
                help=f"leave `{name}` out: it always comes from the key",
            )
