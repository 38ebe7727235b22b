"""The event bus of a deployment: its archive, and what comes in from it, from the account and from schedules."""

from __future__ import annotations

import json
from typing import Any

from aws_cdk import Aws, Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from remit_deploy.config import InboundConfig, ScheduleConfig
from remit_deploy.constructs.allow import Allow
from remit_deploy.constructs.functions import Functions
from remit_deploy.constructs.grants import key, send
from remit_deploy.constructs.queues import Queues
from remit_deploy.constructs.shared import Shared

SCHEDULED = "remit.schedule"
"""The source of events that a schedule publishes."""


class Bus(Construct):
    """EventBridge bus `NAME` with its archive, and the rules by which events become events of a tenant."""

    def __init__(self, scope: Construct, id: str, shared: Shared, queues: Queues) -> None:
        super().__init__(scope, id)
        self._shared, self._queues = shared, queues
        name, config = shared.names.deployment, shared.config
        self.bus = events.EventBus(self, "Bus", event_bus_name=name, kms_key=shared.key)
        events.CfnArchive(
            self,
            "Archive",
            archive_name=name,
            source_arn=self.bus.event_bus_arn,
            retention_days=config.retention.events,
            kms_key_identifier=shared.key.key_arn,
        )
        for rule, inbound in config.inbound.items():
            self._rule(rule, inbound)
        ours = f"arn:{Aws.PARTITION}:events:{Aws.REGION}:{Aws.ACCOUNT_ID}:rule"
        self._let_in(queues.inbound, [f"{ours}/{name}-*", f"{ours}/{name}/{name}-*"])

    def _rule(self, name: str, inbound: InboundConfig) -> None:
        names, queues = self._shared.names, self._queues
        about = {"tenant_id": inbound.tenant_id, **({"trusted": True} if inbound.trusted else {})}
        template = json.dumps(about)[:-1] + ', "event": <aws.events.event.json>}'
        made = events.CfnRule(
            self,
            name,
            name=names.of(name),
            description=f"Into {names.deployment}, for tenant {inbound.tenant_id}",
            event_bus_name=self.bus.event_bus_name if inbound.bus == "deployment" else None,
            event_pattern=self._shared.filled(
                _from_elsewhere(inbound.pattern, names.deployment)
                if inbound.bus == "deployment"
                else inbound.pattern
            ),
            targets=[
                events.CfnRule.TargetProperty(
                    id="inbound",
                    arn=queues.inbound.queue_arn,
                    input_transformer=events.CfnRule.InputTransformerProperty(input_template=template),
                    dead_letter_config=events.CfnRule.DeadLetterConfigProperty(
                        arn=queues.lost["rules"].queue_arn
                    ),
                )
            ],
        )
        self._let_in(queues.lost["rules"], [made.attr_arn])

    def _let_in(self, queue: Any, rules: list[str]) -> None:
        queue.add_to_resource_policy(
            iam.PolicyStatement(
                actions=["sqs:SendMessage"],
                resources=[queue.queue_arn],
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                conditions={"ArnLike": {"aws:SourceArn": rules}},
            )
        )


class Schedules(Construct):
    """Each minute a tick; and the schedules of the configuration, which publish an event each time."""

    def __init__(
        self, scope: Construct, id: str, shared: Shared, functions: Functions, queues: Queues
    ) -> None:
        super().__init__(scope, id)
        self._shared, self._queues = shared, queues
        names = shared.names
        self._group = scheduler.CfnScheduleGroup(self, "Group", name=names.deployment)
        invoke = Allow(("lambda:InvokeFunction",), (names.function_arn("tick"),))
        lost = send(names, [names.of("tick-dead")])
        role = shared.role(self, "TickRole", "scheduler", (invoke, lost, key()))
        self._schedule("tick", "rate(1 minute)", "UTC", functions["tick"].function_arn, role, "{}", tries=0)
        if shared.config.schedules:
            role = shared.role(
                self, "EventRole", "scheduler", (send(names, [names.inbound, names.of("tick-dead")]), key())
            )
        for name, own in shared.config.schedules.items():
            self._schedule(
                name, own.expression, own.timezone, queues.inbound.queue_arn, role, _published(own), tries=10
            )

    def _schedule(
        self, name: str, expression: str, timezone: str, arn: str, role: iam.IRole, given: str, *, tries: int
    ) -> None:
        made = scheduler.CfnSchedule(
            self,
            name,
            name=self._shared.names.of(name),
            group_name=self._group.ref,
            schedule_expression=expression,
            schedule_expression_timezone=timezone,
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=arn,
                role_arn=role.role_arn,
                input=given,
                dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(
                    arn=self._queues.lost["tick"].queue_arn
                ),
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                    maximum_retry_attempts=tries,
                    maximum_event_age_in_seconds=int(Duration.hours(1 if tries else 0).to_seconds()) or 60,
                ),
            ),
        )
        made.node.add_dependency(role)


def _from_elsewhere(pattern: dict[str, Any], deployment: str) -> dict[str, Any]:
    """The pattern for events that are not our own: those carry the deployment's name, and would go round for ever."""
    detail = dict(pattern.get("detail", {}))
    return {**pattern, "detail": {**detail, "deployment": [{"anything-but": deployment}, {"exists": False}]}}


def _published(own: ScheduleConfig) -> str:
    """The message that a schedule sends, in the shape of an event of EventBridge, with an id for each time."""
    event = {
        "id": "<aws.scheduler.execution-id>",
        "time": "<aws.scheduler.scheduled-time>",
        "source": SCHEDULED,
        "detail-type": own.event_type,
        "detail": own.data,
    }
    return json.dumps({"tenant_id": own.tenant_id, "trusted": True, "event": event})
