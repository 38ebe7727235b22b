"""Records of DynamoDB streams, in the order of their shard."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence

from remit.functions.invocation import Event, failures

log = logging.getLogger("remit.functions")


def table_of(record: Event) -> str:
    """The table that a record is from: `remit-dev-run_head` of `arn:...:table/remit-dev-run_head/stream/2026-...`."""
    return str(record.get("eventSourceARN", "")).partition(":table/")[2].partition("/")[0]


async def in_order(records: Sequence[Event], serve: Callable[[Event], Awaitable[None]]) -> Event:
    """Serve one record after another. From the first that fails on, all come again, so that none overtakes it."""
    for record in records:
        number = str(record["dynamodb"]["SequenceNumber"])
        try:
            await serve(record)
        except Exception as error:
            log.error("record %s of %s cannot be served now: %s", number, table_of(record), error)
            return failures([number])
    return failures([])
