"""What IAM would decide: the statements of a role, and whether they allow an action on a resource."""

from __future__ import annotations

import re
from typing import Any

from tests.deploy.template.sample import Template

Statement = dict[str, Any]


def roles(template: Template) -> dict[str, list[Statement]]:
    """The statements of each function's role, by the function's name without the deployment's."""
    found: dict[str, list[Statement]] = {}
    own = {f"<{name}.Arn>": made for name, made in template.of("IAM::Role").items()}
    for function in template.properties("Lambda::Function"):
        role = own[function["Role"]]
        assert "ManagedPolicyArns" not in role["Properties"]
        found[function["FunctionName"].removeprefix("remit-prod-")] = statements(role)
    return found


def statements(role: dict[str, Any]) -> list[Statement]:
    """The statements of a role's policies, references resolved."""
    from tests.deploy.template.sample import resolved

    policies = resolved(role["Properties"].get("Policies", []))
    return [one for policy in policies for one in policy["PolicyDocument"]["Statement"]]


def allows(statements: list[Statement], action: str, resource: str, **context: str) -> bool:
    """Whether some statement allows it. `context` holds condition keys with `_` for `:`; a condition on others holds."""
    return any(
        one["Effect"] == "Allow"
        and any(_matches(pattern, action) for pattern in _listed(one["Action"]))
        and any(_matches(pattern, resource) for pattern in _listed(one["Resource"]))
        and _holds(one.get("Condition", {}), context)
        for one in statements
    )


def _holds(conditions: dict[str, dict[str, Any]], context: dict[str, str]) -> bool:
    for tests in conditions.values():
        for key, wanted in tests.items():
            given = context.get(key.replace(":", "_"))
            if given is not None and not any(_matches(pattern, given) for pattern in _listed(wanted)):
                return False
    return True


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def _matches(pattern: str, text: str) -> bool:
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, text) is not None
