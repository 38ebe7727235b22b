"""The run log (V6): what came of every execution of a rule, kept for ever and found by table, rule and time."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

from msgspec import Struct

from remit.core.codec import canonical, convert, plain
from remit.core.errors import ConditionError, InputError, NotFoundError
from remit.core.naming import check_id, own_id, stored_id
from remit.core.validation import ValidationRun
from remit.engine.validation_days import voided
from remit.ports.store import ABSENT, Collection, Index, Put, Records

RUNS = "validation_runs"

COLLECTION = Collection(
    RUNS,
    ("run_id",),
    (
        Index("by_table", ("table_id", "timestamp")),
        Index("by_config", ("config_id", "timestamp")),
        Index("by_tenant", ("tenant_id", "timestamp")),
    ),
)

PAGE = 500
MOST_BYTES = 262_144
"""Bytes of the details as JSON; what is longer belongs into an artifact."""

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,255}\Z")
_OWNED = ("run_id", "table_id", "config_id")


class ValidationRunPage(Struct, frozen=True):
    """A page of the run log, newest first; `cursor` of the next page, or null at the end."""

    items: list[ValidationRun]
    cursor: str | None = None


class ValidationRuns:
    """The run log of all tenants; every question names its tenant."""

    def __init__(self, store: Records) -> None:
        self._store = store

    async def record(self, tenant_id: str, run: ValidationRun) -> bool:
        """Write a run; False when this `run_id` was there already, which changes nothing. Raises InputError."""
        _check(run)
        if await self.find(tenant_id, run.run_id) is not None:
            return False
        try:
            late = await voided(self._store, tenant_id, run)
            await self._store.transact([Put(RUNS, _item(tenant_id, run), ABSENT), *late])
        except ConditionError:
            return False
        return True

    async def get(self, tenant_id: str, run_id: str) -> ValidationRun:
        """A run. Raises NotFoundError."""
        found = await self.find(tenant_id, run_id) if _RUN_ID.match(run_id) else None
        if found is None:
            raise NotFoundError(
                f"there is no validation run `{run_id[:150]}`", help="`remit validations runs` lists them"
            )
        return found

    async def find(self, tenant_id: str, run_id: str) -> ValidationRun | None:
        """A run, or None."""
        item = await self._store.get(RUNS, (stored_id(tenant_id, run_id),))
        return None if item is None else _run(tenant_id, item)

    async def list(
        self,
        tenant_id: str,
        *,
        table_id: str = "",
        config_id: str = "",
        since: int | None = None,
        until: int | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> ValidationRunPage:
        """Runs, newest first: of a table, of a rule, or of the tenant. Bounds are Unix milliseconds. Raises InputError."""
        if table_id and config_id:
            raise InputError(
                "runs are listed by table or by rule, not by both", code="E535", help="leave one of them out"
            )
        index, equals = "by_tenant", (tenant_id,)
        if table_id:
            index, equals = "by_table", (stored_id(tenant_id, check_id("table_id", table_id)),)
        if config_id:
            index, equals = "by_config", (stored_id(tenant_id, check_id("config_id", config_id)),)
        page = await self._store.query(
            RUNS, index, equals, lower=since, upper=until, descending=True, limit=limit, cursor=cursor
        )
        return ValidationRunPage([_run(tenant_id, item) for item in page.items], page.cursor)

    async def each(
        self,
        tenant_id: str,
        *,
        table_id: str = "",
        config_id: str = "",
        since: int | None = None,
        until: int | None = None,
    ) -> AsyncIterator[ValidationRun]:
        """Every run of a table or of a rule within the bounds (Unix milliseconds), newest first."""
        cursor: str | None = None
        while True:
            page = await self.list(
                tenant_id,
                table_id=table_id,
                config_id=config_id,
                since=since,
                until=until,
                limit=PAGE,
                cursor=cursor,
            )
            for run in page.items:
                yield run
            cursor = page.cursor
            if cursor is None:
                return

    async def last(self, tenant_id: str, config_id: str) -> ValidationRun | None:
        """The newest run of a rule, or None."""
        page = await self.list(tenant_id, config_id=config_id, limit=1)
        return page.items[0] if page.items else None

    async def last_passed(self, tenant_id: str, config_id: str, version: int) -> ValidationRun | None:
        """The newest PASSED run of a version of a rule, however many others came after it, or None."""
        async for run in self.each(tenant_id, config_id=config_id):
            if run.status == "PASSED" and run.version == version:
                return run
        return None


def _check(run: ValidationRun) -> None:
    check_id("table_id", run.table_id)
    check_id("config_id", run.config_id)
    if not _RUN_ID.match(run.run_id) or run.timestamp <= 0 or run.version < 1:
        raise InputError(
            f"`{run.run_id[:150]}` is no validation run: it needs an id, a version and a time", code="E536"
        )
    size = len(canonical(run.details))
    if size > MOST_BYTES:
        raise InputError(
            f"the details of validation run `{run.run_id}` have {size} bytes, more than {MOST_BYTES}",
            code="E536",
            help="keep what is long as an artifact",
        )


def _item(tenant_id: str, run: ValidationRun) -> dict[str, Any]:
    item: dict[str, Any] = plain(run)
    return item | {"tenant_id": tenant_id} | {name: stored_id(tenant_id, item[name]) for name in _OWNED}


def _run(tenant_id: str, item: Mapping[str, Any]) -> ValidationRun:
    fields = {name: item[name] for name in ValidationRun.__struct_fields__ if name in item}
    return convert(fields | {name: own_id(tenant_id, item[name]) for name in _OWNED}, ValidationRun)
