"""Connections to Redis, and whether the server is one that keeps a store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from redis import exceptions
from redis.asyncio.connection import Connection, SSLConnection, parse_url

from remit.adapters.store.redis import failures, scripts
from remit.core.errors import ConfigError

Durability = Literal["durable", "stated", "relaxed"]

OLDEST = 7
"""The major version from which a script is refused as a whole when memory is full."""

SYNCED = {"appendfsync": "always", "no-appendfsync-on-rewrite": "no"}
"""With these, and an append-only file, Redis answers a write once it is on disk."""

WHOLE = {"aof-load-truncated": "no"}
"""Else a server that was killed in the middle of a transaction cuts the end off its file, but not all of the
transaction: what is left of it becomes part of the next one. `redis-check-aof --fix` cuts before the transaction."""


class Server:
    """The Redis at a URL. `ca_file` signs its certificate where the machine's authorities do not (`rediss://`)."""

    def __init__(self, url: str, *, timeout_s: float, durability: Durability, ca_file: str = "") -> None:
        try:
            given: dict[str, Any] = dict(parse_url(url))
        except ValueError as error:
            raise ConfigError(
                "the URL of the Redis store cannot be read",
                code="E204",
                help="use redis://USER:PASSWORD@HOST:PORT/DATABASE, or rediss:// for TLS",
            ) from error
        self._durability = durability
        self.kind: type[Connection] = given.pop("connection_class", Connection)
        if ca_file and not issubclass(self.kind, SSLConnection):
            raise ConfigError(
                "an authority is named for a Redis that is not reached over TLS",
                code="E204",
                help="use rediss:// in the URL, or leave out `ca`",
            )
        given.setdefault("host", "localhost")
        given.setdefault("port", 6379)
        self.name = f"{given['host']}:{given['port']}"
        self.arguments: dict[str, Any] = {
            **given,
            **({"ssl_ca_certs": ca_file} if ca_file else {}),
            "protocol": 2,
            "socket_timeout": timeout_s,
            "socket_connect_timeout": timeout_s,
        }

    async def connect(self) -> Connection:
        """A connection to a server that was found fit just now: the one before may have been another, or changed."""
        connection = self.kind(**self.arguments)
        try:
            await connection.connect()  # type: ignore[no-untyped-call]
            await self._check(connection)
            for source in scripts.SOURCES.values():
                await ask(connection, "SCRIPT", "LOAD", source)
        except failures.FAILURES as error:
            await connection.disconnect(nowait=True)
            raise failures.remit_error(error) from error
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        return connection

    async def _check(self, connection: Connection) -> None:
        try:
            about = _about(await ask(connection, "INFO"))
        except exceptions.ResponseError as error:
            raise ConfigError(
                f"Redis at `{self.name}` does not say how it is set up ({error})",
                code="E999",
                help="allow INFO to the user of the store",
            ) from error
        self._check_kind(about)
        if self._durability != "stated":
            await self._check_configuration(connection, about)

    def _check_kind(self, about: Mapping[str, str]) -> None:
        version = about.get("redis_version", "")
        major = version.partition(".")[0]
        if not major.isdigit() or int(major) < OLDEST:
            self._unfit(f"is version `{version}`", f"use version {OLDEST}.0 or later")
        if about.get("redis_mode") == "cluster":
            self._unfit(
                "runs as a cluster", "use one primary: a transaction cannot span the nodes of a cluster"
            )
        policy = about.get("maxmemory_policy", "unknown")
        if policy != "noeviction":
            self._unfit(
                f"throws data away when memory is full (`{policy}`)", "set maxmemory-policy noeviction"
            )

    def _unfit(self, why: str, help: str) -> None:
        raise ConfigError(f"Redis at `{self.name}` {why}", code="E998", help=help)

    async def _check_configuration(self, connection: Connection, about: Mapping[str, str]) -> None:
        log = about.get("aof_enabled") == "1"
        wanted = dict(WHOLE) if log else {}
        if self._durability == "durable":
            wanted |= SYNCED
            if not log:
                self._refuse("appendonly", "no", "yes")
        for name, value in wanted.items():
            try:
                answer = await ask(connection, "CONFIG", "GET", name)
            except exceptions.ResponseError as error:
                raise ConfigError(
                    f"Redis at `{self.name}` does not say whether it keeps what it acknowledges ({error})",
                    code="E999",
                    help="allow CONFIG GET to the user of the store; where CONFIG is forbidden and the operator"
                    " guarantees it, say `?durability=stated` in the URL",
                ) from error
            found = answer[1].decode() if answer else "unknown"
            if found != value:
                self._refuse(name, found, value)

    def _refuse(self, name: str, found: str, wanted: str) -> None:
        if name in WHOLE:
            what, help = "may load half a transaction after a crash", ""
        else:
            what = "acknowledges before it is on disk"
            help = "; to accept the loss of the last moments say `?durability=relaxed` in the URL"
        raise ConfigError(
            f"Redis at `{self.name}` {what}: `{name}` is `{found}`",
            code="E997",
            help=f"set {name} {wanted}{help}",
        )


async def ask(connection: Connection, *command: Any) -> Any:
    """The answer to one command."""
    await connection.send_command(*command, check_health=False)
    return await connection.read_response()


def _about(info: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in info.decode("utf-8", "replace").splitlines())
    return {name: value for name, colon, value in lines if colon}
