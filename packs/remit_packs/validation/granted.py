"""Which sources a tenant may name: none that are read with the rights of the server itself."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from remit.sdk import Table
from remit_packs.validation.engines.errors import SourceError

OWNER = "local"
"""The tenant of whoever runs this Remit: what the server may read is theirs."""
SERVERS_FILES = ("file", "sqlite", "duckdb")


def granted(table: Table, tenant_id: str) -> Table:
    """The table, if this tenant may name its source. Raises SourceError E574.

    Files of the server, its databases among them, and its own AWS account are for tenant `local` only: else every tenant
    could read what all others keep there. A database asks for a login of its own.
    """
    if tenant_id == OWNER:
        return table
    if table.source in SERVERS_FILES or _scheme(table.location) in SERVERS_FILES:
        raise _refused(table, tenant_id, "is a file of the server")
    if table.source in ("s3", "athena") and not _own_keys(table.location):
        raise _refused(table, tenant_id, "would be read with the AWS rights of the server")
    return table


def _own_keys(location: str) -> bool:
    try:
        options = dict(parse_qsl(urlsplit(location).query, keep_blank_values=True))
    except ValueError:
        return False
    own = options.get("access_key") and options.get("secret_key")
    return bool(own) or options.get("anonymous") == "true"


def _scheme(location: str) -> str:
    """The database of a URL, without its driver: `sqlite+pysqlite://` is `sqlite`."""
    return location.partition(":")[0].partition("+")[0].lower()


def _refused(table: Table, tenant_id: str, why: str) -> SourceError:
    return SourceError(
        f"tenant `{tenant_id}` may not read `{table.location}`: it {why}",
        code="E574",
        help="name a database with a login of its own, or S3 with `?access_key=...&secret_key=${secret:NAME}`",
    )
