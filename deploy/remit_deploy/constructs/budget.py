"""A monthly budget that warns at 80% and at 100%, and when 100% is foreseen."""

from __future__ import annotations

from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_sns as sns
from constructs import Construct

from remit_deploy.constructs.shared import Shared

WARNINGS = (("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100))


class Budget(Construct):
    """What AWS may cost in a month, told to the topic of alarms and by email."""

    def __init__(self, scope: Construct, id: str, shared: Shared, alerts: sns.Topic) -> None:
        super().__init__(scope, id)
        config = shared.config
        told = [budgets.CfnBudget.SubscriberProperty(subscription_type="SNS", address=alerts.topic_arn)]
        if config.alert_email:
            told.append(
                budgets.CfnBudget.SubscriberProperty(subscription_type="EMAIL", address=config.alert_email)
            )
        tagged = {"TagKeyValue": [f"user:remit:deployment${config.deployment}"]}
        budgets.CfnBudget(
            self,
            "Monthly",
            budget=budgets.CfnBudget.BudgetDataProperty(
                budget_name=config.deployment,
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=budgets.CfnBudget.SpendProperty(amount=config.budget_usd, unit="USD"),
                cost_filters=tagged if config.budget_scope == "deployment" else None,
            ),
            notifications_with_subscribers=[
                budgets.CfnBudget.NotificationWithSubscribersProperty(
                    notification=budgets.CfnBudget.NotificationProperty(
                        notification_type=kind,
                        comparison_operator="GREATER_THAN",
                        threshold=percent,
                        threshold_type="PERCENTAGE",
                    ),
                    subscribers=told,
                )
                for kind, percent in WARNINGS
            ],
        )
