"""What a role may do, as plain values: written, read and tested without CloudFormation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

KEY = "${Key}"
"""Stands for the ARN of the deployment's KMS key, which has no name that could be known before."""

GUARDRAIL = "${Guardrail}"
"""Stands for the ARN of the deployment's guardrail."""


class Allow(Struct, frozen=True):
    """One allowance. `why` argues every `*` among its resources in one line; no action ever has one."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: dict[str, dict[str, Any]] = {}
    why: str = ""

    def data(self) -> dict[str, Any]:
        """The statement as IAM has it."""
        made: dict[str, Any] = {
            "Effect": "Allow",
            "Action": list(self.actions),
            "Resource": list(self.resources),
        }
        return {**made, "Condition": self.conditions} if self.conditions else made

    @property
    def wide(self) -> tuple[str, ...]:
        """The resources that stand for more than one thing."""
        return tuple(resource for resource in self.resources if "*" in resource or "?" in resource)


def merged(allowed: Iterable[Allow]) -> tuple[Allow, ...]:
    """The same with one statement for the same actions under the same conditions, and nothing that names no resource."""
    found: dict[tuple[Any, ...], Allow] = {}
    for one in allowed:
        key = (one.actions, repr(one.conditions), one.why)
        before = found.get(key)
        resources = tuple(dict.fromkeys((*(before.resources if before else ()), *one.resources)))
        if resources:
            found[key] = Allow(one.actions, resources, one.conditions, one.why)
    return tuple(found.values())
