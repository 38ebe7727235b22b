"""The estimate: what it counts, what it assumes, and that each price says where it is from."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from importlib.resources import files
from typing import Any

import pytest

from remit.core.errors import ConfigError
from remit.engine.models import default_prices
from remit_deploy.config import AgentConfig, DeployConfig, GuardrailConfig
from remit_deploy.costs.estimate import Estimate, Usage, estimate, usage_of

NOVA = "us.amazon.nova-lite-v1:0"


def made(resources: dict[str, Any] | None = None, usage: Usage | None = None, **config: Any) -> Estimate:
    """An estimate."""
    return estimate(
        {"Resources": resources or {}}, DeployConfig(**config), usage or Usage(), default_prices()
    )


def line(found: Estimate, what: str) -> float:
    """What a line says, 0 when there is none."""
    return sum(each.usd for each in found.lines if each.what == what)


def of(type: str, **properties: Any) -> dict[str, Any]:
    """A resource."""
    return {"Type": type, "Properties": properties}


def test_each_price_says_since_when_and_where_from() -> None:
    """A line of the table has a price, a unit, an ISO date and the page of the provider."""
    table = tomllib.loads(files("remit_deploy.costs").joinpath("prices.toml").read_text("utf-8"))
    for id, row in table.items():
        assert row["usd"] > 0, id
        assert row["unit"], id
        date.fromisoformat(row["date"])
        assert re.fullmatch(r"aws\.amazon\.com/[\w/-]+", row["source"]), id


def test_a_console_costs_as_long_as_it_is_open() -> None:
    """By the hour, and nothing where there is none; beside an HTTP API its REST API does not change what other requests cost."""
    apis = {"Api": of("AWS::ApiGatewayV2::Api"), "Door": of("AWS::ApiGateway::RestApi")}
    hour, day = (made(apis, Usage(console_hours=h), console=True) for h in (1, 24))
    assert line(day, "console") == pytest.approx(24 * line(hour, "console"))
    assert line(hour, "console") == pytest.approx(1_500 * (4.8e-6 + 1.1 * 0.0000133334), rel=1e-3)
    assert line(made(apis), "console") == 0
    assert line(hour, "API") == pytest.approx(0.01)


def test_what_stands_idle_is_counted_from_the_template() -> None:
    """A firewall with three rules, a key and two alarms cost the same every month, used or not."""
    resources = {
        "Acl": of("AWS::WAFv2::WebACL", Rules=[{}, {}, {}]),
        "Key": of("AWS::KMS::Key"),
        "A": of("AWS::CloudWatch::Alarm"),
        "B": of("AWS::CloudWatch::Alarm"),
        "Endpoint": of("AWS::EC2::VPCEndpoint", VpcEndpointType="Interface", SubnetIds=["a", "b"]),
        "Gateway": of("AWS::EC2::VPCEndpoint", VpcEndpointType="Gateway"),
    }
    found = made(resources)
    assert line(found, "firewall") == pytest.approx(8.00)
    assert line(found, "encryption keys") == pytest.approx(1.00)
    assert line(found, "alarms") == pytest.approx(0.20)
    assert line(found, "VPC endpoints") == pytest.approx(2 * 730 * 0.01)
    assert made(resources, Usage(requests=0)).total("fixed") == found.total("fixed")


def test_polling_counts_the_queues_that_a_function_polls() -> None:
    """A queue costs its idle polls only where a function listens to it; FIFO queues cost more."""
    queues = {
        "Run": of("AWS::SQS::Queue"),
        "Dead": of("AWS::SQS::Queue"),
        "Fifo": of("AWS::SQS::Queue", FifoQueue=True),
        "M1": of("AWS::Lambda::EventSourceMapping", EventSourceArn={"Fn::GetAtt": ["Run", "Arn"]}),
        "M2": of("AWS::Lambda::EventSourceMapping", EventSourceArn={"Fn::GetAtt": ["Fifo", "Arn"]}),
        "Stream": of(
            "AWS::Lambda::EventSourceMapping", EventSourceArn={"Fn::GetAtt": ["Table", "StreamArn"]}
        ),
    }
    polls = 5 * 3 * 60 * 730 / 1e6
    assert line(made(queues), "polling of queues") == pytest.approx(polls * 0.40 + polls * 0.50)


def test_requests_cost_in_proportion() -> None:
    """Twice the requests cost twice as much, but for what is stored."""
    once, twice = (made(usage=Usage(requests=n, stored_gb=0)).total("usage") for n in (10_000, 20_000))
    assert twice == pytest.approx(2 * once)


def test_tokens_are_priced_by_the_models_of_the_agents() -> None:
    """The models of the agents share the turns; one without a price is named instead of counted as nothing."""
    agents = {
        "a": AgentConfig(models=(NOVA,)),
        "b": AgentConfig(models=("nobody.knows-this",)),
        "c": AgentConfig(),
    }
    found = made(usage=Usage(requests=1000, turns=2, input_tokens=1_000_000, output_tokens=0), agents=agents)
    assert line(found, f"model {NOVA}") == pytest.approx(1000 * 2 / 2 * 0.06)
    assert found.unknown == ("nobody.knows-this",)


def test_options_that_cost_are_lines_of_their_own() -> None:
    """A guardrail and a trail of data events appear when they are asked for, and not otherwise."""
    plain, more = made(), made(guardrail=GuardrailConfig(), cloudtrail=True)
    assert line(plain, "guardrail") == line(plain, "trail") == 0
    assert line(more, "guardrail") > 0
    assert line(more, "trail") > 0


def test_the_assumptions_are_said() -> None:
    """What was assumed is printed with the estimate, numbers included, and so is the age of the prices."""
    found = made(usage=Usage(requests=123_456))
    assert "123,456 requests" in found.assumptions[0]
    assert date.fromisoformat(found.prices_of)


def test_a_misspelt_assumption_is_refused() -> None:
    """An unknown key in `[deploy.usage]` is an error, since it would silently be the default."""
    with pytest.raises(ConfigError, match="requets") as raised:
        usage_of({"requets": 5})
    assert raised.value.code == "E874"
