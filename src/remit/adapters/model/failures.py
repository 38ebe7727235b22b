"""What went wrong at a provider, as a ModelError that says whether to try again and what to set.

    E601  rate limited                      retryable, `retry_after_s`
    E602  the provider refuses the request  not retryable
    E603  the provider fails                retryable
    E604  the provider cannot be reached    retryable
    E605  an empty answer                   retryable
    E606  a timeout                         retryable
    E607  the answer was cut short          retryable
    E608  the answer is over 8 MB           not retryable
    E609  the answer is not what the provider's API promises   retryable
    E610  credentials or permission         not retryable
    E611  the model is not found            not retryable

Texts quote what a provider said, shortened and with every known or key-like secret removed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from email.utils import parsedate_to_datetime

import msgspec

from remit.core.budget import Usage
from remit.core.errors import ModelError

MAX_ANSWER_BYTES = 8 * 1024 * 1024
"""The largest answer that is read; a larger one is E608."""

_KEY_LIKE = re.compile(
    r"(?i)\b(?:sk|pk|rk|key|gsk|xai)-[\w*.-]{6,}|\b(?:AKIA|ASIA)[A-Z0-9]{12,}|bearer\s+\S+"
)
_NOT_MODEL = re.compile(r"(?i)model identifier is invalid|model .{0,200}(?:not found|does not exist)")
_QUOTA = ("insufficient_quota", "billing", "credit balance")


class SpentError(ModelError):
    """A ModelError that knows what the failed call used: `usage`."""

    usage = Usage()


class Provider(msgspec.Struct, frozen=True):
    """How a provider is named in messages, and the next action for wrong credentials or a wrong model."""

    name: str
    key_help: str
    model_help: str
    secrets: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Provider({self.name!r})"


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """One line of at most 300 characters without the given secrets and without anything that looks like a key."""
    for secret in secrets:
        if len(secret) >= 4:
            text = text.replace(secret, "***")
    text = _KEY_LIKE.sub("***", text)
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= 300 else text[:297] + "..."


def refused(
    who: Provider, status: int, said: str, *, model: str, retry_after_s: float | None = None
) -> ModelError:
    """The error for an HTTP status other than 2xx, or for the status that a provider's error name stands for."""
    text = redact(said, who.secrets)
    said_it = f": {text}" if text else ""
    if status in (401, 403):
        return ModelError(
            f"{who.name} refuses the credentials ({status}){said_it}", code="E610", help=who.key_help
        )
    if status == 404 or (status == 400 and _NOT_MODEL.search(said)):
        return ModelError(
            f"{who.name} does not know the model `{model}` ({status}){said_it}",
            code="E611",
            help=who.model_help,
        )
    if status == 429:
        return _limited(who, text, said_it, retry_after_s)
    if status == 408:
        return timed_out(who, said_it)
    if status >= 500 and status not in (501, 505):
        return ModelError(
            f"{who.name} fails ({status}){said_it}", code="E603", retryable=True, retry_after_s=retry_after_s,
            help="try again later, or give the route a fallback",
        )  # fmt: skip
    if 300 <= status < 400:
        return ModelError(
            f"{who.name} redirects ({status})",
            code="E602",
            help="check `base_url`: redirects are not followed",
        )
    return ModelError(
        f"{who.name} refuses the request ({status}){said_it}",
        code="E602",
        help="change what the message names",
    )


def _limited(who: Provider, text: str, said_it: str, retry_after_s: float | None) -> ModelError:
    if any(word in text for word in _QUOTA):
        return ModelError(
            f"the quota at {who.name} is used up (429){said_it}",
            code="E601",
            help="add credit or use another provider",
        )
    return ModelError(
        f"{who.name} limits the rate (429){said_it}", code="E601", retryable=True, retry_after_s=retry_after_s,
        help="ask less often, raise the quota, or give the route a fallback",
    )  # fmt: skip


def timed_out(who: Provider, detail: str = "") -> ModelError:
    """E606: nothing came in time."""
    return ModelError(
        f"{who.name} did not answer in time{detail}",
        code="E606",
        retryable=True,
        help="raise the route's `timeout_s`",
    )


def unreachable(who: Provider, kind: str) -> ModelError:
    """E604: no connection. `kind` is the name of the client's exception, never its text."""
    return ModelError(
        f"{who.name} cannot be reached (`{kind}`)", code="E604", retryable=True,
        help="check `base_url` or `endpoint_url` and the network",
    )  # fmt: skip


def cut_short(who: Provider, detail: str = "", usage: Usage | None = None) -> ModelError:
    """E607: the stream or body ended before the answer did; `usage` is what is known to have been used."""
    error = SpentError(
        f"the answer of {who.name} was cut short{detail}", code="E607", retryable=True, help="ask again"
    )
    error.usage = usage or Usage()
    return error


def too_large(who: Provider) -> ModelError:
    """E608: over `MAX_ANSWER_BYTES`."""
    return ModelError(
        f"the answer of {who.name} is larger than 8 MB",
        code="E608",
        help="lower `max_tokens`, or check `base_url`",
    )


def not_understood(who: Provider, detail: str) -> ModelError:
    """E609: not the JSON that the API promises. `detail` is ours or redacted here."""
    return ModelError(
        f"the answer of {who.name} is not understood: {redact(detail, who.secrets)}", code="E609", retryable=True,
        help="check that `base_url` speaks this API",
    )  # fmt: skip


def empty(who: Provider, usage: Usage, *, cut: bool) -> ModelError:
    """E605: no text and no tool call. With `cut`, `max_tokens` left no room for any, so asking again is no use."""
    error = SpentError(
        f"the answer of {who.name} is empty", code="E605", retryable=not cut,
        help="raise `max_tokens`" if cut else "ask again",
    )  # fmt: skip
    error.usage = usage
    return error


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that `retry-after-ms` or `Retry-After` (seconds or a date) asks for; never negative.

    A date is taken relative to the answer's own `Date`, so a wrong local clock does no harm.
    """
    low = {name.lower(): value for name, value in headers.items()}
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        seconds = _number(low.get(name, ""))
        if seconds is not None:
            return seconds * scale
    try:
        until, now = (parsedate_to_datetime(low[name]) for name in ("retry-after", "date"))
        return max(0.0, (until - now).total_seconds())
    except (KeyError, ValueError, TypeError):
        return None


def _number(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None
