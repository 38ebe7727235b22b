"""A location in its parts."""

from __future__ import annotations

from msgspec import Struct

from remit_packs.validation.engines.errors import SourceError, unclear


class Address(Struct, frozen=True):
    """A location in its parts, its placeholders filled in. `path` ends in the table; `secrets` are to be hidden.

    `location` is for people and holds no secret; `url` is the whole, which may.
    """

    location: str
    scheme: str
    user: str
    password: str
    host: str
    port: int | None
    path: list[str]
    options: dict[str, str]
    secrets: list[str]
    url: str = ""


def table_of(address: Address) -> tuple[str, str, str]:
    """Database, schema (or empty) and table of `scheme://host/database/schema.table`. Raises SourceError E560."""
    if len(address.path) < 2:
        raise missing_table(address)
    database, name = "/".join(address.path[:-1]), address.path[-1]
    schema, _, table = name.rpartition(".")
    return database, address.options.get("schema", schema), table


def missing_table(address: Address) -> SourceError:
    """The location ends before the table."""
    return unclear(
        address.location, "it names no table", f"write `{address.scheme}://user@host/database/table`"
    )
