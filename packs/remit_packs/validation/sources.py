"""From a location to an open engine. A location is text without a password: `${secret:NAME}` stands for one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from remit.sdk import Table
from remit_packs.validation.engines.address import Address
from remit_packs.validation.engines.base import Engine
from remit_packs.validation.engines.errors import unclear
from remit_packs.validation.engines.files import FileEngine, Files, format_of, local_files

_SECRET = re.compile(r"\$\{secret:([A-Za-z][A-Za-z0-9_]*)\}")
_LOGIN = re.compile(r"(://[^/?#@:]*):(?!(?:\$\{secret:\w+\})+@|\d{1,5}(?:[/?#]|$)).+@")
_SCHEMES = {
    "s3": "s3",
    "sqlite": "sqlite",
    "duckdb": "duckdb",
    "postgres": "postgres",
    "postgresql": "postgres",
    "mysql": "mysql",
    "mariadb": "mysql",
    "athena": "athena",
    "file": "file",
}
_DATABASE_FILES = {
    ".db": "sqlite",
    ".sqlite": "sqlite",
    ".sqlite3": "sqlite",
    ".duckdb": "duckdb",
    ".ddb": "duckdb",
}


class SecretNames(Protocol):
    """Whatever hands out a secret by its name."""

    def get(self, name: str) -> str:
        """The value. Raises ConfigError."""


def locate(text: str) -> Table:
    """A location as a table that is not registered. Raises SourceError E560 when it cannot be understood."""
    location = text.strip()
    if not location:
        raise unclear(text, "it is empty")
    scheme, separator, _ = location.partition("://")
    if separator:
        kind = _SCHEMES.get(scheme.lower(), scheme.lower().partition("+")[0])
        if kind in ("http", "https", "ftp"):
            raise unclear(_shown(location), "files are read from disk or S3 only", "download it first")
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+_.-]*", scheme):
            raise unclear(_shown(location), "it starts with no known scheme")
        return Table(
            "", kind, location, (format_of(_bare(location)) or "parquet") if kind == "s3" else "table"
        )
    path, separator, table = location.rpartition("::")
    if separator:
        ending = "." + path.rpartition(".")[2].lower()
        kind = _DATABASE_FILES.get(ending, "")
        if not kind or not table:
            raise unclear(
                location, "before `::` stands a .db, .sqlite or .duckdb file", "write `file.db::table`"
            )
        return Table("", kind, location)
    return Table("", "file", location, format_of(location))


def open_engine(
    source: Table | str, secrets: SecretNames | None = None, *, beside: Sequence[Table | str] = ()
) -> Engine:
    """Open a registered table or a location. `beside` are files which this engine's queries shall reach too.

    Raises SourceError; ConfigError when a secret is not set.
    """
    table = _table(source)
    opener = _OPENERS.get(table.source, _open_sqlalchemy)
    return opener(table, secrets, beside)


def _open_files(table: Table, secrets: SecretNames | None, beside: Sequence[Table | str]) -> Engine:
    del secrets
    others = [_local(t) for t in map(_table, beside) if t.source == "file"]
    return FileEngine(_local(table), table.location, beside=others)


def _local(table: Table) -> Files:
    return local_files(table.location.removeprefix("file://"), table.format)


def _table(given: Table | str) -> Table:
    if isinstance(given, str):
        return locate(given)
    in_database = given.source == "file" and "::" in given.location
    return locate(given.location) if in_database else given


def _open_s3(table: Table, secrets: SecretNames | None, beside: Sequence[Table | str]) -> Engine:
    from remit_packs.validation.engines.s3 import open_s3

    others = [_table(t) for t in beside]
    addresses = [address(t.location, secrets) for t in others if t.source == "s3"]
    locals_ = [_local(t) for t in others if t.source == "file"]
    return open_s3(address(table.location, secrets), table.format, addresses, locals_)


def _open_sqlite(table: Table, secrets: SecretNames | None, beside: Sequence[Table | str]) -> Engine:
    from remit_packs.validation.engines.sqlite import SqliteEngine

    path, _, name = database_file(table)
    return SqliteEngine(path, name, table.location)


def _open_duckdb(table: Table, secrets: SecretNames | None, beside: Sequence[Table | str]) -> Engine:
    from remit_packs.validation.engines.duckdb import DuckDbTable

    path, schema, name = database_file(table)
    return DuckDbTable(path, schema, name, table.location)


def _open_postgres(table: Table, secrets: SecretNames | None, beside: Sequence[Table | str]) -> Engine:
    from remit_packs.validation.engines.postgres import PostgresEngine

    return PostgresEngine(address(table.location, secrets))


def _open_mysql(table: Table, secrets: SecretNames | None, beside: Sequence[Table | str]) -> Engine:
    from remit_packs.validation.engines.mysql import MysqlEngine

    return MysqlEngine(address(table.location, secrets))


def _open_athena(table: Table, secrets: SecretNames | None, beside: Sequence[Table | str]) -> Engine:
    from remit_packs.validation.engines.athena import AthenaEngine

    return AthenaEngine(address(table.location, secrets))


def _open_sqlalchemy(table: Table, secrets: SecretNames | None, beside: Sequence[Table | str]) -> Engine:
    from remit_packs.validation.engines.sqlalchemy import SqlAlchemyEngine

    return SqlAlchemyEngine(address(table.location, secrets))


_OPENERS: Mapping[str, Callable[[Table, SecretNames | None, Sequence[Table | str]], Engine]] = {
    "file": _open_files,
    "s3": _open_s3,
    "sqlite": _open_sqlite,
    "duckdb": _open_duckdb,
    "postgres": _open_postgres,
    "mysql": _open_mysql,
    "athena": _open_athena,
}


def database_file(table: Table) -> tuple[str, str, str]:
    """Path, schema (or empty) and table of a database in a file."""
    location = table.location
    if "://" in location:
        path, _, name = location.partition("://")[2].removeprefix("/").rpartition("/")
        if location.partition("://")[2].startswith("//"):
            path = "/" + path.removeprefix("/")
    else:
        path, _, name = location.rpartition("::")
    if not path or not name:
        raise unclear(location, "it names no table", "write `file.db::table`, or `sqlite:///file.db/table`")
    schema, _, bare = unquote(name).rpartition(".") if "://" in location else name.rpartition(".")
    if table.source == "sqlite":
        return path, "", unquote(name) if "://" in location else name
    return path, schema, bare


def address(location: str, secrets: SecretNames | None = None) -> Address:
    """The parts of a URL, with its placeholders filled in. Raises SourceError E560, or ConfigError for a secret."""
    used: list[str] = []

    def fill(text: str) -> str:
        def value(match: re.Match[str]) -> str:
            if secrets is None:
                raise unclear(_shown(location), f"there is no secret `{match[1]}` here")
            used.append(secrets.get(match[1]))
            return used[-1]

        return _SECRET.sub(value, text)

    whole = fill(location) if _SECRET.fullmatch(location.strip()) else location
    try:
        parts = urlsplit(whole)
        port = parts.port
    except ValueError:
        if "[REDACTED" in location:  # a password that stands in a task's input is taken out of it
            why = "a password in it was taken out; write it as ${secret:NAME}"
            raise unclear(_shown(location), why) from None
        raise unclear(_shown(location), "it is no URL") from None
    login, _, _ = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    secret = fill(unquote(password))
    options = {key: fill(value) for key, value in parse_qsl(parts.query, keep_blank_values=True)}
    if parts.fragment:
        options["table"] = fill(unquote(parts.fragment))
    return Address(
        _shown(location),
        parts.scheme.lower(),
        fill(unquote(user)),
        secret,
        fill(unquote(parts.hostname or ""))
        if "${" not in parts.netloc.rpartition("@")[2]
        else fill(parts.netloc.rpartition("@")[2]),
        port,
        [fill(unquote(p)) for p in parts.path.split("/") if p],
        options,
        [*used, *([secret] if secret else [])],
        whole,
    )


def _shown(location: str) -> str:
    """A location for people: without a password that should not be there."""
    bare = _LOGIN.sub(r"\1:***@", location)
    return re.sub(
        r"([?&](?:access_key|secret_key|session_token|(?:ssl)?password|token)=)(?!\$\{)[^&#]*", r"\1***", bare
    )


def _bare(location: str) -> str:
    return location.partition("?")[0]
