"""Alerts of tenants' own budgets: at 80 and 100 per cent, each once, to notifiers over a socket and on the bus, whoever is killed."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.notify.servers import web_server

from remit import Agent
from remit.adapters.store.sqlite import SqliteStore
from remit.bootstrap import App
from remit.core.budget import Budget, Usage
from remit.core.cloudevent import CloudEvent
from remit.core.errors import BudgetError
from remit.core.notification import NotifierConfig
from remit.core.pricing import Price
from remit.core.task import Constraints
from remit.engine.budget_alerts import AGAIN_MS, NEAR, USED_UP
from remit.engine.envelopes import set_limit
from remit.ports.bus import Delivery, Subscription
from remit.ports.model import ModelReply, ModelRequest, OnDelta
from remit.testing import FakeClock, ScriptedModel, app_for_tests, task

CENT = Price(Decimal(0), Decimal(10_000))
"""A cent for a token of output."""

worker = Agent("worker", instructions="Work.", max_tokens=1)


class Costly(ScriptedModel):
    """Ten cents an answer."""

    async def ask(self, request: ModelRequest, on_delta: OnDelta | None = None) -> ModelReply:
        reply = await super().ask(request, on_delta)
        return ModelReply(reply.message, reply.stop_reason, Usage(output_tokens=10))


def app_with(**fields: Any) -> App:
    """An app whose model costs ten cents an answer."""
    return app_for_tests(worker, model=Costly(["done"], cycle=True), price=CENT, **fields)


async def spend(app: App, runs: int, *, first: int = 0, most: str = "0.20") -> None:
    """Some runs of ten cents each."""
    small = Constraints(budget=Budget(max_cost_usd=Decimal(most)))
    for number in range(first, first + runs):
        await app.run(task(worker, f"t{number}", constraints=small))


async def listen(app: App) -> list[CloudEvent]:
    """What comes on the bus about budgets, from now on."""
    heard: list[CloudEvent] = []

    async def hear(delivery: Delivery) -> None:
        heard.append(delivery.event)

    await app.bus.subscribe(Subscription("budgets", ({"type": [NEAR, USED_UP]},), "local"), hear)
    return heard


async def test_each_level_is_told_once_and_a_new_budget_begins_anew() -> None:
    """Below 80 nothing; at 80 and at 100 one event, one message, one count each, however often it is looked."""
    with web_server() as web:
        async with app_with() as app:
            hook = NotifierConfig("ops", "webhook", web.url, on=("budget",))
            await app.notifiers.put("local", hook)
            await app.notifiers.put(
                "local", NotifierConfig("others", "webhook", f"http://127.0.0.1:{web.port}/no")
            )
            heard = await listen(app)
            told: list[tuple[int, list[str]]] = []
            await set_limit(app.kit, "local", max_cost_usd=Decimal(1))
            for runs, first in ((7, 0), (1, 7), (2, 8)):
                await spend(app, runs, first=first, most="0.10")
                for _ in range(2):
                    await app.sweeper.tick()
                    await app.bus.drain()
                told.append((len(web.requests), [event.type for event in heard]))
            assert told == [(0, []), (1, [NEAR]), (2, [NEAR, USED_UP])]
            assert {event.data["level"] for event in heard} == {80, 100}
            assert (
                heard[0].data["sentence"]
                == "tenant local has used 80 % of its budget: 0.80 of 1.00 US dollars"
            )
            assert "remit_budget_alerts_total" in app.telemetry.render()  # type: ignore[attr-defined]
            await set_limit(app.kit, "local", max_cost_usd=Decimal(1))
            await app.sweeper.tick()
            assert len(web.requests) == 2


async def test_a_budget_too_small_for_a_task_is_used_up_and_one_that_is_only_held_is_not() -> None:
    """What live runs hold comes back; what ended ones have used does not."""
    async with app_with() as app:
        heard = await listen(app)
        await set_limit(app.kit, "local", max_cost_usd=Decimal("0.50"))
        await app.runs.submit(
            task(worker, "holds", constraints=Constraints(budget=Budget(max_cost_usd=Decimal("0.40"))))
        )
        with pytest.raises(BudgetError):
            await spend(app, 1, most="0.30")
        await app.sweeper.tick()
        await app.bus.drain()
        assert heard == []
        await app.worker.run_until_idle()
        with pytest.raises(BudgetError):
            await spend(app, 1, first=1, most="0.45")
        await app.sweeper.tick()
        await app.bus.drain()
        assert [event.type for event in heard] == [USED_UP]
        assert "too little of its budget left" in heard[-1].data["sentence"]


async def test_a_message_that_was_not_sent_is_sent_later_and_only_once(tmp_path: Path) -> None:
    """Two workers look at once; the server is busy the first time; minutes later it is told, by one of them."""
    with web_server(500, 200) as web:
        clock = FakeClock()
        async with app_with(store=SqliteStore(tmp_path / "remit.db", clock), clock=clock) as app:
            hook = NotifierConfig("ops", "webhook", web.url, on=("budget",))
            await app.notifiers.put("local", hook)
            await set_limit(app.kit, "local", max_cost_usd=Decimal("0.10"))
            await spend(app, 1, most="0.10")
            await asyncio.gather(*(app.budget_alerts.sweep() for _ in range(4)))
            before = len(web.requests)
            await app.budget_alerts.sweep()
            assert len(web.requests) == before
            clock.advance(AGAIN_MS / 1000)
            await asyncio.gather(*(app.budget_alerts.sweep() for _ in range(4)))
            sent = (await app.notifications.list("local")).items
            assert [n.status for n in sent] == ["sent", "sent"]
            assert len(web.requests) == 3
