"""The workflows there are, documents that tasks bring with them, and how far a run's states have come."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from remit import Memory, Pack, RunContext, Task, agent, tool
from remit.bootstrap import App
from remit.core.errors import ConflictError, DeniedError, InputError, NotFoundError
from remit.core.task import Actor
from remit.sdk import FunctionTool
from remit.testing.apps import app_for_tests, task
from remit.testing.clock import FakeClock
from remit.testing.workflows import Named

ANN = Actor("ann")


@tool(effect="read")
def price(item: str) -> int:
    """What an item costs."""
    return len(item)


def document(**states: dict[str, Any]) -> dict[str, Any]:
    """A document of these states, the first one first."""
    return {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states}


ASK = {"Type": "Task", "Resource": "remit:tool:price", "Arguments": {"item": "pen"}, "End": True}
WAIT = {"Type": "Wait", "Seconds": 5, "End": True}
ACTIVITY = {"Type": "Task", "Resource": "remit:activity:pack", "End": True}


def app(*flows: Named, tools: tuple[FunctionTool, ...] = (price,), clock: FakeClock | None = None) -> App:
    """An app with these workflows of code."""
    return app_for_tests(packs=[Pack("flows", tools=tools, workflows=flows)], clock=clock)


async def register(program: App, name: str, body: dict[str, Any], tenant: str = "local") -> None:
    """Put a workflow into the registry."""
    await program.registry.create(tenant, "workflow", name, body, actor=ANN, reason="new")


async def phases(program: App, run_id: str) -> dict[str, tuple[str, str]]:
    """Phase and note of each state, by its name."""
    found = await program.workflows.picture_of_run("local", run_id)
    return {p.rpartition("/")[2]: (s.phase, s.note) for p, s in found.statuses.items()}


async def test_a_page_has_the_workflows_of_code_and_registry_by_name() -> None:
    """Another tenant's, archived and disabled ones are not among them; following the cursor gives each once."""
    flows = [Named(name, document(A=ASK)) for name in ("b", "d")]
    async with app(*flows) as program:
        for name in ("a", "c", "e", "off", "gone"):
            await register(program, name, document(A=ASK))
        await register(program, "theirs", document(A=ASK), "zeta")
        await program.registry.disable("local", "workflow", "off", actor=ANN, reason="x")
        await program.registry.archive("local", "workflow", "gone", actor=ANN, reason="x")
        seen: list[str] = []
        after: str | None = ""
        while after is not None:
            page = await program.workflows.list("local", after=after, limit=2)
            seen += [item.name for item in page.items]
            after = page.cursor
        assert seen == ["a", "b", "c", "d", "e"]


async def test_a_registered_workflow_goes_before_that_of_code() -> None:
    """And says where it comes from."""
    async with app(Named("order", document(A=ASK))) as program:
        assert (await program.workflows.get("local", "order")).source == "code"
        await register(program, "order", document(B=ASK))
        found = await program.workflows.get("local", "order")
        assert (found.source, list(found.document["States"])) == ("registry", ["B"])
        assert (await program.workflows.get("zeta", "order")).source == "code"


async def test_what_a_document_names_must_be_there() -> None:
    """Tools of code; agents and workflows of code and of this tenant's registry."""
    inner = {"Type": "Task", "Resource": "remit:workflow:inner", "End": True}
    async with app() as program:
        missing = await program.workflows.check("local", document(A=inner))
        assert [p.pointer for p in missing.problems] == ["/States/A/Resource"]
        await register(program, "inner", document(A=ASK))
        assert (await program.workflows.check("local", document(A=inner))).ok
        assert not (await program.workflows.check("zeta", document(A=inner))).ok
        assert (await program.workflows.check("zeta", document(A=inner), names=False)).ok


async def test_a_task_may_bring_its_workflow() -> None:
    """Whatever agent it names, the run is of `workflow:inline`, and may use what the document names and no more."""
    async with app() as program:
        run_id = await program.runs.submit(Task("t1", "price-master", input={}), document(A=ASK))
        await program.worker.run_until_idle(run_id)
        view = await program.runs.view(run_id, "local")
        assert (view.agent, view.status, view.result.result_payload) == ("workflow:inline", "success", 3)
        assert await program.runs.submit(Task("t1", "", input={}), document(A=ASK)) == run_id
        with pytest.raises(ConflictError, match="another content"):
            await program.runs.submit(Task("t1", "", input={}), document(B=ASK))


async def test_a_document_that_could_not_run_is_refused_whole() -> None:
    """With every reason at once, and no run."""
    wrong = document(A={**ASK, "Resource": "remit:tool:nope", "Next": "B"})
    async with app() as program:
        with pytest.raises(InputError) as caught:
            await program.runs.submit(Task("t1", ""), wrong)
        assert caught.value.code == "E632"
        assert "nope" in caught.value.message
        assert not (await program.runs.list("local")).items


async def test_a_disabled_tool_is_not_reached_by_a_document_either() -> None:
    """What an operator switched off stays off; a task that was submitted before still has its run."""
    async with app() as program:
        before = await program.runs.submit(Task("t0", ""), document(A=ASK))
        body = {"input_schema": {"type": "object"}}
        await program.registry.create("local", "tool_schema", "price", body, actor=ANN, reason="x")
        await program.registry.disable("local", "tool_schema", "price", actor=ANN, reason="x")
        with pytest.raises(DeniedError) as caught:
            await program.runs.submit(Task("t1", ""), document(A=ASK))
        assert caught.value.code == "E513"
        assert await program.runs.submit(Task("t0", ""), document(A=ASK)) == before


async def test_a_runs_picture_says_who_is_waited_for() -> None:
    """A timer, an activity; and after the run was cancelled, that what was open came to nothing."""
    branches = [document(Pause=WAIT), document(Pack=ACTIVITY)]
    both = document(Both={"Type": "Parallel", "Branches": [strip(b) for b in branches], "End": True})
    async with app(Named("both", both)) as program:
        run_id = await program.runs.submit(Task("t1", "both"))
        await program.worker.run_until_idle(run_id)
        assert await phases(program, run_id) == {
            "Both": ("running", ""),
            "Pause": ("waiting", ""),
            "Pack": ("waiting", "waits for activity pack"),
        }
        await program.runs.cancel(run_id, "local", ANN, "enough")
        await program.worker.run_until_idle(run_id)
        assert {phase for phase, _ in (await phases(program, run_id)).values()} == {"aborted"}


async def test_a_cancelled_runs_task_is_nobodys_to_take() -> None:
    """Neither is it given to a worker, nor does its token count."""
    async with app(Named("pack", document(Pack=ACTIVITY))) as program:
        for task_id in ("t1", "t2"):
            run_id = await program.runs.submit(Task(task_id, "pack"))
            await program.worker.run_until_idle(run_id)
        taken = await program.callbacks.take("pack", "local")
        assert taken is not None
        for task_id in ("t1", "t2"):
            run_id = await program.runs.submit(Task(task_id, "pack"))
            await program.runs.cancel(run_id, "local", ANN, "enough")
            await program.worker.run_until_idle(run_id)
        assert await program.callbacks.take("pack", "local") is None
        with pytest.raises(NotFoundError):
            await program.callbacks.heartbeat(taken.token, "local")


async def test_the_items_of_a_map_are_counted() -> None:
    """How many of how many are done while it runs; its inner states say how often they were entered."""
    clock = FakeClock()
    each = {
        "Type": "Map",
        "Items": [1, 2, 3],
        "MaxConcurrency": 1,
        "ItemProcessor": strip(document(Pause=WAIT)),
    }
    async with app(Named("each", document(Each={**each, "End": True})), clock=clock) as program:
        run_id = await program.runs.submit(Task("t1", "each"))
        await program.worker.run_until_idle(run_id)
        clock.advance(6)
        await program.worker.run_until_idle(run_id)
        found = (await program.workflows.picture_of_run("local", run_id)).statuses
        assert (found["/States/Each"].done, found["/States/Each"].total) == (1, 3)
        inner = found["/States/Each/ItemProcessor/States/Pause"]
        assert (inner.phase, inner.visits) == ("waiting", 2)


def strip(machine: dict[str, Any]) -> dict[str, Any]:
    """A document as a branch, which has no query language of its own."""
    return {k: v for k, v in machine.items() if k != "QueryLanguage"}


async def test_runs_name_the_workflow_they_work_for() -> None:
    """A run of a workflow by its name; what it hands over, and what that hands over in turn, by the name of that workflow."""

    @agent
    async def helper(input: object) -> str:
        """Help."""
        return "helped"

    @agent(delegates=[helper])
    async def clerk(input: object, memory: Memory, context: RunContext) -> str:
        """Have it done."""
        return str(await context.delegate("helper", "help"))

    ship = Named("ship", document(A={"Type": "Task", "Resource": "remit:agent:clerk", "End": True}))
    outer = Named("order", document(A={"Type": "Task", "Resource": "remit:workflow:ship", "End": True}))
    packs = [Pack("flows", agents=[helper, clerk], workflows=[ship, outer])]
    async with app_for_tests(packs=packs) as program:
        assert (await program.run(task("order"))).status == "success"
        assert (await program.run(task("clerk", "alone"))).status == "success"
        rows = (await program.runs.list("local", limit=50)).items
        assert Counter((r["agent_id"], r["workflow_id"]) for r in rows) == {
            ("order", "order"): 1,
            ("ship", "ship"): 1,
            ("clerk", "ship"): 1,
            ("helper", "ship"): 1,
            ("clerk", ""): 1,
            ("helper", ""): 1,
        }
