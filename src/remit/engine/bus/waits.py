"""Runs that wait for an event: when one comes that fits, the run gets it as a signal, and the wait is over."""

from __future__ import annotations

from typing import Any

from remit.core.cloudevent import stored_event
from remit.core.codec import encode
from remit.core.pattern import compiled
from remit.core.signal import TaskAnswered
from remit.engine.bus.claims import Claimed, Serving
from remit.engine.bus.records import EVENT, QUEUE, READY, WAIT, labels_of, parts_of, ticket_ms
from remit.ports.store import Delete, Signal, Write

PAGE = 100
BUNDLES = 50


async def serve_waits(serving: Serving, partition: str) -> int | None:
    """Tell waiting runs about the events of one tenant that were published lately; how many were told.

    None when another process does that. Raises ConditionError, StoreError.
    """
    claim = Claimed(serving, partition)
    if not await claim.take():
        return None
    try:
        return await _tell_all(serving, partition, claim)
    finally:
        if claim.held:
            await claim.write([], last=True)


async def _tell_all(serving: Serving, partition: str, claim: Claimed) -> int:
    tenant_id, _ = parts_of(partition)
    told = 0
    while True:
        page = await serving.store.query(READY, "", (QUEUE, partition), limit=BUNDLES)
        writes: list[Write] = [Delete(READY, (QUEUE, partition, item["ticket"])) for item in page.items]
        by_type: dict[str, list[tuple[str, dict[str, Any]]]] = {}
        for item in page.items:
            for ticket, reference in item["events"]:
                by_type.setdefault(reference["type"], []).append((ticket, reference))
        answers: list[Write] = []
        for type_, entries in by_type.items():
            answers += await _answers(serving, tenant_id, type_, entries)
        told += len(answers) // 2
        last = page.cursor is None
        await claim.write([*answers, *writes], last=last)
        if last:
            return told


async def _answers(
    serving: Serving, tenant_id: str, type_: str, entries: list[tuple[str, dict[str, Any]]]
) -> list[Write]:
    """A signal for each wait that one of these events ends, and the end of the wait."""
    writes: list[Write] = []
    events: dict[str, dict[str, Any]] = {}
    cursor: str | None = None
    while True:
        page = await serving.store.query(WAIT, "", (tenant_id, type_), limit=PAGE, cursor=cursor)
        for wait in page.items:
            writes += await _answer(serving, tenant_id, wait, entries, events)
        cursor = page.cursor
        if cursor is None:
            return writes


async def _answer(
    serving: Serving,
    tenant_id: str,
    wait: dict[str, Any],
    entries: list[tuple[str, dict[str, Any]]],
    events: dict[str, dict[str, Any]],
) -> list[Write]:
    pattern = compiled(wait["pattern"]) if wait.get("pattern") else None
    for ticket, reference in entries:
        if ticket_ms(ticket) < wait["since_ts"]:
            continue
        if ticket not in events:
            found = await serving.store.get(EVENT, (tenant_id, reference["source"], reference["id"]))
            if found is None:
                continue
            events[ticket] = found["event"]
        event = events[ticket]
        if pattern is None or pattern.matches(event):
            labels = labels_of(stored_event(event))
            body = encode(TaskAnswered(wait["visit"], wait.get("attempt", -1), event, labels=labels))
            signal_id = f"event:{event['id']}:{wait['wait_id']}"
            return [
                Signal(wait["run_id"], signal_id, body),
                Delete(WAIT, (tenant_id, wait["type"], wait["wait_id"])),
            ]
    return []
