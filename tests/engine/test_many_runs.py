"""Many runs cancelled or done again at once: an outcome for each, whatever becomes of the others."""

from __future__ import annotations

from typing import Any

import pytest

from remit import agent
from remit.core.codec import canonical
from remit.core.errors import InputError
from remit.core.provenance import Label, Labels, join
from remit.core.task import Actor
from remit.engine.many_runs import MOST, ManyRuns
from remit.sdk import RunContext
from remit.testing import app_for_tests, task

OPS = Actor("ops", ("operator",))


@agent
async def shaky(input: Any, memory: Any, context: RunContext) -> Any:
    """Fails when it is told to."""
    if input["fail"]:
        raise ValueError("no")
    return "fine"


async def begun(app: Any, name: str, *, fail: bool, ended: bool = True, **fields: Any) -> str:
    """A run of the agent, ended or not."""
    run_id: str = await app.runs.submit(task(shaky, name, input={"fail": fail}, **fields))
    if ended:
        await app.worker.run_until_idle(run_id)
    return run_id


async def test_each_run_has_its_own_outcome() -> None:
    """Those that go on are asked to end; ended ones, unknown ones and those of other tenants are said to be what they are."""
    async with app_for_tests(shaky) as app:
        going = await begun(app, "going", fail=False, ended=False)
        over = await begun(app, "over", fail=False)
        theirs = await begun(app, "theirs", fail=False, ended=False, tenant_id="acme")
        asked = [going, over, theirs, "run_unknown", going]
        outcomes = (await app.many_runs.cancel(asked, "local", OPS, "tidying up")).items
        assert [(o.run_id, o.outcome) for o in outcomes] == [
            (going, "done"),
            (over, "nothing"),
            (theirs, "refused"),
            ("run_unknown", "refused"),
        ]
        assert {o.problem.code for o in outcomes if o.problem} == {"E104"}
        await app.worker.run_until_idle(going)
        view = await app.runs.view(going, "local")
        assert view.result.problem is not None
        assert "tidying up" in view.result.problem.message
        assert (await app.runs.view(theirs, "acme")).status == "running"


async def test_what_failed_is_done_again_as_whoever_asks_with_its_labels() -> None:
    """A new run of the same task; the same request again makes no other."""
    tainted = join(Labels(), Label("web:https://example.org", trust="untrusted"))
    async with app_for_tests(shaky) as app:
        failed = await app.runs.submit(task(shaky, "t", input={"fail": True}), labels=tainted)
        await app.worker.run_until_idle(failed)
        fine = await begun(app, "fine", fail=False)
        outcomes = (await app.many_runs.retry([failed, fine], "local", OPS, retry_id="once")).items
        assert [(o.outcome, bool(o.made)) for o in outcomes] == [("done", True), ("refused", False)]
        assert outcomes[1].problem is not None
        assert outcomes[1].problem.code == "E646"
        made = await app.runs.view(outcomes[0].made, "local")
        assert (made.task.actor_context, made.task.input) == (OPS, {"fail": True})
        assert made.labels.untrusted
        again = (await app.many_runs.retry([failed], "local", OPS, retry_id="once")).items
        assert again[0].made == outcomes[0].made
        other = (await app.many_runs.retry([failed], "local", OPS)).items
        assert other[0].made not in ("", outcomes[0].made)


async def test_a_failed_workflow_goes_on_from_what_failed() -> None:
    """It is forked, not begun anew."""
    document = {"StartAt": "No", "States": {"No": {"Type": "Fail", "Error": "Nope"}}}
    async with app_for_tests(shaky) as app:
        failed = await app.runs.submit(task("x", "flow"), document)
        await app.worker.run_until_idle(failed)
        (outcome,) = (await app.many_runs.retry([failed], "local", OPS)).items
        made = await app.runs.view(outcome.made, "local")
        assert made.forked_from.startswith(failed)


async def test_nobody_steers_a_run_whose_agent_policy_keeps_from_them(tmp_path: Any) -> None:
    """Each retry is asked of policy by itself."""
    (tmp_path / "profile.toml").write_text('name = "closed"\nextends = "default"\n')
    (tmp_path / "policy.cedar").write_text(
        '@id("alice-alone")\nforbid (principal, action == Action::"start_run", resource) unless { context.actor == "alice" };\n'
    )
    async with app_for_tests(shaky, policies=(str(tmp_path),)) as app:
        failed = await begun(app, "t", fail=True, policy_profile="closed")
        (outcome,) = (await app.many_runs.retry([failed], "local", OPS)).items
        assert outcome.problem is not None
        assert (outcome.outcome, outcome.problem.code) == ("refused", "E301")


async def test_more_than_there_may_be_are_refused_as_a_whole() -> None:
    """Before anything is asked of any."""
    async with app_for_tests(shaky) as app:
        many: ManyRuns = app.many_runs
        with pytest.raises(InputError) as told:
            await many.cancel([f"r{n}" for n in range(MOST + 1)], "local", OPS, "")
        assert told.value.code == "E1000"
        assert canonical((await many.cancel([], "local", OPS, "")).items) == b"[]"
