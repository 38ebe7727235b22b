"""What the role of each function may do and, above all, may not, by the policies of the synthesised template."""

from __future__ import annotations

import msgspec
import pytest
from tests.deploy.template.policies import Statement, allows, roles
from tests.deploy.template.sample import CLAUDE, SAMPLE, TITAN, Template

from remit.adapters.store.dynamodb import schema
from remit.bootstrap.collections import COLLECTIONS
from remit_deploy.config import config_of
from remit_deploy.constructs import collections
from remit_deploy.constructs.allow import Allow
from remit_deploy.constructs.roles import Calls, Roles

ACCOUNT = "123456789012"
NAME = "remit-prod"
HERE = f"eu-west-1:{ACCOUNT}"
KEY = "<Key961B73FD.Arn>"
PROFILE = f"arn:aws:bedrock:{HERE}:inference-profile/eu.{CLAUDE}"
MOST = 10_240
"""Characters of all inline policies of a role, without white space (quota of IAM)."""

AGENTS = (
    "agent-assistant",
    "agent-research",
    "agent-checker",
    "agent-flow",
    "agent-default",
    "tool-price",
    "gate-sign",
)

Granted = dict[str, list[Statement]]


def table(name: str) -> str:
    return f"arn:aws:dynamodb:{HERE}:table/{name}"


def queue(name: str) -> str:
    return f"arn:aws:sqs:{HERE}:{name}"


def secret(path: str, deployment: str = NAME) -> str:
    return f"arn:aws:secretsmanager:{HERE}:secret:{deployment}/{path}-a1B2c3"


def thing(bucket: str, key: str, deployment: str = NAME) -> str:
    return f"arn:aws:s3:::{deployment}-{bucket}-{ACCOUNT}-eu-west-1/{key}"


@pytest.fixture(scope="module")
def granted(full: Template) -> Granted:
    return roles(full)


def indexes() -> dict[str, tuple[str, ...]]:
    return {t.collection: tuple(i.name for i in t.indexes) for t in schema.tables(COLLECTIONS, NAME)}


def planned(**different: object) -> dict[str, tuple[Allow, ...]]:
    """The allowances before synthesis."""
    config = config_of({**SAMPLE, **different})
    calls = Calls(
        {
            "agent-flow": ("flow",),
            "agent-research": ("flow",),
            "tool-price": ("flow",),
            "gate-sign": ("flow",),
        }
    )
    return Roles(config, indexes(), calls).all()


NOBODY = [
    ("dynamodb:Scan", table(f"{NAME}-agent_run")),
    ("dynamodb:DeleteTable", table(f"{NAME}-agent_run")),
    ("dynamodb:UpdateTable", table(f"{NAME}-agent_run")),
    ("dynamodb:GetItem", table("remit-stage-agent_run")),
    ("dynamodb:GetItem", table("somebody-elses")),
    ("s3:DeleteObject", thing("audit", "journal/x")),
    ("s3:DeleteObjectVersion", thing("audit", "journal/x")),
    ("s3:BypassGovernanceRetention", thing("audit", "journal/x")),
    ("s3:PutObjectRetention", thing("audit", "journal/x")),
    ("s3:GetObject", thing("artifacts", "blobs/x", "remit-stage")),
    ("secretsmanager:GetSecretValue", secret("local/unnamed")),
    ("secretsmanager:GetSecretValue", secret("local/jira_token", "remit-stage")),
    ("secretsmanager:PutSecretValue", secret("local/jira_token")),
    ("sqs:SendMessage", queue("remit-stage-run-assistant")),
    ("sqs:PurgeQueue", queue(f"{NAME}-run-assistant")),
    ("sqs:DeleteQueue", queue(f"{NAME}-run-assistant")),
    ("states:StartExecution", f"arn:aws:states:{HERE}:stateMachine:somebody-elses"),
    ("states:UpdateStateMachine", f"arn:aws:states:{HERE}:stateMachine:{NAME}-flow"),
    ("events:PutEvents", f"arn:aws:events:{HERE}:event-bus/default"),
    ("lambda:InvokeFunction", f"arn:aws:lambda:{HERE}:function:{NAME}-agent-assistant"),
    ("lambda:UpdateFunctionCode", f"arn:aws:lambda:{HERE}:function:{NAME}-agent-assistant"),
    ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/any"),
    ("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/any"),
    ("kms:ScheduleKeyDeletion", KEY),
    ("kms:Decrypt", f"arn:aws:kms:{HERE}:key/another"),
    (
        "bedrock:InvokeModel",
        "arn:aws:bedrock:eu-west-1::foundation-model/anthropic.claude-opus-4-1-20250805-v1:0",
    ),
    ("logs:PutLogEvents", f"arn:aws:logs:{HERE}:log-group:/remit/remit-stage/api:log-stream:x"),
]


@pytest.mark.service
@pytest.mark.parametrize(("action", "resource"), NOBODY)
def test_no_function_may(granted: Granted, action: str, resource: str) -> None:
    """Nothing outside the deployment, nothing that changes it, and nothing that removes what was audited."""
    assert [name for name, own in granted.items() if allows(own, action, resource)] == []


@pytest.mark.service
@pytest.mark.parametrize("agent", AGENTS)
def test_an_agent_may_not_reach_what_is_anothers(granted: Granted, agent: str) -> None:
    """Another agent's queue, prefix, secrets, models and log; the keys of callers; the audit bucket; the bus and the alerts."""
    own = granted[agent]
    for other in granted:
        kind, _, name = other.partition("-")
        if other != agent:
            assert not allows(
                own, "logs:PutLogEvents", f"arn:aws:logs:{HERE}:log-group:/remit/{NAME}/{other}:log-stream:x"
            )
        if other == agent or kind != "agent":
            continue
        assert not allows(own, "s3:GetObject", thing("artifacts", f"agents/{name}/x"))
        assert not allows(own, "s3:PutObject", thing("artifacts", f"agents/{name}/x"))
        for action in ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:SendMessage"):
            assert not allows(own, action, queue(f"{NAME}-run-{name}"))
    assert not allows(own, "dynamodb:GetItem", table(f"{NAME}-api_key"))
    assert not allows(own, "dynamodb:Query", table(f"{NAME}-api_key") + "/index/tenant_id.created_ts")
    for action in ("s3:GetObject", "s3:PutObject"):
        assert not allows(own, action, thing("audit", "journal/x"))
    assert not allows(own, "s3:PutObject", thing("config", "prompts/x"))
    assert not allows(own, "events:PutEvents", f"arn:aws:events:{HERE}:event-bus/{NAME}")
    assert allows(own, "sns:Publish", f"arn:aws:sns:{HERE}:{NAME}-alerts") == (agent == "agent-checker")


@pytest.mark.service
@pytest.mark.parametrize(
    ("action", "resource", "who"),
    [
        ("secretsmanager:GetSecretValue", secret("local/jira_token"), ["agent-assistant"]),
        ("secretsmanager:GetSecretValue", secret("other/jira_token"), ["agent-assistant"]),
        ("secretsmanager:GetSecretValue", secret("acme/slack"), ["agent-assistant"]),
        ("secretsmanager:GetSecretValue", secret("other/slack"), []),
        ("secretsmanager:GetSecretValue", secret("local/price_key"), ["tool-price"]),
        ("secretsmanager:GetSecretValue", secret("deployment/audit_key"), ["api"]),
        ("bedrock:InvokeModel", PROFILE, ["agent-assistant", "agent-research"]),
        ("bedrock:InvokeModel", f"arn:aws:bedrock:eu-west-1::foundation-model/{TITAN}", ["agent-assistant"]),
        ("dynamodb:PutItem", table("orders"), ["agent-assistant"]),
        ("sqs:SendMessage", queue("orders-placed"), ["agent-assistant"]),
        ("s3:PutObject", thing("artifacts", "shared/x"), ["agent-assistant"]),
        (
            "dynamodb:Query",
            table(f"{NAME}-table_registry"),
            ["agent-assistant", "agent-checker", "api", "tick"],
        ),
        ("dynamodb:PutItem", table(f"{NAME}-table_registry"), ["agent-checker", "api", "tick"]),
        ("dynamodb:GetItem", table(f"{NAME}-api_key"), ["api", "chat", "tick"]),
        ("dynamodb:PutItem", table(f"{NAME}-definition_head"), ["api", "tick"]),
        ("dynamodb:DeleteItem", table(f"{NAME}-journal"), ["api"]),
        ("dynamodb:DeleteItem", table(f"{NAME}-content"), ["api"]),
        ("s3:PutObject", thing("audit", "journal/x"), ["audit"]),
        ("s3:GetObjectVersion", thing("audit", "journal/x"), ["api"]),
        ("sqs:ReceiveMessage", queue(f"{NAME}-deliveries.fifo"), ["deliver"]),
        ("sqs:ReceiveMessage", queue(f"{NAME}-inbound"), ["inbound"]),
        ("events:PutEvents", f"arn:aws:events:{HERE}:event-bus/{NAME}", ["deliver", "tick"]),
        ("sns:Publish", f"arn:aws:sns:{HERE}:{NAME}-events.fifo", ["deliver", "tick"]),
        ("dynamodb:GetRecords", table(f"{NAME}-journal") + "/stream/2026-11-21T00:00:00.000", ["audit"]),
        ("dynamodb:GetRecords", table(f"{NAME}-run_head") + "/stream/2026-11-21T00:00:00.000", ["react"]),
        (
            "states:StartExecution",
            f"arn:aws:states:{HERE}:stateMachine:{NAME}-flow",
            ["agent-flow", "agent-research", "api", "gate-sign", "tick", "tool-price"],
        ),
    ],
)
def test_who_may(granted: Granted, action: str, resource: str, who: list[str]) -> None:
    """These functions and no other."""
    assert sorted(name for name, own in granted.items() if allows(own, action, resource)) == who


@pytest.mark.service
@pytest.mark.parametrize("agent", AGENTS)
def test_an_agent_may_go_on_with_its_runs(granted: Granted, agent: str) -> None:
    """Its queue, the run tables, what belongs to them, and its own prefix. The run tables are shared by all agents."""
    own, (kind, _, name) = granted[agent], agent.partition("-")
    if kind == "agent":
        for action in (
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:ChangeMessageVisibility",
            "sqs:SendMessage",
        ):
            assert allows(own, action, queue(f"{NAME}-run-{name}"))
    for collection in (
        *collections.JOURNAL,
        *collections.APPENDED,
        "agent_run",
        "tool_call",
        "approval_event",
    ):
        assert allows(own, "dynamodb:GetItem", table(f"{NAME}-{collection}"))
        assert allows(own, "dynamodb:PutItem", table(f"{NAME}-{collection}"))
    assert allows(own, "dynamodb:Query", table(f"{NAME}-agent_run") + "/index/tenant_id.start_ts")
    assert allows(own, "s3:PutObject", thing("artifacts", f"agents/{name}/report.html"))
    assert allows(own, "s3:GetObject", thing("artifacts", "blobs/0123"))
    assert allows(own, "sqs:SendMessage", queue(f"{NAME}-deliveries.fifo"))
    assert allows(own, "kms:Decrypt", KEY, kms_ViaService="dynamodb.eu-west-1.amazonaws.com")
    assert not allows(own, "kms:Decrypt", KEY, kms_ViaService="ebs.eu-west-1.amazonaws.com")


@pytest.mark.service
def test_a_model_behind_a_profile_is_asked_through_it_only(granted: Granted) -> None:
    """The regions that a cross-region profile sends to are open under that profile, and under no other."""
    model = f"arn:aws:bedrock:eu-north-1::foundation-model/{CLAUDE}"
    own = granted["agent-research"]
    assert allows(own, "bedrock:InvokeModel", model, bedrock_InferenceProfileArn=PROFILE)
    assert not allows(own, "bedrock:InvokeModel", model, bedrock_InferenceProfileArn=f"{PROFILE}-another")


@pytest.mark.service
def test_no_action_has_a_wildcard(granted: Granted) -> None:
    """Neither `service:*` nor `service:Get*`."""
    actions = {action for own in granted.values() for one in own for action in one["Action"]}
    assert [action for action in sorted(actions) if "*" in action or "?" in action] == []


def test_every_wildcard_among_resources_is_argued() -> None:
    """In one line, where it is allowed."""
    for role, allowed in planned().items():
        for one in allowed:
            assert not one.wide or one.why, f"{role}: {one}"


def test_an_inline_policy_fits_with_the_longest_names() -> None:
    """IAM counts all inline policies of a role together."""
    for role, allowed in planned(project="nineteen-characters").items():
        text = msgspec.json.encode([one.data() for one in allowed]).decode()
        for name, value in (
            ("Partition", "aws-us-gov"),
            ("Region", "ap-southeast-1"),
            ("AccountId", ACCOUNT),
        ):
            text = text.replace(f"${{AWS::{name}}}", value)
        assert len(text) < MOST - 400, role


def test_every_collection_is_of_one_kind() -> None:
    """A new collection has to be given to those who may use it; one that is gone is forgotten."""
    kinds = (
        collections.WRITTEN_BY_RUNS,
        collections.READ_BY_RUNS,
        collections.CONTROL_PLANE,
        collections.KEYS,
        collections.SESSIONS,
        collections.VIEWS,
    )
    listed = [name for kind in kinds for name in kind]
    assert sorted(listed) == sorted(collection.name for collection in COLLECTIONS)


def test_what_an_agent_is_not_granted_it_has_not() -> None:
    """An agent of which nothing is said has no secret of a tenant, no model, and no table but those of runs."""
    actions = {action for one in planned()["agent-default"] for action in one.actions}
    resources = {r for one in planned()["agent-default"] for r in one.resources}
    assert not {action for action in actions if action.startswith(("bedrock:", "sns:", "events:", "states:"))}
    assert {r for r in resources if ":secret:" in r} == {r for r in resources if "redaction_salt" in r}
    assert not {r for r in resources if r.endswith(tuple(f"-{name}" for name in collections.CONTROL_PLANE))}
