"""Sockets that a server listens on."""

from __future__ import annotations

import socket

import pytest

from remit.core.errors import ConfigError
from remit.server.listening import listen


def test_a_name_of_this_machine_is_listened_on_at_all_its_addresses() -> None:
    """Those that there are here; a client is taken before anybody answers it."""
    port = _free_port()
    sockets = listen("localhost", port)
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            pass
        with pytest.raises(ConfigError, match="E1091"):
            listen("127.0.0.1", port)
    finally:
        for each in sockets:
            each.close()


@pytest.mark.parametrize(
    ("host", "port", "told"),
    [
        ("127.0.0.1", 99_999, "[E1092] `99999` is no port"),
        ("127.0.0.1", -1, "[E1092] `-1` is no port"),
        ("192.0.2.1", 8700, "[E1093] `192.0.2.1` cannot be listened on"),
        ("no host", 8700, "[E1093] `no host` cannot be listened on"),
        ("x" * 300, 8700, "[E1093] `xxx"),
    ],
)
def test_what_cannot_be_listened_on_is_told(host: str, port: int, told: str) -> None:
    """A code, and what to do instead."""
    with pytest.raises(ConfigError) as refused:
        listen(host, port)
    assert str(refused.value).startswith(told)
    assert refused.value.help


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
