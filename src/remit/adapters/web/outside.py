"""Requests to the addresses that a deployment allows, with secrets that only their own addresses are given."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import unquote

from msgspec import Struct

from remit.adapters.web.addresses import Target, shown, target_of
from remit.adapters.web.text import decoded, media_type_of
from remit.adapters.web.wire import Answer, Broken, Wire
from remit.core.errors import ArgumentsError, ConfigError
from remit.ports.secrets import Secrets
from remit.ports.web import Reply

READS = ("GET", "HEAD")
METHODS = (*READS, "POST", "PUT", "PATCH", "DELETE")

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}\Z")
_VALUE = re.compile(r"[\x20-\x7e]{0,4096}\Z")
_SECRET = re.compile(r"\$\{secret:([A-Za-z][A-Za-z0-9_]*)\}")
_OURS = frozenset(
    """host content-length transfer-encoding connection keep-alive te trailer upgrade expect proxy-authorization
    proxy-connection accept-encoding user-agent forwarded x-forwarded-for x-forwarded-host x-forwarded-proto x-real-ip
    idempotency-key""".split()  # noqa: SIM905
)
"""Headers that a request makes by itself, or that speak for somebody else."""

_CREDENTIALS = ("authorization", "cookie")
_TOLD = frozenset(
    """content-type content-language date etag last-modified link location retry-after x-request-id x-total-count
    ratelimit ratelimit-remaining ratelimit-reset x-ratelimit-remaining x-ratelimit-reset""".split()  # noqa: SIM905
)
"""Headers of an answer that are passed on: none that sets a cookie or carries a credential."""


class Prefix(Struct, frozen=True):
    """An origin and the start of a path, as settings name them, e.g. `https://api.example.com/v1/`."""

    origin: str
    path: str

    def covers(self, target: Target) -> bool:
        """Whether an address is below: the path is the same or goes on behind a slash."""
        path = target.path.partition("?")[0]
        base = self.path.rstrip("/")
        return target.origin == self.origin and (path in (base, self.path) or path.startswith(base + "/"))


class AllowedOutside:
    """`ports.web.Outside` for one tenant.

    `allow` are addresses as `web.http_allow` has them, `secrets_for` the addresses that each secret may be sent to.
    """

    def __init__(
        self,
        allow: Sequence[str],
        secrets: Secrets,
        *,
        secrets_for: Mapping[str, Sequence[str]] | None = None,
        wire: Wire | None = None,
    ) -> None:
        self._allow = tuple(map(prefix_of, allow))
        self._secrets = secrets
        self._secrets_for = {name: tuple(map(prefix_of, to)) for name, to in (secrets_for or {}).items()}
        self._wire = wire or Wire(ports=None)

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        idempotency_key: str = "",
    ) -> Reply:
        """Send a request; a redirect is an answer like any other.

        Raises ArgumentsError for what is not allowed (E927) and when it did not arrive (E920, E921). When the exchange broke
        off on the way, reading raises ArgumentsError E921, anything else Broken: nobody knows.
        """
        if method not in METHODS:
            raise _not_allowed(f"the method `{method[:20]}` is not known", f"use one of {', '.join(METHODS)}")
        target = self._checked(url)
        given = self._headers(headers or {}, target)
        if idempotency_key and method not in READS:
            given["Idempotency-Key"] = idempotency_key
        try:
            return _reply(await self._wire.send(method, target, given, body))
        except Broken as error:
            if method not in READS:
                raise
            raise ArgumentsError(str(error), code="E921", help="try again later", retryable=True) from None

    def _checked(self, url: str) -> Target:
        target = target_of(url)
        _check_path(target)
        if not any(prefix.covers(target) for prefix in self._allow):
            known = ", ".join(f"`{prefix.origin}{prefix.path}`" for prefix in self._allow) or "none"
            raise _not_allowed(
                f"`{shown(url)}` is not allowed",
                f"allowed are: {known}; `web.http_allow` in remit.toml says so",
            )
        return target

    def _headers(self, headers: Mapping[str, str], target: Target) -> dict[str, str]:
        given: dict[str, str] = {}
        for name, value in headers.items():
            low = name.lower()
            if not _TOKEN.match(name) or not _VALUE.match(value) or low in _OURS or low in given:
                raise _not_allowed(f"the header `{shown(name)[:60]}` cannot be given", "leave it out")
            if low in _CREDENTIALS and not _SECRET.search(value):
                raise _not_allowed(
                    f"the header `{name}` needs a secret", "write e.g. `Bearer ${secret:NAME}`"
                )
            given[low] = _SECRET.sub(lambda found: self._secret(found[1], target), value)
        return given

    def _secret(self, name: str, target: Target) -> str:
        """The value of a secret, for an address that it is meant for."""
        if not any(prefix.covers(target) for prefix in self._secrets_for.get(name, ())):
            raise ArgumentsError(
                f"secret `{name}` may not be sent to `{target.netloc}`",
                code="E927",
                help=f"name the address under `{name}` of `[web.http_secrets]` in remit.toml",
            )
        value = self._secrets.get(name)
        if not _VALUE.match(value):
            raise ConfigError(
                f"secret `{name}` cannot stand in a header",
                code="E927",
                help="it must be a line of plain ASCII",
            )
        return value


def prefix_of(address: str) -> Prefix:
    """An allowed address in parts. Raises ConfigError E927."""
    try:
        target = target_of(address)
        _check_path(target)
    except ArgumentsError as error:
        raise _no_prefix(address) from error
    if "?" in target.path or "#" in address:
        raise _no_prefix(address)
    return Prefix(target.origin, target.path)


def _no_prefix(address: str) -> ConfigError:
    return ConfigError(
        f"`{shown(address)}` of `web.http_allow` or `web.http_secrets` is no origin with a path",
        code="E927",
        help="write e.g. `https://api.example.com/v1/`",
    )


def _check_path(target: Target) -> None:
    """A path has one reading: what a server may undo, so that it is another path, is refused."""
    path = target.path.partition("?")[0]
    plain = unquote(path)
    steps = plain.split("/")[1:]
    if (
        "%2f" in path.lower()
        or "%" in plain
        or "\\" in plain
        or ";" in plain
        or "//" in plain
        or not plain.isprintable()
    ):
        raise _not_allowed(
            f"`{shown(target.url)}` hides its path", "write the path without encoded slashes, `;` or `//`"
        )
    if any(step in (".", "..") for step in steps):
        raise _not_allowed(f"`{shown(target.url)}` climbs", "write the path without `.` and `..`")


def _reply(answer: Answer) -> Reply:
    told = {name: value for name, value in answer.headers.items() if name in _TOLD}
    _, charset = media_type_of(answer.headers.get("content-type", ""))
    return Reply(answer.status, told, decoded(answer.body, charset), answer.truncated)


def _not_allowed(what: str, help: str) -> ArgumentsError:
    return ArgumentsError(what, code="E927", help=help)
