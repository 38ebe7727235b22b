"""What everything of a deployment is called: one name, `PROJECT-ENVIRONMENT`, and the rest follows from it.

ARNs hold CloudFormation's pseudo parameters (`${AWS::AccountId}`), so that one template serves every account.
"""

from __future__ import annotations

from msgspec import Struct

from remit.core.states.arns import plain_name

PARTITION, REGION, ACCOUNT = "${AWS::Partition}", "${AWS::Region}", "${AWS::AccountId}"

BUCKETS = ("artifacts", "audit", "config", "tools", "logs", "console")


class Names(Struct, frozen=True):
    """The names and ARNs of a deployment."""

    deployment: str

    def of(self, *parts: str) -> str:
        """`NAME-part-part`."""
        return "-".join((self.deployment, *parts))

    # functions

    def function(self, role: str) -> str:
        """A Lambda function by its role: `api`, `agent-NAME`. As `Bindings.function` has it."""
        return self.of(plain_name(role))[:64]

    def log_group(self, role: str) -> str:
        """Where a function, the API or a state machine logs."""
        return f"/remit/{self.deployment}/{plain_name(role)}"

    def function_arn(self, role: str) -> str:
        """The ARN of a function."""
        return self._arn("lambda", f"function:{self.function(role)}")

    # queues and topics

    def run_queue(self, agent: str) -> str:
        """The queue of runs that an agent should advance."""
        return self.of("run", plain_name(agent))[:75]

    @property
    def deliveries(self) -> str:
        """The queue of the bus."""
        return self.of("deliveries.fifo")

    @property
    def inbound(self) -> str:
        """The queue of what comes from EventBridge."""
        return self.of("inbound")

    def dead(self, queue: str) -> str:
        """The dead-letter queue of a queue."""
        name, dot, kind = queue.partition(".")
        return f"{name}-dead{dot}{kind}"

    def queue_arn(self, queue: str) -> str:
        """The ARN of a queue by its full name."""
        return self._arn("sqs", queue)

    def topic_arn(self, topic: str) -> str:
        """A topic: `alerts`, or `events.fifo`."""
        return self._arn("sns", self.of(topic))

    # data

    def table(self, collection: str) -> str:
        """The table of a collection."""
        return self.of(collection)

    def table_arn(self, table: str) -> str:
        """The ARN of a table by its full name."""
        return self._arn("dynamodb", f"table/{table}")

    def bucket(self, kind: str) -> str:
        """A bucket of this deployment, account and region."""
        return self.of(kind, ACCOUNT, REGION)

    def bucket_arn(self, kind: str, key: str = "") -> str:
        """The ARN of a bucket, or of objects in it."""
        return f"arn:{PARTITION}:s3:::{self.bucket(kind)}{f'/{key}' if key else ''}"

    def secret_arn(self, path: str) -> str:
        """Secrets Manager ends an ARN with `-` and six characters of its own."""
        return self._arn("secretsmanager", f"secret:{self.deployment}/{path}-??????")

    def parameter_arn(self, path: str) -> str:
        """A secret in Parameter Store."""
        return self._arn("ssm", f"parameter/{self.deployment}/{path}")

    # orchestration

    def machine(self, workflow: str) -> str:
        """The state machine of a workflow. As `Bindings.machine` has it."""
        return self.of(plain_name(workflow))[:80]

    def machine_arn(self, workflow: str) -> str:
        """The ARN of a workflow's state machine."""
        return self._arn("states", f"stateMachine:{self.machine(workflow)}")

    def execution_arns(self, workflow: str) -> tuple[str, str]:
        """All executions of a workflow's state machine, and those of the items of its distributed Maps."""
        machine = self._arn("states", f"execution:{self.machine(workflow)}")
        return f"{machine}:*", f"{machine}/*:*"

    def map_run_arn(self, workflow: str) -> str:
        """All runs of the distributed Maps of a workflow."""
        return self._arn("states", f"mapRun:{self.machine(workflow)}/*:*")

    @property
    def bus_arn(self) -> str:
        """The event bus of this deployment."""
        return self._arn("events", f"event-bus/{self.deployment}")

    def _arn(self, service: str, rest: str) -> str:
        return f"arn:{PARTITION}:{service}:{REGION}:{ACCOUNT}:{rest}"
