"""Notifications: what is told whom about validation runs, each once, and how the telling went (V9)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from remit.core.codec import convert, plain
from remit.core.errors import ConditionError, ConflictError, NotFoundError, RemitError, StoreError, ToolError
from remit.core.naming import stored_id
from remit.core.notification import (
    MOST_LINES,
    SECRET,
    ChannelName,
    Delivery,
    Incident,
    Notification,
    NotifierConfig,
    RuleLine,
    concerns,
    judge,
    notification_id_of,
    subject_of,
)
from remit.core.validation import ValidationRun
from remit.engine.notifiers import Notifiers
from remit.engine.tenant_secrets import TenantSecrets
from remit.engine.validation_runs import ValidationRuns
from remit.ports.clock import Clock
from remit.ports.notifier import Channel
from remit.ports.secrets import Secrets
from remit.ports.store import ABSENT, Collection, Index, Put, Records, Write

log = logging.getLogger("remit.notifications")

NOTIFICATION = "notification"
INCIDENT = "incident"

COLLECTIONS = (
    Collection(
        NOTIFICATION,
        ("notification_id",),
        (
            Index("by_tenant", ("tenant_id", "planned_ts")),
            Index("by_status", ("tenant_id", "status", "planned_ts")),
        ),
    ),
    Collection(INCIDENT, ("config_id", "notifier_id")),
)

ATTEMPTS = 20
Channels = Mapping[ChannelName, Callable[[], Channel]]
Runs = Iterable[ValidationRun]


class NotificationPage(Struct, frozen=True):
    """A page of notifications, newest first; `cursor` of the next page, or null at the end."""

    items: list[Notification]
    cursor: str | None = None


class Notifications:
    """Plans and sends for all tenants; every verb names its tenant. A channel is made when it is first needed."""

    def __init__(
        self,
        store: Records,
        clock: Clock,
        runs: ValidationRuns,
        notifiers: Notifiers,
        secrets: Secrets,
        channels: Channels,
    ) -> None:
        self._store = store
        self._clock = clock
        self._runs = runs
        self._notifiers = notifiers
        self._secrets = secrets
        self._channels = channels

    # planning

    async def plan(self, tenant_id: str, run_ids: list[str]) -> list[dict[str, Any]]:
        """What to tell whom about these runs, one message per notifier and table, each recorded as pending.

        Each is `{notification_id, channel, notifier, subject}`. Asking again gives the same ones.
        """
        found = [await self._runs.find(tenant_id, run_id) for run_id in dict.fromkeys(run_ids)]
        by_table: dict[str, list[ValidationRun]] = {}
        for run in _newest(run for run in found if run is not None):
            by_table.setdefault(run.table_id, []).append(run)
        planned: list[Notification] = []
        for config in await self._notifiers.all(tenant_id) if by_table else ():
            for table_id, runs in by_table.items():
                about = [run for run in runs if concerns(config, run)]
                made = await self._planned(tenant_id, config, table_id, about) if about else None
                planned += [made] if made else []
        return [
            {
                "notification_id": n.notification_id,
                "channel": n.channel,
                "notifier": n.notifier_id,
                "subject": n.subject,
            }
            for n in planned
        ]

    async def _planned(
        self, tenant_id: str, config: NotifierConfig, table_id: str, runs: list[ValidationRun]
    ) -> Notification | None:
        """The message to one notifier about one table, written together with the incidents it speaks of."""
        key = notification_id_of(tenant_id, config.notifier_id, table_id, [run.run_id for run in runs])
        for _ in range(ATTEMPTS):
            known = await self._find(key)
            if known is not None:
                return known
            made, writes = await self._judged(tenant_id, config, table_id, runs, key)
            try:
                await self._store.transact(writes)
            except ConditionError:
                continue
            # Nothing to tell may mean that another planner told it between the two reads above: then it is the same message.
            return made or await self._find(key)
        raise ConflictError(
            f"the incidents of table `{table_id}` are being changed by somebody else",
            code="E617",
            help="try again",
        )

    async def _judged(
        self, tenant_id: str, config: NotifierConfig, table_id: str, runs: Runs, key: str
    ) -> tuple[Notification | None, list[Write]]:
        now = self._clock.now()
        lines: list[RuleLine] = []
        writes: list[Write] = []
        agent_run = ""
        for run in runs:
            before = await self._incident(tenant_id, run.config_id, config.notifier_id)
            last = await self._find(before.notification_id) if before and before.notification_id else None
            judged = judge(config, run, before, last, tenant_id=tenant_id, now=now)
            after, line = judged.incident, judged.line
            if after is not None:
                spoken = key if line is not None else after.notification_id
                writes.append(_incident_write(replace(after, notification_id=spoken), before))
            if line is not None:
                lines.append(line)
                agent_run = run.agent_run
        if not lines:
            return None, writes
        made = _composed(tenant_id, config, table_id, lines, key, agent_run, now)
        return made, [Put(NOTIFICATION, plain(made), ABSENT), *writes]

    # sending

    async def send(self, tenant_id: str, notification_id: str) -> dict[str, Any]:
        """Send one planned notification by its notifier's channel, unless it was sent; the answer says when, and the receipt.

        Raises ToolError when it surely was not sent. Any other exception leaves open whether it was.
        """
        planned = await self._find(notification_id)
        if planned is None or planned.tenant_id != tenant_id:
            raise ToolError(f"there is no notification `{notification_id[:100]}`", code="E618")
        if planned.status == "sent":
            return _answer(planned)
        config = await self._notifiers.find(tenant_id, planned.notifier_id)
        if config is None or config.channel != planned.channel:
            problem = f"notifier `{planned.notifier_id}` is gone, or has another channel"
            await self._mark(planned, "failed", problem=problem)
            raise ToolError(
                problem, code="E618", help="the next run that fails is told the notifiers of then"
            )
        return await self._deliver(planned, config)

    async def test(self, tenant_id: str, notifier_id: str) -> dict[str, Any]:
        """Send a notifier a message that says it is a test, also while it is muted. Raises NotFoundError, ToolError."""
        config = await self._notifiers.get(tenant_id, notifier_id)
        now = self._clock.now()
        made = Notification(
            notification_id=self._clock.new_id("ntf"),
            tenant_id=tenant_id,
            notifier_id=notifier_id,
            channel=config.channel,
            table_id="",
            kind="test",
            subject=f"[TEST] notifier {notifier_id} works",
            lines=(),
            planned_ts=now,
            changed_ts=now,
        )
        await self._store.transact([Put(NOTIFICATION, plain(made), ABSENT)])
        try:
            return await self._deliver(made, config)
        except (OSError, EOFError) as error:
            raise ToolError(
                f"the connection broke ({type(error).__name__}), and the message may have been accepted",
                code="E627",
                help="look whether it has arrived",
            ) from error

    async def _deliver(self, planned: Notification, config: NotifierConfig) -> dict[str, Any]:
        try:
            channel = self._channels[config.channel]()
            target, key = (
                self._filled(planned.tenant_id, text) for text in (config.target, config.signing_key)
            )
            await self._mark(planned, "sending")
            receipt = await channel.send(planned, target, signing_key=key)
        except ToolError as error:
            await self._noted(planned, "failed", problem=f"[{error.code}] {error.message}")
            raise
        except StoreError:
            raise
        except RemitError as error:
            await self._noted(planned, "failed", problem=f"[{error.code}] {error.message}")
            raise ToolError(error.message, code=error.code, help=error.help) from error
        except Exception as error:
            await self._noted(planned, "unknown", problem=type(error).__name__)
            raise
        return _answer(await self._noted(planned, "sent", receipt=receipt))

    def _filled(self, tenant_id: str, text: str) -> str:
        """The text with the tenant's own secrets in the place of their names. Raises ConfigError."""
        own = TenantSecrets(self._secrets, tenant_id)
        return SECRET.sub(lambda named: own.get(named[1]), text)

    async def _noted(self, planned: Notification, status: Delivery, **fields: str) -> Notification:
        """Record how the sending went. That this cannot be written changes nothing about it, and is only logged."""
        try:
            return await self._mark(planned, status, **fields)
        except StoreError as error:
            log.error(
                "notification %s is %s, and that is not recorded: %s", planned.notification_id, status, error
            )
            return replace(planned, status=status, changed_ts=self._clock.now(), **fields)

    async def _mark(self, planned: Notification, status: Delivery, **fields: str) -> Notification:
        marked = replace(planned, status=status, changed_ts=self._clock.now(), **fields)
        await self._store.transact([Put(NOTIFICATION, plain(marked))])
        return marked

    # looking

    async def get(self, tenant_id: str, notification_id: str) -> Notification:
        """A notification. Raises NotFoundError."""
        found = await self._find(notification_id)
        if found is None or found.tenant_id != tenant_id:
            raise NotFoundError(
                f"there is no notification `{notification_id[:100]}`",
                help="`remit notifiers sent` lists them",
            )
        return found

    async def list(
        self, tenant_id: str, *, status: str = "", limit: int = 50, cursor: str | None = None
    ) -> NotificationPage:
        """Notifications, newest first, in one state or all."""
        index, equals = ("by_status", (tenant_id, status)) if status else ("by_tenant", (tenant_id,))
        page = await self._store.query(
            NOTIFICATION, index, equals, descending=True, limit=limit, cursor=cursor
        )
        return NotificationPage([convert(item, Notification) for item in page.items], page.cursor)

    async def _find(self, notification_id: str) -> Notification | None:
        item = await self._store.get(NOTIFICATION, (notification_id,))
        return None if item is None else convert(item, Notification)

    async def _incident(self, tenant_id: str, config_id: str, notifier_id: str) -> Incident | None:
        item = await self._store.get(INCIDENT, (stored_id(tenant_id, config_id), notifier_id))
        return None if item is None else convert({**item, "config_id": config_id}, Incident)


def _newest(runs: Runs) -> Runs:
    """The newest run of each rule, in the order of the rules' ids."""
    found: dict[str, ValidationRun] = {}
    for run in sorted(runs, key=lambda r: (r.timestamp, r.run_id)):
        found[run.config_id] = run
    return [found[config_id] for config_id in sorted(found)]


def _incident_write(after: Incident, before: Incident | None) -> Write:
    item = plain(replace(after, revision=after.revision + 1))
    item["config_id"] = stored_id(after.tenant_id, after.config_id)
    return Put(INCIDENT, item, {"revision": before.revision} if before else ABSENT)


def _composed(
    tenant_id: str,
    config: NotifierConfig,
    table_id: str,
    lines: list[RuleLine],
    key: str,
    agent_run: str,
    now: int,
) -> Notification:
    worst_first = sorted(lines, key=lambda line: ("FAILED", "ERROR", "RECOVERED").index(line.state))
    failing = any(line.state != "RECOVERED" for line in lines)
    return Notification(
        notification_id=key,
        tenant_id=tenant_id,
        notifier_id=config.notifier_id,
        channel=config.channel,
        table_id=table_id,
        kind="failure" if failing else "recovery",
        subject=subject_of(table_id, lines),
        lines=tuple(worst_first[:MOST_LINES]),
        planned_ts=now,
        agent_run=agent_run,
        more=max(0, len(lines) - MOST_LINES),
        changed_ts=now,
    )


def _answer(sent: Notification) -> dict[str, Any]:
    return {
        "notification_id": sent.notification_id,
        "status": sent.status,
        "sent_ts": sent.changed_ts,
        "receipt": sent.receipt,
    }
