"""What is asked of a store's one writer, and how it takes what waits: many requests share a commit."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from remit.adapters.store.packing import Packed
from remit.ports.store import Entry, Status, Write

R = TypeVar("R")


@dataclass(eq=False)
class Asked:
    """One `create` (with `who`), `append` (with `run_id` only) or `transact` (with neither)."""

    future: asyncio.Future[int]
    writes: Sequence[Write] = ()
    run_id: str = ""
    who: tuple[str, str, str] | None = None
    seq: int = -1
    epoch: int = 0
    entries: Sequence[Entry] = ()
    contents: Sequence[Packed] = ()
    consumed: Sequence[str] = ()
    status: Status | None = None
    wake_ts: int | None = None
    now: int = 0


async def drain(queue: asyncio.Queue[R | None], most: int) -> tuple[list[R], bool]:
    """What waits in a queue, at least one and at most so many; and whether more may come: None is the last there is."""
    requests: list[R] = []
    request = await queue.get()
    while request is not None:
        requests.append(request)
        if len(requests) >= most or queue.empty():
            return requests, True
        request = queue.get_nowait()
    return requests, False
