"""Posting to a URL somebody configured: no redirects, short timeouts, and a clear word on what is surely not there."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from remit.core.errors import ToolError

if TYPE_CHECKING:
    import httpx

TIMEOUT_S = 15.0
UNKNOWN = (408, 502, 504)
"""A proxy gave up: the receiver may have the message."""


class Poster:
    """Posts JSON. With `private` False no address of a private network or of this machine is reached."""

    def __init__(self, *, private: bool = True, timeout_s: float = TIMEOUT_S) -> None:
        self._private = private
        self._timeout_s = timeout_s

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], *, whom: str) -> str:
        """Post; the receipt is the status. `whom` names the receiver in errors, which never hold the URL.

        Raises ToolError when it surely was not accepted, anything else when nobody knows.
        """
        import httpx

        given: dict[str, str] = {**headers}
        extensions: dict[str, str] = {}
        target = httpx.URL(_checked(url, whom))
        if not self._private:
            given["Host"] = target.netloc.decode()
            extensions["sni_hostname"] = target.host
            target = target.copy_with(host=await _public_address(target.host, target.port, whom))
        try:
            async with httpx.AsyncClient(
                timeout=self._timeout_s, follow_redirects=False, trust_env=self._private
            ) as http:
                request = http.build_request(
                    "POST", target, content=body, headers=given, extensions=extensions
                )
                response = await http.send(request, stream=True)
                await response.aclose()
        except (
            httpx.ConnectError,
            httpx.ConnectTimeout,
            httpx.PoolTimeout,
            httpx.UnsupportedProtocol,
        ) as error:
            raise _unreachable(whom, type(error).__name__) from error
        except httpx.HTTPError as error:
            # The text of these may hold the URL, which may be a secret.
            raise ConnectionError(f"{whom} broke off ({type(error).__name__})") from None
        return _receipt(response, whom)


def _checked(url: str, whom: str) -> str:
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and parts.hostname and (parts.port or True)
    except ValueError:
        known = False
    if not known:
        raise ToolError(
            f"the target of {whom} is no http or https URL", code="E626", help="correct its secret"
        )
    return url


def _receipt(response: httpx.Response, whom: str) -> str:
    status = response.status_code
    if 200 <= status < 300:
        return f"HTTP {status}"
    if status in UNKNOWN:
        raise ConnectionError(f"{whom} answered {status}: it may have the message")
    raise ToolError(
        f"{whom} refuses the message (HTTP {status})",
        code="E626",
        help="check its target" if status < 500 and status != 429 else "it is tried again",
        retryable=status == 429 or status >= 500,
    )


def _unreachable(whom: str, why: str) -> ToolError:
    return ToolError(
        f"{whom} cannot be reached ({why})",
        code="E627",
        help="check its target and the network",
        retryable=True,
    )


async def _public_address(host: str, port: int | None, whom: str) -> str:
    """An address of the host. Raises ToolError when any of its addresses is not a public one."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port or 443, type=socket.SOCK_STREAM)
    except OSError as error:
        raise _unreachable(whom, "no such host") from error
    addresses = [str(info[4][0]) for info in found]
    if not addresses or any(not ip_address(address.partition("%")[0]).is_global for address in addresses):
        raise ToolError(
            f"the target of {whom} is an address of a private network",
            code="E628",
            help="set REMIT_NOTIFY_PRIVATE=1 to allow these",
        )
    return addresses[0]
