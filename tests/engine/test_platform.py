"""The platform in the hands of a tool: a real run reads tables and rules, and writes the run log, in its own tenant."""

from __future__ import annotations

from typing import Any

import pytest
from tests.engine.validation_world import ANA, COUNTS, WHY, a_run, a_table, rule

from remit import ToolContext, agent, tool
from remit.core.errors import NotFoundError, RemitError
from remit.core.validation import ValidationType
from remit.sdk import CodeAgent, Platform, ToolError
from remit.testing import app_for_tests, task


def of(context: ToolContext) -> Platform:
    """The platform of a call."""
    assert context.platform is not None
    return context.platform


@tool(risk="L1", effect="keyed", outward=False)
async def note_run(config_id: str, status: str, context: ToolContext) -> dict[str, Any]:
    """Record that a rule ran."""
    platform = of(context)
    found = await platform.validation(config_id)
    kind = await platform.validation_type(found.validation_type)
    table = await platform.table(found.table_id)
    line = a_run(f"{context.run_id}-{config_id}", status, at=context.clock.now(), config=config_id)
    fresh = [await platform.record_run(line), await platform.record_run(line)]
    runs = await platform.runs(found.table_id)
    rules = await platform.validations(table.table_id)
    return {"fresh": fresh, "agent": kind.agent, "runs": len(runs), "rules": [r.config_id for r in rules]}


@tool(risk="L1", effect="keyed", outward=False)
async def look(config_id: str, context: ToolContext) -> str:
    """Read a rule."""
    try:
        return (await of(context).validation(config_id)).table_id
    except NotFoundError as error:
        raise ToolError(error.message, code=error.code) from error


@agent(tools=[note_run])
async def recorder(input: Any, memory: Any, context: Any) -> Any:
    """Records one run."""
    return await context.call("note_run", config_id="c1", status="FAILED")


@agent(tools=[look])
async def looker(input: Any, memory: Any, context: Any) -> Any:
    """Looks at a rule."""
    return await context.call("look", config_id="c1")


def counting() -> CodeAgent:
    """An agent that runs a validation type."""

    @agent
    async def counting(input: Any, memory: Any, context: Any) -> None:
        """Checks nothing."""

    made: CodeAgent = counting
    made.validation_type = ValidationType("row_counts", "Counts agree.", "counting", COUNTS)
    return made


async def test_a_tool_reads_and_writes_in_the_tenant_of_its_run() -> None:
    """Recording twice is once; what it wrote is found by its tenant alone."""
    async with app_for_tests(recorder, looker, counting()) as app:
        await app.tables.put("acme", a_table("orders"), **WHY)
        await app.validations.create("acme", "c1", rule(), actor=ANA, reason="r")
        result = await app.run(task(recorder, tenant_id="acme"))
        assert result.result_payload == {
            "fresh": [True, False],
            "agent": "counting",
            "runs": 1,
            "rules": ["c1"],
        }
        (line,) = (await app.validation_runs.list("acme", table_id="orders")).items
        assert (line.run_id, line.status) == (f"{result.run_id}-c1", "FAILED")
        assert (await app.validation_runs.list("local")).items == []
        elsewhere = await app.run(task(looker, "t2", tenant_id="zeta"))
        assert elsewhere.status == "failure"
        assert elsewhere.problem is not None
        assert elsewhere.problem.code == "E104"


async def test_a_run_plans_and_sends_nothing_where_nobody_is_told() -> None:
    """Without a notifier there is nothing planned, and what was not planned cannot be sent."""
    async with app_for_tests(counting()) as app:
        assert app.kit.platform is not None
        platform = app.kit.platform(task("counting", tenant_id="acme"))
        await app.validation_runs.record("acme", a_run("r1", "FAILED", at=5))
        assert await platform.plan_notifications(["r1"]) == []
        with pytest.raises(RemitError, match="notification"):
            await platform.send_notification("none")
