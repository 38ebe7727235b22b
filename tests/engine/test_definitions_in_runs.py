"""Runs go by the registry: which version of an agent and its prompt a run uses, records, and keeps to its end."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from remit import Agent, agent, tool
from remit.adapters.model.scripted import ScriptedModel
from remit.core.codec import digest_of
from remit.core.errors import DeniedError, InputError, NotFoundError
from remit.core.task import Actor
from remit.engine import resolving
from remit.testing import BOSS, app_for_tests, call, task

WHY: dict[str, Any] = {"actor": Actor("ana"), "reason": "because"}


@tool(risk="L3")
def launch() -> str:
    """Privileged: always waits for a person."""
    return "launched"


@tool
def look() -> str:
    """A read."""
    return "seen"


CODED = Agent("clerk", instructions="From code.", tools=[look])


async def test_the_active_version_goes_before_the_code() -> None:
    """No version: the code's agent. A version: that one, and the run says which. Archived: the code's again."""
    model = ScriptedModel(["a", "b", "c"])
    async with app_for_tests(CODED, model=model) as app:
        await app.run(task("clerk", "t1"))
        made = await app.registry.create("local", "agent", "clerk", {"instructions": "From data."}, **WHY)
        second = await app.run(task("clerk", "t2"))
        await app.registry.archive("local", "agent", "clerk", **WHY)
        third = await app.run(task("clerk", "t3"))
        assert [r.system for r in model.requests] == ["From code.", "From data.", "From code."]
        assert [len(r.tools) for r in model.requests] == [1, 0, 1]
        view = await app.runs.view(second.run_id, "local")
        assert [(d.kind, d.name, d.version, d.digest) for d in view.definitions] == [
            ("agent", "clerk", 1, made.digest)
        ]
        assert (await app.runs.view(third.run_id, "local")).definitions == ()


async def test_an_agent_may_be_data_only_with_a_prompt_of_its_own() -> None:
    """Agent and prompt are definitions; editing the prompt changes the next run, and both digests are recorded."""
    model = ScriptedModel(["a", "b", "c"])
    async with app_for_tests(CODED, model=model, tools=[look]) as app:
        r = app.registry
        with pytest.raises(InputError, match="refers to prompt"):
            await r.create("local", "agent", "scribe", {"instructions": {"prompt": "style"}}, **WHY)
        await r.create("local", "prompt", "style", {"text": "Be brief."}, **WHY)
        body = {"instructions": {"prompt": "style"}, "tools": ["look"], "description": "Writes."}
        await r.create("local", "agent", "scribe", body, **WHY)
        first = await app.run(task("scribe", "t1"))
        await r.edit("local", "prompt", "style", {"text": "Be warm."}, **WHY)
        await app.run(task("scribe", "t2"))
        await r.set_alias("local", "prompt", "style", "old", 1, **WHY)
        await r.edit("local", "agent", "scribe", {"instructions": {"prompt": "style@old"}}, **WHY)
        third = await app.run(task("scribe", "t3"))
        assert [x.system for x in model.requests] == ["Be brief.", "Be warm.", "Be brief."]
        assert [t.name for t in model.requests[0].tools] == ["look"]
        used = (await app.runs.view(first.run_id, "local")).definitions
        assert [(d.kind, d.version) for d in used] == [("agent", 1), ("prompt", 1)]
        assert used[1].digest == digest_of({"text": "Be brief."})
        used = (await app.runs.view(third.run_id, "local")).definitions
        assert [(d.kind, d.version) for d in used] == [("agent", 2), ("prompt", 1)]


async def test_an_edit_never_changes_a_run_under_way() -> None:
    """A run that waits goes on by the version that it was started with."""
    model = ScriptedModel([call("launch"), "done"])
    async with app_for_tests(model=model, tools=[launch]) as app:
        r = app.registry
        await r.create("local", "agent", "pilot", {"instructions": "One.", "tools": ["launch"]}, **WHY)
        waiting = await app.run(task("pilot"))
        assert waiting.status == "needs_approval"
        await r.edit("local", "agent", "pilot", {"instructions": "Two."}, **WHY)
        await r.disable("local", "agent", "pilot", **WHY)
        approval_id = waiting.waiting_on[0].removeprefix("approval:")
        await app.approvals.decide(approval_id, "local", BOSS, "approve")
        await app.worker.run_until_idle(waiting.run_id)
        done = await app.runs.result(waiting.run_id, "local")
        assert done is not None
        assert done.status == "success"
        assert [x.system for x in model.requests] == ["One.", "One."]


async def test_a_disabled_agent_starts_no_run() -> None:
    """Also one that is in the code: the switch is how it is stopped at once. Who did it is said."""
    async with app_for_tests(CODED, model=ScriptedModel(["a"])) as app:
        await app.registry.create("local", "agent", "clerk", {"instructions": "x"}, **WHY)
        await app.registry.disable("local", "agent", "clerk", actor=Actor("bob"), reason="it misbehaves")
        with pytest.raises(DeniedError, match="is disabled by `bob`: it misbehaves"):
            await app.runs.submit(task("clerk"))
        await app.registry.enable("local", "agent", "clerk", **WHY)
        done = await app.run(task("clerk"))
        assert done.status == "success"
        await app.registry.disable("local", "agent", "clerk", **WHY)
        assert await app.runs.submit(task("clerk")) == done.run_id, "the same task again is the same run"
        with pytest.raises(DeniedError):
            await app.runs.submit(task("clerk", objective="another"))


async def test_a_definition_is_its_tenants_own() -> None:
    """Another tenant's version of an agent is not used, and its agents do not exist."""
    model = ScriptedModel(["a"])
    async with app_for_tests(CODED, model=model) as app:
        for name in ("clerk", "own"):
            await app.registry.create("acme", "agent", name, {"instructions": "Acme's."}, **WHY)
        await app.run(task("clerk"))
        assert model.requests[0].system == "From code."
        with pytest.raises(NotFoundError, match="`own`"):
            await app.runs.submit(task("own"))


async def test_a_canary_is_the_same_for_a_whole_session() -> None:
    """A share of the sessions gets the new version; every turn of one session gets the same."""
    async with app_for_tests(CODED, model=ScriptedModel(["a"], cycle=True)) as app:
        r = app.registry
        await r.create("local", "agent", "clerk", {"instructions": "One."}, **WHY)
        await r.draft("local", "agent", "clerk", {"instructions": "Two."}, **WHY)
        await r.set_alias("local", "agent", "clerk", "active", 1, canary=(2, 50), **WHY)
        seen: dict[str, set[int]] = {}
        for i in range(60):
            run_id = await app.runs.submit(task("clerk", f"t{i}", session_id=f"s{i % 20}"))
            used = (await app.runs.view(run_id, "local")).definitions
            seen.setdefault(f"s{i % 20}", set()).add(used[0].version)
        assert all(len(v) == 1 for v in seen.values())
        assert set(Counter(v for vs in seen.values() for v in vs)) == {1, 2}


async def test_delegates_may_be_data() -> None:
    """A child run goes by the registry too; one that is disabled is refused, and the parent is told."""

    @agent(delegates=["helper"])
    async def chief(input: Any, memory: Any, context: Any) -> Any:
        """Delegates to whom it is told."""
        done = await context.delegate(input, "help")
        return [done.status, done.run_id]

    model = ScriptedModel(["helped"], cycle=True)
    async with app_for_tests(chief, model=model) as app:
        await app.registry.create("local", "agent", "helper", {"instructions": "Help."}, **WHY)
        done = await app.run(task("chief", "t1", input="helper"))
        assert done.status == "success", done.problem
        child = await app.runs.view(done.result_payload[1], "local")
        assert [(d.kind, d.name, d.version) for d in child.definitions] == [("agent", "helper", 1)]
        await app.registry.disable("local", "agent", "helper", **WHY)
        refused = await app.run(task("chief", "r1", input="helper"))
        assert (refused.status, refused.problem is not None) == ("failure", True)
        assert refused.problem is not None
        assert "disabled" in refused.problem.message


async def test_an_agent_whose_delegates_are_nowhere_is_not_started() -> None:
    """Neither in the code nor in the tenant's registry; others run, and the refused one does once it is defined."""
    boss = Agent("chief", instructions="Lead.", delegates=["writr", "stored@live", "clerk"])
    model = ScriptedModel(["done"], cycle=True)
    async with app_for_tests(CODED, boss, model=model) as app:
        body = {"instructions": "Help."}
        await app.registry.create("local", "agent", "stored", body, **WHY)
        with pytest.raises(DeniedError) as refused:
            await app.runs.submit(task("chief", "t1"))
        assert refused.value.code == "E1142"
        assert refused.value.message == "agent `chief` may delegate to `writr`, and there is no such agent"
        assert "`clerk`" in refused.value.help
        assert (await app.run(task("clerk", "t2"))).status == "success"
        await app.registry.create("local", "agent", "writr", body, **WHY)
        assert (await app.run(task("chief", "t3"))).status == "success"


async def test_a_model_route_may_be_data() -> None:
    """A run asks the route that it was started with; its version is recorded, and settings' own is asked without one."""
    model, other = ScriptedModel(["a", "b"]), ScriptedModel([call("launch"), "d"])
    piloted = Agent("pilot", instructions="x", tools=[launch])
    async with app_for_tests(CODED, piloted, model=model) as app:
        app.kit.models._adapters = {"scripted": model, "other": other}
        r, at = app.registry, ("local", "model_route", "default")
        for bad in ({"provider": "nobody"}, {"provider": "other", "fallbacks": ["none"]}, {"model": "m"}):
            with pytest.raises(InputError):
                await r.create(*at, bad, **WHY)
        await app.run(task("clerk", "t1"))
        await r.create(*at, {"provider": "other", "model": "m1", "max_tokens": 7}, **WHY)
        waiting = await app.run(task("pilot", "t2"))
        assert waiting.status == "needs_approval"
        await r.archive(*at, **WHY)
        await app.run(task("clerk", "t3"))
        approval_id = waiting.waiting_on[0].removeprefix("approval:")
        await app.approvals.decide(approval_id, "local", BOSS, "approve")
        await app.worker.run_until_idle(waiting.run_id)
        view = await app.runs.view(waiting.run_id, "local")
        assert view.status == "success"
        assert [(d.kind, d.name, d.version) for d in view.definitions] == [("model_route", "default", 1)]
        assert (len(model.requests), len(other.requests)) == (2, 2)
        assert {x.max_tokens for x in other.requests} == {7}
        assert app.kit.models.routes == ("default",), "what a run pinned is no name for others"


async def test_an_agent_may_name_a_route_that_is_data() -> None:
    """A route that settings do not have must be a definition; switched off, its agents start no run."""
    async with app_for_tests(CODED, model=ScriptedModel(["a"])) as app:
        r, body = app.registry, {"instructions": "x", "model": "fast"}
        with pytest.raises(InputError, match="refers to model_route `fast`"):
            await r.create("local", "agent", "hare", body, **WHY)
        await r.create("local", "model_route", "fast", {"provider": "scripted", "model": "m"}, **WHY)
        await r.create("local", "agent", "hare", body, **WHY)
        assert (await app.run(task("hare"))).status == "success"
        await r.disable("local", "model_route", "fast", **WHY)
        with pytest.raises(DeniedError, match="model_route `fast` is disabled"):
            await app.runs.submit(task("hare", "t2"))


async def test_what_a_code_agent_takes_from_its_definition() -> None:
    """It stays code: its `act` runs, with the tools and limits that the active version gives it."""

    @agent(tools=[look])
    async def walker(input: Any, memory: Any, context: Any) -> Any:
        """Looks."""
        return await context.call("look")

    async with app_for_tests(walker) as app:
        assert (await app.run(task("walker", "t1"))).result_payload == "seen"
        await app.registry.create("local", "agent", "walker", {"instructions": "-"}, **WHY)
        taken = await app.run(task("walker", "t2"))
        assert taken.problem is not None
        assert "has no tool `look`" in taken.problem.message
        body = {"instructions": "-", "tools": ["look"]}
        await app.registry.edit("local", "agent", "walker", body, **WHY)
        assert (await app.run(task("walker", "t3"))).result_payload == "seen"


async def test_a_first_event_without_definitions_is_what_it_always_was() -> None:
    """A run of a code's agent says nothing of definitions, so its journal reads as before."""
    async with app_for_tests(CODED, model=ScriptedModel(["a"])) as app:
        done = await app.run(task("clerk"))
        first = (await app.store.read(done.run_id, limit=1))[0]
        assert b"definitions" not in first.body


async def test_agents_of_code_and_registry_are_listed_together() -> None:
    """By name and page by page, archived and disabled ones left out."""
    coded = [Agent(f"c{i}", instructions="x") for i in range(4)]
    async with app_for_tests(*coded) as app:
        for name in ("a1", "c1x", "z1", "z2", "gone"):
            await app.registry.create("local", "agent", name, {"instructions": name}, **WHY)
        await app.registry.archive("local", "agent", "gone", **WHY)
        await app.registry.disable("local", "agent", "z1", **WHY)
        for limit in (1, 2, 3, 50):
            names: list[str] = []
            after: str | None = ""
            while after is not None:
                found, after = await resolving.agents(
                    app.registry, app.catalogue, "local", after=after, limit=limit
                )
                names += [s.name for s in found]
            assert names == ["a1", "c0", "c1", "c1x", "c2", "c3", "z2"], limit


async def test_a_secret_never_becomes_a_definition() -> None:
    """What settings know as a secret is refused in any body, however deep."""
    async with app_for_tests(CODED, secrets={"key": "sk-live-1234567890"}) as app:
        with pytest.raises(InputError, match="holds a secret"):
            await app.registry.create(
                "local", "prompt", "p", {"text": "Use sk-live-1234567890 to log in."}, **WHY
            )
        assert await app.registry.head("local", "prompt", "p") is None
