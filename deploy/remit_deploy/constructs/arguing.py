"""Exceptions to what cdk-nag and checkov ask for, each with its reason, kept in the template beside what it is about."""

from __future__ import annotations

from collections.abc import Iterable

from aws_cdk import Acknowledgment, CfnResource, Validations
from constructs import IConstruct

NAG = "AwsSolutions"


def argued(
    construct: IConstruct, reason: str, *, nag: Iterable[str] = (), checkov: Iterable[str] = ()
) -> None:
    """Say why a construct, with all below it, is as it is. `nag`: `S1`, `IAM5[Resource::*]`; `checkov`: `CKV_AWS_18`."""
    for rule in nag:
        Validations.of(construct).acknowledge(Acknowledgment(id=f"{NAG}-{rule}", reason=reason))
    rules = [{"id": rule, "comment": reason} for rule in checkov]
    if not rules:
        return
    for node in construct.node.find_all():
        if isinstance(node, CfnResource):
            given = node.get_metadata("checkov") or {"skip": []}
            node.add_metadata("checkov", {"skip": [*given["skip"], *rules]})
