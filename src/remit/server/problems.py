"""Every failure as `application/problem+json` (RFC 9457), with a stable code and what to do next."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from remit.core.codec import encode
from remit.core.errors import RemitError
from remit.server.details import MEDIA_TYPE, ProblemDetails, details, internal, problem

log = logging.getLogger("remit.server")

_HTTP_CODES = {404: "E104", 405: "E111", 400: "E112"}

_HELP = {
    404: "see /openapi.json for what there is",
    405: "the `Allow` header names the methods of this address",
}


def respond(found: ProblemDetails, headers: dict[str, str] | None = None) -> Response:
    """The problem as a response."""
    extra = dict(headers or {})
    if found.status == 401:
        extra["WWW-Authenticate"] = 'Bearer realm="remit"'
    if found.status in (429, 503):
        extra.setdefault("Retry-After", "5")
    return Response(encode(found), found.status, extra, MEDIA_TYPE)


async def on_remit_error(request: Request, error: Exception) -> Response:
    """An error raised on purpose."""
    if not isinstance(error, RemitError):
        return respond(internal())
    found = details(error)
    if found.status >= 500:
        log.error("%s %s: %s", request.method, request.url.path, error, extra={"code": error.code})
    return respond(internal() if found.status == 500 else found)


async def on_http_error(_: Request, error: Exception) -> Response:
    """An error that the framework found: unknown address, wrong method."""
    if not isinstance(error, HTTPException):
        return respond(internal())
    code = _HTTP_CODES.get(error.status_code, "E112")
    text = str(error.detail).lower()
    found = problem(error.status_code, str(error.detail), code, text, _HELP.get(error.status_code, ""))
    return respond(found, dict(error.headers or {}))


async def on_invalid(_: Request, error: Exception) -> Response:
    """Parameters that do not fit; what was sent is not repeated."""
    mistakes = error.errors() if isinstance(error, RequestValidationError) else ()
    text = "; ".join(_mistakes(mistakes)) or "the request does not fit"
    return respond(problem(422, "Invalid input", "E102", text, "see /openapi.json for what is expected"))


async def on_unknown(request: Request, error: Exception) -> Response:
    """An exception that nobody foresaw. It is logged, and its text is not shown."""
    log.error("%s %s failed", request.method, request.url.path, exc_info=error, extra={"code": "E900"})
    return respond(internal())


def install(api: FastAPI) -> None:
    """Answer every failure of `api` with a problem."""
    api.add_exception_handler(RemitError, on_remit_error)
    api.add_exception_handler(HTTPException, on_http_error)
    api.add_exception_handler(RequestValidationError, on_invalid)
    api.add_exception_handler(Exception, on_unknown)


def _mistakes(errors: Iterable[dict[str, object]]) -> list[str]:
    found = []
    for error in errors:
        place = error.get("loc", ())
        where = ".".join(str(part) for part in place) if isinstance(place, tuple | list) else str(place)
        found.append(f"`{where}`: {str(error.get('msg', 'does not fit')).lower()}")
    return found
