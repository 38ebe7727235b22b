"""The dashboard of a deployment: what callers see, what agents do, what it costs, and what waits."""

from __future__ import annotations

from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from remit_deploy.constructs.functions import Functions
from remit_deploy.constructs.machines import Machines
from remit_deploy.constructs.metrics import FIVE, Metrics
from remit_deploy.constructs.queues import Queues
from remit_deploy.constructs.shared import Shared


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
        every = list(functions.by_role.values())
        self.name = shared.names.deployment
        cloudwatch.Dashboard(
            self,
            "Dashboard",
            dashboard_name=self.name,
            widgets=[
                [
                    _graph("Requests", metrics.api("Count")),
                    _graph("Refused and failed", metrics.api(metrics.client_errors), metrics.api_errors()),
                    _graph("Latency", metrics.api("Latency", "p50"), metrics.api("Latency", "p95")),
                ],
                [
                    _graph("Runs", metrics.own("Invocations"), metrics.own("Errors")),
                    _graph(
                        "Time of a run",
                        metrics.own("Duration", statistic="p50"),
                        metrics.own("Duration", statistic="p95"),
                    ),
                    _graph("Approvals waiting", metrics.own("ApprovalsWaiting", statistic="Maximum")),
                ],
                [
                    _graph(
                        "Model calls",
                        metrics.own("ModelCalls"),
                        metrics.own("ModelErrors"),
                        metrics.own("Throttled"),
                    ),
                    _graph("Tokens", metrics.own("InputTokens"), metrics.own("OutputTokens")),
                    _graph("Cost of models, USD", metrics.own("CostUSD")),
                ],
                [
                    _graph("Invocations of functions", *(f.metric_invocations(period=FIVE) for f in every)),
                    _graph("Errors of functions", *(f.metric_errors(period=FIVE) for f in every)),
                    _graph(
                        "Duration of functions",
                        *(f.metric_duration(period=FIVE, statistic="p95") for f in every),
                    ),
                ],
                [
                    _graph(
                        "Runs waiting in queues",
                        *(
                            q.metric_approximate_number_of_messages_visible(period=FIVE)
                            for q in queues.runs.values()
                        ),
                    ),
                    _graph(
                        "Dead letters",
                        *(
                            q.metric_approximate_number_of_messages_visible(period=FIVE)
                            for q in queues.dead.values()
                        ),
                    ),
                    _graph(
                        "Tools",
                        metrics.own("ToolCalls"),
                        metrics.own("ToolErrors"),
                        metrics.own("EffectsInDoubt"),
                    ),
                ],
                *([[_executions(metrics, machines)]] if machines.by_name else []),
            ],
        )


def _executions(metrics: Metrics, machines: Machines) -> cloudwatch.GraphWidget:
    shown = [
        metrics.executions(name, metric)
        for name in machines.by_name
        for metric in ("ExecutionsStarted", "ExecutionsFailed", "ExecutionsTimedOut")
    ]
    return _graph("Executions of workflows", *shown, width=24)


def _graph(title: str, *shown: cloudwatch.IMetric, width: int = 8) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=list(shown), width=width, height=6)
