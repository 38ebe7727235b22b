"""Workflows under trouble in one process: workers that race for a run, a store that fails, and effects in doubt in a Map."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.faults.faultlib.invariants import Checked, check_invariants
from tests.faults.faultlib.ledger import TENANT, Ledger, Troubled, answer, at_random, persist
from tests.faults.faultlib.workflows import TOOLS, caught, loop, mapped, wide

from remit.adapters.store.memory import MemoryStore
from remit.bootstrap import App
from remit.core.task import Actor, Task
from remit.sdk import Found, FunctionTool, Pack, ToolContext, ToolError, tool
from remit.testing import BOSS, FakeClock, app_for_tests
from remit.testing.workflows import Named

EFFECTS = 20
SCENARIOS = {made.__name__: made for made in (loop, wide, mapped, caught)}
KINDS = ("keyed", "lookup", "plain")
LEASE_S = 15.0
LIMIT_S = 600.0


@tool
def rate(index: int) -> int:
    """A price."""
    return index


class Bank(Ledger):
    """A bank, and how many charges are on their way to it: a person who looks there waits for those."""

    in_flight = 0


class Dawdling(Bank):
    """A bank whose every call takes some turns of the loop, and now and then longer than a lease lasts."""

    def __init__(self, clock: FakeClock, chance: random.Random) -> None:
        super().__init__()
        self._clock = clock
        self._chance = chance

    async def _dawdle(self) -> None:
        for _ in range(self._chance.randrange(4)):
            await asyncio.sleep(0)
        if self._chance.random() < 0.08:
            self._clock.advance(LEASE_S * 2)
            for _ in range(20):
                await asyncio.sleep(0)

    async def slowly(self, ref: str, key: str, *, keyed: bool) -> str:
        """Make an entry, with time passing on the way there and back."""
        began = self._clock.monotonic()
        self.in_flight += 1
        await self._dawdle()
        self.in_flight -= 1
        if (
            self._clock.monotonic() - began >= LIMIT_S
        ):  # the engine's limit is of real time, which hardly passes here
            raise TimeoutError
        made = self.charge(ref, key, keyed=keyed)
        await self._dawdle()
        return made

    def tools(self) -> list[FunctionTool]:
        """A keyed, a lookup and a plain charge that take their time."""

        @tool(risk="L1", effect="keyed", timeout_s=LIMIT_S)
        async def charge_keyed(ref: str, context: ToolContext) -> str:
            """Charge; the bank honours the key."""
            return await self.slowly(ref, context.idempotency_key, keyed=True)

        @tool(risk="L1", timeout_s=LIMIT_S)
        async def charge_lookup(ref: str, context: ToolContext) -> str:
            """Charge; the bank can be asked."""
            return await self.slowly(ref, context.idempotency_key, keyed=False)

        @charge_lookup.reconciler
        async def lookup(key: str) -> Found:
            await self._dawdle()
            return Found(any(e["key"] == key for e in self.entries))

        @tool(risk="L1", timeout_s=LIMIT_S)
        async def charge_plain(ref: str, context: ToolContext) -> str:
            """Charge; the bank neither dedupes nor answers."""
            return await self.slowly(ref, context.idempotency_key, keyed=False)

        return [charge_keyed, charge_lookup, charge_plain]


def app_on(store: Any, clock: FakeClock, ledger: Bank, home: Path | None = None) -> App:
    """An app with every scenario in every kind of effect."""
    flows = [Named(f"{n}_{kind}", made(kind)) for n, made in SCENARIOS.items() for kind in KINDS]
    pack = Pack("flows", tools=[*ledger.tools(), *TOOLS, rate], workflows=flows)
    return app_for_tests(packs=[pack], store=store, clock=clock, home=home)


def task_of(workflow: str) -> Task:
    """The task that starts a scenario."""
    given = {"run": "r", "effects": EFFECTS}
    return Task("t1", workflow, input=given, actor_context=Actor("alice"))


async def pass_time(app: App, run_id: str, ledger: Bank) -> bool:
    """Answer what a person is asked, and let time pass up to the next timer. Whether the run has ended."""
    clock = app.clock
    assert isinstance(clock, FakeClock)
    answered = ledger.in_flight == 0 and await persist(lambda: answer(app, run_id, ledger))
    head = await persist(lambda: app.store.head(run_id))
    waits = head.status == "waiting" and not head.inbox and not answered and not ledger.in_flight
    if waits and head.wake_ts is not None and head.wake_ts > clock.now():
        clock.advance((head.wake_ts - clock.now()) / 1000)
    return bool(head.status == "ended")


async def assert_once(app: App, run_id: str, ledger: Bank, path: Counter[str]) -> Checked:
    """The output is whole, every effect is at the bank once, and the states entered are those of a quiet run."""
    checked = await check_invariants(app, run_id, ledger.entries)
    result = await app.runs.result(run_id, TENANT)
    assert result is not None
    refs = [f"r:{n}" for n in range(EFFECTS)]
    assert result.result_payload == refs, result.problem
    assert sorted(e["ref"] for e in ledger.entries) == sorted(refs)
    assert states(checked) == path
    return checked


def states(checked: Checked) -> Counter[str]:
    """How often each state was entered."""
    assert checked.run.workflow is not None
    return Counter(visit.state for visit in checked.run.workflow.visits.values())


async def quiet_path(workflow: str) -> Counter[str]:
    """The states that a run enters to which nothing happens."""
    clock, ledger = FakeClock(), Bank()
    async with app_on(MemoryStore(clock), clock, ledger) as app:
        run_id = await app.runs.submit(task_of(workflow))
        while not await pass_time(app, run_id, ledger):
            await app.engine.advance(run_id)
        return states(await check_invariants(app, run_id, ledger.entries))


def sizes(config: pytest.Config, small: int, nightly: int) -> int:
    """How many times: a few in CI, many at night."""
    return nightly if config.getoption("--nightly") else small


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_workers_that_race_for_a_run_double_and_lose_nothing(
    scenario: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Leases run out in the middle of effects and the other worker takes over: same output, same path, effects once."""
    lost = epochs = 0
    for at in range(sizes(request.config, 12, 100)):
        workflow = f"{scenario}_{KINDS[at % 3]}"
        chance, clock = random.Random(at), FakeClock()
        ledger, store = Dawdling(clock, chance), MemoryStore(clock)
        async with (
            app_on(store, clock, ledger, tmp_path) as one,
            app_on(store, clock, ledger, tmp_path) as two,
        ):
            run_id = await one.runs.submit(task_of(workflow))
            seen = await asyncio.wait_for(
                asyncio.gather(*(_work(app, run_id, ledger) for app in (one, two))), 60
            )
            lost += sum(seen)
            checked = await assert_once(one, run_id, ledger, await quiet_path(workflow))
            epochs = max(epochs, checked.run.epoch)
    assert lost > 0, "no worker was ever overtaken"
    assert epochs > 2


async def _work(app: App, run_id: str, ledger: Bank) -> int:
    """Advance the run whenever it can be had, until it has ended. How often another worker had taken it over."""
    lost = 0
    for _ in range(20_000):
        outcome = await app.engine.advance(run_id)
        lost += outcome == "lost"
        if await pass_time(app, run_id, ledger):
            return lost
        await asyncio.sleep(0)
    raise AssertionError("the run never ended")


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_a_store_that_fails_at_any_call_doubles_and_loses_nothing(
    scenario: str, request: pytest.FixtureRequest
) -> None:
    """Any store call may fail before it, or with its fate unknown: same output, same path, effects once."""
    for at in range(sizes(request.config, 12, 200)):
        workflow = f"{scenario}_{KINDS[at % 3]}"
        clock, ledger = FakeClock(), Bank()
        store = Troubled(MemoryStore(clock), at_random(random.Random(at), 0.15))
        async with app_on(store, clock, ledger) as app:
            run_id = await persist(lambda app=app, workflow=workflow: app.runs.submit(task_of(workflow)))
            await _persevere(app, run_id, ledger)
            store.trouble = lambda verb: ""
            await assert_once(app, run_id, ledger, await quiet_path(workflow))


async def _persevere(app: App, run_id: str, ledger: Bank) -> None:
    for _ in range(2000):
        await persist(lambda: app.engine.advance(run_id))
        if await pass_time(app, run_id, ledger):
            return
    raise AssertionError("the run never ended")


class Severed:
    """Two items of a Map: the first's charge happens and its answer is lost; the second fails after that."""

    def __init__(self, **fields: Any) -> None:
        self.ledger = Bank()
        self.failed = asyncio.Event()
        one = {
            "StartAt": "which",
            "States": {
                "which": {
                    "Type": "Choice",
                    "Choices": [{"Condition": "{% $states.input = 0 %}", "Next": "charge"}],
                    "Default": "fail",
                },
                "charge": {
                    "Type": "Task",
                    "Resource": "remit:tool:severed",
                    "Arguments": {"ref": "{% 'r:' & $string($states.input) %}"},
                    "Next": "again",
                },
                "again": {
                    "Type": "Task",
                    "Resource": "remit:tool:severed",
                    "Arguments": {"ref": "r:after"},
                    "End": True,
                },
                "fail": {"Type": "Task", "Resource": "remit:tool:off", "Arguments": {}, "End": True},
            },
        }
        each = {"Type": "Map", "Items": "{% [0, 1] %}", "ItemProcessor": one, "End": True}
        after = {"after": {"Type": "Pass", "Output": "went on", "End": True}} if "Catch" in fields else {}
        states = {"each": {**each, **fields}, **after}
        self.document = {"QueryLanguage": "JSONata", "StartAt": "each", "States": states}

    def app(self) -> App:
        """An app with the workflow."""

        @tool(risk="L1")
        async def severed(ref: str, context: ToolContext) -> str:
            """Charge; the line goes dead before the answer."""
            self.ledger.charge(ref, context.idempotency_key, keyed=False)
            raise RuntimeError("the line went dead")

        @tool
        async def off() -> str:
            """Fail when the sibling's effect is in doubt."""
            for _ in range(50):
                await asyncio.sleep(0)
            raise ToolError("no", code="Off")

        return app_for_tests(
            packs=[Pack("p", tools=[severed, off], workflows=[Named("flow", self.document)])]
        )


CATCH = [{"ErrorEquals": ["Off"], "Next": "after"}]


@pytest.mark.parametrize(
    ("fields", "status", "output"),
    [({"Catch": CATCH}, "success", "went on"), ({}, "failure", {"Error": "Off", "Cause": "no"})],
)
async def test_an_effect_in_doubt_is_settled_though_its_sibling_failed(
    fields: dict[str, Any], status: str, output: Any
) -> None:
    """The Map has failed, but the run does not end before a person has said whether the effect happened."""
    scene = Severed(**fields)
    async with scene.app() as app:
        first = await app.run(task_of("flow"))
        assert first.status == "needs_approval"
        (asked,) = (await app.approvals.list(TENANT)).items
        assert (asked["reason"], asked["arguments"]) == ("in_doubt", {"ref": "r:0"})
        await app.approvals.decide(asked["approval_id"], TENANT, BOSS, "reject", rationale="the bank has it")
        await app.worker.run_until_idle(first.run_id)
        result = await app.runs.result(first.run_id, TENANT)
        checked = await check_invariants(app, first.run_id)
    assert result is not None
    assert (result.status, result.result_payload) == (status, output)
    assert [e["ref"] for e in scene.ledger.entries] == ["r:0"], "nothing is charged after the Map has failed"
    assert [s.state for s in checked.run.steps.values() if s.name == "severed"] == ["done"]


async def test_a_map_that_tolerates_a_failure_waits_for_what_is_in_doubt() -> None:
    """A tolerated sibling's failure ends nothing: the item goes on with what the person says."""
    scene = Severed(ToleratedFailureCount=1)
    async with scene.app() as app:
        first = await app.run(task_of("flow"))
        for ref in ("r:0", "r:after"):
            (asked,) = (await app.approvals.list(TENANT)).items
            assert asked["arguments"] == {"ref": ref}
            await app.approvals.decide(
                asked["approval_id"], TENANT, BOSS, "reject", rationale="the bank has it"
            )
            await app.worker.run_until_idle(first.run_id)
        result = await app.runs.result(first.run_id, TENANT)
        assert result is not None
        assert result.status == "success"
    assert [e["ref"] for e in scene.ledger.entries] == ["r:0", "r:after"]


async def test_a_tool_that_refuses_many_items_is_no_tool_in_trouble() -> None:
    """An error under its author's own name is an answer: the breaker does not rest the tool, and every item has its error."""

    @tool
    def stock(item: int) -> str:
        """Refuse."""
        raise ToolError("none left", code="OutOfStock")

    ask = {"Type": "Task", "Resource": "remit:tool:stock", "Arguments": {"item": "{% $states.input %}"}}
    caught = {"ErrorEquals": ["States.ALL"], "Output": "{% $states.errorOutput.Error %}", "Next": "end"}
    one = {
        "StartAt": "ask",
        "States": {"ask": {**ask, "Catch": [caught], "End": True}, "end": {"Type": "Succeed"}},
    }
    each = {"Type": "Map", "Items": "{% [1..20] %}", "MaxConcurrency": 1, "ItemProcessor": one, "End": True}
    document = {"QueryLanguage": "JSONata", "StartAt": "each", "States": {"each": each}}
    async with app_for_tests(packs=[Pack("p", tools=[stock], workflows=[Named("flow", document)])]) as app:
        result = await app.run(task_of("flow"))
    assert result.result_payload == ["OutOfStock"] * 20
