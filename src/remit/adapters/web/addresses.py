"""Which addresses may be asked: a strict reading of URLs, and what of the Internet is public.

A URL is taken apart once, by rules narrower than any client's, and put together again from its parts: no two readers of it
can disagree. A host that is a number in any spelling but four plain decimals is refused rather than understood.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import quote, urlsplit

import idna
from msgspec import Struct

from remit.core.errors import ArgumentsError

PORTS = {"http": 80, "https": 443}
MOST_CHARS = 2_048

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\Z")
_NUMBER = re.compile(r"(?:\d+|0x[0-9a-f]*)\Z")
_PORT = re.compile(r"[1-9]\d{0,4}\Z")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\]")
_SAFE = "/!$&'()*+,;=:@~%"

_GLOBAL_V6 = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_ISATAP = (0x00005EFE, 0x02005EFE)
"""The middle of an address that carries an IPv4 one (RFC 5214)."""

_NEVER = [
    ip_network(text)
    for text in """0.0.0.0/8 169.254.0.0/16 224.0.0.0/4 240.0.0.0/4 100.100.100.200/32 168.63.129.16/32
    ::/128 fe80::/10 ff00::/8 fd00:ec2::/32 fd20:ce::/32""".split()  # noqa: SIM905
]
"""No network at all, link-local, multicast, reserved, and where clouds tell machines about themselves."""

_NOT_PUBLIC = [
    ip_network(text)
    for text in """100.64.0.0/10 192.0.0.0/24 192.88.99.0/24 198.18.0.0/15
    2001::/23 2002::/16 3fff::/20""".split()  # noqa: SIM905
]
"""Shared, special or of transition mechanisms (6to4, Teredo): not what `is_global` says of them in every version of Python."""


class Target(Struct, frozen=True):
    """A URL in parts: `host` is an ASCII name or an address without brackets, `path` holds the query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def origin(self) -> str:
        """Scheme, host and port, the port only where it is not the scheme's own."""
        return f"{self.scheme}://{self.netloc}"

    @property
    def netloc(self) -> str:
        """Host and port as the header `Host` has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The whole URL."""
        return self.origin + self.path


def target_of(url: str) -> Target:
    """The parts of an http or https URL, without its fragment. Raises ArgumentsError E920."""
    if len(url) > MOST_CHARS:
        raise refused(url, f"is longer than {MOST_CHARS} characters")
    if _FORBIDDEN.search(url):
        raise refused(url, "holds blanks, control characters or backslashes")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise refused(url, "is no URL") from None
    if parts.scheme not in PORTS:
        raise refused(url, "is neither http nor https")
    if "@" in parts.netloc:
        raise refused(url, "holds a user name or password")
    host, port = _host_and_port(url, parts.netloc)
    path = quote(parts.path or "/", safe=_SAFE)
    query = f"?{quote(parts.query, safe=_SAFE + '?')}" if parts.query else ""
    return Target(parts.scheme, host, port or PORTS[parts.scheme], path + query)


def is_address(host: str) -> bool:
    """Whether a host is an address, and no name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def is_public(address: str) -> bool:
    """Whether an address is one of a single machine of the public Internet, and leads nowhere else by what is embedded in it."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv6Address):
        if ip in _NAT64 or ip.ipv4_mapped:
            return is_public(str(_last_four(ip)))
        if ip.scope_id is not None or ip not in _GLOBAL_V6 or int(ip) >> 32 & 0xFFFFFFFF in _ISATAP:
            return False
    return ip.is_global and not ip.is_multicast and not _within(ip, [*_NEVER, *_NOT_PUBLIC])


def may_be_private(address: str) -> bool:
    """Whether an address may be reached where private networks are allowed: never a cloud's metadata, link-local or multicast."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv6Address):
        if ip.scope_id is not None:
            return False
        if ip in _NAT64 or ip.ipv4_mapped:
            return may_be_private(str(_last_four(ip)))
    return not _within(ip, _NEVER)


def refused(url: str, why: str) -> ArgumentsError:
    """The refusal of an address."""
    return ArgumentsError(
        f"`{shown(url)}` {why}",
        code="E920",
        help="give a full public address, e.g. `https://example.com/page`",
    )


def shown(url: str) -> str:
    """A URL as errors have it: no control characters, no user names, and not too long."""
    plain = "".join(c if c.isprintable() else "?" for c in url)
    head, at, tail = plain.partition("://")
    start = f"{head}{at}" if at else ""
    rest = tail if at else head
    authority, slash, path = rest.partition("/")
    text = start + authority.rpartition("@")[2] + slash + path
    return text if len(text) <= 200 else text[:199] + "…"


def _host_and_port(url: str, netloc: str) -> tuple[str, int]:
    """The host in its one spelling, and the port, 0 where none is named."""
    bracketed = netloc.startswith("[")
    if bracketed:
        host, closed, rest = netloc[1:].partition("]")
        colon, port = rest[:1], rest[1:]
        if not closed or colon not in ("", ":"):
            raise refused(url, "has no valid host")
    else:
        host, colon, port = netloc.partition(":")
    if colon and not (_PORT.match(port) and int(port) < 65_536):
        raise refused(url, "has no valid port")
    return (_v6 if bracketed else _name_or_v4)(url, host), int(port or 0)


def _v6(url: str, host: str) -> str:
    try:
        ip = IPv6Address(host)
    except ValueError:
        raise refused(url, "has no valid host") from None
    if ip.scope_id is not None:
        raise refused(url, "names a zone of this machine")
    return str(ip)


def _name_or_v4(url: str, host: str) -> str:
    if not host or host.endswith(".") or "%" in host:
        raise refused(url, "has no valid host")
    name = host.lower() if host.isascii() else _ascii(url, host)
    labels = name.split(".")
    if _NUMBER.match(labels[-1]):
        return _v4(url, name)
    if len(name) > 253 or not all(map(_LABEL.match, labels)):
        raise refused(url, "has no valid host")
    return name


def _v4(url: str, host: str) -> str:
    """An address in four plain decimals: `127.1`, `0x7f.1`, `017700000001` and `2130706433` are nobody's honest spelling."""
    try:
        return str(IPv4Address(host))
    except ValueError:
        raise refused(url, "has a host in numbers that is not four decimals") from None


def _ascii(url: str, host: str) -> str:
    """An internationalised name as DNS has it (UTS 46), where digits and dots of other scripts become plain ones."""
    try:
        return idna.encode(host, uts46=True).decode()
    except (idna.IDNAError, UnicodeError):
        raise refused(url, "has no valid host") from None


def _last_four(ip: IPv6Address) -> IPv4Address:
    return IPv4Address(int(ip) & 0xFFFFFFFF)


def _within(ip: IPv4Address | IPv6Address, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    return any(ip in network for network in networks)
