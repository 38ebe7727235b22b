"""The decision log: what was let through, held and refused, each once, and read from an index."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from tests.engine.any_store import clock, local_store  # noqa: F401

from remit import Agent, tool
from remit.adapters.store import _sql
from remit.adapters.store.paging import plan
from remit.bootstrap.collections import COLLECTIONS
from remit.engine import decisions as module
from remit.engine.costs import part
from remit.engine.decisions import DecisionFilter
from remit.ports.store import Store
from remit.testing import BOSS, FakeClock, app_for_tests, call, calls, task

NOTHING_LEAVES = """
@id("nothing-leaves")
forbid (principal, action == Action::"call_tool", resource == Tool::"send");

@id("no-models-for-mutes")
forbid (principal == Agent::"mute", action == Action::"use_model", resource);
"""


@tool
def look() -> str:
    """Look."""
    return "seen"


@tool(risk="L3")
def launch() -> str:
    """Privileged."""
    return "launched"


@tool(risk="L1", outward=True)
def send(to: str) -> str:
    """Send something out."""
    return "sent"


pilot = Agent("pilot", instructions="Fly.", tools=[look, launch, send])
mute = Agent("mute", instructions="Say nothing.")


def house(tmp_path: Path) -> str:
    """A profile that refuses what goes out."""
    folder = tmp_path / "house"
    folder.mkdir()
    (folder / "profile.toml").write_text('name = "house"\nextends = "default"\n')
    (folder / "policy.cedar").write_text(NOTHING_LEAVES)
    return str(folder)


async def test_each_decision_is_there_once_with_who_decided(
    local_store: Store,  # noqa: F811
    clock: FakeClock,  # noqa: F811
    tmp_path: Path,
) -> None:
    """Let through, held and then done, refused; of models only refusals; by what, and what came of it."""
    asks = [calls(("look", {}), ("launch", {}), ("send", {"to": "x"})), "done"]
    async with app_for_tests(
        pilot, mute, replies=asks, store=local_store, clock=clock, policies=(house(tmp_path),)
    ) as app:
        await app.run(task(pilot, policy_profile="house"))
        (asked,) = (await app.approvals.list("local")).items
        clock.advance(1)
        await app.approvals.decide(asked["approval_id"], "local", BOSS, "approve")
        await app.worker.run_until_idle()
        await app.run(task(mute, "t2", policy_profile="house"))
        log = await app.decisions.list("local")
        assert {(d.resource, d.verdict, d.policies, d.outcome) for d in log.items} == {
            ("look", "allow", ("tools-run",), "done"),
            ("launch", "needs_approval", ("privileged-needs-approval",), ""),
            ("launch", "allow", ("tools-run",), "done"),
            ("send", "deny", ("nothing-leaves",), ""),
            ("default", "deny", ("no-models-for-mutes",), ""),
        }
        assert len(log.items) == 5
        assert {d.approval_id for d in log.items if d.resource == "launch"} == {asked["approval_id"]}
        assert all(d.reason and d.policy_version for d in log.items if d.verdict != "allow")
        denied = await app.decisions.list("local", DecisionFilter(verdict="deny", agent="pilot"))
        assert [(d.resource, d.step, d.kind) for d in denied.items] == [("send", "m0.2", "tool")]
        assert (await app.decisions.list("other")).items == []


async def test_a_page_looks_through_so_many_records_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a filter that hardly any fits, a page is short and says how to go on; nothing is told twice or left out."""
    monkeypatch.setattr(module, "PORTION", 3)
    monkeypatch.setattr(module, "MOST_LOOKED", 6)
    replies = [*(call("look") for _ in range(9)), call("launch")]
    async with app_for_tests(pilot, replies=replies) as app:
        await app.run(task(pilot))
        seen: list[Any] = []
        cursor, pages = None, 0
        while True:
            page = await app.decisions.list(
                "local", DecisionFilter(tool="look", verdict="allow"), limit=2, cursor=cursor
            )
            assert page.looked_at <= 6
            assert len(page.items) <= 2
            seen += page.items
            pages += 1
            cursor = page.cursor
            if cursor is None:
                break
        assert len({d.step for d in seen}) == len(seen) == 9
        none = await app.decisions.list("local", DecisionFilter(tool="nothing"))
        assert (none.items, none.looked_at, none.cursor is None) == ([], 6, False)


QUESTIONS: dict[str, tuple[str, str, tuple[Any, ...], dict[str, Any]]] = {
    "decisions of a tenant": ("tool_call", "by_tenant", ("local",), {"descending": True, "lower": 1}),
    "refusals": ("tool_call", "by_refusal", ("local", "deny"), {"descending": True}),
    "approvals by deadline": ("approval_event", "by_deadline", ("local", "yes"), {}),
    "costs of an agent's days": ("cost", "", (part("agent", "day", "local"),), {"lower": 1, "upper": 9}),
    "entries that wait": ("cost", "", ("pending/0",), {}),
}


@pytest.mark.parametrize("question", QUESTIONS)
async def test_sqlite_searches_an_index(question: str, tmp_path: Path) -> None:
    """SEARCH, never SCAN, and no sorting after it."""
    name, index, equals, more = QUESTIONS[question]
    held = next(each for each in COLLECTIONS if each.name == name)
    async with app_for_tests(pilot, replies=["done"], store=f"sqlite:///{tmp_path / 'r.db'}") as app:
        await app.run(task(pilot))
    query = plan(held, index, equals, **more)
    text, values = _sql.select(query, held, _sql.table(name), "?", lambda value: value)
    with sqlite3.connect(tmp_path / "r.db") as db:
        said = [row[-1] for row in db.execute(f"EXPLAIN QUERY PLAN {text}", values)]
    assert len(said) == 1
    assert said[0].startswith("SEARCH")
