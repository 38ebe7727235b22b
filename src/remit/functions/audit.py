"""The function behind the stream of the journal: every entry goes into the archive, where nobody can change it (P11).

It takes what the stream recorded rather than what the table holds now, so that a later change of the table shows.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from remit.adapters.store.dynamodb.streams import portion
from remit.bootstrap import App
from remit.core.errors import ConfigError, StoreError
from remit.functions.container import shared
from remit.functions.invocation import Event
from remit.functions.streams import in_order
from remit.ports.archive import Archive
from remit.ports.store import Store

log = logging.getLogger("remit.functions")


def handler(event: Event, context: Any) -> Event:
    """Archive the entries of one batch."""
    return shared().run(lambda app: audit(app.store, archive_of(app), event.get("Records", ())))


def archive_of(app: App) -> Archive:
    """The archive of the deployment. Raises ConfigError where there is none: a folder of a function is gone with it."""
    if not app.settings.archive:
        raise ConfigError(
            "this deployment has no archive", code="E266", help="set REMIT_ARCHIVE=s3://bucket/prefix"
        )
    return app.archiving.archive


async def audit(store: Store, archive: Archive, records: Sequence[Event]) -> Event:
    """Archive the entries of stream records. The same record twice is archived once."""

    async def keep(record: Event) -> None:
        if record.get("eventName") != "INSERT":
            keys = record["dynamodb"].get("Keys")
            log.error("an entry of the journal was changed or removed: %s", keys, extra={"code": "E830"})
            return
        found = portion(record["dynamodb"]["NewImage"])
        head = await store.head(found.run_id)
        if head is None:
            raise StoreError(
                f"run `{found.run_id}` has entries and no head", code="E831", help="restore a backup"
            )
        entries = found.entries
        if entries is None:
            count = found.last - found.first + 1
            entries = await store.read(found.run_id, after=found.first - 1, limit=count)
        await archive.put(head.tenant_id, found.run_id, entries)

    return await in_order(records, keep)
