"""A whole app on the bus of AWS: an event starts one run, its end is an event too, and the account's rules see it (F3)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from tests.adapters.bus.deployed import Deployed, all_of, deliver_all
from tests.adapters.emulator import REGION, URL, emulated

from remit import agent
from remit.bootstrap import App
from remit.bootstrap.adapters import open_session
from remit.core.cloudevent import CloudEvent
from remit.engine.bus.queued import queued
from remit.testing import app_for_tests

pytestmark = pytest.mark.service


@pytest_asyncio.fixture
async def app(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[App]:
    emulated(monkeypatch)

    @agent(name="clerk", subscribes=["order.placed"])
    async def clerk(given: Any) -> Any:
        return {"took": given["data"]["n"]}

    @agent(name="accountant", subscribes=["remit.run.succeeded"])
    async def accountant(given: Any) -> Any:
        return {"booked": given["data"]["result_payload"]["took"]}

    settings = {"bus": "aws", "region": REGION, "aws_endpoint": URL}
    async with app_for_tests(clerk, accountant, **settings, deployment=Deployed.new_name()) as made:
        yield made


@pytest.fixture
def deployed(app: App) -> Deployed:
    return Deployed(open_session(app.settings), name=app.settings.deployment)


async def runs(app: App) -> list[dict[str, Any]]:
    """All runs."""
    return (await app.runs.list("local", limit=100)).items


async def test_an_event_starts_one_run_however_often_its_turn_comes(app: App, deployed: Deployed) -> None:
    """Its turns are given again and again, also when the run has ended: nothing is started twice."""
    bus = queued(app.bus)
    await bus.publish("local", [CloudEvent(id="e1", source="shop", type="order.placed", data={"n": 1})])
    turns = await all_of(deployed.queue("deliveries.fifo", app.clock))
    for _ in range(3):
        assert await bus.deliver([*turns, *turns]) == []
        await app.worker.run_until_idle()
    assert [row["agent_id"] for row in await runs(app)] == ["clerk"]


async def test_an_agents_result_reaches_the_next_agent_and_the_account(app: App, deployed: Deployed) -> None:
    """The end of a run is an event that starts the next agent, and that a rule of the event bus sees with the result."""
    arn = deployed.with_dead("consumer", "", {})
    deployed.rule("results", {"detail-type": ["remit.run.succeeded"]}, arn)
    bus = queued(app.bus)
    await bus.publish("local", [CloudEvent(id="e1", source="shop", type="order.placed", data={"n": 7})])
    for _ in range(4):
        await deliver_all(bus)
        await app.worker.run_until_idle()
    by_agent = {row["agent_id"]: row for row in await runs(app)}
    assert by_agent.keys() >= {"clerk", "accountant"}
    seen = [json.loads(m.body) for m in await all_of(deployed.queue("consumer", app.clock))]
    results = {event["source"]: event["detail"]["data"]["result_payload"] for event in seen}
    assert results["remit:agent:clerk"] == {"took": 7}
