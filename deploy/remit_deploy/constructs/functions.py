"""The Lambda functions of a deployment: one bundle, one role each, JSON logs, traces, and what wakes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk.aws_lambda_event_sources import SqsDlq
from constructs import Construct
from msgspec import Struct

from remit_deploy.constructs.allow import Allow
from remit_deploy.constructs.arguing import argued
from remit_deploy.constructs.logs import log_group
from remit_deploy.constructs.network import Network
from remit_deploy.constructs.queues import Queues
from remit_deploy.constructs.shared import Shared
from remit_deploy.constructs.tables import Tables

RUN_BATCH, BUS_BATCH, STREAM_BATCH = 10, 10, 100
STREAM_TRIES = 10
"""How often a record of a stream is tried before where it lies is told to the dead-letter queue."""


class Shape(Struct, frozen=True):
    """What a function is made of. `loops`: that it wakes itself through a queue is meant (budgets bound it)."""

    handler: str
    memory_mb: int = 512
    timeout_s: int = 60
    concurrency: int | None = None
    loops: bool = False


SHAPES: Mapping[str, Shape] = {
    "api": Shape("api", memory_mb=1024, timeout_s=29),
    "chat": Shape("chat", timeout_s=29),
    "tick": Shape("tick"),
    "react": Shape("react", memory_mb=256),
    "deliver": Shape("deliver", timeout_s=90, loops=True),
    "inbound": Shape("inbound", timeout_s=90),
    "audit": Shape("audit", memory_mb=256),
}


class Functions(Construct):
    """Every function by its role: `api`, `chat`, `tick`, `agent-NAME`, `tool-NAME`, `gate-NAME`, ..."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        shared: Shared,
        allowed: Mapping[str, tuple[Allow, ...]],
        environ: Mapping[str, str],
        network: Network | None,
    ) -> None:
        super().__init__(scope, id)
        self._shared, self._environ, self._network = shared, environ, network
        self._code = lambda_.Code.from_asset(shared.config.bundle)
        self.by_role = {role: self._function(role, allowances) for role, allowances in allowed.items()}

    def __getitem__(self, role: str) -> lambda_.Function:
        return self.by_role[role]

    def _function(self, role: str, allowed: tuple[Allow, ...]) -> lambda_.Function:
        shared, shape = self._shared, _shape(role, self._shared)
        config = shared.config
        group = log_group(self, f"{role}-log", shared, shared.names.log_group(role))
        own_role = shared.role(self, f"{role}-role", "lambda", allowed)
        placed: dict[str, Any] = {}
        if self._network is not None:
            placed = {
                "vpc": self._network.vpc,
                "security_groups": [self._network.group],
                "vpc_subnets": ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
            }
        function = lambda_.Function(
            self,
            role,
            function_name=shared.names.function(role),
            description=f"{config.deployment}: {role}",
            code=self._code,
            handler=f"remit.functions.{shape.handler}.handler",
            runtime=lambda_.Runtime(f"python{config.python}", lambda_.RuntimeFamily.PYTHON),
            architecture=lambda_.Architecture.ARM_64
            if config.architecture == "arm64"
            else lambda_.Architecture.X86_64,
            memory_size=shape.memory_mb,
            timeout=Duration.seconds(shape.timeout_s),
            reserved_concurrent_executions=shape.concurrency,
            role=own_role,
            environment=shared.filled(dict(self._environ)),
            environment_encryption=shared.key,
            log_group=group,
            logging_format=lambda_.LoggingFormat.JSON,
            tracing=lambda_.Tracing.ACTIVE,
            recursive_loop=lambda_.RecursiveLoop.ALLOW if shape.loops else lambda_.RecursiveLoop.TERMINATE,
            # a tick that fails is over: the next one comes within a minute, and finds what this one left
            **({"retry_attempts": 0, "max_event_age": Duration.minutes(1)} if role == "tick" else {}),
            **placed,
        )
        _argue(function, shape, config.vpc_endpoints)
        return function


def feed(functions: Functions, queues: Queues, tables: Tables) -> None:
    """Connect queues and streams to the functions that serve them."""
    for agent, queue in queues.runs.items():
        _from_queue(functions[f"agent-{agent}"], queue, RUN_BATCH)
    _from_queue(functions["deliver"], queues.deliveries, BUS_BATCH)
    _from_queue(functions["inbound"], queues.inbound, BUS_BATCH)
    _from_stream(functions["react"], "run_head", tables, queues.lost["react"])
    _from_stream(functions["react"], "bus_ready", tables, queues.lost["react"], only="INSERT")
    _from_stream(functions["audit"], "journal", tables, queues.lost["audit"])


def _shape(role: str, shared: Shared) -> Shape:
    if role in SHAPES:
        return SHAPES[role]
    kind, _, name = role.partition("-")
    config = shared.config.agents if kind == "agent" else shared.config.tools
    own = config.get(name)
    if own is None:
        return Shape("advance", timeout_s=300, loops=kind == "agent")
    return Shape("advance", own.memory_mb, own.timeout_s, own.concurrency, loops=kind == "agent")


def _from_queue(function: lambda_.Function, queue: sqs.Queue, batch: int) -> None:
    function.add_event_source_mapping(
        f"from-{queue.node.id}",
        event_source_arn=queue.queue_arn,
        batch_size=batch,
        report_batch_item_failures=True,
    )


def _from_stream(
    function: lambda_.Function, collection: str, tables: Tables, dead: sqs.Queue, only: str = ""
) -> None:
    kept = {"eventName": lambda_.FilterRule.is_equal(only)} if only else {}
    function.add_event_source_mapping(
        f"from-{collection}",
        event_source_arn=tables.stream_arn(collection),
        starting_position=lambda_.StartingPosition.TRIM_HORIZON,
        batch_size=STREAM_BATCH,
        parallelization_factor=2,
        bisect_batch_on_error=True,
        retry_attempts=STREAM_TRIES,
        on_failure=SqsDlq(dead),
        report_batch_item_failures=True,
        filters=[lambda_.FilterCriteria.filter(kept)] if kept else None,
    )


def _argue(function: lambda_.Function, shape: Shape, in_vpc: bool) -> None:
    argued(function, "the Python that the bundle's packages were chosen for and tested with", nag=["L1"])
    if shape.concurrency is None:
        argued(
            function,
            "reserving executions is for `concurrency`: a new account has ten, and a reservation takes them from all others",
            checkov=["CKV_AWS_115"],
        )
    argued(
        function,
        "queues, streams and schedules that wake it have dead-letter queues of their own; API Gateway waits for it",
        checkov=["CKV_AWS_116"],
    )
    if not in_vpc:
        argued(
            function,
            "it reaches nothing but AWS by TLS and IAM; `vpc_endpoints` puts it in a VPC",
            checkov=["CKV_AWS_117"],
        )
