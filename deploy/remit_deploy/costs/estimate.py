"""A month's cost from the template that would be deployed and from the usage that is assumed."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Literal

from msgspec import Struct

from remit.core.codec import convert
from remit.core.errors import ConfigError, InputError
from remit.core.pricing import PriceTable
from remit_deploy.config import DeployConfig

MONTH_H = 730
POLLS = 5 * 3 * 60 * MONTH_H
"""What Lambda asks of an idle queue in a month: five pollers, each with a long poll of 20 seconds."""

TICK_S, TICKS = 0.5, 60 * MONTH_H
METRICS_PER_AGENT = 12
JOURNAL_KB = 1.5
"""An entry of a journal, in the middle."""

RECORDS, CALL_INDEXES = 15, 3
"""Write units of a request for heads, the run's record and its indexes, results and events; and of a tool call for its indexes."""

CONSOLE_ASKS_H, CONSOLE_S = 1_500, 1.1
"""Requests of a page that is open for an hour, and the seconds of function time of each, at 1 GB."""

COST_SUMS = 20
"""Those for handing in what a run cost, and for adding it to eight sums: of runs that end together it is less."""


class Usage(Struct, frozen=True, forbid_unknown_fields=True):
    """A month: `[deploy.usage]`. Turns, tokens, calls and seconds are of one request; `workflows` is the share of requests
    that start one, of `states` states each. `stored_gb` is what lies in the tables and the artifacts; `console_hours` is how long
    pages of the console are open, all people together."""

    requests: int = 10_000
    turns: float = 3
    input_tokens: int = 2_000
    output_tokens: int = 300
    tool_calls: float = 2
    seconds: float = 8
    log_kb: float = 12
    workflows: float = 0.1
    states: int = 10
    stored_gb: float = 5
    console_hours: float = 160

    def assumptions(self) -> list[str]:
        """What is assumed, as sentences."""
        return [
            f"{self.requests:,} requests a month, {self.turns:g} model turns, {self.tool_calls:g} tool calls and "
            f"{self.seconds:g} s of function time each",
            f"{self.input_tokens:,} tokens in and {self.output_tokens:,} out per turn",
            f"{self.workflows:.0%} of the requests start a workflow of {self.states} states",
            f"{self.stored_gb:g} GB kept, {self.log_kb:g} KB of logs per request",
            "list prices of us-east-1, free tiers and data transfer not counted",
        ]


class Line(Struct, frozen=True):
    """One line of the estimate, in US dollars a month. `model`: what the models' tokens cost."""

    what: str
    usd: float
    kind: Literal["fixed", "usage", "model"]
    detail: str = ""


class Estimate(Struct, frozen=True):
    """The lines, what they assume, and how old the oldest price is. `unknown` are models without a price."""

    lines: tuple[Line, ...]
    assumptions: tuple[str, ...]
    prices_of: str
    unknown: tuple[str, ...] = ()

    def total(self, kind: str = "") -> float:
        """US dollars a month, of one kind or in all."""
        return sum(line.usd for line in self.lines if kind in ("", line.kind))


class Tariff:
    """The price table, and the lines written with it."""

    def __init__(self, table: Mapping[str, Mapping[str, Any]]) -> None:
        self._table = table
        self.lines: list[Line] = []
        self.oldest = min(row["date"] for row in table.values())

    def add(
        self, kind: Literal["fixed", "usage"], what: str, amounts: Mapping[str, float], detail: str = ""
    ) -> None:
        """A line of amounts by price; nothing is written for nothing."""
        usd = sum(self._table[id]["usd"] * amount for id, amount in amounts.items())
        if usd:
            self.lines.append(Line(what, usd, kind, detail))


def tariff() -> Tariff:
    """The price table that comes along."""
    return Tariff(tomllib.loads(files("remit_deploy.costs").joinpath("prices.toml").read_text("utf-8")))


def usage_of(given: Mapping[str, Any]) -> Usage:
    """The assumed usage as `[deploy.usage]` says it. Raises ConfigError E874."""
    try:
        return convert(given, Usage)
    except InputError as error:
        raise ConfigError(
            f"`[deploy.usage]` is not in order: {error.message}",
            code="E874",
            help="docs/explanation/costs.md lists its keys",
        ) from error


def estimate(template: Mapping[str, Any], config: DeployConfig, usage: Usage, tokens: PriceTable) -> Estimate:
    """What a month of this template costs."""
    table = tariff()
    resources = template.get("Resources", {})
    _fixed(table, resources, config)
    _used(table, resources, config, usage)
    models, unknown = _models(config, usage, tokens)
    return Estimate((*table.lines, *models), tuple(usage.assumptions()), table.oldest, unknown)


def _fixed(table: Tariff, resources: Mapping[str, Any], config: DeployConfig) -> None:
    """What it costs though nobody uses it."""
    count = Counter(r["Type"] for r in resources.values())
    rules = sum(len(r["Properties"].get("Rules", ())) for r in _of(resources, "AWS::WAFv2::WebACL"))
    table.add(
        "fixed", "firewall", {"waf_acl": count["AWS::WAFv2::WebACL"], "waf_rule": rules}, f"{rules} rules"
    )
    table.add("fixed", "encryption keys", {"kms_key": count["AWS::KMS::Key"]})
    alarms = count["AWS::CloudWatch::Alarm"]
    table.add("fixed", "alarms", {"alarm": alarms}, f"{alarms}")
    table.add("fixed", "dashboard", {"dashboard": count["AWS::CloudWatch::Dashboard"]})
    metrics = METRICS_PER_AGENT * max(1, len(config.agents))
    table.add("fixed", "custom metrics", {"metric": metrics}, f"{metrics}, as far as they are sent")
    table.add("fixed", "secrets", {"secret": count["AWS::SecretsManager::Secret"]})
    endpoints = [
        e
        for e in _of(resources, "AWS::EC2::VPCEndpoint")
        if e["Properties"].get("VpcEndpointType") == "Interface"
    ]
    zones = sum(max(1, len(e["Properties"].get("SubnetIds", ()))) for e in endpoints)
    table.add(
        "fixed", "VPC endpoints", {"endpoint_hour": zones * MONTH_H}, f"{len(endpoints)} in {zones} zones"
    )
    _polling(table, resources)
    gb_s = TICKS * TICK_S * 0.5
    table.add(
        "fixed",
        "the clock",
        {"scheduler_million": TICKS / 1e6, "lambda_million": TICKS / 1e6, _time(config): gb_s},
        "one tick a minute",
    )


def _polling(table: Tariff, resources: Mapping[str, Any]) -> None:
    """Lambda polls its queues day and night, and each poll is a request to SQS."""
    polled = [
        str(m["Properties"].get("EventSourceArn")) for m in _of(resources, "AWS::Lambda::EventSourceMapping")
    ]
    queues = {id: r["Properties"] for id, r in resources.items() if r["Type"] == "AWS::SQS::Queue"}
    kinds = Counter(
        bool(q.get("FifoQueue")) for id, q in queues.items() if any(id in source for source in polled)
    )
    table.add(
        "fixed",
        "polling of queues",
        {"sqs_million": kinds[False] * POLLS / 1e6, "sqs_fifo_million": kinds[True] * POLLS / 1e6},
        f"{kinds.total()} queues",
    )


def _used(table: Tariff, resources: Mapping[str, Any], config: DeployConfig, usage: Usage) -> None:
    """What requests cost, but for the models."""
    millions = usage.requests / 1e6
    entries = 4 + 3 * usage.turns + 4 * usage.tool_calls
    types = {r["Type"] for r in resources.values()}
    is_rest = "AWS::ApiGateway::RestApi" in types and "AWS::ApiGatewayV2::Api" not in types
    api = "api_rest_million" if is_rest else "api_http_million"
    waf = {"waf_million": millions} if "AWS::WAFv2::WebACL" in types else {}
    table.add("usage", "API", {api: millions, **waf})
    if config.console:
        _console(table, config, usage, waf=bool(waf))
    memory = max((a.memory_mb for a in config.agents.values()), default=512) / 1024
    invocations = 4 + entries / 4
    table.add(
        "usage",
        "functions",
        {"lambda_million": millions * invocations, _time(config): usage.requests * usage.seconds * memory},
        f"{memory:g} GB",
    )
    indexed = RECORDS + CALL_INDEXES * usage.tool_calls
    writes = entries * JOURNAL_KB * 2 + indexed + COST_SUMS  # a transaction costs twice
    table.add(
        "usage",
        "tables",
        {
            "dynamodb_write_million": millions * writes,
            "dynamodb_read_million": millions * (entries + 20),
            "dynamodb_gb": usage.stored_gb,
            "dynamodb_pitr_gb": usage.stored_gb,
        },
        f"{writes:.0f} write units a request",
    )
    table.add(
        "usage",
        "queues and events",
        {"sqs_million": millions * 8, "sqs_fifo_million": millions * 3, "events_million": millions * 3},
    )
    transitions = usage.requests * usage.workflows * usage.states
    if "AWS::StepFunctions::StateMachine" in types:
        table.add(
            "usage", "workflows", {"states_thousand": transitions / 1000}, f"{transitions:,.0f} transitions"
        )
    table.add(
        "usage", "files and audit", {"s3_put_thousand": usage.requests * 3 / 1000, "s3_gb": usage.stored_gb}
    )
    table.add(
        "usage",
        "logs and traces",
        {"logs_gb": usage.requests * usage.log_kb / 2**20, "trace_million": millions * 0.05},
    )
    table.add("usage", "encryption", {"kms_ten_thousand": usage.requests * 6 / 10_000})
    if config.guardrail:
        units = usage.requests * usage.turns * (usage.input_tokens + usage.output_tokens) * 4 / 1000
        table.add("usage", "guardrail", {"guardrail_thousand": units / 1000}, f"{units:,.0f} text units")
    if config.cloudtrail:
        table.add("usage", "trail", {"trail_hundred_thousand": usage.requests * writes / 100_000})


def _console(table: Tariff, config: DeployConfig, usage: Usage, *, waf: bool) -> None:
    """A page that is open asks again and again for what has changed; what else it asks for is little beside that."""
    asked = usage.console_hours * CONSOLE_ASKS_H
    millions = asked / 1e6
    door = {
        "cloudfront_million": millions,
        "cloudfront_function_million": millions,
        "api_rest_million": millions,
    }
    function = {"lambda_million": millions, _time(config): asked * CONSOLE_S}
    amounts = {**door, **function, **({"waf_million": millions} if waf else {})}
    table.add("usage", "console", amounts, f"{usage.console_hours:g} h open")


def _models(config: DeployConfig, usage: Usage, tokens: PriceTable) -> tuple[list[Line], tuple[str, ...]]:
    """Tokens, shared evenly among the first models of the agents that have one."""
    first = [agent.models[0] for agent in config.agents.values() if agent.models]
    lines, unknown = [], []
    for model, agents in sorted(Counter(first).items()):
        price = tokens.find(model)
        if price is None:
            unknown.append(model)
            continue
        turns = usage.requests * usage.turns * agents / len(first)
        usd = turns * float(price.input * usage.input_tokens + price.output * usage.output_tokens) / 1e6
        lines.append(Line(f"model {model}", usd, "model", f"{turns:,.0f} turns"))
    return lines, tuple(unknown)


def _of(resources: Mapping[str, Any], type: str) -> list[Mapping[str, Any]]:
    return [r for r in resources.values() if r["Type"] == type]


def _time(config: DeployConfig) -> str:
    return f"lambda_gb_second_{config.architecture}"
