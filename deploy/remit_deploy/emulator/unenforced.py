"""What a template says that makes no sense on the emulator: that all must come by TLS, and that data outlives its stack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def adapted(template: Mapping[str, Any]) -> dict[str, Any]:
    """The template without statements that deny what does not come by TLS, since the emulator speaks plain HTTP.

    A policy that said only that is left out. Nothing is retained: on the emulator destroying leaves nothing.
    """
    made = _without(template)
    resources = made.get("Resources", {})
    for resource in resources.values():
        for policy in ("DeletionPolicy", "UpdateReplacePolicy"):
            if policy in resource:
                resource[policy] = "Delete"
    empty = [
        name
        for name, resource in resources.items()
        if resource.get("Properties", {}).get("PolicyDocument", {}).get("Statement") == []
    ]
    for name in empty:
        del resources[name]
    for resource in resources.values():
        depends = resource.get("DependsOn")
        if isinstance(depends, list):
            resource["DependsOn"] = [name for name in depends if name not in empty]
        elif depends in empty:
            del resource["DependsOn"]
    return dict(made)


def _without(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without(item) for item in value if not _denies_plain_http(item)]
    return value


def _denies_plain_http(item: Any) -> bool:
    if not isinstance(item, Mapping) or item.get("Effect") != "Deny":
        return False
    return any("aws:SecureTransport" in tests for tests in item.get("Condition", {}).values())
