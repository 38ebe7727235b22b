"""Sockets that a server listens on, taken before it says that it does."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

from remit.core.errors import ConfigError

BACKLOG = 2048

_NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""One address of several may be missing here: `localhost` has one of IPv6 where there is none."""


def listen(host: str, port: int) -> list[socket.socket]:
    """A listening socket for each address of `host`.

    Raises ConfigError E1091 for a port that somebody else has, E1092 for one that is none or not allowed, E1093 for a host that
    is not of this machine.
    """
    if not 0 < port < 65_536:
        raise ConfigError(
            f"`{port}` is no port", code="E1092", help="choose one from 1 to 65535, e.g. `--port 8701`"
        )
    found: list[socket.socket] = []
    absent = OSError("it has no address")
    for family, address in _addresses(host, port):
        try:
            found.append(_bound(family, address))
        except OSError as error:
            absent = error
            if error.errno not in _NOT_HERE:
                for each in found:
                    each.close()
                raise _told(error, host, port) from error
    if not found:
        raise _told(absent, host, port) from absent
    return found


def _addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, Any]]:
    try:
        known = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise _no_host(host, "it has no address") from error
    return list(dict.fromkeys((family, address) for family, _, _, _, address in known))


def _bound(family: socket.AddressFamily, address: Any) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            # What has just been closed does not hold the port; elsewhere this would let two servers share it.
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
        made.listen(BACKLOG)
        made.setblocking(False)
    except BaseException:
        made.close()
        raise
    return made


def _told(error: OSError, host: str, port: int) -> ConfigError:
    if error.errno == errno.EADDRINUSE:
        return ConfigError(
            f"port {port} of `{host}` is in use",
            code="E1091",
            help=f"by another `remit up`, perhaps; stop it, or choose another port, e.g. `--port {port % 65_535 + 1}`",
        )
    if error.errno == errno.EACCES:
        return ConfigError(
            f"port {port} of `{host}` may not be listened on by this user",
            code="E1092",
            help="choose a port from 1024 on, e.g. `--port 8700`",
        )
    return _no_host(host, (error.strerror or str(error)).lower())


def _no_host(host: str, why: str) -> ConfigError:
    return ConfigError(
        f"`{host[:200]}` cannot be listened on: {why}",
        code="E1093",
        help="give an address of this machine: `--host 127.0.0.1`, or `--host 0.0.0.0` for all of them",
    )
