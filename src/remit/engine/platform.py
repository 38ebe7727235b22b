"""The platform as a tool of one tenant sees it."""

from __future__ import annotations

from typing import Any, Protocol

from remit.core.codec import convert
from remit.core.errors import NotFoundError
from remit.core.task import Actor
from remit.core.validation import Table, TableValidation, ValidationRun, ValidationType
from remit.engine.tables import Tables
from remit.engine.validation_runs import ValidationRuns
from remit.engine.validation_types import ValidationTypes
from remit.engine.validations import Rule, Validations, body_of


class Notifying(Protocol):
    """Plans and sends notifications for any tenant."""

    async def plan(self, tenant_id: str, run_ids: list[str]) -> list[dict[str, Any]]:
        """What to tell whom about these validation runs."""

    async def send(self, tenant_id: str, notification_id: str) -> dict[str, Any]:
        """Send one planned notification."""


class TenantPlatform:
    """`remit.ports.platform.Platform` for one tenant."""

    def __init__(
        self,
        tenant_id: str,
        tables: Tables,
        types: ValidationTypes,
        validations: Validations,
        runs: ValidationRuns,
        notifications: Notifying,
    ) -> None:
        self._tenant_id = tenant_id
        self._tables = tables
        self._types = types
        self._validations = validations
        self._runs = runs
        self._notifications = notifications

    async def table(self, table_id: str) -> Table:
        """A registered table. Raises NotFoundError."""
        return await self._tables.get(self._tenant_id, table_id)

    async def tables(self) -> list[Table]:
        """Every active table."""
        return await self._tables.all(self._tenant_id)

    async def validation_type(self, name: str) -> ValidationType:
        """A validation type. Raises NotFoundError."""
        return await self._types.get(self._tenant_id, name)

    async def validation(self, config_id: str, version: int = 0) -> TableValidation:
        """A version of a rule, the active one for 0. Raises NotFoundError."""
        return await self._validations.get(self._tenant_id, config_id, version)

    async def validations(self, table_id: str) -> list[TableValidation]:
        """The active rules of a table, enabled or not."""
        return await self._validations.active(self._tenant_id, table_id=table_id)

    async def draft_validation(
        self, config_id: str, definition: dict[str, Any], *, author: str, reason: str
    ) -> int:
        """Write a draft version of a rule (a first one, if it is new) and return its number. It is not active.

        Writing what the newest version drafts already gives that one, so that a repeated call changes nothing.
        """
        rule = convert(definition, Rule)
        newest = await self._newest(config_id)
        if newest is not None and newest.status == "draft" and body_of(newest) == rule:
            return newest.version
        drafted = await self._validations.draft(
            self._tenant_id, config_id, rule, actor=_author(author), reason=reason
        )
        return drafted.version

    async def _newest(self, config_id: str) -> TableValidation | None:
        try:
            page = await self._validations.history(self._tenant_id, config_id, limit=1)
        except NotFoundError:
            return None
        return page.items[0]

    async def activate_validation(self, config_id: str, version: int, *, author: str, reason: str) -> None:
        """Make a version the active one. Raises ConflictError that names who was faster."""
        known = await self._validations.get(self._tenant_id, config_id, version)
        if known.status == "active":
            return
        verb = self._validations.promote if known.status == "draft" else self._validations.rollback
        await verb(self._tenant_id, config_id, known.version, actor=_author(author), reason=reason)

    async def record_run(self, run: ValidationRun) -> bool:
        """Write a run log. False when this `run_id` was there already, which changes nothing."""
        return await self._runs.record(self._tenant_id, run)

    async def runs(self, table_id: str, *, limit: int = 10, since: int = 0) -> list[ValidationRun]:
        """The last runs of a table, newest first, from `since` (Unix milliseconds) on."""
        page = await self._runs.list(self._tenant_id, table_id=table_id, since=since, limit=limit)
        return page.items

    async def last_passed(self, config_id: str, version: int) -> ValidationRun | None:
        """The newest PASSED run of a version of a rule, however many others came after it, or None."""
        return await self._runs.last_passed(self._tenant_id, config_id, version)

    async def plan_notifications(self, run_ids: list[str]) -> list[dict[str, Any]]:
        """What to tell whom about these runs; asking again gives the same."""
        return await self._notifications.plan(self._tenant_id, run_ids)

    async def send_notification(self, notification_id: str) -> dict[str, Any]:
        """Send one planned notification by its channel and record that. Raises ToolError when it surely was not sent."""
        return await self._notifications.send(self._tenant_id, notification_id)


def _author(name: str) -> Actor:
    return Actor(name, via="tool")
