"""Reading a run back: its journal, the contents it points to, and the fold."""

from __future__ import annotations

from collections.abc import MutableMapping

from remit.core.codec import decode
from remit.core.errors import NotFoundError, StoreError
from remit.core.event import Event, RunCreated
from remit.core.payload import refs
from remit.core.run import Run
from remit.ports.store import Entry, Store

PAGE = 1000


async def load(store: Store, run_id: str, tenant_id: str | None = None) -> tuple[Run, bytes]:
    """The run and its head hash. Raises NotFoundError for an unknown run or another tenant's, StoreError for a damaged one."""
    run = Run(run_id)
    head = b""
    while True:
        entries = await store.read(run_id, after=run.seq, limit=PAGE)
        for event in await events(store, run_id, entries, run.contents):
            run.apply(event)
            if run.seq == 0 and tenant_id is not None and run.task.tenant_id != tenant_id:
                raise missing(run_id)
        if entries:
            head = entries[-1].hash
        if len(entries) < PAGE:
            break
    if run.seq < 0:
        raise missing(run_id)
    return run, head


async def start(
    store: Store, run_id: str, tenant_id: str | None = None
) -> tuple[RunCreated, MutableMapping[str, bytes]]:
    """The first event of a run, and the contents that it points to. Raises as `load`, of which it reads one event."""
    contents: dict[str, bytes] = {}
    first = await events(store, run_id, await store.read(run_id, limit=1), contents)
    if not first:
        raise missing(run_id)
    created = first[0].data
    if not isinstance(created, RunCreated):
        raise StoreError(f"run `{run_id}` has no first event", code="E804")
    if tenant_id is not None and created.task.tenant_id != tenant_id:
        raise missing(run_id)
    return created, contents


async def events(
    store: Store, run_id: str, entries: list[Entry], contents: MutableMapping[str, bytes]
) -> list[Event]:
    """The decoded events of entries; contents that they point to are loaded into `contents`."""
    decoded = []
    for entry in entries:
        try:
            decoded.append(decode(entry.body, Event))
        except Exception as error:
            raise StoreError(
                f"event {entry.seq} of run `{run_id}` cannot be read: {error}",
                code="E808",
                help=f"run `remit runs verify {run_id}`",
            ) from error
    wanted = [ref for event in decoded for ref in refs(event.data) if ref not in contents]
    if wanted:
        contents.update(await store.contents(list(dict.fromkeys(wanted))))
    return decoded


def missing(run_id: str) -> NotFoundError:
    """The one error for unknown runs and for other tenants' runs."""
    return NotFoundError(f"there is no run `{run_id}`", help="`remit runs list` shows the runs")
