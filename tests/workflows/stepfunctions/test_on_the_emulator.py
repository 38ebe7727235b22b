"""Workflows on a Step Functions that moves itself: the emulator, with a real Lambda function for each Task."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.workflows.differential.services import emulator_url
from tests.workflows.stepfunctions import flows_app
from tests.workflows.stepfunctions.cloud import HERE, ROOT, Deployment

from remit.bootstrap import App, open_app
from remit.core.task import Actor, Result, Task
from remit.engine.applying import Document
from remit.testing import BOSS

pytestmark = pytest.mark.service

EXAMPLE = ROOT / "examples" / "workflows" / "step-functions"


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    url = emulator_url()
    pytest.importorskip("boto3")
    with pytest.MonkeyPatch.context() as patch:
        made = Deployment(url, tmp_path_factory.mktemp("deployment"), patch)
        made.deploy("pipeline", "payment", "gated", "caught")
        made.listen("pipeline")
        yield made


@asynccontextmanager
async def submitted(
    deployment: Deployment, workflow: str, given: Any, task_id: str
) -> AsyncIterator[tuple[App, str]]:
    """An app that has submitted a run."""
    async with deployment.app() as app:
        task = Task(task_id, workflow, input=given, actor_context=Actor("alice"))
        yield app, await app.runs.submit(task)


async def ended(app: App, run_id: str, *, work: bool = True) -> Result:
    """The result, when there is one; a worker of ours helps unless `work` is false."""
    async with asyncio.timeout(60):
        while True:
            if work:
                await app.worker.run_until_idle(run_id)
            found = await app.runs.result(run_id, "local")
            if found is not None and found.status in ("success", "failure"):
                return found
            await asyncio.sleep(0.1)


async def asked(app: App) -> dict[str, Any]:
    """The approval that somebody is asked for."""
    async with asyncio.timeout(60):
        while True:
            found = (await app.approvals.list("local")).items
            if found:
                first: dict[str, Any] = found[0]
                return first
            await app.worker.run_until_idle()
            await asyncio.sleep(0.1)


async def test_three_agents_give_the_same_on_both_engines(deployment: Deployment, tmp_path: Path) -> None:
    """One definition: research, analysis and summary are three functions there, and here one process."""
    given = {"topic": "density"}
    async with submitted(deployment, "pipeline", given, "three") as (app, run_id):
        await app.engine.advance(run_id)  # it starts; everything else is done by its functions
        there = await ended(app, run_id, work=False)
        far = await app.runs.view(run_id, "local")
    local = deployment.settings(engine="local", home=tmp_path, store=f"sqlite:///{tmp_path}/here.db")
    async with open_app(local, app_file=str(HERE / "flows_app.py")) as app:
        here = await app.run(Task("three", "pipeline", input=given, actor_context=Actor("alice")))
        near = await app.runs.view(here.run_id, "local")
    assert (
        (there.status, there.result_payload)
        == (here.status, here.result_payload)
        == ("success", "density: 7")
    )
    assert far.execution.endswith(run_id)
    assert near.execution == ""
    assert [(s.state, s.status, s.pointer) for s in far.states] == [
        (s.state, s.status, s.pointer) for s in near.states
    ]
    assert len(far.children) == len(near.children) == 3
    assert far.usage.children == near.usage.children


async def test_a_function_that_is_killed_after_its_effect(deployment: Deployment) -> None:
    """The effect is not repeated: a person says that it happened, and the Task, which has gone on waiting, ends."""
    (deployment.home / "fault").write_text("after:effect:charge")
    async with submitted(deployment, "payment", {"ref": "a"}, "killed") as (app, run_id):
        question = await asked(app)
        assert question["reason"] == "in_doubt"
        await app.approvals.decide(
            question["approval_id"], "local", BOSS, "reject", rationale="seen on the statement"
        )
        found = await ended(app, run_id)
    assert found.status == "success"
    assert found.result_payload["note"] == "seen on the statement"
    assert (deployment.home / "charged").read_text() == "a\n"
    assert not (deployment.home / "fault").exists()


async def test_a_person_decides_at_a_gate(deployment: Deployment) -> None:
    """The decision goes to the waiting execution as the gate's answer."""
    async with submitted(deployment, "gated", {"n": 1}, "gate") as (app, run_id):
        question = await asked(app)
        await app.approvals.decide(question["approval_id"], "local", BOSS, "approve")
        found = await ended(app, run_id)
    assert (found.status, found.result_payload) == ("success", "approve")


async def test_an_error_has_the_name_that_its_author_gave_it(deployment: Deployment) -> None:
    """And is caught by it."""
    async with submitted(deployment, "caught", {"ref": "a"}, "error") as (app, run_id):
        found = await ended(app, run_id)
    assert (found.status, found.result_payload) == ("success", "OutOfStock")
    assert set(flows_app.DOCUMENTS["caught"]["States"]) == {"Buy", "Sorry"}


async def test_a_machine_that_was_written_for_step_functions(deployment: Deployment, tmp_path: Path) -> None:
    """Imported unchanged, it gives the same here and there, and there its Lambda functions are the agents of that name."""
    document = json.loads((EXAMPLE / "state-machine.json").read_text())
    functions = {"research": "agent", "analysis": "agent", "summary": "agent"}
    with pytest.MonkeyPatch.context() as patch:
        imported = Deployment(
            deployment.url,
            tmp_path,
            patch,
            app_file=EXAMPLE / "app.py",
            documents={"report": document},
            lambdas=functions,
        )
        imported.deploy("report")
        outcomes = []
        for engine in ("local", "stepfunctions"):
            async with open_app(imported.settings(engine=engine), app_file=str(EXAMPLE / "app.py")) as app:
                made = [Document("workflow", "report", document)]
                planned = await app.applying.plan("local", made)
                await app.applying.carry_out("local", planned, actor=BOSS, why="imported")
                task = Task(engine, "report", input={"topic": "density"}, actor_context=Actor("alice"))
                run_id = await app.runs.submit(task)
                found = await ended(app, run_id)
                view = await app.runs.view(run_id, "local")
                # The emulator gives null for `$.ranking[-1].name`, where AWS gives the last one's name.
                text = str(found.result_payload).replace("None last", "Saturn last")
                outcomes.append((found.status, text, [(s.state, s.status) for s in view.states]))
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][0] == "success"
    assert view.execution
