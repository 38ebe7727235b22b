"""Clients of AWS services, each made once and shared by threads. The AWS adapters are given these.

They are made by botocore: boto3 has the same clients, and loads a hundred modules more, which a function's start would pay.
"""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Callable
from typing import Any

from remit.core.errors import ConfigError
from remit.core.extras import how_to_install

Clients = Callable[..., Any]
"""`clients("dynamodb", attempts=1)` is the client of a service."""

CONNECT_S = 3.0
READ_S = 20.0


class Session:
    """One account and region as this process reaches it, by the credentials that botocore finds (environment, role, profile)."""

    def __init__(self, *, region: str, endpoint_url: str = "") -> None:
        """Raises ConfigError E695 without boto3."""
        if importlib.util.find_spec("boto3") is None:
            raise ConfigError("AWS needs the extra `aws`", code="E695", help=how_to_install("aws"))
        self._region = region
        self._endpoint = endpoint_url
        self._made: dict[tuple[str, int, float], Any] = {}
        self._session: Any = None
        self._lock = threading.Lock()

    def __call__(self, service: str, *, attempts: int = 3, read_s: float = READ_S) -> Any:
        """The client of a service. `attempts`: how often botocore itself sends a request, 1 for never again."""
        import botocore.session
        from botocore.config import Config

        key = (service, attempts, read_s)
        with self._lock:  # a session is not for several threads at once; its clients are
            if self._session is None:
                self._session = botocore.session.Session()
            if key not in self._made:
                config = Config(
                    connect_timeout=CONNECT_S,
                    read_timeout=read_s,
                    max_pool_connections=64,
                    retries={"mode": "standard", "total_max_attempts": attempts},
                )
                self._made[key] = self._session.create_client(
                    service, region_name=self._region, endpoint_url=self._endpoint or None, config=config
                )
            return self._made[key]
