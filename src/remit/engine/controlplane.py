"""What a tenant's data is checked by, as one set of services over one store."""

from __future__ import annotations

from typing import NamedTuple

from remit.engine import (
    notifications,
    notifiers,
    schedules,
    tables,
    trail,
    validation_days,
    validation_runs,
    validation_types,
    validations,
)
from remit.engine.applying import Applier
from remit.engine.notifications import Notifications
from remit.engine.notifiers import Notifiers
from remit.engine.platform import TenantPlatform
from remit.engine.schedules import Schedules
from remit.engine.scorecards import Scorecards
from remit.engine.tables import Tables
from remit.engine.validation_runs import ValidationRuns
from remit.engine.validation_types import ValidationTypes
from remit.engine.validations import Validations

COLLECTIONS = (
    trail.COLLECTION,
    tables.COLLECTION,
    validation_types.COLLECTION,
    validations.COLLECTION,
    validation_runs.COLLECTION,
    validation_days.COLLECTION,
    schedules.COLLECTION,
    notifiers.COLLECTION,
    *notifications.COLLECTIONS,
)


class ControlPlane(NamedTuple):
    """The services; each serves all tenants, and every verb names its tenant."""

    tables: Tables
    validation_types: ValidationTypes
    validations: Validations
    validation_runs: ValidationRuns
    scorecards: Scorecards
    schedules: Schedules
    notifiers: Notifiers
    notifications: Notifications
    appliers: tuple[Applier, ...]
    """How tables, types, rules and notifiers are applied from files, in the order in which they need each other."""

    def platform(self, tenant_id: str) -> TenantPlatform:
        """What the tools of one tenant see."""
        return TenantPlatform(
            tenant_id,
            self.tables,
            self.validation_types,
            self.validations,
            self.validation_runs,
            self.notifications,
        )
