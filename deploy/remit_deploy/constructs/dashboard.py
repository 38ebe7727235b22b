"""The dashboard of a deployment: what callers see, what agents do, what it costs, and what waits."""

from __future__ import annotations

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from remit_deploy.constructs.functions import Functions
from remit_deploy.constructs.machines import Machines
from remit_deploy.constructs.metrics import FIVE, Metrics
from remit_deploy.constructs.queues import Queues
from remit_deploy.constructs.shared import Shared

Row = list[cloudwatch.IWidget]


class Dashboard(Construct):
    """One page, from the outside inwards."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        shared: Shared,
        metrics: Metrics,
        functions: Functions,
        queues: Queues,
        machines: Machines,
    ) -> None:
        super().__init__(scope, id)
        self.name = shared.names.deployment
        cloudwatch.Dashboard(
            self,
            "Dashboard",
            dashboard_name=self.name,
            widgets=[
                _doors(metrics),
                _runs(metrics),
                _models(metrics),
                _functions(list(functions.by_role.values())),
                _waiting(metrics, queues),
                *([[_executions(metrics, machines)]] if machines.by_name else []),
            ],
        )


def _doors(metrics: Metrics) -> Row:
    return [
        _graph("Requests", metrics.api("Count")),
        _graph("Refused and failed", metrics.api(metrics.client_errors), metrics.api_errors()),
        _graph("Latency", metrics.api("Latency", "p50"), metrics.api("Latency", "p95")),
    ]


def _runs(metrics: Metrics) -> Row:
    times = (metrics.own("Duration", statistic=part) for part in ("p50", "p95"))
    return [
        _graph("Runs", metrics.own("Invocations"), metrics.own("Errors")),
        _graph("Time of a run", *times),
        _graph("Approvals waiting", metrics.own("ApprovalsWaiting", statistic="Maximum")),
    ]


def _models(metrics: Metrics) -> Row:
    calls = (metrics.own(name) for name in ("ModelCalls", "ModelErrors", "Throttled"))
    return [
        _graph("Model calls", *calls),
        _graph("Tokens", metrics.own("InputTokens"), metrics.own("OutputTokens")),
        _graph("Cost of models, USD", metrics.own("CostUSD")),
    ]


def _functions(every: list[lambda_.Function]) -> Row:
    times = (each.metric_duration(period=FIVE, statistic="p95") for each in every)
    return [
        _graph("Invocations of functions", *(each.metric_invocations(period=FIVE) for each in every)),
        _graph("Errors of functions", *(each.metric_errors(period=FIVE) for each in every)),
        _graph("Duration of functions", *times),
    ]


def _waiting(metrics: Metrics, queues: Queues) -> Row:
    tools = (metrics.own(name) for name in ("ToolCalls", "ToolErrors", "EffectsInDoubt"))
    return [
        _graph("Runs waiting in queues", *map(_depth, queues.runs.values())),
        _graph("Dead letters", *map(_depth, queues.dead.values())),
        _graph("Tools", *tools),
    ]


def _depth(queue: sqs.IQueue) -> cloudwatch.IMetric:
    return queue.metric_approximate_number_of_messages_visible(period=FIVE)


def _executions(metrics: Metrics, machines: Machines) -> cloudwatch.GraphWidget:
    shown = [
        metrics.executions(name, metric)
        for name in machines.by_name
        for metric in ("ExecutionsStarted", "ExecutionsFailed", "ExecutionsTimedOut")
    ]
    return _graph("Executions of workflows", *shown, width=24)


def _graph(title: str, *shown: cloudwatch.IMetric, width: int = 8) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=list(shown), width=width, height=6)
