"""The table registry (V1): which tables there are, where they live, and who owns them."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import PurePath
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from msgspec import Struct
from msgspec.structs import replace

from remit.core import schedule
from remit.core.codec import convert, plain
from remit.core.errors import ConditionError, ConflictError, InputError, NotFoundError
from remit.core.naming import check_id, ends, own_id, stored_id
from remit.core.redaction import Redactor
from remit.core.task import Actor
from remit.core.validation import Table
from remit.core.words import closest
from remit.engine.trail import RecordChanges, Trail
from remit.ports.clock import Clock
from remit.ports.store import ABSENT, Collection, Delete, Index, Put, Records, Write

TABLE, TABLES = "table", "table_registry"

COLLECTION = Collection(
    TABLES,
    ("table_id",),
    (
        Index("by_tenant", ("tenant_id", "table_id")),
        Index("by_owner", ("tenant_id", "owner", "table_id")),
        Index("by_schedule", ("due", "table_id")),
    ),
)

PAGE = 200
APPLIED = "applied_from"
ATTEMPTS = 5

Several = list[Table]
Writes = list[Write]
Names = list[str]

DIALECTS = "sqlalchemy.dialects"
FORMATS = ("table", "parquet", "csv", "json")

ScheduleWrites = Callable[[str, str, str], Awaitable[list[Write]]]
"""Tenant, table and expression -> the writes that make the table be looked at on that schedule."""

SOURCES = (
    "file",
    "s3",
    "sqlite",
    "duckdb",
    "postgres",
    "mysql",
    "athena",
    "snowflake",
    "bigquery",
    "redshift",
    "trino",
    "databricks",
    "mssql",
    "oracle",
    "clickhouse",
)
"""Where tables may be; besides these wherever an installed driver of SQLAlchemy reaches."""

_SECRET = re.compile(r"\$\{secret:[A-Za-z][A-Za-z0-9_]*\}")
_FILES = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
}
_SCHEMES = {"postgresql": "postgres", "mariadb": "mysql"}
_PASSWORDS = frozenset(
    {"password", "passwd", "pwd", "sslpassword", "token", "secret", "aws_secret_access_key"}
)


class TablePage(Struct, frozen=True):
    """A page of tables by id; `cursor` of the next page, or null at the end."""

    items: list[Table]
    cursor: str | None = None


class Tables:
    """The registered tables of all tenants; every question names its tenant."""

    def __init__(
        self, store: Records, clock: Clock, schedule_writes: ScheduleWrites, redactor: Redactor, trail: Trail
    ) -> None:
        """`redactor` knows the secrets that no table may hold; `trail` keeps who changed which."""
        self._store = store
        self._clock = clock
        self._redactor = redactor
        self._schedule_writes = schedule_writes
        self._trail = trail

    async def put(
        self, tenant_id: str, table: Table, *, actor: Actor, reason: str, applied_from: str | None = None
    ) -> bool:
        """Register a table, or change it; False when it is so already. Raises InputError with every mistake, DeniedError.

        `applied_from` says by what it is kept up to date, which pruning goes by; None leaves that as it is.
        """
        check_table(table)
        self._no_secret(table)
        for _ in range(ATTEMPTS):
            item = await self._store.get(TABLES, (stored_id(tenant_id, table.table_id),))
            known = None if item is None else _table(tenant_id, item)
            created_at = known.created_at if known else self._clock.now()
            wanted = replace(table, schedule=tidy(table.schedule), created_at=created_at)
            made = _item(
                tenant_id, wanted, (item or {}).get(APPLIED, "") if applied_from is None else applied_from
            )
            if made == item:
                return False
            writes = [Put(TABLES, made, item or ABSENT), *await self._scheduled(tenant_id, wanted)]
            if wanted != known:
                writes.append(await self._recorded(tenant_id, known, wanted, actor, reason))
            try:
                await self._store.transact(writes)
            except ConditionError:
                continue
            return wanted != known
        raise _busy(table.table_id)

    async def get(self, tenant_id: str, table_id: str) -> Table:
        """A table. Raises NotFoundError."""
        found = await self.find(tenant_id, table_id)
        if found is None:
            raise NotFoundError(
                f"there is no table `{table_id[:150]}`",
                help="register it: `remit tables add`; `remit tables list`",
            )
        return found

    async def find(self, tenant_id: str, table_id: str) -> Table | None:
        """A table, or None."""
        if len(table_id) > 128:
            return None
        item = await self._store.get(TABLES, (stored_id(tenant_id, check_id("table_id", table_id)),))
        return None if item is None else _table(tenant_id, item)

    async def list(
        self,
        tenant_id: str,
        *,
        owner: str = "",
        prefix: str = "",
        limit: int = 50,
        cursor: str | None = None,
    ) -> TablePage:
        """Tables by id, those of one owner or all, inactive ones too; with `prefix` those whose id begins so."""
        index, equals = ("by_owner", (tenant_id, owner)) if owner else ("by_tenant", (tenant_id,))
        lower = stored_id(tenant_id, prefix) if prefix else None
        page = await self._store.query(
            TABLES, index, equals, lower=lower, upper=lower and ends(lower), limit=limit, cursor=cursor
        )
        return TablePage([_table(tenant_id, item) for item in page.items], page.cursor)

    async def all(self, tenant_id: str, *, owner: str = "") -> Several:
        """Every active table, by id."""
        found: Several = []
        cursor: str | None = None
        while True:
            page = await self.list(tenant_id, owner=owner, limit=PAGE, cursor=cursor)
            found += [table for table in page.items if table.active]
            cursor = page.cursor
            if cursor is None:
                return found

    async def names(self, tenant_id: str, *, applied_from: str = "") -> Names:
        """The ids of all tables, or of those that are kept up to date by `applied_from`."""
        found: Names = []
        cursor: str | None = None
        while True:
            page = await self._store.query(TABLES, "by_tenant", (tenant_id,), limit=PAGE, cursor=cursor)
            found += [
                own_id(tenant_id, item["table_id"])
                for item in page.items
                if not applied_from or item.get(APPLIED) == applied_from
            ]
            cursor = page.cursor
            if cursor is None:
                return found

    async def scheduled(
        self, tenant_id: str, expression: str, *, cursor: str | None = None
    ) -> tuple[Table | None, str | None]:
        """The next active table whose own schedule this is, and where the one after it is found (None: there is none)."""
        page = await self._store.query(
            TABLES, "by_schedule", (due_key(tenant_id, expression),), limit=1, cursor=cursor
        )
        # A schedule may hold a `/`, and so might a tenant's name: the key alone does not tell them apart.
        own = [_table(tenant_id, item) for item in page.items if item["tenant_id"] == tenant_id]
        return own[0] if own else None, page.cursor

    async def remove(self, tenant_id: str, table_id: str, *, actor: Actor, reason: str) -> None:
        """Forget a table; its run log and its changes stay. Whoever removes it has seen to it that no rule needs it.

        Raises NotFoundError, DeniedError, and ConflictError when it is being changed.
        """
        known = await self.get(tenant_id, table_id)
        change = await self._recorded(tenant_id, known, None, actor, reason)
        try:
            await self._store.transact([Delete(TABLES, (stored_id(tenant_id, table_id),)), change])
        except ConditionError as error:
            raise _busy(table_id) from error

    async def changes(
        self, tenant_id: str, table_id: str, *, limit: int = 50, cursor: str | None = None
    ) -> RecordChanges:
        """Who changed a table, when and why, newest first, also of one that was removed. Raises NotFoundError."""
        page = await self._trail.changes(tenant_id, TABLE, table_id, limit=limit, cursor=cursor)
        if not page.items and not cursor:
            await self.get(tenant_id, table_id)
        return page

    async def _recorded(
        self, tenant_id: str, before: Table | None, after: Table | None, actor: Actor, reason: str
    ) -> Put:
        table = after or before
        assert table is not None, "a change is of something"
        return await self._trail.record(
            tenant_id,
            TABLE,
            table.table_id,
            actor=actor,
            reason=reason,
            before=None if before is None else plain(before),
            after=None if after is None else plain(after),
        )

    def _no_secret(self, table: Table) -> None:
        given = plain(table)
        if self._redactor.value(given) is not given:
            raise InputError(
                f"table `{table.table_id}` holds a secret",
                code="E537",
                help="take it out, and write `${secret:NAME}` in its place",
            )

    async def _scheduled(self, tenant_id: str, table: Table) -> Writes:
        if not table.active or not table.schedule:
            return []
        return await self._schedule_writes(tenant_id, table.table_id, table.schedule)


def _busy(table_id: str) -> ConflictError:
    return ConflictError(
        f"table `{table_id}` is being changed by somebody else", code="E531", help="try again"
    )


def described(spec: Mapping[str, Any]) -> Table:
    """A table from what a person wrote; `source` and `format` are taken from the location when they are left out.

    Raises InputError.
    """
    location = spec.get("location")
    guess = guessed(location) if isinstance(location, str) else {"source": ""}
    return convert({**guess, **spec}, Table)


def guessed(location: str) -> dict[str, str]:
    """The `source` and `format` that a location speaks of, as far as it does."""
    scheme, found, rest = location.partition("://")
    path = rest.partition("?")[0] if found else location
    format = _FILES.get(PurePath(path).suffix.lower(), "table")
    if not found:
        return {"source": "file", "format": format}
    scheme = scheme.lower().partition("+")[0]
    in_files = scheme in ("file", "s3")
    return {"source": _SCHEMES.get(scheme, scheme), "format": format if in_files else "table"}


def check_table(table: Table) -> None:
    """Raise InputError that names every mistake in a table."""
    check_id("table_id", table.table_id)
    mistakes = [*_mistakes(table)]
    if mistakes:
        raise InputError(
            f"table `{table.table_id}` cannot be registered: {'; '.join(mistakes)}",
            code="E532",
            help="correct it and try again; nothing was changed",
        )


def check_expression(expression: str) -> str:
    """What is wrong with a schedule, or an empty text. No schedule at all is fine."""
    if not expression:
        return ""
    try:
        schedule.parse(expression)
    except InputError as error:
        return f"schedule: {error.message}"
    return ""


def tidy(expression: str) -> str:
    """A schedule as it is kept: with single spaces, so that what is due together is found together."""
    return " ".join(expression.split())


def due_key(tenant_id: str, expression: str) -> str:
    """What is due together: a tenant's tables or rules of one schedule."""
    return f"{tenant_id}/{tidy(expression)}"


def _mistakes(table: Table) -> list[str]:
    found = [
        _source(table.source),
        "" if table.format in FORMATS else f"`{table.format[:60]}` is no format: {', '.join(FORMATS)}",
        _location(table.location),
        check_expression(table.schedule),
        "" if len(table.owner) <= 200 else "`owner` is longer than 200 characters",
    ]
    return [text for text in found if text]


def _source(source: str) -> str:
    if source in SOURCES:
        return ""
    from importlib.metadata import entry_points

    if source in {dialect.name.partition(".")[0] for dialect in entry_points(group=DIALECTS)}:
        return ""
    return f"`{source[:60]}` is no source that can be read: {closest(source, SOURCES, len(SOURCES))}"


def _location(location: str) -> str:
    if not location or len(location) > 2000 or not location.isprintable():
        return "`location` must be a path or an address of at most 2000 characters"
    try:
        parts = urlsplit(_SECRET.sub("", location))
        password = parts.password
    except ValueError:
        return "`location` is no address"
    held = {name.lower() for name, value in parse_qsl(parts.query) if value}
    if "://" in location and (password or held & _PASSWORDS):
        return "`location` holds a password: write `${secret:NAME}` in its place and set REMIT_SECRET_NAME"
    return ""


def _item(tenant_id: str, table: Table, applied_from: str) -> dict[str, Any]:
    item: dict[str, Any] = plain(table)
    item |= {"tenant_id": tenant_id, "table_id": stored_id(tenant_id, table.table_id)}
    if table.active and table.schedule:
        item["due"] = due_key(tenant_id, table.schedule)
    return item | ({APPLIED: applied_from} if applied_from else {})


def _table(tenant_id: str, item: Mapping[str, Any]) -> Table:
    fields = {name: item[name] for name in Table.__struct_fields__ if name in item}
    return convert(fields | {"table_id": own_id(tenant_id, item["table_id"])}, Table)
