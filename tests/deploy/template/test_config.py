"""The configuration of a deployment: read, merged by environment, filled from the app, and refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.deploy.template.sample import FLOW, SAMPLE

from remit import Agent, agent
from remit.core.agent import AgentSpec
from remit.core.errors import ConfigError
from remit.core.states.arns import Bindings
from remit.settings import ModelRoute
from remit.testing import app_for_tests
from remit_deploy.config import config_of, read_config
from remit_deploy.constructs.machines import callers, compiled
from remit_deploy.describing import described, models_of
from remit_deploy.names import Names
from remit_packs import validation


def test_an_environment_says_what_is_different_there(tmp_path: Path) -> None:
    """Tables are merged, everything else is replaced; what is not said is as for all."""
    file = tmp_path / "remit.toml"
    file.write_text(
        '[deploy]\nproject = "shop"\nbudget_usd = 20.0\n[deploy.throttling]\nrate = 5.0\n'
        "[deploy.environments.prod]\nbudget_usd = 500.0\n[deploy.environments.prod.throttling]\nburst = 99\n"
    )
    dev, prod = read_config(file), read_config(file, "prod")
    assert (dev.deployment, prod.deployment) == ("shop-dev", "shop-prod")
    assert (dev.budget_usd, prod.budget_usd) == (20.0, 500.0)
    assert (prod.throttling.rate, prod.throttling.burst) == (5.0, 99)
    assert (dev.kept, prod.kept) == (False, True)


@pytest.mark.parametrize(
    ("given", "code", "names"),
    [
        ({"project": "Shop"}, "E851", "Shop-dev"),
        ({"project": "a-name-that-is-far-too-long"}, "E851", "a-name-that-is-far-too-long-dev"),
        ({"agents": {"x" * 60: {}}}, "E851", "x" * 60),
        ({"agents": {"pay.out": {}, "pay-out": {}}}, "E857", "`pay-out`"),
        ({"agents": {"pay": {}, "pay-dead": {}}}, "E857", "`pay-dead`"),
        ({"agents": {"pay.out": {}}, "workflows": {"pay-out": {}}}, "E857", "`pay.out`"),
        ({"environment": "test"}, "E850", "environment"),
        ({"agents": {"a": {"table": {}}}}, "E850", "table"),
        ({"auth": {"kind": "jwt"}, "waf": False}, "E852", "issuer"),
        ({"auth": {"kind": "jwt", "issuer": "https://x", "audience": ["a"]}}, "E852", "WAF"),
        ({"agents": {"a": {}}, "chat_agent": "b"}, "E852", "`b`"),
    ],
)
def test_what_cannot_be_is_refused(given: dict[str, object], code: str, names: str) -> None:
    """With the name of what is wrong."""
    with pytest.raises(ConfigError, match=names) as raised:
        config_of(given)
    assert raised.value.code == code


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    """E850 names the file."""
    (tmp_path / "x.toml").write_text("=")
    for name in ("x.toml", "missing.toml"):
        with pytest.raises(ConfigError, match=name) as raised:
            read_config(tmp_path / name)
        assert raised.value.code == "E850"


async def test_an_app_says_its_agents_models_and_workflows() -> None:
    """What the configuration says of an agent stands; agents without a function of their own have `default`."""

    @agent
    def collect(input: str) -> str:
        "Collect."
        return input

    talker = Agent("talker", instructions="Talk.")
    async with app_for_tests(talker, collect) as app:
        config = described(
            config_of({"model": "bedrock:m-1", "agents": {"talker": {"memory_mb": 2048}}}), app
        )
    assert config.agents["talker"].models == ("m-1",)
    assert config.agents["talker"].memory_mb == 2048
    assert (config.agents["collect"].kind, config.agents["collect"].models) == ("code", ())
    assert config.agents["default"].models == ("m-1",)
    assert config.chat_agent == "talker"


async def test_whoever_works_on_registered_tables_may_use_them() -> None:
    """Each agent acts under its own role: those of rules, of the run log and of notifications, not one that only talks to them."""
    talker = Agent("talker", instructions="Talk.", delegates=["validate"])
    async with app_for_tests(talker, packs=[validation.pack()]) as app:
        agents = described(config_of({}), app).agents
    needed = {
        "validate",
        "ingestor",
        "validator",
        "notifier",
        "diff_tables",
        "rule_validator",
    } & agents.keys()
    assert len(needed) >= 4
    assert {name for name in needed if agents[name].control_plane} == needed
    assert not agents["talker"].control_plane
    async with app_for_tests(talker) as app:
        assert not any(a.control_plane for a in described(config_of({}), app).agents.values())


def test_fallbacks_of_a_route_may_be_asked_too() -> None:
    """Only those at Bedrock, each once, however routes point at each other."""
    routes = {
        "fast": ModelRoute("bedrock", "m-1", fallbacks=("slow", "other")),
        "slow": ModelRoute("bedrock", "m-2", fallbacks=("fast",)),
        "other": ModelRoute("anthropic", "m-3"),
    }
    assert models_of(AgentSpec("a", model="fast"), "", routes) == ("m-1", "m-2")
    assert models_of(AgentSpec("a"), "anthropic:m-4", routes) == ()
    assert models_of(AgentSpec("a", kind="code", model="fast"), "", routes) == ()


def test_a_workflow_that_step_functions_cannot_run_is_refused_with_its_reasons() -> None:
    """E853, before anything is made."""
    waits = {
        "StartAt": "W",
        "States": {"W": {"Type": "Task", "Resource": "remit:event:paid.waitForEvent", "End": True}},
    }
    with pytest.raises(ConfigError, match="waits for an event") as raised:
        compiled(config_of({"workflows": {"w": waits}}))
    assert raised.value.code == "E853"


def test_functions_know_the_workflows_that_call_them() -> None:
    """The workflow's own function, and those of its agents, tools and gates."""
    assert callers(compiled(config_of(SAMPLE))) == {
        "agent-flow": ("flow",),
        "agent-research": ("flow",),
        "gate-sign": ("flow",),
        "tool-price": ("flow",),
    }
    assert callers(compiled(config_of({**SAMPLE, "engine": "local"}))) == {}
    assert FLOW["StartAt"] == "Research"


@pytest.mark.parametrize("name", ["plain", "with.dots", "with_bars", "a b"])
def test_names_are_those_that_documents_are_compiled_with(name: str) -> None:
    """What a state machine calls is what is deployed."""
    names, bindings = Names("remit-dev"), Bindings(prefix="remit-dev")
    assert names.function_arn(f"agent-{name}") == bindings.function("agent", name)
    assert names.machine_arn(name) == bindings.machine(name)
    assert names.dead("remit-dev-deliveries.fifo") == "remit-dev-deliveries-dead.fifo"


async def test_agents_of_validation_types_share_a_function() -> None:
    """There are many of them, and a stack takes 500 resources; one that the configuration or a workflow names has its own."""
    step = {"Type": "Task", "Resource": "remit:agent:record_count_match", "End": True}
    flow = {"StartAt": "Count", "States": {"Count": step}}
    async with app_for_tests(packs=[validation.pack()]) as app:
        config = described(config_of({"agents": {"uniqueness": {}}, "workflows": {"flow": flow}}), app)
        every = app.catalogue.agents
    assert {"value_range", "null_rate"} <= every.keys()
    assert config.agents.keys().isdisjoint({"value_range", "null_rate"})
    assert {"uniqueness", "record_count_match"} & every.keys() <= config.agents.keys()
    assert config.agents["default"].control_plane
