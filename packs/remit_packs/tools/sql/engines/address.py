"""A database's URL in its parts."""

from __future__ import annotations

from urllib.parse import parse_qsl, unquote, urlsplit

from msgspec import Struct

from remit.sdk import ConfigError


class Address(Struct, frozen=True):
    """Where a database is. `name` is what people call it, and all that an error says of it."""

    name: str
    user: str
    password: str
    host: str
    port: int | None
    path: str
    options: dict[str, str]

    @classmethod
    def of(cls, name: str, url: str) -> Address:
        """The parts of a URL. Raises ConfigError E907 when it is none."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ConfigError(f"the URL of database `{name}` cannot be read", code="E907") from None
        return cls(
            name,
            unquote(parts.username or ""),
            unquote(parts.password or ""),
            unquote(parts.hostname or ""),
            port,
            unquote(parts.path.removeprefix("/")),
            dict(parse_qsl(parts.query, keep_blank_values=True)),
        )
