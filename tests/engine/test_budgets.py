"""A budget is never exceeded by more than the one call in flight; a child cannot spend more than its slice (invariant 5)."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from remit import Agent, agent, tool
from remit.bootstrap import App
from remit.core.budget import Budget, Usage
from remit.core.errors import BudgetError
from remit.core.message import Message
from remit.core.pricing import Price
from remit.core.task import Actor, Constraints, Result
from remit.engine.envelopes import ENVELOPE, set_limit
from remit.ports.model import ModelReply, ModelRequest, OnDelta
from remit.testing import FakeClock, ScriptedModel, app_for_tests, call, calls, task

MILL = Price(Decimal(1000), Decimal(1000))
"""A thousandth of a dollar for a token."""


class Costly:
    """A model that uses a fixed number of tokens for every answer."""

    provider = "scripted"

    def __init__(self, *replies: Any, tokens: int = 10) -> None:
        self._inner = ScriptedModel(replies, cycle=True)
        self._tokens = tokens
        self.asked = 0

    async def ask(self, request: ModelRequest, on_delta: OnDelta | None = None) -> ModelReply:
        self.asked += 1
        reply = await self._inner.ask(request, on_delta)
        return ModelReply(reply.message, reply.stop_reason, Usage(output_tokens=self._tokens), "scripted")

    async def close(self) -> None: ...


@tool
def look(at: int = 0) -> str:
    """Look."""
    return "seen"


looker = Agent("looker", instructions="Look.", tools=[look], max_tokens=10, max_iterations=50)
leader = Agent("leader", instructions="Lead.", delegates=[looker], max_tokens=10, max_iterations=50)


def limits(**given: Any) -> Constraints:
    """Constraints with this budget."""
    return Constraints(Budget(**given))


async def ended(app: App, **budget: Any) -> Result:
    """The result of a run with this budget."""
    return await app.run(task(looker, constraints=limits(**budget)))


@pytest.mark.parametrize(
    ("budget", "code"),
    [
        ({"max_cost_usd": Decimal("0.50")}, "E501"),
        ({"max_tokens": 300}, "E501"),
        ({"max_model_calls": 3}, "E501"),
        ({"max_iterations": 3}, "E510"),
        ({"max_iterations": 0}, "E510"),
        ({"max_model_calls": 0}, "E501"),
    ],
    ids=lambda b: str(b),
)
async def test_a_loop_that_never_ends_is_ended_by_each_limit(budget: dict[str, Any], code: str) -> None:
    """Money, tokens, model calls and iterations each stop a run that would go on for ever, within the limit."""
    async with app_for_tests(looker, model=Costly(call("look")), price=MILL) as app:
        result = await ended(app, **budget)
        assert result.problem is not None
        assert (result.status, result.problem.code) == ("failure", code)
        used = result.cost_usage
        assert used.cost_usd <= budget.get("max_cost_usd", Decimal(1))
        assert used.tokens <= budget.get("max_tokens", 10**9)
        assert used.model_calls <= budget.get("max_model_calls", budget.get("max_iterations", 10**9))


async def test_tool_calls_beyond_the_limit_are_refused_one_by_one() -> None:
    """Of five parallel calls under a limit of two, two run and three are refused with E501."""
    ran: list[int] = []

    @tool
    def step(n: int) -> int:
        ran.append(n)
        return n

    stepper = Agent("stepper", instructions="", tools=[step])
    turn = calls(*(("step", {"n": n}) for n in range(5)))
    async with app_for_tests(stepper, replies=[turn, "ok"]) as app:
        result = await app.run(task(stepper, constraints=limits(max_tool_calls=2)))
        view = await app.runs.view(result.run_id, "local")
        assert (sorted(ran), result.cost_usage.tool_calls) == ([0, 1], 2)
        assert [s.problem[:6] for s in view.steps if s.name == "step" and s.problem] == ["[E501]"] * 3


async def test_wall_time_ends_a_run_also_while_it_waits() -> None:
    """`max_wall_s` counts waiting, and wakes the run to end it."""

    @tool(risk="L3")
    def launch() -> str:
        return "gone"

    pilot = Agent("pilot", instructions="", tools=[launch])
    clock = FakeClock()
    async with app_for_tests(pilot, replies=[call("launch")], clock=clock) as app:
        result = await app.run(task(pilot, constraints=limits(max_wall_s=60.0)))
        assert result.status == "needs_approval"
        clock.advance(60)
        await app.worker.run_until_idle()
        after = await app.runs.result(result.run_id, "local")
        assert after is not None
        assert after.problem is not None
        assert (after.status, after.problem.code) == ("failure", "E512")


async def test_the_profile_limits_what_a_task_may_ask_for() -> None:
    """A task can lower the profile's budget, never raise it."""
    async with app_for_tests(looker, replies=["ok"]) as app:
        result = await ended(app, max_cost_usd=Decimal(1000), max_model_calls=5)
        budget = (await app.runs.view(result.run_id, "local")).budget
        assert (budget.max_cost_usd, budget.max_model_calls) == (Decimal("1.00"), 5)


async def test_depth_is_used_up_by_each_generation() -> None:
    """With `max_depth` 0 nobody is delegated to; the model is told E503."""
    model = ScriptedModel([call("delegate_to_looker", objective="x"), "ok"])
    async with app_for_tests(leader, looker, model=model) as app:
        result = await app.run(task(leader, constraints=limits(max_depth=0)))
        view = await app.runs.view(result.run_id, "local")
        assert (view.children, result.status) == ((), "success")
        assert "E503" in next(s.problem for s in view.steps if s.kind == "delegate")


async def test_children_are_counted_directly() -> None:
    """`max_children` limits a run's own children: a grandchild is its parent's, and costs the grandparent none."""
    middle = Agent("middle", instructions="Middle.", delegates=[looker])
    top = Agent("top", instructions="Top.", delegates=[middle])
    replies = [
        call("delegate_to_middle", objective="a"),
        call("delegate_to_looker", objective="b"),
        "leaf",
        "middle",
        call("delegate_to_middle", objective="c"),
        "top",
    ]
    async with app_for_tests(top, middle, looker, replies=replies) as app:
        result = await app.run(task(top, constraints=limits(max_children=1)))
        view = await app.runs.view(result.run_id, "local")
        assert (result.result_payload, len(view.children)) == ("top", 1)
        assert ["E502" in s.problem for s in view.steps if s.kind == "delegate"] == [False, True]


async def test_a_child_never_spends_more_than_its_slice() -> None:
    """A greedy child is stopped at its slice, and its parent is charged exactly what it used."""

    def say(request: ModelRequest) -> Message | str:
        if "Lead" not in request.system:
            return call("look")
        return (
            "done"
            if len(request.messages) > 1
            else call("delegate_to_looker", objective="x", max_cost_usd="0.30")
        )

    async with app_for_tests(leader, looker, model=Costly(say), price=MILL) as app:
        result = await app.run(task(leader, constraints=limits(max_cost_usd=Decimal(1))))
        view = await app.runs.view(result.run_id, "local")
        child = await app.runs.view(view.children[0], "local")
        assert child.budget.max_cost_usd == Decimal("0.30")
        assert child.usage.cost_usd <= Decimal("0.30")
        assert child.result.problem is not None
        assert (child.result.problem.code, result.result_payload) == ("E501", "done")
        own = Decimal("0.01") * sum(s.kind == "model" for s in view.steps)
        assert view.usage.cost_usd == own + child.usage.cost_usd


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "-Infinity", "-1", "0", "1e400", "1e30", "free", ""])
async def test_an_amount_that_is_none_is_refused(amount: str) -> None:
    """A model that asks for a slice of NaN, infinite or negative dollars gets a refusal, and the run goes on."""
    replies = [call("delegate_to_looker", objective="x", max_cost_usd=amount), "ok"]
    async with app_for_tests(leader, looker, replies=replies) as app:
        result = await app.run(task(leader))
        view = await app.runs.view(result.run_id, "local")
        assert (result.status, view.children) == ("success", ())


async def test_parallel_children_together_fit_into_the_parent() -> None:
    """Children of one batch that ask for no slice get equal ones, and so much is left for their parent."""
    turn = calls(*(("delegate_to_looker", {"objective": str(i)}) for i in range(5)))

    def say(request: ModelRequest) -> Message | str:
        return turn if "Lead" in request.system and len(request.messages) == 1 else "done"

    async with app_for_tests(leader, looker, replies=[say], cycle=True) as app:
        result = await app.run(task(leader, constraints=limits(max_cost_usd=Decimal(1))))
        view = await app.runs.view(result.run_id, "local")
        slices = [(await app.runs.view(c, "local")).budget.max_cost_usd for c in view.children]
        assert [round(s or 0, 6) for s in slices] == [round(Decimal(1) / 6, 6)] * 5
        assert result.cost_usage.children == 5


async def test_a_model_call_whose_answer_was_lost_is_charged_what_was_held_for_it() -> None:
    """A worker that dies while the model thinks leaves a call that may be billed: it is charged, then made again."""

    class Dies(BaseException):
        pass

    model = Costly("fine", tokens=1)
    asked = model.ask

    async def lost(request: ModelRequest, on_delta: OnDelta | None = None) -> ModelReply:
        model.ask = asked  # type: ignore[method-assign]
        raise Dies

    model.ask = lost  # type: ignore[method-assign]
    clock = FakeClock()
    async with app_for_tests(looker, model=model, price=MILL, clock=clock) as app:
        run_id = await app.runs.submit(task(looker))
        with pytest.raises(Dies):
            await app.engine.advance(run_id)
        held = await _held(app, run_id)
        clock.advance(60)
        await app.worker.run_until_idle()
        result = await app.runs.result(run_id, "local")
        assert result is not None
        assert held > 0
        assert (result.status, result.cost_usage.model_calls) == ("success", 2)
        assert result.cost_usage.cost_usd == held + Decimal("0.001")


async def _held(app: App, run_id: str) -> Decimal:
    events = await app.runs.events(run_id, "local")
    return sum(
        (Decimal(e.data["reserved"]["cost_usd"]) for e in events if e.type == "ModelAsked"), Decimal(0)
    )


async def test_a_call_that_was_cancelled_in_flight_is_charged_too() -> None:
    """Cancelling while a model thinks charges what was held for that call."""
    thinking = asyncio.Event()

    class Slow(Costly):
        async def ask(self, request: ModelRequest, on_delta: OnDelta | None = None) -> ModelReply:
            thinking.set()
            await asyncio.Event().wait()
            raise AssertionError

    clock = FakeClock()
    async with app_for_tests(looker, model=Slow(), price=MILL, clock=clock) as app:
        run_id = await app.runs.submit(task(looker))
        working = asyncio.create_task(app.worker.run_until_idle())
        await thinking.wait()
        await app.runs.cancel(run_id, "local", Actor("alice"), "enough")
        clock.advance(2)
        await working
        result = await app.runs.result(run_id, "local")
        assert result is not None
        assert result.cost_usage.cost_usd == await _held(app, run_id)
        assert result.cost_usage.cost_usd > 0


async def test_failed_tries_are_charged_what_they_used() -> None:
    """Tokens that a provider counted for a failed try are part of the cost."""

    class Stumbles(Costly):
        async def ask(self, request: ModelRequest, on_delta: OnDelta | None = None) -> ModelReply:
            from remit.core.errors import ModelError

            self.asked += 1
            if self.asked == 1:
                error = ModelError("cut off", code="E603", retryable=True)
                error.usage = Usage(output_tokens=7)  # type: ignore[attr-defined]
                raise error
            return await super().ask(request, on_delta)

    async with app_for_tests(looker, model=Stumbles("fine"), price=MILL) as app:
        result = await app.run(task(looker))
        assert (result.status, result.cost_usage.cost_usd) == ("success", Decimal("0.017"))


# the tenant's envelope


async def left(app: App, tenant: str = "local") -> Decimal:
    """Dollars left in a tenant's envelope."""
    item = await app.store.get(ENVELOPE, (tenant,))
    assert item is not None
    return Decimal(item["nano_usd_left"]) / 10**9


async def test_an_envelope_is_held_while_a_run_lives_and_gets_back_what_it_did_not_spend() -> None:
    """Created: the whole budget is gone from the envelope. Ended: only what was used is."""
    async with app_for_tests(looker, model=Costly("ok"), price=MILL) as app:
        await set_limit(app.kit, "local", max_cost_usd=Decimal(2))
        run_id = await app.runs.submit(task(looker))
        assert await left(app) == Decimal(1)
        await app.worker.run_until_idle()
        assert (await app.runs.view(run_id, "local")).usage.cost_usd == Decimal("0.01")
        assert await left(app) == Decimal("1.99")


async def test_an_envelope_that_is_used_up_refuses_the_next_run() -> None:
    """E506, nothing is created; other tenants are not concerned; the same task again reserves nothing again."""
    async with app_for_tests(looker, model=Costly("ok")) as app:
        await set_limit(app.kit, "local", max_cost_usd=Decimal("1.5"))
        await app.runs.submit(task(looker, "t1"))
        await app.runs.submit(task(looker, "t1"))
        with pytest.raises(BudgetError) as refused:
            await app.runs.submit(task(looker, "t2"))
        assert refused.value.code == "E506"
        assert await left(app) == Decimal("0.5")
        assert len((await app.runs.list("local")).items) == 1
        await app.runs.submit(task(looker, "t2", tenant_id="other"))
        await app.worker.run_until_idle()
        assert await left(app) == Decimal("1.5")


async def test_children_take_nothing_from_the_envelope() -> None:
    """A child's slice is its parent's: the envelope is charged once, for the root run."""
    replies = [call("delegate_to_looker", objective="x"), "child", "parent"]
    model = Costly(*replies, tokens=1)
    async with app_for_tests(leader, looker, model=model, price=MILL) as app:
        await set_limit(app.kit, "local", max_cost_usd=Decimal(2))
        result = await app.run(task(leader))
        assert result.cost_usage.cost_usd == Decimal("0.003")
        assert await left(app) == Decimal("1.997")


async def test_an_agent_in_code_is_held_to_its_budget() -> None:
    """`ctx.ask` beyond the budget raises; the agent cannot spend past it by catching that."""

    @agent
    async def greedy(input: Any, memory: Any, context: Any) -> int:
        for n in range(100):
            try:
                await context.ask(f"question {n}")
            except Exception:
                return n
        return 100

    async with app_for_tests(greedy, model=Costly("ok")) as app:
        result = await app.run(task(greedy, constraints=limits(max_model_calls=4)))
        assert (result.result_payload, result.cost_usage.model_calls) == (4, 4)
