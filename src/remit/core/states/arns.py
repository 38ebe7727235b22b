"""ARNs and names on AWS, for what a workflow calls."""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]")


class Bindings(Struct, frozen=True):
    """Where a workflow runs on AWS, and what its resources are there.

    Partition, region and account are CloudFormation's placeholders unless given: the document is then meant for `Fn::Sub`.
    `functions` are Lambda functions of yours by resource URI (`remit:tool:price`): a name or an ARN; they are given the
    state's input as it is. What is not there is Remit's own function `PREFIX-KIND-NAME`, which is also told which call it is.
    `retry_lambda`: repeat what Lambda itself failed at, as AWS recommends, where Remit's function answers.
    `governed`: the machine is one of a deployment of Remit. Its functions answer by task token, so that a call may wait for a
    person, outlive its function and be answered after a crash; a workflow inside is started by Remit too, under its budget.
    """

    partition: str = "${AWS::Partition}"
    region: str = "${AWS::Region}"
    account: str = "${AWS::AccountId}"
    prefix: str = "remit"
    functions: Mapping[str, str] = {}
    machines: Mapping[str, str] = {}
    """State machines by the name of the workflow, where theirs differs."""
    event_bus: str = "default"
    event_source: str = "remit"
    retry_lambda: bool = True
    governed: bool = False
    lambdas: Mapping[str, str] = {}
    """Where `governed`: Lambda functions that a document names as AWS does, and that are agents or tools of Remit: `agent`, `tool`."""

    @property
    def substituted(self) -> bool:
        """Whether CloudFormation has placeholders to fill in."""
        return any("${" in part for part in (self.partition, self.region, self.account))

    def arn(self, service: str, rest: str) -> str:
        """An ARN of this account and region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{rest}"

    def integration(self, action: str) -> str:
        """The resource of a service integration: `events:putEvents`."""
        return f"arn:{self.partition}:states:::{action}"

    def function(self, kind: str, name: str) -> str:
        """The Lambda function for an agent, a tool or a gate."""
        given = self.functions.get(f"remit:{kind}:{name}") or f"{self.prefix}-{kind}-{plain_name(name)}"[:64]
        return given if given.startswith("arn:") else self.arn("lambda", f"function:{given}")

    def is_own(self, kind: str, name: str) -> bool:
        """Whether Remit's own function answers."""
        return f"remit:{kind}:{name}" not in self.functions

    def machine(self, name: str, alias: str = "") -> str:
        """The state machine of a workflow."""
        given = self.machines.get(name) or f"{self.prefix}-{plain_name(name)}"[:80]
        whole = given if given.startswith("arn:") else self.arn("states", f"stateMachine:{given}")
        return f"{whole}:{alias}" if alias else whole

    def activity(self, name: str) -> str:
        """The activity of that name."""
        return self.arn("states", f"activity:{plain_name(name)[:80]}")

    def bus(self) -> str:
        """The event bus."""
        return (
            self.event_bus
            if self.event_bus.startswith("arn:")
            else self.arn("events", f"event-bus/{self.event_bus}")
        )


def plain_name(name: str) -> str:
    """A name with what AWS does not take in names replaced by `-`."""
    return _NOT_IN_NAMES.sub("-", name)
