"""A tenant never sees, wakes, pays for or is blocked by another tenant's run (invariant 4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from remit import Agent, tool
from remit.bootstrap import App
from remit.core.errors import NotFoundError
from remit.core.task import Actor
from remit.core.tool import Retry
from remit.engine.envelopes import ENVELOPE, set_limit
from remit.ports.agents import ToolContext
from remit.testing import ScriptedModel, app_for_tests, call, task

LAUNCHED: list[str] = []


@tool(risk="L3")
def launch() -> str:
    """Privileged."""
    LAUNCHED.append("launched")
    return "launched"


pilot = Agent("pilot", instructions="Fly.", tools=[launch])
EVE = Actor("eve", ("approver", "admin"))


async def follow(app: App, run_id: str, tenant: str) -> Any:
    """Everything that `follow` gives."""
    return [e async for e in app.runs.follow(run_id, tenant)]


DOORS: dict[str, Callable[[App, str, str, str], Awaitable[Any]]] = {
    "view": lambda app, run, apr, t: app.runs.view(run, t),
    "result": lambda app, run, apr, t: app.runs.result(run, t),
    "events": lambda app, run, apr, t: app.runs.events(run, t),
    "follow": lambda app, run, apr, t: follow(app, run, t),
    "cancel": lambda app, run, apr, t: app.runs.cancel(run, t, EVE, "mine now"),
    "resume": lambda app, run, apr, t: app.runs.resume(run, t, EVE),
    "approval": lambda app, run, apr, t: app.approvals.get(apr, t),
    "approve": lambda app, run, apr, t: app.approvals.decide(apr, t, EVE, "approve"),
    "reject": lambda app, run, apr, t: app.approvals.decide(apr, t, EVE, "reject"),
    "constrain": lambda app, run, apr, t: app.approvals.decide(apr, t, EVE, "constrain", arguments={}),
    "answer": lambda app, run, apr, t: app.approvals.answer(apr, t, EVE, "yes"),
    "verify": lambda app, run, apr, t: app.audit.verify(run, t),
    "export": lambda app, run, apr, t: app.audit.export(run, t),
}


@pytest.mark.parametrize("door", DOORS)
async def test_another_tenants_run_is_as_unknown_as_one_that_never_was(door: str) -> None:
    """Every door answers E104 with the same words for a foreign id and for a made-up one, and nothing changes."""
    LAUNCHED.clear()
    async with app_for_tests(pilot, replies=[call("launch")]) as app:
        run_id = (await app.run(task(pilot, tenant_id="acme"))).run_id
        (item,) = (await app.approvals.list("acme")).items
        before = await app.runs.events(run_id, "acme")
        words = set()
        for run, approval in ((run_id, item["approval_id"]), ("run_none", "apr_none")):
            for tenant in ("zeta", "", "ACME", "acme\x00", "acme "):
                with pytest.raises(NotFoundError) as unknown:
                    await DOORS[door](app, run, approval, tenant)
                words.add(str(unknown.value).replace(run, "ID").replace(approval, "ID"))
        assert len(words) == 1
        assert "acme" not in words.pop()
        await app.worker.run_until_idle()
        assert await app.runs.events(run_id, "acme") == before
        assert LAUNCHED == []


async def test_lists_hold_only_what_is_ones_own() -> None:
    """Runs by every filter, approvals by every status, keys: each tenant sees its own, page by page."""
    async with app_for_tests(pilot, replies=[call("launch")], cycle=True) as app:
        for n in range(3):
            for tenant in ("acme", "zeta"):
                await app.run(task(pilot, f"t{n}", tenant_id=tenant, session_id="s"))
        await app.keys.create("acme", "ann", ["viewer"])
        for tenant in ("acme", "zeta", "nobody"):
            expected = 0 if tenant == "nobody" else 3
            filters: list[dict[str, str]] = [
                {},
                {"status": "waiting"},
                {"agent": "pilot"},
                {"session_id": "s"},
            ]
            for given in filters:
                assert await tenants(app.runs.list, tenant, given) == [tenant] * expected
            for status in ("pending", ""):
                assert await tenants(app.approvals.list, tenant, {"status": status}) == [tenant] * expected


async def tenants(listed: Callable[..., Awaitable[Any]], tenant: str, given: dict[str, str]) -> list[str]:
    """Whose items a list holds, one a page."""
    found: list[str] = []
    cursor = None
    while True:
        page = await listed(tenant, limit=1, cursor=cursor, **given)
        found += [item["tenant_id"] for item in page.items]
        cursor = page.cursor
        if cursor is None:
            return found


async def test_a_cursor_of_one_tenant_opens_nothing_of_another() -> None:
    """A page cursor that was taken from another tenant gives no foreign item."""
    async with app_for_tests(pilot, replies=["ok"], cycle=True) as app:
        for n in range(4):
            for tenant in ("acme", "zeta"):
                await app.run(task(pilot, f"t{n}", tenant_id=tenant))
        cursor = (await app.runs.list("acme", limit=2)).cursor
        try:
            page = await app.runs.list("zeta", limit=50, cursor=cursor)
        except Exception:
            return
        assert {item["tenant_id"] for item in page.items} <= {"zeta"}


async def test_the_same_task_id_in_two_tenants_is_two_runs() -> None:
    """Idempotency never reaches across tenants."""
    async with app_for_tests(pilot, replies=["a", "b"]) as app:
        one = await app.run(task(pilot, tenant_id="acme"))
        two = await app.run(task(pilot, tenant_id="zeta"))
        assert (one.run_id != two.run_id, one.result_payload, two.result_payload) == (True, "a", "b")


async def test_a_session_of_the_same_name_is_another_tenants_own() -> None:
    """History comes from one's own runs only."""
    model = ScriptedModel(["the code is 4711", "hello"])
    async with app_for_tests(pilot, model=model) as app:
        await app.run(task(pilot, tenant_id="acme", session_id="s"))
        await app.run(task(pilot, tenant_id="zeta", session_id="s"))
    assert len(model.requests[-1].messages) == 1
    assert "4711" not in str(model.requests[-1])


async def test_children_belong_to_their_parents_tenant() -> None:
    """A child run, its approval and its handoff carry the tenant of the root."""
    boss = Agent("boss_agent", instructions="", delegates=[pilot])
    replies = [call("delegate_to_pilot", objective="x"), call("launch")]
    async with app_for_tests(boss, pilot, replies=replies) as app:
        run_id = (await app.run(task(boss, tenant_id="acme"))).run_id
        (child,) = (await app.runs.view(run_id, "acme")).children
        assert (await app.runs.view(child, "acme")).task.tenant_id == "acme"
        with pytest.raises(NotFoundError):
            await app.runs.view(child, "local")
        (item,) = (await app.approvals.list("acme")).items
        assert item["tenant_id"] == "acme"
        page = await app.store.query("agent_handoff", "by_run", (run_id,))
        assert [h["tenant_id"] for h in page.items] == ["acme"]


async def test_nobody_pays_for_another_tenant() -> None:
    """One tenant's runs never touch another's envelope, also when its own is empty."""
    async with app_for_tests(pilot, replies=["ok"], cycle=True) as app:
        await set_limit(app.kit, "acme", max_cost_usd=Decimal(0))
        await set_limit(app.kit, "zeta", max_cost_usd=Decimal(1))
        before = await app.store.get(ENVELOPE, ("acme",))
        assert (await app.run(task(pilot, tenant_id="zeta"))).status == "success"
        assert await app.store.get(ENVELOPE, ("acme",)) == before


async def test_a_waiting_tenant_blocks_nobody() -> None:
    """While one tenant's runs wait for people, another's go through."""
    async with app_for_tests(pilot, replies=[*[call("launch")] * 5, "quick"]) as app:
        for n in range(5):
            await app.run(task(pilot, f"t{n}", tenant_id="slow"))
        assert (await app.run(task(pilot, tenant_id="fast"))).result_payload == "quick"


async def test_a_tenant_that_breaks_a_tool_breaks_it_for_itself_only() -> None:
    """A breaker that one tenant's calls opened refuses that tenant, and lets others through."""

    @tool(retry=Retry(attempts=1))
    def fragile(n: int) -> str:
        if n == 0:
            raise RuntimeError("bad input")
        return "fine"

    user = Agent("user", instructions="", tools=[fragile])
    bad, good = call("fragile", n=0), call("fragile", n=1)
    async with app_for_tests(user, replies=[*[bad] * 6, "ok", good, "ok"]) as app:
        rough = await app.runs.view((await app.run(task(user, tenant_id="rough"))).run_id, "rough")
        assert "E705" in [s.problem for s in rough.steps if s.kind == "tool"][-1]
        calm = await app.runs.view((await app.run(task(user, tenant_id="calm"))).run_id, "calm")
        assert [s.output for s in calm.steps if s.kind == "tool"] == ["fine"]


async def test_a_tool_acts_for_the_actor_of_its_own_run() -> None:
    """The context of a tool names tenant and actor of the run it serves, in children too."""
    met: list[tuple[str, str]] = []

    @tool
    def whoami(context: ToolContext) -> str:
        met.append((context.tenant_id, context.actor.actor_id))
        return "me"

    mirror = Agent("mirror", instructions="", tools=[whoami])
    boss = Agent("boss_agent", instructions="", delegates=[mirror])
    replies = [call("delegate_to_mirror", objective="x"), call("whoami"), "a", "b"]
    async with app_for_tests(boss, mirror, replies=replies) as app:
        await app.run(task(boss, tenant_id="acme", actor_context=Actor("ann")))
    assert met == [("acme", "ann")]
