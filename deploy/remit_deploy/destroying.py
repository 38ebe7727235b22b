"""Taking a deployment down: what goes, what is kept, and what is left afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from remit.core.aws import code_of
from remit.core.errors import StoreError
from remit_deploy import assets
from remit_deploy.aws import Account, refused
from remit_deploy.deployment import Deployment
from remit_deploy.planning import HOLDS_DATA, KEPT, group_of
from remit_deploy.stacks import StackEvent

BUCKET = "AWS::S3::Bucket"


class Doomed(Struct, frozen=True):
    """What destroying does. `lost`: data that goes with its resource, as names by kind; `kept` stays; `filled` are buckets
    that are not empty, and are kept too unless their data is to go. The console's are files of Remit's own, and go in any case."""

    resources: int
    lost: dict[str, list[str]]
    kept: dict[str, list[str]]
    filled: tuple[str, ...]


class Destroyed(Struct, frozen=True):
    """What became of it. `kept`: resources that outlive the stack, by name, and why; `left`: what is found by the name."""

    kept: dict[str, str]
    left: tuple[str, ...]


def look(deployment: Deployment) -> Doomed:
    """What destroying would do."""
    template, known = deployment.stack.template(), deployment.stack.resources()
    lost: dict[str, list[str]] = {}
    kept: dict[str, list[str]] = {}
    for id, resource in template.get("Resources", {}).items():
        if resource["Type"] in HOLDS_DATA and id in known:
            which = kept if resource.get("DeletionPolicy") in KEPT else lost
            which.setdefault(group_of(resource["Type"]), []).append(known[id][1].rsplit("/", 1)[-1])
    buckets = [name for kind, name in known.values() if kind == BUCKET and name != deployment.pages]
    filled = [name for name in buckets if _filled(deployment.account, name)]
    return Doomed(len(known), lost, kept, tuple(sorted(filled)))


def destroy(deployment: Deployment, *, delete_data: bool, seen: Callable[[StackEvent], None]) -> Destroyed:
    """Delete the stack. A bucket that is not empty is kept, unless its data is to go and no lock holds it, or it is the console's."""
    stack, account = deployment.stack, deployment.account
    known = stack.resources()
    held: dict[str, str] = {}
    for kind, name in known.values():
        goes = delete_data or name == deployment.pages
        if kind == BUCKET and goes and _filled(account, name):
            held |= _emptied(account, name)
    if stack.describe().get("EnableTerminationProtection"):
        stack.protect(on=False)
    status = stack.delete(seen=seen)
    if status == "DELETE_FAILED":
        why = stack.undeleted()
        held |= {known[id][1]: reason for id, reason in why.items() if id in known}
        status = stack.delete(keep=list(why), seen=seen)
    if status != "DELETE_COMPLETE":
        raise StoreError(
            f"stack `{deployment.name}` could not be deleted: it is {status}",
            code="E867",
            help="run it again: it goes on",
        )
    if deployment.bucket.exists():
        assets.delete(account, deployment.bucket.name)
    return Destroyed(held, tuple(left_over(account, deployment.name)))


def left_over(account: Account, name: str) -> list[str]:
    """Everything in the account that is named after a deployment, service by service."""
    found: list[str] = []
    for kind, (service, operation, key, field) in LISTINGS.items():
        for item in _listed(account, service, operation, key):
            text = item if isinstance(item, str) else str(item.get(field, ""))
            if name in _own_names(text):
                found.append(f"{kind} {text.rsplit('/', 1)[-1] if kind == 'queue' else text}")
    return sorted(found)


LISTINGS = {
    "table": ("dynamodb", "list_tables", "TableNames", ""),
    "function": ("lambda", "list_functions", "Functions", "FunctionName"),
    "queue": ("sqs", "list_queues", "QueueUrls", ""),
    "topic": ("sns", "list_topics", "Topics", "TopicArn"),
    "bucket": ("s3", "list_buckets", "Buckets", "Name"),
    "state machine": ("stepfunctions", "list_state_machines", "stateMachines", "name"),
    "event bus": ("events", "list_event_buses", "EventBuses", "Name"),
    "schedule": ("scheduler", "list_schedules", "Schedules", "Name"),
    "role": ("iam", "list_roles", "Roles", "RoleName"),
    "log group": ("logs", "describe_log_groups", "logGroups", "logGroupName"),
    "secret": ("secretsmanager", "list_secrets", "SecretList", "Name"),
    "alarm": ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    "API": ("apigateway", "get_rest_apis", "items", "name"),
    "distribution": ("cloudfront", "list_distributions", "DistributionList.Items", "Comment"),
    "function of CloudFront": ("cloudfront", "list_functions", "FunctionList.Items", "Name"),
    "trigger": ("lambda", "list_event_source_mappings", "EventSourceMappings", "FunctionArn"),
}


def _own_names(text: str) -> list[str]:
    """The deployment names that a name of a resource may stand for: `remit-dev` of `remit-dev-journal`."""
    last = text.rsplit(":", 1)[-1].removeprefix("/remit/").split("/")
    words = (last[0] if last[0] not in ("https", "http", "") else last[-1]).split("-")
    return ["-".join(words[: n + 1]) for n in range(len(words))]


def _listed(account: Account, service: str, operation: str, key: str) -> list[Any]:
    client = account.client(service)
    with refused(f"list what is left in {service}", action=f"{service}:{operation}"):
        if client.can_paginate(operation):
            pages: list[Mapping[str, Any]] = list(client.get_paginator(operation).paginate())
        else:
            pages = [getattr(client, operation)()]
    return [item for page in pages for item in _inside(page, key)]


def _inside(page: Any, key: str) -> list[Any]:
    """What a page lists: `Topics`, or `DistributionList.Items`."""
    for name in key.split("."):
        page = page.get(name) or {}
    return list(page)


def _filled(account: Account, bucket: str) -> bool:
    from botocore.exceptions import ClientError

    with refused(f"look into bucket `{bucket}`", action="s3:ListBucketVersions"):
        try:
            found = account.client("s3").list_object_versions(Bucket=bucket, MaxKeys=1)
        except ClientError as error:
            if code_of(error) == "NoSuchBucket":
                return False
            raise
    return bool(found.get("Versions") or found.get("DeleteMarkers"))


def _emptied(account: Account, bucket: str) -> dict[str, str]:
    """Empty a bucket; what is kept of it by a lock, and why."""
    kept = assets.empty(account, bucket)
    return {bucket: f"{kept} objects are locked until their retention ends"} if kept else {}
