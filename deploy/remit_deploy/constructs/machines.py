"""Workflows as state machines of Step Functions, compiled from their documents, each under a role of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping

from aws_cdk import Fn
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_stepfunctions as stepfunctions
from constructs import Construct

from remit.core.errors import ConfigError
from remit.core.states import resources
from remit.core.states.arns import Bindings
from remit.core.states.compile import Compiled, compile_for_stepfunctions
from remit_deploy.config import DeployConfig
from remit_deploy.constructs.allow import Allow
from remit_deploy.constructs.functions import Functions
from remit_deploy.constructs.grants import traces
from remit_deploy.constructs.logs import log_group
from remit_deploy.constructs.queues import Queues
from remit_deploy.constructs.shared import Shared

_FUNCTIONS = {"agent": "agent", "workflow": "agent", "tool": "tool", "gate": "gate"}
ENDED = ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]
LOG_DELIVERY = (
    "logs:CreateLogDelivery",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
)


def compiled(config: DeployConfig) -> dict[str, Compiled]:
    """The workflows for Step Functions. Raises ConfigError E853 with every reason why one cannot be."""
    if config.engine != "stepfunctions":
        return {}
    bindings = Bindings(
        prefix=config.deployment, event_bus=config.deployment, governed=True, lambdas=config.lambdas
    )
    made = {
        name: compile_for_stepfunctions(document, bindings, name)
        for name, document in sorted(config.workflows.items())
    }
    for name, result in made.items():
        if result.document is None:
            reasons = "; ".join(f"{problem.pointer or '/'}: {problem.message}" for problem in result.problems)
            raise ConfigError(
                f"workflow `{name}` cannot run on Step Functions: {reasons}",
                code="E853",
                help='correct it, or keep workflows in Remit: `engine = "local"`',
            )
    return made


def callers(workflows: Mapping[str, Compiled]) -> dict[str, tuple[str, ...]]:
    """Which workflows a function takes part in, by its role: a workflow's own function, and those that its tasks call."""
    found: dict[str, dict[str, None]] = {}
    for name, workflow in workflows.items():
        found.setdefault(f"agent-{name}", {})[name] = None
        for bound in workflow.bound:
            called = resources.parse(bound.uri)
            if called is not None and called.kind in _FUNCTIONS:
                found.setdefault(f"{_FUNCTIONS[called.kind]}-{called.name}", {})[name] = None
    return {role: tuple(names) for role, names in found.items()}


class Machines(Construct):
    """The state machines, which log and trace; what they end with is told to the function of their workflow."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        shared: Shared,
        workflows: Mapping[str, Compiled],
        functions: Functions,
        queues: Queues,
    ) -> None:
        super().__init__(scope, id)
        self._shared = shared
        self.by_name = {name: self._machine(name, workflow) for name, workflow in workflows.items()}
        for name in self.by_name:
            self._tell(name, functions, queues)

    def _machine(self, name: str, workflow: Compiled) -> stepfunctions.CfnStateMachine:
        shared = self._shared
        group = log_group(self, f"{name}-log", shared, shared.names.log_group(f"machine-{name}"))
        role = shared.role(self, f"{name}-role", "states", _allowed(workflow))
        machine = stepfunctions.CfnStateMachine(
            self,
            name,
            state_machine_name=shared.names.machine(name),
            state_machine_type="STANDARD",
            definition_string=Fn.sub(json.dumps(workflow.document, ensure_ascii=False)),
            role_arn=role.role_arn,
            logging_configuration=stepfunctions.CfnStateMachine.LoggingConfigurationProperty(
                level="ALL",
                include_execution_data=False,  # what agents were told is in the journal, redacted, and nowhere else
                destinations=[
                    stepfunctions.CfnStateMachine.LogDestinationProperty(
                        cloud_watch_logs_log_group=stepfunctions.CfnStateMachine.CloudWatchLogsLogGroupProperty(
                            log_group_arn=group.log_group_arn
                        )
                    )
                ],
            ),
            tracing_configuration=stepfunctions.CfnStateMachine.TracingConfigurationProperty(enabled=True),
        )
        machine.node.add_dependency(role)
        return machine

    def _tell(self, name: str, functions: Functions, queues: Queues) -> None:
        arn = self._shared.filled(self._shared.names.machine_arn(name))
        rule = events.Rule(
            self,
            f"{name}-ended",
            description=f"Executions of {name} that have ended",
            event_pattern=events.EventPattern(
                source=["aws.states"],
                detail_type=["Step Functions Execution Status Change"],
                detail={"stateMachineArn": [arn], "status": ENDED},
            ),
        )
        rule.add_target(
            targets.LambdaFunction(functions[f"agent-{name}"], dead_letter_queue=queues.lost["rules"])
        )


def _allowed(workflow: Compiled) -> tuple[Allow, ...]:
    """What the document needs, and to log and trace."""
    own = tuple(
        Allow(
            s.actions, s.resources, why="every version of a function, or what the workflow itself left open"
        )
        for s in workflow.statements
    )
    logging = Allow(
        LOG_DELIVERY, ("*",), why="Step Functions sets up its logs through these, which know no resource"
    )
    return (*own, logging, *_tracing())


def _tracing() -> tuple[Allow, ...]:
    base = traces()
    more = ("xray:GetSamplingRules", "xray:GetSamplingTargets")
    return (Allow((*base.actions, *more), base.resources, why=base.why),)
