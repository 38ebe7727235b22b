"""The alarms of a deployment. docs/explanation/alarms.md says of each kind what it means and what to do."""

from __future__ import annotations

from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from constructs import Construct

from remit_deploy.constructs.functions import Functions
from remit_deploy.constructs.machines import Machines
from remit_deploy.constructs.metrics import FIVE, Metrics
from remit_deploy.constructs.queues import Queues
from remit_deploy.constructs.shared import Shared

GUIDE = "docs/explanation/alarms.md"
STREAM_AGE_S = 300
LEAST_TICKS = 3
"""In five minutes there should be five."""

SILENT = cloudwatch.TreatMissingData.NOT_BREACHING


class Alarms(Construct):
    """Every alarm, told to one topic when it goes off and when it is over."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        shared: Shared,
        topic: sns.Topic,
        metrics: Metrics,
        functions: Functions,
        queues: Queues,
        machines: Machines,
    ) -> None:
        super().__init__(scope, id)
        self._shared, self._metrics = shared, metrics
        self._action = actions.SnsAction(topic)
        for role, function in functions.by_role.items():
            self._of_function(role, function)
        self._of_agents()
        self._of_queues(queues)
        for name in machines.by_name:
            self._alarm(
                "executions", metrics.executions_lost(name), 1, f"Executions of {name} fail", subject=name
            )
        for role in ("react", "audit"):
            age = functions[role].metric("IteratorAge", statistic="Maximum", period=FIVE)
            self._alarm("stream-age", age, STREAM_AGE_S * 1000, f"{role} lags behind", subject=role)
        ticks = functions["tick"].metric_invocations(period=FIVE, statistic="Sum")
        self._alarm(
            "tick",
            ticks,
            LEAST_TICKS,
            "The scheduler has stopped",
            below=True,
            missing=cloudwatch.TreatMissingData.BREACHING,
        )
        for table in ("run_head", "journal"):
            self._alarm(
                "table-throttles",
                metrics.table_throttles(table),
                10,
                f"DynamoDB slows {table}",
                subject=table,
            )
        self._alarm(
            "api-errors", metrics.api_errors(), 1, "More than 1% of requests fail with 5xx", periods=2
        )

    def _of_function(self, role: str, function: lambda_.Function) -> None:
        own = self._shared.config.alarms
        errors = self._metrics.error_percent(function)
        self._alarm("errors", errors, own.error_percent, f"{role} fails", subject=role, periods=2)
        throttles = function.metric_throttles(period=FIVE, statistic="Sum")
        self._alarm("throttles", throttles, 1, f"{role} is held back", subject=role, periods=2)
        timeout = function.timeout or Duration.seconds(3)
        most_s = min(float(own.duration_s), 0.8 * float(timeout.to_seconds()))
        longest = function.metric_duration(period=FIVE, statistic="Maximum")
        self._alarm(
            "duration",
            longest,
            most_s * 1000,
            f"{role} takes more than {most_s:g} s",
            subject=role,
            periods=2,
        )

    def _of_agents(self) -> None:
        """What Remit itself measures."""
        own, metrics = self._shared.config.alarms, self._metrics
        self._alarm("invocations", metrics.own("Invocations"), own.invocations, "More runs than are usual")
        self._alarm(
            "run-errors",
            metrics.own_percent("Errors", "Invocations"),
            own.error_percent,
            "Runs fail",
            periods=2,
        )
        self._alarm(
            "model-calls", metrics.own("ModelCalls"), own.model_calls, "More model calls than are usual"
        )
        self._alarm(
            "model-errors", metrics.own_percent("ModelErrors", "ModelCalls"), 5, "Models fail", periods=2
        )
        self._alarm("model-throttles", metrics.own("Throttled"), 1, "Bedrock holds us back", periods=3)
        self._alarm("in-doubt", metrics.own("EffectsInDoubt"), 1, "An effect's outcome is not known")
        waiting = metrics.own("ApprovalsWaiting", statistic="Maximum")
        self._alarm("approvals", waiting, own.approvals_waiting, "Approvals pile up", periods=3)

    def _of_queues(self, queues: Queues) -> None:
        for name, queue in queues.dead.items():
            depth = queue.metric_approximate_number_of_messages_visible(period=FIVE, statistic="Maximum")
            short = name.removeprefix(f"{self._shared.names.deployment}-").replace(".", "-")
            self._alarm("dead-letters", depth, 1, f"Messages are dead in {name}", subject=short)
        age_s = self._shared.config.alarms.queue_age_s
        for agent, queue in queues.runs.items():
            oldest = queue.metric_approximate_age_of_oldest_message(period=FIVE, statistic="Maximum")
            self._alarm("queue-age", oldest, age_s, f"Runs of {agent} wait too long", subject=agent)

    def _alarm(
        self,
        kind: str,
        metric: cloudwatch.IMetric,
        threshold: float,
        meaning: str,
        *,
        subject: str = "",
        periods: int = 1,
        below: bool = False,
        missing: Any = SILENT,
    ) -> None:
        name = f"{kind}-{subject}" if subject else kind
        comparison = cloudwatch.ComparisonOperator
        alarm = cloudwatch.Alarm(
            self,
            name,
            alarm_name=self._shared.names.of(name),
            alarm_description=f"{meaning}. See {GUIDE}#{kind}",
            metric=metric,
            threshold=threshold,
            evaluation_periods=periods,
            comparison_operator=comparison.LESS_THAN_THRESHOLD
            if below
            else comparison.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=missing,
        )
        alarm.add_alarm_action(self._action)
        alarm.add_ok_action(self._action)
