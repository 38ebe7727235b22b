"""What a pack's tools may ask of the platform, always within the tenant of the call they serve."""

from __future__ import annotations

from typing import Any, Protocol

from remit.core.validation import Table, TableValidation, ValidationRun, ValidationType


class Platform(Protocol):
    """The control plane as a tool sees it. Everything is of the call's tenant; nothing else can be named."""

    async def table(self, table_id: str) -> Table:
        """A registered table. Raises NotFoundError."""

    async def tables(self) -> list[Table]:
        """Every active table."""

    async def validation_type(self, name: str) -> ValidationType:
        """A validation type. Raises NotFoundError."""

    async def validation(self, config_id: str, version: int = 0) -> TableValidation:
        """A version of a rule, the active one for 0. Raises NotFoundError."""

    async def validations(self, table_id: str) -> list[TableValidation]:
        """The active rules of a table, enabled or not."""

    async def draft_validation(
        self, config_id: str, definition: dict[str, Any], *, author: str, reason: str
    ) -> int:
        """Write a draft version of a rule (a first one, if it is new) and return its number. It is not active."""

    async def activate_validation(self, config_id: str, version: int, *, author: str, reason: str) -> None:
        """Make a version the active one. Raises ConflictError that names who was faster."""

    async def record_run(self, run: ValidationRun) -> bool:
        """Write a run log. False when this `run_id` was there already, which changes nothing."""

    async def runs(self, table_id: str, *, limit: int = 10, since: int = 0) -> list[ValidationRun]:
        """The last runs of a table, newest first, from `since` (Unix milliseconds) on."""

    async def last_passed(self, config_id: str, version: int) -> ValidationRun | None:
        """The newest PASSED run of a version of a rule, however many others came after it, or None."""

    async def plan_notifications(self, run_ids: list[str]) -> list[dict[str, Any]]:
        """What to tell whom about these runs: failures and recoveries, grouped, without what was told or is muted.

        Each is `{notification_id, channel, notifier, subject}`, recorded as pending. Asking again gives the same ones.
        """

    async def send_notification(self, notification_id: str) -> dict[str, Any]:
        """Send one planned notification by its channel and record that. Raises ToolError when it surely was not sent."""
