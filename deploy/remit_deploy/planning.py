"""What deploying would do, for people: what comes, changes, is replaced or goes, what is lost with it, and who may do more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from remit_deploy.permissions import Sentence, rights, sentences
from remit_deploy.reading import Reading
from remit_deploy.stacks import ResourceChange

Kind = Literal["add", "change", "replace", "remove"]

HOLDS_DATA = {
    "AWS::DynamoDB::Table": "all its items",
    "AWS::DynamoDB::GlobalTable": "all its items",
    "AWS::S3::Bucket": "all its objects",
    "AWS::SQS::Queue": "the messages in it",
    "AWS::SecretsManager::Secret": "its value",
    "AWS::Cognito::UserPool": "all its users",
    "AWS::KMS::Key": "whatever only this key opens",
    "AWS::Logs::LogGroup": "its log lines",
    "AWS::ApiGateway::ApiKey": "the key that callers use",
    "AWS::ApiGateway::RestApi": "its address that callers use",
    "AWS::ApiGatewayV2::Api": "its address that callers use",
}
KEPT = ("Retain", "RetainExceptOnCreate", "Snapshot")
NOUNS = {
    "AWS::Lambda::Function": "functions",
    "AWS::DynamoDB::Table": "tables",
    "AWS::SQS::Queue": "queues",
    "AWS::S3::Bucket": "buckets",
    "AWS::SNS::Topic": "topics",
    "AWS::StepFunctions::StateMachine": "state machines",
    "AWS::CloudWatch::Alarm": "alarms",
    "AWS::Logs::LogGroup": "log groups",
    "AWS::SecretsManager::Secret": "secrets",
    "AWS::KMS::Key": "keys",
    "AWS::Lambda::EventSourceMapping": "triggers of functions",
    "AWS::Lambda::Permission": "permissions of functions",
}
SERVICES = {
    "ApiGateway": "API",
    "ApiGatewayV2": "API",
    "IAM": "roles and policies",
    "Events": "event rules",
    "Scheduler": "schedules",
    "WAFv2": "firewall",
    "Bedrock": "guardrails",
    "Budgets": "budget",
    "Cognito": "sign-in",
    "EC2": "network",
    "CloudFront": "console",
    "CloudTrail": "trail",
}


class Change(Struct, frozen=True):
    """One resource of a plan. `what` are its properties that differ; `loses` the data that goes with it, if any does."""

    kind: Kind
    group: str
    path: str
    type: str
    name: str = ""
    what: tuple[str, ...] = ()
    loses: str = ""


class Plan(Struct, frozen=True):
    """What deploying would do. `fresh`: there is nothing yet."""

    fresh: bool
    changes: tuple[Change, ...]
    allowed: tuple[Sentence, ...]
    revoked: tuple[Sentence, ...]

    @property
    def nothing(self) -> bool:
        """Whether all is as it should be already."""
        return not self.changes

    @property
    def losses(self) -> list[Change]:
        """The changes that lose data."""
        return [change for change in self.changes if change.loses]

    def count(self, kind: Kind) -> int:
        """How many changes of a kind."""
        return sum(change.kind == kind for change in self.changes)


def plan_of(
    old: Mapping[str, Any], new: Mapping[str, Any], changes: Sequence[ResourceChange] | None = None
) -> Plan:
    """The plan from one template to another; `changes` are what CloudFormation says of it, without which they are compared."""
    before, after = Reading(old), Reading(new)
    known = changes if changes is not None else compared(old, new)
    made = sorted((_change(c, before, after) for c in known), key=lambda c: (c.group, c.kind, c.path))
    had, has = rights(old), rights(new)
    return Plan(not old, tuple(made), tuple(sentences(has - had)), tuple(sentences(had - has)))


def compared(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[ResourceChange]:
    """What differs between two templates; replacements only CloudFormation knows."""
    was, now = old.get("Resources", {}), new.get("Resources", {})
    found = []
    for id in sorted(was.keys() | now.keys()):
        if id not in was:
            found.append(ResourceChange("Add", id, now[id]["Type"]))
        elif id not in now:
            policy = was[id].get("DeletionPolicy", "Delete")
            found.append(ResourceChange("Remove", id, was[id]["Type"], policy=policy))
        elif was[id]["Type"] != now[id]["Type"] or was[id].get("Properties") != now[id].get("Properties"):
            found.append(ResourceChange("Modify", id, now[id]["Type"]))
    return found


def _change(given: ResourceChange, before: Reading, after: Reading) -> Change:
    kind = _kind(given)
    reading = before if kind == "remove" else after
    what = (
        tuple(differing(before, after, given.id)) or given.properties if kind in ("change", "replace") else ()
    )
    return Change(
        kind,
        group_of(given.type),
        reading.path(given.id),
        given.type,
        reading.name(given.id),
        what,
        _loses(given, kind, before.resources.get(given.id, {})),
    )


def _kind(given: ResourceChange) -> Kind:
    if given.action == "Remove":
        return "remove"
    if given.action in ("Add", "Import"):
        return "add"
    return "replace" if given.replacement in ("True", "Conditional") else "change"


def _loses(given: ResourceChange, kind: Kind, resource: Mapping[str, Any]) -> str:
    if kind not in ("remove", "replace") or given.type not in HOLDS_DATA:
        return ""
    policy = "UpdateReplacePolicy" if kind == "replace" else "DeletionPolicy"
    kept = given.policy in ("Retain", "Snapshot", "ReplaceAndRetain") or resource.get(policy) in KEPT
    return "" if kept else HOLDS_DATA[given.type]


def group_of(type: str) -> str:
    """What people call resources of a type."""
    service = type.split("::")[1] if type.count("::") == 2 else ""
    return NOUNS.get(type) or SERVICES.get(service) or "other"


def differing(before: Reading, after: Reading, id: str) -> list[str]:
    """Which properties of a resource differ, as `Environment.Variables.REMIT_LOG: info -> debug`."""
    old = before.resources.get(id, {}).get("Properties", {})
    new = after.resources.get(id, {}).get("Properties", {})
    return list(_differing("", old, new, before, after))


def _differing(path: str, old: Any, new: Any, before: Reading, after: Reading) -> list[str]:
    if old == new:
        return []
    if (
        isinstance(old, Mapping)
        and isinstance(new, Mapping)
        and not _is_function(old)
        and not _is_function(new)
    ):
        found = []
        for key in sorted(old.keys() | new.keys()):
            inside = f"{path}.{key}" if path else str(key)
            found += _differing(inside, old.get(key), new.get(key), before, after)
        return found
    return [f"{path}: {_brief(before.text(old))} -> {_brief(after.text(new))}"]


def _is_function(value: Mapping[str, Any]) -> bool:
    return len(value) == 1 and next(iter(value)).startswith(("Ref", "Fn::"))


def _brief(text: str, width: int = 60) -> str:
    if not text:
        return "nothing"
    return text if len(text) <= width else f"{text[: width - 1]}…"
