"""One HTTP exchange with an address that was checked: resolved once, connected to as resolved, bounded in time and bytes.

Nothing is taken from the environment (no proxy, no .netrc), no cookie is kept, no redirect followed; TLS is verified for the name.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import cache, cached_property
from importlib import metadata
from ssl import SSLContext
from typing import TYPE_CHECKING

from msgspec import Struct

from remit.adapters.web.addresses import PORTS, Target, is_address, is_public, may_be_private, refused
from remit.adapters.web.body import Body
from remit.core.errors import ArgumentsError

if TYPE_CHECKING:
    import httpx

TIMEOUT_S = 20.0
CONNECT_S = 5.0
MOST_BYTES = 5 * 2**20
_TRIES = 3
"""Addresses of one name that are tried."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a name. Raises OSError when there are none."""


class Answer(Struct, frozen=True):
    """What came back. `headers` by lower-case name; `body` unpacked, and cut where it was longer than allowed."""

    status: int
    headers: dict[str, str]
    body: bytes
    truncated: bool = False


class Broken(ConnectionError):
    """The exchange broke off after it had begun: the request may have arrived."""


class Wire:
    """Sends requests to public addresses.

    `private` allows addresses of private networks, `reachable` single ones (address and port), whatever they are; `ports` are
    allowed besides those of `reachable`, any when None. `tls` verifies servers, by default against the usual authorities.
    """

    def __init__(
        self,
        *,
        private: bool = False,
        reachable: Collection[tuple[str, int]] = (),
        ports: Collection[int] | None = frozenset(PORTS.values()),
        timeout_s: float = TIMEOUT_S,
        max_bytes: int = MOST_BYTES,
        resolve: Resolve | None = None,
        tls: SSLContext | None = None,
    ) -> None:
        self._allowed = may_be_private if private else is_public
        self._reachable = frozenset(reachable)
        self._ports = ports
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes
        self._resolve = resolve or _resolve
        self._given_tls = tls

    async def send(
        self, method: str, target: Target, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        """Send a request and read the answer.

        Raises ArgumentsError when nothing was sent (E920 refused, E921 not reached), and Broken afterwards.
        """
        begun = False
        try:
            async with asyncio.timeout(self._timeout_s):
                addresses = await self._checked(target)
                begun = True
                return await self._first(addresses, method, target, headers or {}, body)
        except TimeoutError:
            if not begun:
                raise _unreached(target, f"no answer within {self._timeout_s:g} s") from None
            raise Broken(f"`{target.netloc}` took longer than {self._timeout_s:g} s") from None

    async def _checked(self, target: Target) -> list[str]:
        """The addresses of a target. One that may not be reached spoils them all: somebody is playing with names."""
        found = [target.host] if is_address(target.host) else await self._looked_up(target)
        for address in found:
            if (address, target.port) in self._reachable:
                continue
            if not self._allowed(address):
                raise refused(target.url, "is an address of a private network or of no single machine")
            if self._ports is not None and target.port not in self._ports:
                raise refused(target.url, f"has port {target.port}, which is not one of the web")
        return found[:_TRIES]

    async def _looked_up(self, target: Target) -> list[str]:
        try:
            found = list(dict.fromkeys(await self._resolve(target.host, target.port)))
        except (OSError, UnicodeError):
            found = []
        if not found:
            raise _unreached(target, "no such host", again=False)
        return found

    async def _first(
        self, addresses: Sequence[str], method: str, target: Target, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        """The answer of the first address that takes a connection."""
        import httpx

        failure: Exception | None = None
        for address in addresses:
            try:
                return await self._exchange(address, method, target, headers, body)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = error
            except httpx.HTTPError as error:
                # The text of these may hold the URL, and a header.
                raise Broken(f"`{target.netloc}` broke off ({type(error).__name__})") from None
        if "CERTIFICATE_VERIFY_FAILED" in str(failure):
            raise _unreached(target, "its certificate is not valid", again=False)
        raise _unreached(target, "no connection")

    async def _exchange(
        self, address: str, method: str, target: Target, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        import httpx

        url = httpx.URL(
            scheme=target.scheme, host=address, port=target.port, raw_path=target.path.encode("ascii")
        )
        given = {
            "User-Agent": _agent(),
            "Accept-Encoding": "gzip",
            **headers,
            "Host": target.netloc,
        }
        limits = httpx.Timeout(self._timeout_s, connect=CONNECT_S).as_dict()
        extensions = {"sni_hostname": target.host, "timeout": limits}
        request = httpx.Request(method, url, headers=given, content=body or None, extensions=extensions)
        # Not a client: that would have cookies, and read where a redirect leads.
        # Authorities take 30 ms to load, and without TLS there is nothing to verify.
        tls = self._tls if target.scheme == "https" else False
        async with httpx.AsyncHTTPTransport(verify=tls, trust_env=False) as transport:
            response = await transport.handle_async_request(request)
            try:
                return await self._read(response, target)
            finally:
                await response.aclose()

    async def _read(self, response: httpx.Response, target: Target) -> Answer:
        """The answer, as much of it as is allowed."""
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("identity", "gzip", "x-gzip", ""):
            raise Broken(f"`{target.netloc}` packs its answer as `{encoding[:40]}`, which was not asked for")
        body = Body(self._max_bytes, packed="gzip" in encoding)
        async for chunk in response.aiter_raw():
            try:
                body.add(chunk)
            except ValueError as error:
                raise Broken(f"the answer of `{target.netloc}` {error}") from None
            if body.truncated:
                break
        if not body.is_whole:
            raise Broken(f"the answer of `{target.netloc}` is damaged")
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, headers, bytes(body.data), body.truncated)

    @cached_property
    def _tls(self) -> SSLContext:
        import httpx

        return self._given_tls or httpx.create_ssl_context(trust_env=False)


@cache
def _agent() -> str:
    return f"remit/{metadata.version('remit')}"


async def _resolve(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(info[4][0]) for info in found]


def _unreached(target: Target, why: str, *, again: bool = True) -> ArgumentsError:
    return ArgumentsError(
        f"`{target.netloc}` cannot be reached ({why})",
        code="E921",
        help="check the address, or use another one",
        retryable=again,
    )
