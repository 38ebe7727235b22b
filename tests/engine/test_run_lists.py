"""Lists of runs by any filters together, each answered from one index at a bounded cost."""

# ruff: noqa: F811 (fixtures are imported, and given by their names)
from __future__ import annotations

from typing import Any

import pytest
from tests.engine.any_store import clock, local_store  # noqa: F401

from remit.core.errors import InputError
from remit.engine import records, run_lists
from remit.engine.run_lists import RunFilter, listed, strips
from remit.ports.store import Page, Put, Store

AGENTS = ("clerk", "flow", "scout")
STATES = ("running", "waiting", "success", "failure")


def row(number: int, **fields: Any) -> dict[str, Any]:
    """The record of run `r<number>`, which began at second `number`."""
    base = {"run_id": f"r{number:03d}", "tenant_id": "local", "workflow_id": "", "end_ts": None}
    more = {"start_ts": number * 1000, "cost": "0", "trace_id": "t", "changed_ts": number * 1000}
    cycle = {
        "agent_id": AGENTS[number % 3],
        "status": STATES[number % 4],
        "session_id": f"s{number % 5}",
        "parent_run": "" if number % 2 else "r000",
    }
    return {**base, **more, **cycle, **fields}


ROWS = [row(number) for number in range(60)]


@pytest.fixture
async def filled(local_store: Store) -> Store:
    """Sixty runs of one tenant, and one of another."""
    await local_store.open()
    await local_store.declare(records.COLLECTIONS)
    for each in (*ROWS, row(30, run_id="theirs", tenant_id="acme")):
        await local_store.transact([Put("agent_run", each)])
    return local_store


FILTERS = {
    "all": (RunFilter(), lambda r: True),
    "status": (RunFilter(status="failure"), lambda r: r["status"] == "failure"),
    "agent": (RunFilter(agent="clerk"), lambda r: r["agent_id"] == "clerk"),
    "workflow": (RunFilter(workflow="flow"), lambda r: r["agent_id"] == "flow"),
    "session": (RunFilter(session_id="s3"), lambda r: r["session_id"] == "s3"),
    "times": (RunFilter(since=10_000, until=20_000), lambda r: 10_000 <= r["start_ts"] <= 20_000),
    "top": (RunFilter(top=True), lambda r: not r["parent_run"]),
    "status and agent": (
        RunFilter(status="waiting", agent="scout"),
        lambda r: (r["status"], r["agent_id"]) == ("waiting", "scout"),
    ),
    "everything": (
        RunFilter("success", "clerk", "clerk", "s1", 1000, 59_000, True),
        lambda r: (
            (r["status"], r["agent_id"], r["session_id"], bool(r["parent_run"]))
            == ("success", "clerk", "s1", False)
            and 1000 <= r["start_ts"] <= 59_000
        ),
    ),
}


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("limit", [3, 200])
async def test_filters_give_what_they_say_newest_first(filled: Store, name: str, limit: int) -> None:
    """Following the cursor gives each run once, and no page is longer than asked for."""
    wanted, is_wanted = FILTERS[name]
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(100):
        page = await listed(filled, "local", wanted, limit=limit, cursor=cursor)
        assert len(page.items) <= limit
        seen += [item["run_id"] for item in page.items]
        cursor = page.cursor
        if cursor is None:
            break
    assert cursor is None
    assert seen == [r["run_id"] for r in reversed(ROWS) if is_wanted(r)]


class Counting:
    """Records that count what is read."""

    def __init__(self, inner: Store) -> None:
        self._inner = inner
        self.queries = self.rows = 0

    async def query(self, *args: Any, **more: Any) -> Page:
        """Count and pass on."""
        page = await self._inner.query(*args, **more)
        self.queries += 1
        self.rows += len(page.items)
        return page


async def test_a_page_costs_little_however_rare_what_is_wanted(
    filled: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A short page with a cursor, instead of a walk through everything."""
    monkeypatch.setattr(run_lists, "MOST_LOOKED_AT", 10)
    counting = Counting(filled)
    page = await listed(counting, "local", RunFilter(status="failure", agent="nobody", top=True), limit=5)  # type: ignore[arg-type]
    assert (page.items, page.cursor, counting.queries) == ([], None, 1), (
        "an agent without runs is known at once"
    )
    page = await listed(counting, "local", RunFilter(agent="clerk", status="gone"), limit=5)  # type: ignore[arg-type]
    assert page.items == []
    assert page.cursor is not None
    assert counting.rows == 10


async def test_an_agent_and_another_workflow_are_the_runs_that_work_for_it(filled: Store) -> None:
    """By the name of the workflow that each run has from whoever started it."""
    await filled.transact([Put("agent_run", row(60, run_id="working", workflow_id="flow"))])
    found = await listed(filled, "local", RunFilter(agent="clerk", workflow="flow"))
    assert [r["run_id"] for r in found.items] == ["working"]


async def test_strips_show_the_last_runs_of_each_name(filled: Store) -> None:
    """At most twenty, newest first; a name that nothing ran under has none; another tenant's are not seen."""
    found = await strips(filled, "local", ["scout", "nobody", "clerk"])
    assert [strip.name for strip in found.items] == ["scout", "nobody", "clerk"]
    scout = [r for r in reversed(ROWS) if r["agent_id"] == "scout"][:20]
    assert [(run.run_id, run.status) for run in found.items[0].runs] == [
        (r["run_id"], r["status"]) for r in scout
    ]
    assert found.items[1].runs == []
    assert len((await strips(filled, "acme", ["clerk"])).items[0].runs) == 1
    with pytest.raises(InputError) as told:
        await strips(filled, "local", [f"a{n}" for n in range(51)])
    assert told.value.code == "E1000"
