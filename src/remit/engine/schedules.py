"""Schedules: what is to be started when. Rules of tables make their own; anybody may add more."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from remit.core.codec import convert, plain
from remit.core.errors import ConditionError, ConflictError, InputError, NotFoundError
from remit.core.naming import check_id, ends
from remit.core.redaction import Redactor
from remit.core.schedule import next_after, parse
from remit.core.task import Actor, Task
from remit.ports.clock import Clock
from remit.ports.store import ABSENT, Add, Collection, Delete, Index, Put, Records, Write

SCHEDULE = "schedule"

COLLECTION = Collection(SCHEDULE, ("tenant_id", "schedule_id"), (Index("by_due", ("state", "next_ts")),))

VALIDATE = "validate"
"""The agent that checks a table, and the policy profile it runs under."""
VALIDATION_PROFILE = "validation"

ATTEMPTS = 20
_UNCHANGED = ("created_at", "revision", "wanted", "next_ts")

CatchUp = Literal["latest", "all", "none"]
State = Literal["enabled", "paused"]


class ScheduleSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """What a person writes of a schedule: which agent is started with which input, when.

    `catch_up` says what happens with times that passed while no worker ran: `latest` starts the newest of them, `all`
    every one (at most the newest hundred), `none` nothing that is more than a minute late.
    """

    expression: str
    agent: str
    input: Any = None
    objective: str = ""
    policy_profile: str = "default"
    catch_up: CatchUp = "latest"


class ScheduleEntry(Struct, frozen=True):
    """A schedule as it stands; times are Unix milliseconds, `slot` the time that a run stands for.

    `author` is who wrote it last, and `kind` is `validation` for one that rules of a table made: it goes when the last of them has gone. `last_error` says
    why the last slot could not be started. `skipped` counts the slots that passed unstarted, `skipped_until` is the
    last of them. `wanted` counts how often a rule asked for it, `revision` its other changes.
    """

    tenant_id: str
    schedule_id: str
    kind: Literal["validation", "user"]
    expression: str
    agent: str
    input: Any
    objective: str
    policy_profile: str
    catch_up: CatchUp
    state: State
    next_ts: int
    created_at: int
    author: str = ""
    last_slot: int | None = None
    last_run: str = ""
    last_error: str = ""
    skipped: int = 0
    skipped_until: int | None = None
    wanted: int = 0
    revision: int = 0

    @property
    def table_id(self) -> str:
        """The table that a validation schedule is about."""
        return str(self.input["table_id"]) if self.kind == "validation" else ""


Entries = list[ScheduleEntry]
Writes = list[Write]


class SchedulePage(Struct, frozen=True):
    """A page of schedules by id; `cursor` of the next page, or null at the end."""

    items: list[ScheduleEntry]
    cursor: str | None = None


MayStart = Callable[[Task], Awaitable[object]]
"""Raises DeniedError unless policy lets a task's actor start its agent."""


class Schedules:
    """The schedules of all tenants; every verb names its tenant."""

    def __init__(self, store: Records, clock: Clock, may_start: MayStart, redactor: Redactor) -> None:
        """`redactor` knows the secrets that no schedule may hold."""
        self._store = store
        self._clock = clock
        self._may_start = may_start
        self._redactor = redactor

    # rules of tables

    async def writes(self, tenant_id: str, table_id: str, expression: str) -> Writes:
        """What makes a table be validated on a schedule, to be written together with the rule that wants it.

        The schedule itself is made at once, without harm should the rule not come: it goes at its next time. The write
        keeps one that is just going from going unseen: the rule's transaction then fails, and is tried again.
        """
        entry = self._validation(tenant_id, table_id, expression)
        if await self._find(tenant_id, entry.schedule_id) is None:
            await self.swap(None, entry)
        return [Add(SCHEDULE, (tenant_id, entry.schedule_id), {"wanted": 1})]

    def _validation(self, tenant_id: str, table_id: str, expression: str) -> ScheduleEntry:
        now = self._clock.now()
        return ScheduleEntry(
            tenant_id=tenant_id,
            schedule_id=validation_schedule_id(table_id, expression),
            kind="validation",
            expression=expression,
            agent=VALIDATE,
            input={"table_id": table_id, "schedule": expression, "triggered_by": "scheduler"},
            objective=f"validate `{table_id}` {expression}",
            policy_profile=VALIDATION_PROFILE,
            catch_up="latest",
            state="enabled",
            next_ts=next_after(parse(expression), now),
            created_at=now,
        )

    # people

    async def put(
        self, tenant_id: str, schedule_id: str, spec: ScheduleSpec, *, actor: Actor
    ) -> ScheduleEntry:
        """Add a schedule, or change it; a change of its times starts with the next one from now.

        Who adds it must be allowed to start the agent. Raises InputError, DeniedError.
        """
        check_id("schedule_id", schedule_id)
        await self._authorise(tenant_id, actor, spec)
        schedule = parse(spec.expression)
        if self._redactor.value(given := plain(spec)) is not given:
            raise InputError(
                f"schedule `{schedule_id}` holds a secret",
                code="E615",
                help="take it out; a tool reads secrets from its context",
            )
        now = self._clock.now()
        for _ in range(ATTEMPTS):
            known = await self._find(tenant_id, schedule_id)
            moved = known is None or known.expression != spec.expression
            entry = ScheduleEntry(
                tenant_id=tenant_id,
                schedule_id=schedule_id,
                kind="user",
                state=known.state if known else "enabled",
                next_ts=next_after(schedule, now) if moved or known is None else known.next_ts,
                created_at=known.created_at if known else now,
                author=actor.actor_id,
                **{name: getattr(spec, name) for name in spec.__struct_fields__},
            )
            if known is not None:
                entry = replace(entry, last_slot=known.last_slot, last_run=known.last_run)
            if await self.swap(known, entry):
                return entry
        raise _busy(schedule_id)

    async def _authorise(self, tenant_id: str, actor: Actor, spec: ScheduleSpec) -> None:
        task = Task(
            "schedule",
            spec.agent,
            tenant_id=tenant_id,
            actor_context=actor,
            policy_profile=spec.policy_profile,
        )
        await self._may_start(task)

    async def get(self, tenant_id: str, schedule_id: str) -> ScheduleEntry:
        """A schedule. Raises NotFoundError."""
        found = await self._find(tenant_id, schedule_id)
        if found is None:
            raise NotFoundError(
                f"there is no schedule `{schedule_id[:300]}`", help="`remit schedules list` shows them"
            )
        return found

    async def list(
        self, tenant_id: str, *, prefix: str = "", limit: int = 50, cursor: str | None = None
    ) -> SchedulePage:
        """Schedules by id; with `prefix` those whose id begins so."""
        lower, upper = (prefix, ends(prefix)) if prefix else (None, None)
        page = await self._store.query(
            SCHEDULE, "", (tenant_id,), lower=lower, upper=upper, limit=limit, cursor=cursor
        )
        return SchedulePage([read_entry(item) for item in page.items], page.cursor)

    async def remove(self, tenant_id: str, schedule_id: str) -> None:
        """Forget a schedule. Raises NotFoundError, and InputError for one that rules of a table made."""
        entry = await self.get(tenant_id, schedule_id)
        if entry.kind == "validation":
            raise InputError(
                f"schedule `{schedule_id}` belongs to the rules of table `{entry.table_id}`",
                code="E616",
                help="pause it, or change the `schedule` of the rules; it goes when no rule has it",
            )
        await self._store.transact([Delete(SCHEDULE, (tenant_id, schedule_id))])

    async def pause(self, tenant_id: str, schedule_id: str) -> ScheduleEntry:
        """Start nothing until it is resumed; harmless for one that is paused. Raises NotFoundError."""
        return await self._switch(tenant_id, schedule_id, "paused")

    async def resume(self, tenant_id: str, schedule_id: str) -> ScheduleEntry:
        """Go on with the next time from now: what passed while it was paused was not wanted. Raises NotFoundError."""
        return await self._switch(tenant_id, schedule_id, "enabled")

    async def _switch(self, tenant_id: str, schedule_id: str, state: State) -> ScheduleEntry:
        for _ in range(ATTEMPTS):
            entry = await self.get(tenant_id, schedule_id)
            if entry.state == state:
                return entry
            next_ts = entry.next_ts
            if state == "enabled":
                now = max(self._clock.now(), entry.last_slot or 0)
                next_ts = next_after(parse(entry.expression), now)
            switched = replace(entry, state=state, next_ts=next_ts)
            if await self.swap(entry, switched):
                return switched
        raise _busy(schedule_id)

    # the scheduler

    async def due(self, now: int, *, limit: int) -> Entries:
        """Schedules whose time has come, the longest waiting first, of all tenants."""
        page = await self._store.query(SCHEDULE, "by_due", ("enabled",), upper=now, limit=limit)
        return [read_entry(item) for item in page.items]

    async def next_due(self) -> float:
        """When the next schedule is due, in Unix milliseconds; infinity when there is none."""
        page = await self._store.query(SCHEDULE, "by_due", ("enabled",), limit=1)
        return float(page.items[0]["next_ts"]) if page.items else math.inf

    async def swap(self, old: ScheduleEntry | None, new: ScheduleEntry | None) -> bool:
        """Put `new` in the place of `old`; False when `old` is no longer what is there. None stands for no schedule."""
        expect = ABSENT if old is None else {name: getattr(old, name) for name in _UNCHANGED}
        writes: Writes = []
        if new is not None:
            revised = replace(new, wanted=old.wanted if old else 0, revision=old.revision + 1 if old else 0)
            writes.append(Put(SCHEDULE, plain(revised), expect))
        elif old is not None:
            writes.append(Delete(SCHEDULE, (old.tenant_id, old.schedule_id), expect))
        try:
            await self._store.transact(writes)
        except ConditionError:
            return False
        return True

    async def _find(self, tenant_id: str, schedule_id: str) -> ScheduleEntry | None:
        item = await self._store.get(SCHEDULE, (tenant_id, schedule_id))
        return None if item is None else read_entry(item)


def validation_schedule_id(table_id: str, expression: str) -> str:
    """The id of the schedule of a table's rules with one expression; no person's schedule has a `/` in its id."""
    return f"validation/{table_id}/{expression}"


def read_entry(item: dict[str, Any]) -> ScheduleEntry:
    """A schedule from what is stored."""
    return convert(item, ScheduleEntry)


def _busy(schedule_id: str) -> ConflictError:
    return ConflictError(
        f"schedule `{schedule_id[:300]}` is being changed by somebody else", code="E617", help="try again"
    )
