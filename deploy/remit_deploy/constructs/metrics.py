"""The metrics that alarms watch and the dashboard shows."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_

from remit.adapters.telemetry.emf import NAMESPACE
from remit_deploy.constructs.shared import Shared

FIVE = Duration.minutes(5)


class Metrics:
    """Metrics of a deployment, in periods of five minutes. `api`: the dimensions and name of its 5xx metric."""

    def __init__(self, shared: Shared, api: Mapping[str, str], server_errors: str) -> None:
        self._shared = shared
        self._api = api
        self._server_errors = server_errors

    def own(self, name: str, *, statistic: str = "Sum") -> cloudwatch.Metric:
        """A metric that Remit's functions print."""
        return self._of(NAMESPACE, name, {"Deployment": self._shared.names.deployment}, statistic)

    def own_percent(self, part: str, whole: str) -> cloudwatch.MathExpression:
        """How many of a hundred, by two metrics of Remit."""
        return _percent(self.own(part), self.own(whole), f"{part} %")

    def error_percent(self, function: lambda_.Function) -> cloudwatch.MathExpression:
        """How many of a hundred invocations fail."""
        errors = function.metric_errors(period=FIVE, statistic="Sum")
        return _percent(errors, function.metric_invocations(period=FIVE, statistic="Sum"), "errors %")

    def api_errors(self) -> cloudwatch.MathExpression:
        """How many of a hundred requests the API fails to answer."""
        return _percent(self.api(self._server_errors), self.api("Count"), "5xx %")

    def api(self, name: str, statistic: str = "Sum") -> cloudwatch.Metric:
        """A metric of API Gateway."""
        return self._of("AWS/ApiGateway", name, self._api, statistic)

    @property
    def client_errors(self) -> str:
        """What API Gateway calls requests that are refused."""
        return self._server_errors.replace("5", "4")

    def executions(self, workflow: str, name: str) -> cloudwatch.Metric:
        """A metric of a workflow's executions."""
        arn = self._shared.filled(self._shared.names.machine_arn(workflow))
        return self._of("AWS/States", name, {"StateMachineArn": arn}, "Sum")

    def executions_lost(self, workflow: str) -> cloudwatch.MathExpression:
        """Executions that failed or ran out of time."""
        parts = {
            "f": self.executions(workflow, "ExecutionsFailed"),
            "t": self.executions(workflow, "ExecutionsTimedOut"),
        }
        return cloudwatch.MathExpression(
            expression="FILL(f, 0) + FILL(t, 0)", using_metrics=parts, period=FIVE, label=workflow
        )

    def table_throttles(self, collection: str) -> cloudwatch.MathExpression:
        """Reads and writes of a table that DynamoDB held back."""
        name = self._shared.names.table(collection)
        parts = {
            "r": self._of("AWS/DynamoDB", "ReadThrottleEvents", {"TableName": name}, "Sum"),
            "w": self._of("AWS/DynamoDB", "WriteThrottleEvents", {"TableName": name}, "Sum"),
        }
        return cloudwatch.MathExpression(
            expression="FILL(r, 0) + FILL(w, 0)", using_metrics=parts, period=FIVE, label=collection
        )

    def _of(
        self, namespace: str, name: str, dimensions: Mapping[str, str], statistic: str
    ) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace=namespace,
            metric_name=name,
            dimensions_map=dict(dimensions),
            statistic=statistic,
            period=FIVE,
        )


def _percent(part: cloudwatch.Metric, whole: cloudwatch.Metric, label: str) -> cloudwatch.MathExpression:
    return cloudwatch.MathExpression(
        expression="IF(whole > 0, 100 * FILL(part, 0) / whole, 0)",
        using_metrics={"part": part, "whole": whole},
        period=FIVE,
        label=label,
    )
