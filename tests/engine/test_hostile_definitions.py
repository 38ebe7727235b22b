"""What nobody gets around: another tenant's policy, a version that was taken back, and rules about an agent's name."""

from __future__ import annotations

from typing import Any

import pytest

from remit import agent
from remit.bootstrap import App
from remit.core.codec import digest_of
from remit.core.errors import ConfigError, DeniedError, InputError
from remit.core.task import Actor, Task
from remit.sdk import Pack
from remit.testing import app_for_tests
from remit.testing.workflows import Named
from remit.workflow.reading import read

WHY: dict[str, Any] = {"actor": Actor("ana", ("admin",)), "reason": "because"}
ALL = '@id("all") permit (principal, action, resource);\n'


@agent
async def clerk(input: Any, memory: Any, context: Any) -> Any:
    """Says what it was given."""
    return {"got": input}


async def refusals(app: App, run_id: str) -> list[str]:
    """The codes of the calls that were refused in a run."""
    events = await app.runs.events(run_id, "local")
    return [e.data["problem"]["code"] for e in events if e.type == "ToolRefused"]


async def test_no_task_names_a_version_of_a_profile_by_its_content() -> None:
    """Neither what another tenant wrote, nor a version that was taken back, can be asked for by its digest."""
    async with app_for_tests(clerk) as app:
        mild: dict[str, Any] = {"cedar": ALL}
        await app.registry.create("acme", "policy_profile", "mild", mild, **WHY)
        await app.run(Task("t", "clerk", tenant_id="acme", policy_profile="mild"))
        inside = f"mild@{digest_of([{}, ALL])}"
        assert app.kit.policy.profile(inside).cedar == ALL, "this is what policy knows it by"
        for tenant in ("acme", "local"):
            with pytest.raises(ConfigError, match="there is no policy profile"):
                await app.runs.submit(Task("u", "clerk", tenant_id=tenant, policy_profile=inside))


async def test_an_alias_of_an_agent_is_that_agent_to_policy() -> None:
    """What forbids handing over to an agent forbids it by every name that the agent has."""
    body = {"instructions": "Say ok."}
    no = '@id("no-clerk") forbid (principal, action == Action::"hand_off", resource == Agent::"helper");\n'
    flow = {
        "StartAt": "A",
        "States": {"A": {"Type": "Task", "Resource": "remit:agent:helper@next", "End": True}},
    }
    async with app_for_tests(packs=[Pack("p", workflows=[Named("flow", flow)])]) as app:
        made = await app.registry.create("local", "agent", "helper", body, **WHY)
        await app.registry.set_alias("local", "agent", "helper", "next", made.version, **WHY)
        profile = {"cedar": no, "profile": {"extends": "default"}}
        await app.registry.create("local", "policy_profile", "default", profile, **WHY)
        done = await app.run(Task("t", "flow", input={}))
        assert await refusals(app, done.run_id) == ["E301"]
        start = no.replace("hand_off", "start_run")
        await app.registry.edit("local", "policy_profile", "default", {**profile, "cedar": start}, **WHY)
        with pytest.raises(DeniedError, match="no-clerk"):
            await app.runs.submit(Task("u", "helper@next"))


async def test_no_definition_is_everybodys() -> None:
    """A rule or an agent of the tenant `*` would get the events of all tenants: only code has such a one."""
    rule = {"pattern": {"type": ["paid"]}, "target": "clerk"}
    async with app_for_tests(clerk) as app:
        for kind, body in (("rule", rule), ("agent", {"instructions": "x", "subscribes": ["paid"]})):
            with pytest.raises(InputError, match="belongs to a tenant"):
                await app.registry.create("*", kind, "r", body, **WHY)


@pytest.mark.parametrize("number", ["1e400", "9" * 5000])
async def test_a_number_beyond_all_numbers_is_a_mistake_in_a_document(number: str) -> None:
    """It is named with its place, as any other mistake; one that code gives is named too."""
    text = '{"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": NUMBER, "End": true}}}'
    with pytest.raises(InputError, match="line 1, column 62: the number is larger"):
        read(text.replace("NUMBER", number))
    state = {"Type": "Wait", "Seconds": float("inf"), "End": True}
    async with app_for_tests() as app:
        found = await app.workflows.check("local", {"StartAt": "A", "States": {"A": state}})
        assert [p.pointer for p in found.problems] == ["/States/A/Seconds"]
