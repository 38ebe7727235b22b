"""The broker: sends requests to the platforms of a tenant with short-lived credentials that nobody else sees."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlencode
from weakref import WeakKeyDictionary

import msgspec

from remit.adapters.connections.places import Place
from remit.adapters.connections.tokens import (
    Asked,
    Credential,
    Send,
    Tokens,
    ends_soon,
    refused,
    unreached,
)
from remit.core.errors import ArgumentsError, StoreError, ToolError
from remit.ports.clock import Clock
from remit.ports.connections import PlatformReply, RateLimit, Unclear
from remit.ports.secrets import Secrets
from remit.ports.web import Reply

READ = "GET"
METHODS = (READ, "POST", "PUT", "PATCH", "DELETE")
WAIT_S = 10.0
"""A platform that takes the next request within this time is waited for."""

MOST_HELD = 500
"""Credentials at hand. There is one for each tenant, platform, set of scopes and repository."""

_EXPIRED = frozenset({"token_expired", "invalid_auth", "token_revoked"})
"""What Slack says, with status 200, where others answer 401."""

_TOLD = frozenset(
    """content-type date etag last-modified link location retry-after x-request-id x-total-count
    x-ratelimit-remaining x-ratelimit-reset""".split()  # noqa: SIM905
)
"""Headers of an answer that are passed on: none that sets a cookie or carries a credential."""

_PATH = re.compile(r"(?:/[A-Za-z0-9._~!$'()*+,:@%=-]+)+\Z")

_Key = tuple[str, str, tuple[str, ...], str]


class Broker:
    """The connections of every tenant: credentials are got when they are needed and kept until a minute before they end."""

    def __init__(self, tokens: Tokens, send: Send, clock: Clock) -> None:
        self._tokens = tokens
        self._send = send
        self._clock = clock
        self._held: dict[_Key, Credential] = {}
        self._locks: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, str], asyncio.Lock]]
        self._locks = WeakKeyDictionary()

    def of(self, tenant_id: str, secrets: Secrets, place_of: Callable[[str], Place]) -> TenantConnections:
        """The connections of one tenant, whose `secrets` are its own. `place_of` raises ConfigError E980."""
        return TenantConnections(self, tenant_id, secrets, place_of)

    async def ask(
        self, asked: Asked, method: str, path: str, query: Mapping[str, str | int] | None, json: Any
    ) -> PlatformReply:
        """Send a request; a credential that is refused is replaced once."""
        place = asked.place
        url = place.url + path + (f"?{urlencode(query)}" if query else "")
        headers = {"accept": "application/json", **place.headers}
        body = b""
        if json is not None:
            headers["content-type"], body = "application/json; charset=utf-8", msgspec.json.encode(json)
        reply = await self._once(asked, method, url, headers, body)
        data = _data(reply)
        if _is_refused(reply, data):
            renewed = msgspec.structs.replace(asked, fresh=True)
            reply = await self._once(renewed, method, url, headers, body)
            data = _data(reply)
        if _is_refused(reply, data):
            raise refused(place, "refuses the credential")
        await self._check(place, method, reply)
        if reply.truncated or data is _MALFORMED:
            raise _failed(place, method, "gives an answer that is too large or not JSON")
        told = {name: value for name, value in reply.headers.items() if name in _TOLD}
        return PlatformReply(reply.status, data, told, _rate_limit(reply.headers))

    async def _once(
        self, asked: Asked, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> Reply:
        credential = await self._credential(asked)
        given = {**headers, "authorization": credential.header}
        try:
            return await self._send(asked.place, method, url, given, body)
        except ArgumentsError as error:
            raise unreached(asked.place, error) from None
        except ConnectionError as error:
            if method != READ:
                raise
            raise unreached(asked.place, error) from None

    async def _credential(self, asked: Asked) -> Credential:
        key = _key(asked)
        async with self._lock(asked):
            held = self._held.get(key)
            if held is not None and not asked.fresh and not ends_soon(held.expires_ts, self._clock.now()):
                return held
            try:
                got = await self._tokens.get(asked)
            except StoreError as error:
                raise unreached(asked.place, error) from error
            if got.expires_ts is not None:
                self._keep(key, got)
            return got

    def _lock(self, asked: Asked) -> asyncio.Lock:
        """One at a time gets a credential of a connection; a process may have one event loop after another."""
        locks = self._locks.setdefault(asyncio.get_running_loop(), {})
        return locks.setdefault((asked.tenant_id, asked.place.platform), asyncio.Lock())

    def _keep(self, key: _Key, got: Credential) -> None:
        if len(self._held) >= MOST_HELD:
            self._held.clear()
        self._held[key] = got

    async def _check(self, place: Place, method: str, reply: Reply) -> None:
        """What no tool can do anything about: too many requests, and failures of the platform."""
        wait_s = self._wait_s(reply)
        if wait_s is not None:
            soon = wait_s <= WAIT_S
            if soon:
                await self._clock.sleep(wait_s)
            raise ToolError(
                f"{place.platform} takes no more requests for {wait_s:.0f} s",
                code="E981",
                help="it is tried again" if soon else f"try again in {wait_s:.0f} s",
                retryable=soon,
            )
        if reply.status >= 500:
            raise _failed(place, method, f"answers {reply.status}")

    def _wait_s(self, reply: Reply) -> float | None:
        """For how long a platform takes no requests, in seconds; None when it takes them."""
        headers = reply.headers
        spent = headers.get("x-ratelimit-remaining") == "0" or "retry-after" in headers
        if reply.status != 429 and not (reply.status == 403 and spent):
            return None
        after = _whole(headers.get("retry-after", ""))
        if after is not None:
            return float(after)
        reset_ts = _rate_limit(headers).reset_ts
        return max(0.0, (reset_ts - self._clock.now()) / 1000) if reset_ts is not None else 60.0


class TenantConnections:
    """`ports.connections.Connections` of one tenant."""

    def __init__(
        self, broker: Broker, tenant_id: str, secrets: Secrets, place_of: Callable[[str], Place]
    ) -> None:
        self._broker = broker
        self._tenant_id = tenant_id
        self._secrets = secrets
        self._place_of = place_of

    def url(self, platform: str) -> str:
        """Where a platform is."""
        return self._place_of(platform).url

    def dry_run(self, platform: str) -> bool:
        """Whether nothing may be changed there."""
        return self._place_of(platform).dry_run

    async def request(
        self,
        platform: str,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        json: Any = None,
        scopes: Sequence[str] = (),
        repository: str = "",
    ) -> PlatformReply:
        """Send a request."""
        place = self._place_of(platform)
        check_request(place, method, path)
        _check_scopes(place, scopes)
        asked = Asked(self._tenant_id, place, self._secrets, tuple(sorted(scopes)), repository)
        return await self._broker.ask(asked, method, path, query, json)


def check_request(place: Place, method: str, path: str) -> None:
    """One host, one reading of the path, and nothing but reading in a dry run. Raises ToolError E984."""
    if method not in METHODS:
        raise _not_allowed(f"the method `{method[:20]}` is not known", f"use one of {', '.join(METHODS)}")
    plain = unquote(path)
    climbs = {".", ".."} & set(plain.split("/"))
    if not _PATH.match(path) or "\\" in plain or not plain.isprintable() or climbs:
        raise _not_allowed(
            f"`{path[:100]}` is no path on {place.platform}",
            "percent-encode its parts; leave out `..` and `?`",
        )
    if place.dry_run and method != READ:
        raise _not_allowed(
            f"{place.platform} is connected for dry runs only",
            f"`connections.{place.platform}.dry_run` in remit.toml says so",
        )


def _check_scopes(place: Place, scopes: Sequence[str]) -> None:
    """Writing something includes reading it."""
    if not place.scopes:
        return
    for scope in scopes:
        name, _, level = scope.rpartition(":")
        if scope not in place.scopes and not (level == "read" and f"{name}:write" in place.scopes):
            raise _not_allowed(
                f"{place.platform} is connected without the scope `{scope}`",
                f"add it to `connections.{place.platform}.scopes` in remit.toml",
            )


def _key(asked: Asked) -> _Key:
    """By what a credential is found again: by what it was narrowed to, where that is done."""
    place = asked.place
    narrowed = place.auth == "app" or (place.auth == "client_credentials" and bool(place.scopes))
    scopes = asked.scopes if narrowed else ()
    return asked.tenant_id, place.platform, scopes, asked.repository if place.auth == "app" else ""


_MALFORMED = object()


def _data(reply: Reply) -> Any:
    """The JSON of an answer. An error may be a page for people: then it has none."""
    if not reply.body:
        return None
    try:
        return msgspec.json.decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _MALFORMED if reply.status < 300 else None


def _is_refused(reply: Reply, data: Any) -> bool:
    said = data.get("error") if isinstance(data, dict) and data.get("ok") is False else None
    return reply.status == 401 or (isinstance(said, str) and said in _EXPIRED)


def _rate_limit(headers: Mapping[str, str]) -> RateLimit:
    """GitHub's, ServiceNow's and Jira's headers; the reset is in seconds since 1970, where it is a number."""
    reset = _whole(headers.get("x-ratelimit-reset", ""))
    return RateLimit(
        _whole(headers.get("x-ratelimit-remaining", "")), None if reset is None else reset * 1000
    )


def _whole(text: str) -> int | None:
    """The whole number in a header; None for anything else, such as a date or a thousand digits."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 12 else None


def _failed(place: Place, method: str, what: str) -> Exception:
    """A failure of the platform: for a change nobody knows whether it happened."""
    return unreached(place, f"it {what}") if method == READ else Unclear(f"{place.platform} {what}")


def _not_allowed(what: str, help: str) -> ToolError:
    return ToolError(what, code="E984", help=help)
