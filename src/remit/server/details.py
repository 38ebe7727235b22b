"""What a failure is called over HTTP: problem details (RFC 9457), whatever carries them. Knows no web framework."""

from __future__ import annotations

from msgspec import Struct

from remit.core.errors import (
    BudgetError,
    ConfigError,
    ConflictError,
    DeniedError,
    InputError,
    ModelError,
    NotFoundError,
    RemitError,
    StoreError,
    ToolError,
)

MEDIA_TYPE = "application/problem+json"


class ProblemDetails(Struct, frozen=True):
    """Why a request did not succeed. `code` outlives the text: programs may match it; `help` names the next action."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    help: str = ""


class BadRequestError(InputError):
    """The request cannot be understood: it is not JSON, or not HTTP as agreed."""

    default_code = "E112"


class TooLargeError(InputError):
    """The body is longer than the limit."""

    default_code = "E113"


class MediaTypeError(InputError):
    """The body is of a media type that is not understood."""

    default_code = "E114"


class UnauthenticatedError(DeniedError):
    """No credential, or none that counts."""

    default_code = "E310"


_BY_CODE = {
    "E310": (401, "Not authenticated"),
    "E405": (409, "Already decided"),
    "E1054": (429, "Too many attempts"),
}

_BY_TYPE: tuple[tuple[type[RemitError], int, str], ...] = (
    (BadRequestError, 400, "Bad request"),
    (TooLargeError, 413, "Body too large"),
    (MediaTypeError, 415, "Unsupported media type"),
    (NotFoundError, 404, "Not found"),
    (InputError, 422, "Invalid input"),
    (ConfigError, 422, "Not configured"),
    (DeniedError, 403, "Refused"),
    (ConflictError, 409, "Conflict"),
    (BudgetError, 429, "Budget exceeded"),
    (ModelError, 502, "Model failed"),
    (ToolError, 502, "Tool failed"),
    (StoreError, 503, "Store unavailable"),
)


def details(error: RemitError) -> ProblemDetails:
    """The problem that an error is."""
    status, title = _BY_CODE.get(error.code) or next(
        ((status, title) for kind, status, title in _BY_TYPE if isinstance(error, kind)),
        (500, "Internal error"),
    )
    return problem(status, title, error.code, error.message, error.help)


def problem(status: int, title: str, code: str, detail: str, help: str = "") -> ProblemDetails:
    """A problem under the code's own type URI."""
    return ProblemDetails(f"urn:remit:error:{code}", title, status, detail, code, help)


def internal() -> ProblemDetails:
    """What is said of an unforeseen failure: nothing about the inside."""
    return problem(
        500,
        "Internal error",
        "E900",
        "the server failed",
        "the operator finds the reason in the server's log",
    )
