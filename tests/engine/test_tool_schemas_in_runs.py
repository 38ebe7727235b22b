"""Contracts of tools from the registry are in force: they narrow what the code allows, and never widen it."""

from __future__ import annotations

from typing import Any

import pytest

from remit import Agent, agent, tool
from remit.adapters.model.scripted import ScriptedModel
from remit.core.errors import DeniedError, InputError, ToolError
from remit.core.task import Actor
from remit.engine import registry as registry_module
from remit.testing import BOSS, app_for_tests, call, task

WHY: dict[str, Any] = {"actor": Actor("ana"), "reason": "because"}
SMALL = {
    "input_schema": {
        "type": "object",
        "properties": {"amount": {"type": "integer", "maximum": 100, "description": "At most 100."}},
        "required": ["amount"],
    },
    "description": "Pay a small amount.",
}


@tool(risk="L1")
def pay(amount: int) -> dict[str, Any]:
    """Pay any amount."""
    return {"paid": amount}


@tool(risk="L3")
def wire(amount: int) -> dict[str, Any]:
    """Pay by wire."""
    return {"paid": amount}


PAYER = Agent("payer", instructions="Pay.", tools=[pay])


@agent(tools=[pay, wire])
async def direct(input: Any, memory: Any, context: Any) -> Any:
    """Pays what it is told, by the tool it is told."""
    try:
        return await context.call(input["tool"], amount=input["amount"])
    except ToolError as error:
        return {"code": error.code, "why": error.message}


async def test_the_model_is_shown_the_definition_and_held_to_it() -> None:
    """Description and schema are the definition's; what it does not allow is refused; the run records the version."""
    model = ScriptedModel([call("pay", amount=500), call("pay", "again", amount=50), "done"])
    async with app_for_tests(PAYER, model=model, tools=[pay]) as app:
        made = await app.registry.create("local", "tool_schema", "pay", SMALL, **WHY)
        done = await app.run(task("payer"))
        assert done.status == "success"
        shown = model.requests[0].tools[0]
        assert (shown.description, shown.input_schema) == ("Pay a small amount.", SMALL["input_schema"])
        events = await app.runs.events(done.run_id, "local")
        assert [e.data["problem"]["code"] for e in events if e.type == "ToolRefused"] == ["E703"]
        assert [e.data["output"] for e in events if e.type == "EffectDone"] == [{"paid": 50}]
        used = (await app.runs.view(done.run_id, "local")).definitions
        assert [(d.kind, d.name, d.version, d.digest) for d in used] == [
            ("tool_schema", "pay", 1, made.digest)
        ]


async def test_a_definition_never_widens_what_the_code_allows() -> None:
    """Arguments that fit the definition and not the code are refused, and the tool is not called."""
    wide = {"input_schema": {"type": "object"}}
    async with app_for_tests(direct, tools=[pay, wire]) as app:
        await app.registry.create("local", "tool_schema", "pay", wide, **WHY)
        done = await app.run(task("direct", input={"tool": "pay", "amount": "much"}))
        assert done.result_payload["code"] == "E703"


async def test_the_output_must_fit_both() -> None:
    """What the definition says of the output is checked like what the code says: an effect that happened keeps a warning."""
    body = {
        "input_schema": {"type": "object"},
        "output_schema": {"type": "object", "properties": {"paid": {"type": "integer", "maximum": 10}}},
    }
    async with app_for_tests(direct, tools=[pay, wire]) as app:
        await app.registry.create("local", "tool_schema", "pay", body, **WHY)
        done = await app.run(task("direct", "t1", input={"tool": "pay", "amount": 11}))
        assert "does not fit its schema" in done.result_payload["warning"]
        fits = await app.run(task("direct", "t2", input={"tool": "pay", "amount": 9}))
        assert fits.result_payload == {"paid": 9}


async def test_a_run_keeps_the_contract_that_it_began_under() -> None:
    """Edited while it waits for a person: edited arguments are held to the version of the run's beginning."""
    async with app_for_tests(direct, tools=[pay, wire]) as app:
        await app.registry.create("local", "tool_schema", "wire", SMALL, **WHY)
        waiting = await app.run(task("direct", input={"tool": "wire", "amount": 90}))
        none = {"input_schema": {"type": "object", "properties": {"amount": {"maximum": 0}}}}
        await app.registry.edit("local", "tool_schema", "wire", none, **WHY)
        approval_id = waiting.waiting_on[0].removeprefix("approval:")
        with pytest.raises(InputError, match="do not fit `wire`"):
            await app.approvals.decide(approval_id, "local", BOSS, "constrain", arguments={"amount": 101})
        await app.approvals.decide(approval_id, "local", BOSS, "constrain", arguments={"amount": 99})
        await app.worker.run_until_idle(waiting.run_id)
        done = await app.runs.result(waiting.run_id, "local")
        assert done is not None
        assert done.result_payload == {"paid": 99}
        refused = await app.run(task("direct", "t2", input={"tool": "wire", "amount": 1}))
        assert refused.result_payload["code"] == "E703"


async def test_a_contract_is_its_tenants_own() -> None:
    """Others go by the code."""
    async with app_for_tests(direct, tools=[pay, wire]) as app:
        await app.registry.create("acme", "tool_schema", "pay", SMALL, **WHY)
        done = await app.run(task("direct", input={"tool": "pay", "amount": 500}))
        assert done.result_payload == {"paid": 500}
        held = await app.run(task("direct", tenant_id="acme", input={"tool": "pay", "amount": 500}))
        assert held.result_payload["code"] == "E703"


async def test_archived_it_is_gone_and_disabled_it_stops_the_agents_that_use_the_tool() -> None:
    """As for agents and model routes: the switch is for emergencies."""
    async with app_for_tests(direct, PAYER, model=ScriptedModel(["a"]), tools=[pay, wire]) as app:
        at = ("local", "tool_schema", "wire")
        await app.registry.create(*at, SMALL, **WHY)
        await app.registry.disable(*at, **WHY)
        with pytest.raises(DeniedError, match="tool_schema `wire` is disabled"):
            await app.runs.submit(task("direct", input={}))
        assert (await app.run(task("payer"))).status == "success", "who does not use it goes on"
        await app.registry.enable(*at, **WHY)
        await app.registry.archive(*at, **WHY)
        waiting = await app.run(task("direct", "t2", input={"tool": "wire", "amount": 500}))
        assert waiting.status == "needs_approval"


async def test_many_contracts_are_found_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenant with more contracts than fit on a page has each looked up by the tool's name."""
    monkeypatch.setattr("remit.engine.resolving.PAGE", 2)
    assert registry_module.PAGE > 2
    async with app_for_tests(direct, tools=[pay, wire]) as app:
        for name in ("a", "b", "c", "pay"):
            await app.registry.create("local", "tool_schema", name, SMALL, **WHY)
        done = await app.run(task("direct", input={"tool": "pay", "amount": 500}))
        assert done.result_payload["code"] == "E703"
