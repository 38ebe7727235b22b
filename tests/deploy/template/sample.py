"""A deployment that chooses everything, and its template as the tests read it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

CLAUDE, TITAN = "anthropic.claude-sonnet-4-20250514-v1:0", "amazon.titan-text-express-v1"

FLOW = {
    "QueryLanguage": "JSONata",
    "StartAt": "Research",
    "States": {
        "Research": {"Type": "Task", "Resource": "remit:agent:research", "Next": "Sign"},
        "Sign": {
            "Type": "Task",
            "Resource": "remit:gate:sign",
            "Arguments": {"message": "Shall it go out?"},
            "Next": "Price",
        },
        "Price": {
            "Type": "Task",
            "Resource": "remit:tool:price",
            "Arguments": {"text": "{% '$' & '{not a placeholder}' %}"},
            "End": True,
        },
    },
}

SAMPLE: dict[str, Any] = {
    "environment": "prod",
    "region": "eu-west-1",
    "agents": {
        "assistant": {
            "models": [CLAUDE, TITAN],
            "secrets": ["jira_token", "acme/slack"],
            "tables": {"table_registry": "read", "orders": "write"},
            "queues": ["orders-placed"],
            "prefixes": ["shared"],
            "concurrency": 20,
        },
        "research": {"models": [CLAUDE]},
        "checker": {"kind": "code", "control_plane": True},
        "flow": {"kind": "workflow"},
        "default": {},
    },
    "chat_agent": "assistant",
    "workflows": {"flow": FLOW},
    "tools": {"price": {"kind": "code", "secrets": ["price_key"]}},
    "schedules": {
        "nightly": {"expression": "cron(0 3 * * ? *)", "event_type": "night.began", "data": {"n": 1}}
    },
    "inbound": {
        "orders": {"pattern": {"source": ["shop"]}, "tenant_id": "acme"},
        "uploads": {"pattern": {"source": ["aws.s3"]}, "bus": "default", "trusted": True},
    },
    "events_topic": True,
    "secrets": ["local/jira_token", "acme/slack"],
    "alert_email": "ops@example.com",
    "cors_origins": ["https://console.example.com"],
    "auth": {"kind": "cognito", "domain": "remit-sample"},
    "vpc_endpoints": True,
    "cloudtrail": True,
    "console": True,
    "guardrail": {"topics": {"legal": "Advice about the law"}, "words": ["forbidden"], "grounding": 0.7},
    "model": f"bedrock:{CLAUDE}",
    "retention": {"audit_mode": "COMPLIANCE"},
    "tags": {"team": "support"},
}


class Template(NamedTuple):
    """A synthesised template."""

    path: Path
    body: dict[str, Any]

    def of(self, kind: str) -> dict[str, dict[str, Any]]:
        """The resources of a type by logical id: `Lambda::Function`."""
        found = self.body["Resources"].items()
        return {name: made for name, made in found if made["Type"] == f"AWS::{kind}"}

    def properties(self, kind: str) -> Iterator[dict[str, Any]]:
        """The properties of the resources of a type, references resolved."""
        for made in self.of(kind).values():
            yield resolved(made.get("Properties", {}))

    def named(self, kind: str, key: str) -> dict[str, dict[str, Any]]:
        """The properties of the resources of a type by one of them."""
        return {given[key]: given for given in self.properties(kind) if key in given}


PSEUDO = {
    "AWS::Partition": "aws",
    "AWS::Region": "eu-west-1",
    "AWS::AccountId": "123456789012",
    "AWS::URLSuffix": "amazonaws.com",
}


def resolved(value: Any) -> Any:
    """A value of a template with what CloudFormation would fill in; what only AWS knows is `<LogicalId.Attribute>`."""
    if isinstance(value, list):
        return [resolved(item) for item in value]
    if not isinstance(value, dict):
        return value
    if list(value) == ["Ref"]:
        return PSEUDO.get(value["Ref"], f"<{value['Ref']}>")
    if list(value) == ["Fn::GetAtt"]:
        return f"<{'.'.join(value['Fn::GetAtt'])}>"
    if list(value) == ["Fn::Join"]:
        between, parts = value["Fn::Join"]
        return between.join(str(resolved(part)) for part in parts)
    if list(value) == ["Fn::Sub"]:
        text = value["Fn::Sub"]
        for name, what in PSEUDO.items():
            text = text.replace(f"${{{name}}}", what)
        return text.replace("${!", "${")
    return {name: resolved(item) for name, item in value.items()}
