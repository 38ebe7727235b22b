"""Each example runs: its refund waits for a person, and happens when one approved it."""

from __future__ import annotations

from pathlib import Path

import pytest
from frameworklib.teams import Team

from remit import Task, open_app
from remit.core.task import Actor
from remit.engine.models import Route
from remit.settings import Settings
from remit.testing import BOSS, ScriptedModel, call

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "frameworks"


@pytest.mark.not_for(remit="the examples are of other frameworks")
async def test_an_example_runs(team: Team, tmp_path: Path) -> None:
    """The app file of each framework runs, asks before its refund, and does what was approved."""
    app = open_app(
        Settings(home=tmp_path, store="memory:"),
        app_file=str(EXAMPLES / f"{team.name}.py"),
        models={"scripted": ScriptedModel([call("refund", order="A1", cents=500), "Done."])},
        routes={"default": Route("scripted", "scripted")},
    )
    async with app:
        asked = Task("t1", "desk", objective="Refund 500 cents for order A1.", actor_context=Actor("ann"))
        result = await app.run(asked)
        assert result.status == "needs_approval"
        (waiting,) = (await app.approvals.list("local")).items
        await app.approvals.decide(waiting["approval_id"], "local", BOSS, "approve")
        await app.worker.run_until_idle()
        found = await app.runs.result(result.run_id, "local")
    assert found is not None
    assert (found.status, found.result_payload) == ("success", "Done.")
