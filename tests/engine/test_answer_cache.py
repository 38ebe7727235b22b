"""Answers of models that are kept: for whom, for how long, and what they can never do."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from remit import (
    Agent,
    Message,
    ModelReply,
    ModelRequest,
    OnDelta,
    Pack,
    Text,
    ToolUse,
    Usage,
    assistant,
    open_app,
    tool,
)  # fmt: skip
from remit.adapters.model.scripted import ScriptedModel
from remit.adapters.secrets.mapping import MappingSecrets
from remit.adapters.store.memory import MemoryStore
from remit.bootstrap import App
from remit.bootstrap.adapters import open_models
from remit.core.errors import ConfigError
from remit.core.pricing import Price
from remit.engine.models import Route
from remit.settings import Settings, load, read_file
from remit.testing import BOSS, FakeClock, call, task

PRICE = Price(Decimal(3), Decimal(15))
PAID: list[int] = []
TTL_S = 60.0


@pytest.fixture(autouse=True)
def _ledger() -> None:
    PAID.clear()


@tool(risk="L3", effect="keyed", outward=False)
def pay(cents: int) -> str:
    """Pay."""
    PAID.append(cents)
    return "paid"


clerk = Agent("clerk", instructions="Answer.", tools=[pay])
other = Agent("other", instructions="Answer otherwise.", tools=[pay])


class Odd:
    """Says something odd to begin with, and then something plain."""

    provider = "scripted"

    def __init__(self, message: Message, stop: Any) -> None:
        self.requests: list[ModelRequest] = []
        self._said = (message, stop)

    async def ask(self, request: ModelRequest, on_delta: OnDelta | None = None) -> ModelReply:
        del on_delta
        self.requests.append(request)
        message, stop = self._said if len(request.messages) == 1 else (assistant("plainly"), "end_turn")
        return ModelReply(message, stop, Usage(input_tokens=1, output_tokens=1))

    async def close(self) -> None:
        """There is nothing to let go of."""


class World:
    """An app whose model counts what it is asked, and says something else each time."""

    def __init__(
        self, home: Path, *replies: Any, ttl_s: float = TTL_S, model: Any = None, **fields: Any
    ) -> None:
        self.clock = FakeClock()
        self.model = model or ScriptedModel(replies or [f"answer {n}" for n in range(9)])
        self.store = MemoryStore(self.clock)
        self.app: App = open_app(
            Settings(home=home, store="memory:", **fields),
            packs=[Pack("tests", agents=[clerk, other])],
            models={"scripted": self.model},
            routes={"default": Route("scripted", "m-1", price=PRICE, cache_ttl_s=ttl_s)},
            store=self.store,
            clock=self.clock,
        )

    async def ask(self, task_id: str, agent: Any = clerk, **fields: Any) -> Any:
        """The result of a run."""
        return await self.app.run(task(agent, task_id, **fields))

    @property
    def asked(self) -> int:
        """How often the model was asked."""
        return len(self.model.requests)


async def test_the_same_question_is_answered_from_the_store_and_costs_nothing(tmp_path: Path) -> None:
    """The journal says that it was, and the chain, the message and the result are as ever."""
    world = World(tmp_path)
    async with world.app as app:
        first, second = await world.ask("t1"), await world.ask("t2")
        assert (first.result_payload, second.result_payload, world.asked) == ("answer 0", "answer 0", 1)
        assert first.cost_usage.cost_usd > 0
        assert (second.cost_usage.cost_usd, second.cost_usage.tokens, second.cost_usage.model_calls) == (
            0,
            0,
            1,
        )
        events = await app.runs.events(second.run_id, "local")
        (answered,) = [e.data for e in events if e.type == "ModelAnswered"]
        assert (answered["incidents"], answered["tries"], answered["model"]) == (("cache_hit",), 0, "m-1")
        assert 'status="cached"' in app.telemetry.render()  # type: ignore[attr-defined]


async def test_nothing_is_kept_unless_a_route_asks_for_it(tmp_path: Path) -> None:
    """Off by default."""
    world = World(tmp_path, ttl_s=0.0)
    async with world.app:
        assert [(await world.ask(f"t{n}")).result_payload for n in range(2)] == ["answer 0", "answer 1"]


@pytest.mark.parametrize(
    "fields",
    [
        {"tenant_id": "acme"},
        {"objective": "something else"},
        {"agent": other},
        {"policy_profile": "strict"},
    ],
    ids=["tenant", "words", "agent", "profile"],
)
async def test_another_question_is_asked(tmp_path: Path, fields: dict[str, Any]) -> None:
    """Of another tenant above all."""
    world = World(tmp_path)
    async with world.app:
        await world.ask("t1")
        found = await world.ask("t2", **fields)
        assert (found.result_payload, world.asked) == ("answer 1", 2)


async def test_an_answer_is_forgotten_when_its_time_is_over(tmp_path: Path) -> None:
    """By the clock; the sweeper erases what is left of it."""
    world = World(tmp_path)
    async with world.app as app:
        await world.ask("t1")
        world.clock.advance(TTL_S - 1)
        assert (await world.ask("t2")).result_payload == "answer 0"
        world.clock.advance(1)
        assert (await world.ask("t3")).result_payload == "answer 1"
        world.clock.advance(TTL_S)
        assert await app.sweeper.tick() >= 1
        assert (await world.store.query("shared_state", "by_expiry", ("yes",), limit=9)).items == []


async def test_a_call_that_was_answered_before_is_decided_and_approved_anew(tmp_path: Path) -> None:
    """The wish is from the store, the effect never: each run asks a person, and a run that is rejected pays nothing."""
    world = World(tmp_path, call("pay", cents=5), "done", "not done")
    async with world.app as app:
        for number, decision in enumerate(("approve", "reject")):
            asked = await world.ask(f"t{number}")
            assert asked.status == "needs_approval"
            (waiting,) = (await app.approvals.list("local")).items
            await app.approvals.decide(waiting["approval_id"], "local", BOSS, decision, rationale="so")  # type: ignore[arg-type]
            await app.worker.run_until_idle(asked.run_id)
        assert (PAID, world.asked) == ([5], 3)


@pytest.mark.parametrize(
    "reply",
    [
        (assistant("cut"), "max_tokens"),
        (assistant("I will not"), "refusal"),
        (Message("assistant", (Text("x"), ToolUse("c", "pay", {}, malformed='{"cents": '))), "tool_use"),
    ],
    ids=["cut short", "refused", "malformed"],
)
async def test_what_is_no_whole_answer_is_not_kept(tmp_path: Path, reply: Any) -> None:
    """The next one may be better."""
    message, stop = reply
    odd = Odd(message, stop)
    world = World(tmp_path, model=odd)
    async with world.app:
        for number in range(2):
            await world.ask(f"t{number}")
    first = [request for request in odd.requests if len(request.messages) == 1]
    assert len(first) == 2
    assert len({str(request) for request in first}) == 1


async def test_what_is_kept_holds_no_secret(tmp_path: Path) -> None:
    """Neither the row nor the answer from it, whatever a model says."""
    world = World(tmp_path, "it is hunter2hunter2", secrets={"door": "hunter2hunter2"})
    async with world.app:
        said = [(await world.ask(f"t{number}")).result_payload for number in range(2)]
        kept = await world.store.query("shared_state", "by_expiry", ("yes",), limit=9)
    assert world.asked == len(kept.items) == 1
    assert said[0] == said[1]
    assert "hunter2" not in str([said, kept.items])


def test_it_is_switched_on_in_remit_toml(tmp_path: Path) -> None:
    """By `cache` and `cache_ttl_s` of a route; a time that makes no sense is refused."""
    path = tmp_path / "remit.toml"
    path.write_text(
        '[models.default]\nprovider = "rules"\ncache = "exact"\ncache_ttl_s = 90\n[models.plain]\nprovider = "rules"\n'
    )
    access = open_models(load({}, directory=tmp_path), [], FakeClock(), MappingSecrets({}), {}, {})
    assert (access.cache_ttl_s("default"), access.cache_ttl_s("plain"), access.cache_ttl_s("?")) == (
        90.0,
        0.0,
        0.0,
    )
    path.write_text('[models.default]\nprovider = "rules"\ncache = "exact"\ncache_ttl_s = 0\n')
    with pytest.raises(ConfigError, match="cache_ttl_s"):
        read_file(path)
