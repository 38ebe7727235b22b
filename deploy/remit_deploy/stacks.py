"""One CloudFormation stack: what it is, what a change set would do to it, doing it, and why it failed."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any

from msgspec import Struct

from remit.core.errors import ConfigError, ConflictError, StoreError
from remit_deploy.aws import Account, refused

GONE = ("", "DELETE_COMPLETE")
NEVER_MADE = ("REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED")
"""A stack whose first deployment did not succeed: there is nothing to update."""

CAPABILITIES = ["CAPABILITY_NAMED_IAM", "CAPABILITY_IAM"]
UNCHANGED = ("didn't contain changes", "No updates are to be performed")
POLL_S = 3.0
EMULATOR_POLL_S = 0.1
LONGEST_S = 3600.0


class StackEvent(Struct, frozen=True):
    """Something that happened to a resource while the stack changes. `id` makes it known again."""

    id: str
    resource: str
    type: str
    status: str
    reason: str = ""
    physical: str = ""

    @property
    def failed(self) -> bool:
        """Whether it failed by itself, not because something else did."""
        return self.status.endswith("_FAILED") and "cancelled" not in self.reason.lower()


class Mark(Struct, frozen=True):
    """A point in the events of a stack, whose id outlives its name."""

    stack: str
    event: str


class ResourceChange(Struct, frozen=True):
    """What CloudFormation says that it will do to a resource. `action` is Add, Modify, Remove or Import.

    `replacement` is True, False or Conditional; `policy` what then becomes of the old one; `properties` what differs.
    """

    action: str
    id: str
    type: str
    replacement: str = "False"
    policy: str = ""
    properties: tuple[str, ...] = ()


class Stack:
    """The stack of a deployment."""

    def __init__(self, account: Account, name: str) -> None:
        self._account = account
        self.name = name
        self._poll_s = EMULATOR_POLL_S if account.place.is_emulator else POLL_S

    @property
    def _client(self) -> Any:
        return self._account.client("cloudformation")

    def describe(self) -> Mapping[str, Any]:
        """What AWS says of the stack; nothing when there is none."""
        from botocore.exceptions import ClientError

        with refused(f"look at stack `{self.name}`", action="cloudformation:DescribeStacks"):
            try:
                found = self._client.describe_stacks(StackName=self.name)["Stacks"][0]
            except ClientError as error:
                if "does not exist" in str(error):
                    return {}
                raise
        return {} if found["StackStatus"] in GONE else dict(found)

    def status(self) -> str:
        """The stack's status, empty when there is no stack."""
        return str(self.describe().get("StackStatus", ""))

    def outputs(self) -> dict[str, str]:
        """The stack's outputs by name."""
        return {o["OutputKey"]: o["OutputValue"] for o in self.describe().get("Outputs", [])}

    def template(self) -> dict[str, Any]:
        """The template that is deployed; empty when nothing is."""
        if self.status() in ("", *NEVER_MADE):
            return {}
        with refused(f"read the template of `{self.name}`", action="cloudformation:GetTemplate"):
            body = self._client.get_template(StackName=self.name, TemplateStage="Original")["TemplateBody"]
        return dict(json.loads(body) if isinstance(body, str) else body)

    def resources(self) -> dict[str, tuple[str, str]]:
        """The type and the physical id of each resource, by its logical id."""
        found: dict[str, tuple[str, str]] = {}
        with refused(f"list the resources of `{self.name}`", action="cloudformation:ListStackResources"):
            for page in self._client.get_paginator("list_stack_resources").paginate(StackName=self.name):
                for each in page["StackResourceSummaries"]:
                    if each["ResourceStatus"] != "DELETE_COMPLETE":
                        kind, where = each["ResourceType"], each.get("PhysicalResourceId", "")
                        found[each["LogicalResourceId"]] = (kind, where)
        return found

    # changing

    def prepare(self, template_url: str, tags: Mapping[str, str]) -> ChangeSet | None:
        """A change set for a template, None when it would change nothing. Raises ConflictError E866."""
        status = self.status()
        if status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS":
            raise ConflictError(
                f"stack `{self.name}` is being changed by somebody else: {status}",
                code="E866",
                help="wait: `remit deploy status` says when it has finished",
            )
        if status == "UPDATE_ROLLBACK_FAILED":
            raise ConflictError(
                f"stack `{self.name}` could not be rolled back, and takes no changes so",
                code="E866",
                help="`aws cloudformation continue-update-rollback`, or mend what `remit deploy status` names",
            )
        is_new = status in ("", *NEVER_MADE)
        if is_new and status not in ("", "REVIEW_IN_PROGRESS"):
            self.delete()
        name = f"remit-{uuid.uuid4().hex[:12]}"
        with refused(f"plan changes of `{self.name}`", action="cloudformation:CreateChangeSet"):
            self._client.create_change_set(
                StackName=self.name,
                ChangeSetName=name,
                ChangeSetType="CREATE" if is_new else "UPDATE",
                TemplateURL=template_url,
                Capabilities=CAPABILITIES,
                Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
            )
            return self._ready(ChangeSet(self, name, is_new=is_new))

    def _ready(self, made: ChangeSet) -> ChangeSet | None:
        for _ in self.waiting("the change set is made"):
            found = self._client.describe_change_set(StackName=self.name, ChangeSetName=made.name)
            if found["Status"] == "CREATE_COMPLETE":
                return made
            if found["Status"] == "FAILED":
                reason = found.get("StatusReason", "")
                why = [f"{each.resource} ({each.type}): {each.reason}" for each in self.refusals(made.name)]
                made.discard()
                if any(words in reason for words in UNCHANGED):
                    return None
                raise ConfigError(
                    f"AWS does not take the template of `{self.name}`: {'; '.join(why) or reason}",
                    code="E867",
                    help="see `[deploy]` in remit.toml",
                )
        raise AssertionError("unreachable")

    def follow(self, since: Mark, seen: Callable[[StackEvent], None]) -> str:
        """Tell each event after a mark, until one says that the stack rests; its status then.

        The events are what counts: the status itself may lag behind the call that changes it.
        """
        known = {since.event}
        for _ in self.waiting(f"stack `{self.name}` changes"):
            for event in self._events_after(since.stack, known):
                known.add(event.id)
                seen(event)
                if event.physical == since.stack and not event.status.endswith("_IN_PROGRESS"):
                    return event.status
        raise AssertionError("unreachable")

    def mark(self) -> Mark:
        """Where the events are now, from which `follow` goes on."""
        stack = str(self.describe()["StackId"])
        return Mark(stack, next((event.id for event in self._newest(stack)), ""))

    def _events_after(self, stack: str, known: set[str]) -> list[StackEvent]:
        return list(takewhile(lambda event: event.id not in known, self._newest(stack)))[::-1]

    def _newest(self, stack: str) -> Iterator[StackEvent]:
        with refused(f"read the events of `{self.name}`", action="cloudformation:DescribeStackEvents"):
            for page in self._client.get_paginator("describe_stack_events").paginate(StackName=stack):
                for e in page["StackEvents"]:
                    yield StackEvent(
                        e["EventId"],
                        e["LogicalResourceId"],
                        e.get("ResourceType", ""),
                        e.get("ResourceStatus", ""),
                        e.get("ResourceStatusReason", ""),
                        e.get("PhysicalResourceId", ""),
                    )

    def refusals(self, change_set: str = "") -> list[StackEvent]:
        """What CloudFormation found wrong before it touched anything, resource by resource."""
        if not hasattr(self._client, "describe_events"):  # an older boto3: then the stack's own words must do
            return []
        asked = {"ChangeSetName": change_set} if change_set else {}
        with refused(f"read the events of `{self.name}`", action="cloudformation:DescribeEvents"):
            found = self._client.describe_events(StackName=self.name, Filters={"FailedEvents": True}, **asked)
        return [
            StackEvent(
                each["EventId"],
                each.get("LogicalResourceId", ""),
                each.get("ResourceType", ""),
                "VALIDATION_FAILED",
                each.get("ValidationStatusReason", ""),
            )
            for each in found["OperationEvents"]
            if each.get("EventType") == "VALIDATION_ERROR" and each.get("ValidationFailureMode") != "WARN"
        ]

    def delete(self, keep: Sequence[str] = (), seen: Callable[[StackEvent], None] = lambda _: None) -> str:
        """Delete the stack but for what is to be kept, which only a stack that could not be deleted takes; its last status."""
        since = self.mark()
        with refused(f"delete stack `{self.name}`", action="cloudformation:DeleteStack"):
            given = {"RetainResources": list(keep)} if keep else {}
            self._client.delete_stack(StackName=self.name, **given)
        return self.follow(since, seen)

    def protect(self, *, on: bool) -> None:
        """Let nobody delete the stack, or let them again."""
        with refused(f"protect stack `{self.name}`", action="cloudformation:UpdateTerminationProtection"):
            self._client.update_termination_protection(StackName=self.name, EnableTerminationProtection=on)

    def undeleted(self) -> dict[str, str]:
        """The resources that could not be deleted, and why."""
        with refused(f"read the resources of `{self.name}`", action="cloudformation:DescribeStackResources"):
            found = self._client.describe_stack_resources(StackName=self.name)["StackResources"]
        return {
            each["LogicalResourceId"]: each.get("ResourceStatusReason", "")
            for each in found
            if each["ResourceStatus"] == "DELETE_FAILED"
        }

    def waiting(self, what: str) -> Iterator[None]:
        """Turns of a loop that asks again and again. Raises StoreError E876 after an hour."""
        until = time.monotonic() + LONGEST_S
        while time.monotonic() < until:
            yield
            time.sleep(self._poll_s)
        raise StoreError(
            f"waited for an hour while {what}", code="E876", help="`remit deploy status` shows it"
        )


class ChangeSet:
    """A change that CloudFormation has looked at and not made yet."""

    def __init__(self, stack: Stack, name: str, *, is_new: bool) -> None:
        self.name = name
        self.is_new = is_new
        self._stack = stack

    def changes(self) -> list[ResourceChange]:
        """What it would do."""
        found: list[ResourceChange] = []
        token: dict[str, str] = {}
        with refused("read the change set", action="cloudformation:DescribeChangeSet"):
            while True:
                page = self._stack._client.describe_change_set(
                    StackName=self._stack.name, ChangeSetName=self.name, **token
                )
                found += [_change(each["ResourceChange"]) for each in page.get("Changes", [])]
                if not page.get("NextToken"):
                    return found
                token = {"NextToken": page["NextToken"]}

    def execute(self, seen: Callable[[StackEvent], None]) -> str:
        """Make the change, telling what happens; the stack's status at the end.

        A first deployment that fails takes back what it made, so that the next one finds no names in use.
        """
        since = self._stack.mark()
        given = {"RetainExceptOnCreate": True} if self.is_new else {}
        with refused(f"change stack `{self._stack.name}`", action="cloudformation:ExecuteChangeSet"):
            self._stack._client.execute_change_set(
                StackName=self._stack.name, ChangeSetName=self.name, **given
            )
        return self._stack.follow(since, seen)

    def discard(self) -> None:
        """Forget it, and the empty stack that it was for."""
        with refused("discard the change set", action="cloudformation:DeleteChangeSet"):
            self._stack._client.delete_change_set(StackName=self._stack.name, ChangeSetName=self.name)
        if self.is_new and self._stack.status() == "REVIEW_IN_PROGRESS":
            self._stack.delete()


def _change(given: Mapping[str, Any]) -> ResourceChange:
    targets = (detail.get("Target", {}) for detail in given.get("Details", []))
    names = {t.get("Name") or t.get("Attribute", "") for t in targets}
    return ResourceChange(
        given["Action"],
        given["LogicalResourceId"],
        given["ResourceType"],
        given.get("Replacement", "False"),
        given.get("PolicyAction", ""),
        tuple(sorted(names - {""})),
    )
