"""The queues of a deployment, each with its dead-letter queue; and its topics."""

from __future__ import annotations

from typing import Any

from aws_cdk import Aws, Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from remit_deploy.constructs.arguing import argued
from remit_deploy.constructs.shared import Shared

RUN_TRIES = 5
"""How often a run is tried before its message is dead; at the fifth the run itself is set aside (`engine.worker.POISON_TRIES`)."""

DELIVERY_TRIES = 10
BUS_VISIBILITY = Duration.seconds(180)
KEPT, DEAD_KEPT = Duration.days(4), Duration.days(14)


class Queues(Construct):
    """Run queues by agent, the bus's queues, and the dead letters of streams and schedules."""

    def __init__(self, scope: Construct, id: str, shared: Shared) -> None:
        super().__init__(scope, id)
        self._shared = shared
        self.dead: dict[str, sqs.Queue] = {}
        """Every dead-letter queue by its name, each with an alarm."""
        names, config = shared.names, shared.config
        self.runs = {
            agent: self._queue(
                names.run_queue(agent), RUN_TRIES, visibility_timeout=Duration.seconds(own.timeout_s + 30)
            )
            for agent, own in config.agents.items()
        }
        fifo = {
            "fifo": True,
            "deduplication_scope": sqs.DeduplicationScope.MESSAGE_GROUP,
            "fifo_throughput_limit": sqs.FifoThroughputLimit.PER_MESSAGE_GROUP_ID,
        }
        self.deliveries = self._queue(
            names.deliveries, DELIVERY_TRIES, visibility_timeout=BUS_VISIBILITY, **fifo
        )
        self.inbound = self._queue(
            names.inbound, RUN_TRIES, visibility_timeout=BUS_VISIBILITY, retention_period=DEAD_KEPT
        )
        self.lost = {
            kind: self._dead(names.of(f"{kind}-dead")) for kind in ("react", "audit", "tick", "rules")
        }

    def _queue(self, name: str, tries: int, **given: Any) -> sqs.Queue:
        dead = self._dead(
            self._shared.names.dead(name), **{k: v for k, v in given.items() if "fifo" in k or "dedup" in k}
        )
        made = {
            "retention_period": KEPT,
            "receive_message_wait_time": Duration.seconds(20),
            "dead_letter_queue": sqs.DeadLetterQueue(queue=dead, max_receive_count=tries),
        }
        return self._made(name, **{**made, **given})

    def _dead(self, name: str, **given: Any) -> sqs.Queue:
        queue = self._made(name, retention_period=DEAD_KEPT, **given)
        argued(queue, "is itself a dead-letter queue, and has an alarm", nag=["SQS3"])
        self.dead[name] = queue
        return queue

    def _made(self, name: str, **given: Any) -> sqs.Queue:
        return sqs.Queue(
            self,
            name.removeprefix(f"{self._shared.names.deployment}-").replace(".", "-"),
            queue_name=name,
            encryption=sqs.QueueEncryption.KMS,
            encryption_master_key=self._shared.key,
            data_key_reuse=Duration.hours(1),
            enforce_ssl=True,
            removal_policy=self._shared.removal,
            **given,
        )


class Topics(Construct):
    """`NAME-alerts` for alarms, budgets and notifications; `NAME-events.fifo` for consumers outside, when it is asked for."""

    def __init__(self, scope: Construct, id: str, shared: Shared) -> None:
        super().__init__(scope, id)
        names, config = shared.names, shared.config
        self.alerts = sns.Topic(
            self, "Alerts", topic_name=names.of("alerts"), master_key=shared.key, enforce_ssl=True
        )
        for service in ("cloudwatch", "budgets", "events"):
            self.alerts.add_to_resource_policy(
                iam.PolicyStatement(
                    actions=["sns:Publish"],
                    resources=[self.alerts.topic_arn],
                    principals=[iam.ServicePrincipal(f"{service}.amazonaws.com")],
                    conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
                )
            )
        if config.alert_email:
            self.alerts.add_subscription(subscriptions.EmailSubscription(config.alert_email))
        self.events = (
            sns.Topic(
                self,
                "Events",
                topic_name=names.of("events.fifo"),
                fifo=True,
                fifo_throughput_scope=sns.FifoThroughputScope.MESSAGE_GROUP,
                master_key=shared.key,
                enforce_ssl=True,
            )
            if config.events_topic
            else None
        )
