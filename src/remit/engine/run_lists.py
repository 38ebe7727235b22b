"""Lists of runs: by any filters together, and the last few of many agents. Each is answered from one index."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from remit.core.codec import convert
from remit.core.errors import InputError
from remit.ports.store import Page, Records

MOST_LOOKED_AT, MOST_QUERIES = 1_000, 20
"""What one page costs at most when a filter has to be looked at run by run: such a page may be short, and still have a cursor."""

STRIP = 20
"""How many runs a strip shows."""

MOST_STRIPS = 50
AT_ONCE = 8


class RunFilter(Struct, frozen=True):
    """Which runs: all that is given must be so. `since` and `until` bound `start_ts` (Unix milliseconds), both included.

    A workflow's runs are listed under its name as an agent's are; with another `agent` it is that agent's runs which work
    for the workflow. `top`: only runs that no other run started.
    """

    status: str = ""
    agent: str = ""
    workflow: str = ""
    session_id: str = ""
    since: int | None = None
    until: int | None = None
    top: bool = False


class StripRun(Struct, frozen=True):
    """One run in a strip."""

    run_id: str
    status: str
    start_ts: int
    end_ts: int | None


class RunStrip(Struct, frozen=True):
    """The last runs of an agent or a workflow, newest first."""

    name: str
    runs: list[StripRun]


class RunStrips(Struct, frozen=True):
    """A strip for each name, in the order asked for; one without runs for a name that nothing ran under."""

    items: list[RunStrip]


async def listed(
    store: Records, tenant_id: str, wanted: RunFilter, *, limit: int = 50, cursor: str | None = None
) -> Page:
    """Runs of a tenant, newest first. Raises InputError."""
    fixed = _fixed(wanted)
    index, field = _index(fixed)
    equals = (tenant_id, fixed.pop(field)) if field else (tenant_id,)
    found: list[dict[str, Any]] = []
    looked_at = 0
    for _ in range(MOST_QUERIES):
        page = await store.query(
            "agent_run",
            index,
            equals,
            lower=wanted.since,
            upper=wanted.until,
            descending=True,
            limit=limit - len(found),
            cursor=cursor,
        )
        found += [row for row in page.items if all(row.get(name, "") == v for name, v in fixed.items())]
        looked_at += len(page.items)
        cursor = page.cursor
        if cursor is None or len(found) == limit or looked_at >= MOST_LOOKED_AT:
            break
    return Page(found, cursor)


async def strips(store: Records, tenant_id: str, names: Sequence[str]) -> RunStrips:
    """The last runs of each of these agents or workflows. Raises InputError E1000 for more names than `MOST_STRIPS`."""
    if len(names) > MOST_STRIPS:
        raise InputError(
            f"{len(names)} names are more than {MOST_STRIPS}", code="E1000", help="ask for some at a time"
        )
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(name: str) -> RunStrip:
        async with turn:
            page = await store.query("agent_run", "by_agent", (tenant_id, name), descending=True, limit=STRIP)
        return RunStrip(name, [_strip_run(row) for row in page.items])

    return RunStrips(list(await asyncio.gather(*(one(name) for name in names))))


def _fixed(wanted: RunFilter) -> dict[str, str]:
    """The fields of a record that are given, and what they have to be."""
    within = wanted.workflow if wanted.agent != wanted.workflow else ""
    given = {
        "session_id": wanted.session_id,
        "agent_id": wanted.agent or wanted.workflow,
        "status": wanted.status,
        "workflow_id": within if wanted.agent else "",
    }
    fixed = {name: value for name, value in given.items() if value}
    return {**fixed, "parent_run": ""} if wanted.top else fixed


def _index(fixed: Mapping[str, str]) -> tuple[str, str]:
    """The index that has the fewest runs to look at, and the field it goes by."""
    if "session_id" in fixed:
        return "by_session", "session_id"
    if fixed.get("status") in ("running", "waiting"):
        return "by_status", "status"
    if "agent_id" in fixed:
        return "by_agent", "agent_id"
    return ("by_status", "status") if "status" in fixed else ("by_tenant", "")


def _strip_run(row: Mapping[str, Any]) -> StripRun:
    return convert({name: row[name] for name in StripRun.__struct_fields__}, StripRun)
