"""Policy profiles from the registry are in force: for whom, from when, and who may change them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from remit import Agent, agent, tool
from remit.adapters.model.scripted import ScriptedModel
from remit.bootstrap import App
from remit.core.definition import MAIN
from remit.core.errors import ConfigError, DeniedError, InputError
from remit.core.task import Actor
from remit.engine import worker
from remit.testing import BOSS, FakeClock, app_for_tests, call, task

WHY: dict[str, Any] = {"actor": Actor("ana"), "reason": "because"}
STARTS = '@id("starts") permit (principal, action == Action::"start_run", resource);\n'
MODELS = '@id("models") permit (principal, action == Action::"use_model", resource);\n'
NO_NOTES = '@id("no-notes") forbid (principal, action == Action::"call_tool", resource == Tool::"note");\n'
ASK_NOTES = NO_NOTES.replace(";\n", " unless { context.approved };\n").replace("no-notes", "ask-notes")


@tool(risk="L1")
def note(text: str) -> str:
    """A bounded write."""
    return f"noted {text}"


def clerk(turns: int = 1) -> tuple[Agent, ScriptedModel]:
    model = ScriptedModel([call("note", text="x"), "done"] * turns)
    return Agent("clerk", instructions="Note it.", tools=[note]), model


def extending(cedar: str, **fields: Any) -> dict[str, Any]:
    return {"cedar": cedar, "profile": {"extends": "default", **fields}}


@agent(tools=[note])
async def writer(input: Any, memory: Any, context: Any) -> Any:
    """Writes a note."""
    return await context.call("note", text="x")


async def refusals(app: App, run_id: str, tenant: str = "local") -> list[str]:
    """The codes of the calls that were refused in a run."""
    events = await app.runs.events(run_id, tenant)
    return [e.data["problem"]["code"] for e in events if e.type == "ToolRefused"]


async def test_a_profile_edited_in_the_registry_changes_what_the_next_run_may_do() -> None:
    """Before: allowed. Written: refused, and the run says by which version. Rolled back, then archived: as it was."""
    coded, model = clerk(5)
    async with app_for_tests(coded, model=model, tools=[note]) as app:
        r = app.registry
        first = await app.run(task("clerk", "t1"))
        assert await refusals(app, first.run_id) == []
        mild = extending("")
        await r.create("local", "policy_profile", "default", mild, **WHY)
        made = await r.edit("local", "policy_profile", "default", extending(NO_NOTES), **WHY)
        second = await app.run(task("clerk", "t2"))
        assert await refusals(app, second.run_id) == ["E301"]
        view = await app.runs.view(second.run_id, "local")
        assert [(d.kind, d.name, d.version, d.digest) for d in view.definitions] == [
            ("policy_profile", "default", 2, made.digest)
        ]
        await r.rollback("local", "policy_profile", "default", 1, **WHY)
        third = await app.run(task("clerk", "t3"))
        assert await refusals(app, third.run_id) == []
        await r.rollback("local", "policy_profile", "default", 2, **WHY)
        assert await refusals(app, (await app.run(task("clerk", "t4"))).run_id) == ["E301"]
        await r.archive("local", "policy_profile", "default", **WHY)
        fifth = await app.run(task("clerk", "t5"))
        assert await refusals(app, fifth.run_id) == []
        assert (await app.runs.view(fifth.run_id, "local")).definitions == ()


async def test_a_profile_is_its_tenants_own() -> None:
    """What one tenant writes governs nobody else, whatever it is called and however alike the versions are."""
    coded, model = clerk(2)
    async with app_for_tests(coded, model=model, tools=[note]) as app:
        for tenant, body in (("acme", extending(NO_NOTES)), ("globex", extending(""))):
            await app.registry.create(tenant, "policy_profile", "default", body, **WHY)
        for tenant, refused in (("acme", ["E301"]), ("globex", [])):
            done = await app.run(task("clerk", "t", tenant_id=tenant))
            assert await refusals(app, done.run_id, tenant) == refused


async def test_a_name_that_only_the_registry_knows_is_a_profile_of_that_tenant() -> None:
    """Another tenant that names it is told that there is none."""
    coded, model = clerk()
    async with app_for_tests(coded, model=model, tools=[note]) as app:
        await app.registry.create("acme", "policy_profile", "own", extending(NO_NOTES), **WHY)
        done = await app.run(task("clerk", "t", tenant_id="acme", policy_profile="own"))
        assert await refusals(app, done.run_id, "acme") == ["E301"]
        with pytest.raises(ConfigError, match="no policy profile `own`"):
            await app.runs.submit(task("clerk", policy_profile="own"))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"cedar": "permit nonsense;"}, "policy.cedar:1"),
        ({"cedar": '@id("a") permit (principal, action, resource) when { context.nope };'}, "nope"),
        ({"cedar": "", "profile": {"quorum": 0}}, "`quorum` is wrong"),
        ({"cedar": "", "profile": {"extends": "nobody"}}, "`extends` names `nobody`"),
        (
            {"cedar": '@id("tools-run") ' + NO_NOTES[16:], "profile": {"extends": "default"}},
            "used in `default`",
        ),
        ({"cedar": "", "profile": {"name": "other"}}, "`name` is not a setting"),
    ],
)
async def test_a_broken_profile_is_refused_when_it_is_written(body: dict[str, Any], said: str) -> None:
    """With everything that is wrong, and nothing is kept."""
    async with app_for_tests() as app:
        with pytest.raises(InputError, match=said):
            await app.registry.create("local", "policy_profile", "default", body, **WHY)
        assert await app.registry.head("local", "policy_profile", "default") is None


async def test_without_extends_nothing_is_permitted_that_it_does_not_permit() -> None:
    """A profile stands alone unless it says otherwise: not even a run is started."""
    coded, model = clerk(2)
    async with app_for_tests(coded, model=model, tools=[note]) as app:
        await app.registry.create("local", "policy_profile", "default", {"cedar": ""}, **WHY)
        with pytest.raises(DeniedError, match="no policy of profile `default` permits it"):
            await app.runs.submit(task("clerk"))
        await app.registry.edit("local", "policy_profile", "default", {"cedar": STARTS + MODELS}, **WHY)
        done = await app.run(task("clerk"))
        assert await refusals(app, done.run_id) == ["E301"]


async def test_budget_redaction_and_approvers_are_the_profiles_own() -> None:
    """Limits bound the run, and who may approve is who the version names."""
    coded, model = clerk()
    async with app_for_tests(coded, model=model, tools=[note]) as app:
        body = extending(ASK_NOTES, approver_roles=["lead"], budget={"max_tool_calls": 1}, redact=["secrets"])
        await app.registry.create("local", "policy_profile", "default", body, **WHY)
        waiting = await app.run(task("clerk", objective="write to ann@example.com"))
        view = await app.runs.view(waiting.run_id, "local")
        assert view.budget.max_tool_calls == 1
        assert "ann@example.com" in view.task.objective
        approval_id = waiting.waiting_on[0].removeprefix("approval:")
        with pytest.raises(DeniedError, match="`lead`"):
            await app.approvals.decide(approval_id, "local", BOSS, "approve")
        await app.approvals.decide(approval_id, "local", Actor("lea", ("lead",)), "approve")
        await app.worker.run_until_idle(waiting.run_id)
        assert await refusals(app, waiting.run_id) == []


async def test_a_run_under_way_is_decided_by_the_policy_of_now() -> None:
    """Approved under version 1; version 2 forbids it before the run goes on: the approval does not carry over."""
    coded, model = clerk()
    async with app_for_tests(coded, model=model, tools=[note]) as app:
        await app.registry.create("local", "policy_profile", "default", extending(ASK_NOTES), **WHY)
        waiting = await app.run(task("clerk"))
        approval_id = waiting.waiting_on[0].removeprefix("approval:")
        await app.approvals.decide(approval_id, "local", BOSS, "approve")
        await app.registry.edit("local", "policy_profile", "default", extending(NO_NOTES), **WHY)
        await app.worker.run_until_idle(waiting.run_id)
        assert await refusals(app, waiting.run_id) == ["E301"]
        used = (await app.runs.view(waiting.run_id, "local")).definitions
        assert [d.version for d in used] == [1], "what is on record is what it began under"


async def test_an_approval_is_asked_for_again_when_the_profile_changed_meanwhile() -> None:
    """It was bound to the version that it was given under."""
    coded, model = clerk()
    async with app_for_tests(coded, model=model, tools=[note]) as app:
        await app.registry.create("local", "policy_profile", "default", extending(ASK_NOTES), **WHY)
        waiting = await app.run(task("clerk"))
        first = waiting.waiting_on[0].removeprefix("approval:")
        await app.approvals.decide(first, "local", BOSS, "approve")
        await app.registry.edit("local", "policy_profile", "default", extending(ASK_NOTES, quorum=2), **WHY)
        await app.worker.run_until_idle(waiting.run_id)
        again = await app.runs.result(waiting.run_id, "local")
        assert again is not None
        assert again.status == "needs_approval"
        assert again.waiting_on != waiting.waiting_on
        asked = await app.approvals.get(again.waiting_on[0].removeprefix("approval:"), "local")
        assert asked.quorum == 2


async def test_a_disabled_profile_starts_nothing_and_holds_what_is_under_way() -> None:
    """A new run is refused; one that would go on is set aside with the reason, and goes on once it is enabled."""
    clock = FakeClock()
    coded, model = clerk()
    async with app_for_tests(coded, model=model, tools=[note], clock=clock) as app:
        r = app.registry
        await r.create("local", "policy_profile", "default", extending(""), **WHY)
        run_id = await app.runs.submit(task("clerk"))
        await r.disable("local", "policy_profile", "default", actor=Actor("bob"), reason="an incident")
        with pytest.raises(DeniedError, match="disabled by `bob`: an incident"):
            await app.runs.submit(task("clerk", "t2"))
        for _ in range(worker.POISON_TRIES + 2):
            await app.worker.run_until_idle()
            clock.advance(worker.BACKOFF_S * 2**worker.POISON_TRIES)
        view = await app.runs.view(run_id, "local")
        assert view.waiting_on[0].startswith("operator: [E513]")
        await r.enable("local", "policy_profile", "default", **WHY)
        await app.runs.resume(run_id, "local", BOSS)
        await app.worker.run_until_idle(run_id)
        assert (await app.runs.view(run_id, "local")).status == "success"


async def test_a_run_stays_on_its_side_of_a_canary() -> None:
    """Also when it is taken up again; when the canary ends, it is decided as all others are."""
    async with app_for_tests(writer, tools=[note]) as app:
        r, at = app.registry, ("local", "policy_profile", "default")
        await r.create(*at, extending(""), **WHY)
        await r.draft(*at, extending(ASK_NOTES), **WHY)
        await r.set_alias(*at, MAIN, 1, canary=(2, 50), **WHY)
        seen: dict[int, str] = {}
        for n in range(20):
            done = await app.run(task("writer", f"t{n}"))
            (used,) = (await app.runs.view(done.run_id, "local")).definitions
            seen[used.version] = done.run_id
            assert done.status == ("success" if used.version == 1 else "needs_approval")
        held = seen[2]
        await app.runs.resume(held, "local", BOSS)
        await app.worker.run_until_idle(held)
        asked = await app.runs.result(held, "local")
        assert asked is not None
        assert asked.status == "needs_approval"
        await r.set_alias(*at, MAIN, 1, **WHY)
        await app.approvals.decide(asked.waiting_on[0].removeprefix("approval:"), "local", BOSS, "approve")
        await app.worker.run_until_idle(held)
        assert (await app.runs.view(held, "local")).status == "success"


async def test_a_schedule_is_authorised_by_the_tenants_own_profile() -> None:
    """Who may start an agent is asked when its schedule is written."""
    from remit.engine.schedules import ScheduleSpec

    coded, model = clerk()
    async with app_for_tests(coded, model=model, tools=[note]) as app:
        await app.registry.create("acme", "policy_profile", "default", {"cedar": MODELS}, **WHY)
        spec = ScheduleSpec(expression="daily", agent="clerk")
        with pytest.raises(DeniedError):
            await app.schedules.put("acme", "s", spec, actor=Actor("ana"))
        await app.schedules.put("globex", "s", spec, actor=Actor("ana"))


GUARDED = """
name = "default"
"""
SECURITY = """
@id("all") permit (principal, action, resource);
@id("only-security-edits-policy")
forbid (principal, action == Action::"edit_definition", resource in Kind::"policy_profile")
unless { principal in Role::"security" };
"""


async def test_policy_says_who_edits_which_kind(tmp_path: Path) -> None:
    """Profiles are for `security` alone; whatever a tenant writes into the registry cannot take that back."""
    home = tmp_path / "policies" / "default"
    home.mkdir(parents=True)
    (home / "profile.toml").write_text(GUARDED)
    (home / "policy.cedar").write_text(SECURITY)
    sam: dict[str, Any] = {"actor": Actor("sam", ("security",)), "reason": "reviewed"}
    async with app_for_tests(policies=(tmp_path / "policies",)) as app:
        r, at = app.registry, ("local", "policy_profile", "default")
        await r.create("local", "prompt", "greeting", {"text": "Hi."}, **WHY)
        with pytest.raises(DeniedError, match="only-security-edits-policy"):
            await r.create(*at, {"cedar": SECURITY}, **WHY)
        assert await r.head(*at) is None
        open_to_all = {"cedar": '@id("all") permit (principal, action, resource);'}
        await r.create(*at, open_to_all, **sam)
        await r.draft(*at, {"cedar": SECURITY}, **sam)
        for attempt in (
            r.edit(*at, open_to_all, **WHY),
            r.draft(*at, open_to_all, **WHY),
            r.promote(*at, 2, **WHY),
            r.rollback(*at, 1, **WHY),
            r.archive(*at, **WHY),
            r.disable(*at, **WHY),
            r.enable(*at, **WHY),
            r.set_alias(*at, "old", 1, **WHY),
        ):
            with pytest.raises(DeniedError, match="only-security-edits-policy"):
                await attempt
        assert (await r.changes(*at)).items[0].revision == 2
