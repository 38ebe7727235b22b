"""What a plan says: changes in plain words, data that is lost, and permissions as sentences."""

from __future__ import annotations

from typing import Any

import pytest

from remit_deploy.emulator.unenforced import adapted
from remit_deploy.failing import advice, failures
from remit_deploy.permissions import rights, sentences
from remit_deploy.planning import plan_of
from remit_deploy.reading import Reading
from remit_deploy.stacks import ResourceChange, StackEvent


def resource(type: str, path: str = "", **properties: Any) -> dict[str, Any]:
    """A resource as the CDK writes it."""
    metadata = {"aws:cdk:path": f"shop-dev/{path}/Resource"} if path else {}
    return {"Type": type, "Properties": properties, "Metadata": metadata}


def template(**resources: dict[str, Any]) -> dict[str, Any]:
    """A template of these resources."""
    return {"Resources": resources}


def role(*statements: dict[str, Any]) -> dict[str, Any]:
    """A role with a policy of its own."""
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    policies = [{"PolicyName": "own", "PolicyDocument": document}]
    return resource(
        "AWS::IAM::Role", "Functions/greeter-role", RoleName="shop-dev-greeter", Policies=policies
    )


def allow(actions: str | list[str], on: Any, **more: Any) -> dict[str, Any]:
    """A statement that allows."""
    return {"Effect": "Allow", "Action": actions, "Resource": on, **more}


def said(value: dict[str, Any]) -> list[str]:
    """All permissions of a template, as `who: sentence`."""
    return [f"{each.who}: {each.text}" for each in sentences(rights(value))]


QUEUE = resource("AWS::SQS::Queue", "Queues/run", QueueName="shop-dev-run-greeter")
TABLE = resource("AWS::DynamoDB::Table", "Tables/run", TableName="shop-dev-agent_run")


def test_a_first_plan_adds_everything_and_allows_everything_anew() -> None:
    """Without anything deployed all resources are added, and every permission is a new one."""
    plan = plan_of(
        {}, template(Queue=QUEUE, Role=role(allow("sqs:SendMessage", {"Fn::GetAtt": ["Queue", "Arn"]})))
    )
    assert plan.fresh
    assert [(c.kind, c.group, c.path, c.name) for c in plan.changes] == [
        ("add", "queues", "Queues/run", "shop-dev-run-greeter"),
        ("add", "roles and policies", "Functions/greeter-role", "shop-dev-greeter"),
    ]
    assert [(s.who, s.text) for s in plan.allowed] == [
        ("shop-dev-greeter", "may SendMessage (sqs) on queue shop-dev-run-greeter")
    ]


def test_a_change_says_what_from_and_to_what() -> None:
    """A changed property is shown by its path, with the old and the new value, references by name."""
    old = resource(
        "AWS::Lambda::Function", "F", FunctionName="f", Environment={"Variables": {"A": "1", "B": "x"}}
    )
    new = resource(
        "AWS::Lambda::Function",
        "F",
        FunctionName="f",
        Environment={"Variables": {"A": {"Ref": "Queue"}, "B": "x"}},
    )
    change = plan_of(template(F=old, Queue=QUEUE), template(F=new, Queue=QUEUE)).changes[0]
    assert change.kind == "change"
    assert change.what == ("Environment.Variables.A: 1 -> shop-dev-run-greeter",)


@pytest.mark.parametrize(
    ("change", "policies", "kind", "loses"),
    [
        (ResourceChange("Remove", "Table", "AWS::DynamoDB::Table"), {}, "remove", "all its items"),
        (
            ResourceChange("Remove", "Table", "AWS::DynamoDB::Table"),
            {"DeletionPolicy": "Retain"},
            "remove",
            "",
        ),
        (ResourceChange("Remove", "Table", "AWS::DynamoDB::Table", policy="Retain"), {}, "remove", ""),
        (ResourceChange("Modify", "Table", "AWS::DynamoDB::Table", "True"), {}, "replace", "all its items"),
        (
            ResourceChange("Modify", "Table", "AWS::DynamoDB::Table", "Conditional"),
            {},
            "replace",
            "all its items",
        ),
        (
            ResourceChange("Modify", "Table", "AWS::DynamoDB::Table", "True"),
            {"DeletionPolicy": "Retain"},  # which does not hold for a replacement
            "replace",
            "all its items",
        ),
        (
            ResourceChange("Modify", "Table", "AWS::DynamoDB::Table", "True"),
            {"UpdateReplacePolicy": "Retain"},
            "replace",
            "",
        ),
        (ResourceChange("Modify", "Table", "AWS::DynamoDB::Table", "False"), {}, "change", ""),
    ],
)
def test_data_that_is_lost_is_called_so(
    change: ResourceChange, policies: dict[str, str], kind: str, loses: str
) -> None:
    """A table that goes or is made anew loses its items, unless a policy keeps the old one."""
    old = template(Table={**TABLE, **policies})
    new = template() if change.action == "Remove" else old
    plan = plan_of(old, new, [change])
    assert (plan.changes[0].kind, plan.changes[0].loses) == (kind, loses)
    assert bool(plan.losses) == bool(loses)


def test_only_what_is_new_is_called_new() -> None:
    """A permission that was there is not repeated, however the statements are cut; one that is gone is named too."""
    old = template(Role=role(allow(["dynamodb:GetItem", "dynamodb:Query"], "arn:aws:dynamodb:r:a:table/one")))
    new = template(
        Role=role(
            allow("dynamodb:GetItem", ["arn:aws:dynamodb:r:a:table/one", "arn:aws:dynamodb:r:a:table/two"]),
        )
    )
    plan = plan_of(old, new)
    assert [s.text for s in plan.allowed] == ["may GetItem (dynamodb) on table two"]
    assert [s.text for s in plan.revoked] == ["may Query (dynamodb) on table one"]


def test_actions_and_resources_that_go_together_are_one_sentence() -> None:
    """The same actions on several resources, and several actions on one, are not said again and again."""
    tables = [f"arn:aws:dynamodb:r:a:table/{name}" for name in ("b", "a")]
    assert said(template(Role=role(allow(["dynamodb:PutItem", "dynamodb:GetItem"], tables)))) == [
        "shop-dev-greeter: may GetItem, PutItem (dynamodb) on table a, b"
    ]


def test_conditions_and_denials_are_said() -> None:
    """What restricts a permission is part of its sentence, and what is denied is no permission."""
    via = {"StringEquals": {"kms:ViaService": {"Fn::Sub": "dynamodb.${AWS::Region}.amazonaws.com"}}}
    tls = {"Bool": {"aws:SecureTransport": "false"}}
    found = said(
        template(
            Role=role(
                allow("kms:Decrypt", "arn:aws:kms:r:a:key/k", Condition=via),
                {"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": tls},
            )
        )
    )
    assert found == [
        "shop-dev-greeter: may Decrypt (kms) on key k, only through dynamodb",
        "shop-dev-greeter: must not do anything (s3) on anything, when it does not come by TLS",
    ]


def test_policies_of_resources_trust_and_invocations_count_too() -> None:
    """Who may act as a role, send to a queue or invoke a function is found where it is said: not only in roles."""
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    everybody = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "sqs:SendMessage",
        "Resource": {"Fn::GetAtt": ["Queue", "Arn"]},
    }
    found = said(
        template(
            Queue=QUEUE,
            Role=resource("AWS::IAM::Role", RoleName="worker", AssumeRolePolicyDocument={"Statement": trust}),
            Open=resource("AWS::SQS::QueuePolicy", Queues=["q"], PolicyDocument={"Statement": [everybody]}),
            Attached=resource(
                "AWS::IAM::Policy",
                PolicyName="p",
                Roles=[{"Ref": "Role"}],
                PolicyDocument={"Statement": [allow("ses:SendEmail", "*")]},
            ),
            Invoke=resource(
                "AWS::Lambda::Permission",
                Action="lambda:InvokeFunction",
                FunctionName="shop-dev-api",
                Principal="apigateway.amazonaws.com",
            ),
        )
    )
    assert found == [
        "apigateway.amazonaws.com: may InvokeFunction (lambda) on shop-dev-api",
        "everybody: may SendMessage (sqs) on queue shop-dev-run-greeter",
        "lambda.amazonaws.com: may act as role worker",
        "worker: may SendEmail (ses) on anything",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ({"Ref": "AWS::Region"}, "REGION"),
        ({"Ref": "Queue"}, "shop-dev-run-greeter"),
        ({"Fn::GetAtt": ["Table", "Arn"]}, "arn:aws:dynamodb:REGION:ACCOUNT:table/shop-dev-agent_run"),
        ({"Fn::GetAtt": "Table.Arn"}, "arn:aws:dynamodb:REGION:ACCOUNT:table/shop-dev-agent_run"),
        ({"Fn::Join": ["-", ["a", {"Ref": "AWS::AccountId"}]]}, "a-ACCOUNT"),
        ({"Fn::Sub": "x-${AWS::Region}-${Queue}"}, "x-REGION-shop-dev-run-greeter"),
        ({"Fn::Sub": ["x-${own}", {"own": {"Ref": "Queue"}}]}, "x-shop-dev-run-greeter"),
        (None, ""),
        (False, "false"),
    ],
)
def test_references_are_read_as_names(value: Any, text: str) -> None:
    """Each way in which a template refers to something is resolved to what it is called."""
    assert Reading(template(Queue=QUEUE, Table=TABLE)).text(value) == text


def test_a_failure_is_the_first_cause_and_not_what_was_cancelled() -> None:
    """Of a failed deployment the resource that failed by itself comes first; those that were only cancelled are left out."""
    events = [
        StackEvent(
            "1",
            "Queue",
            "AWS::SQS::Queue",
            "CREATE_FAILED",
            "Queue already exists (Service: Sqs, Status Code: 400)",
        ),
        StackEvent("2", "Table", "AWS::DynamoDB::Table", "CREATE_FAILED", "Resource creation cancelled"),
        StackEvent(
            "3", "shop-dev", "AWS::CloudFormation::Stack", "ROLLBACK_IN_PROGRESS", "failed: [Queue, Table]"
        ),
    ]
    found = failures(events, template(Queue=QUEUE, Table=TABLE), "shop-dev")
    assert [(f.path, f.cause) for f in found] == [("Queues/run", "Queue already exists")]
    assert "something else has this name" in found[0].advice


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("User: x is not authorized to perform: iam:CreateRole", "permission"),
        (
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution",
            "concurren",
        ),
        ("LimitExceededException: too many roles", "quota"),
        ("something nobody has seen", "remit.toml"),
    ],
)
def test_what_to_do_follows_from_what_aws_says(reason: str, word: str) -> None:
    """Each known cause has its own advice, any other the general one."""
    assert word in advice(reason)


def test_the_emulator_needs_no_tls_and_keeps_nothing() -> None:
    """Denials of plain HTTP are dropped, with a policy that said only that; other denials and policies stay."""
    deny = {"Effect": "Deny", "Action": "s3:*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    other = {"Effect": "Deny", "Action": "s3:DeleteBucket"}
    made = adapted(
        template(
            Only=resource("AWS::S3::BucketPolicy", PolicyDocument={"Statement": [deny]}),
            Both=resource("AWS::SQS::QueuePolicy", PolicyDocument={"Statement": [deny, other]}),
            Bucket={**resource("AWS::S3::Bucket"), "DependsOn": ["Only", "Both"], "DeletionPolicy": "Retain"},
            Last={**resource("AWS::S3::Bucket"), "DependsOn": "Only"},
        )
    )["Resources"]
    assert "Only" not in made
    assert made["Both"]["Properties"]["PolicyDocument"]["Statement"] == [other]
    assert made["Bucket"]["DependsOn"] == ["Both"]
    assert made["Bucket"]["DeletionPolicy"] == "Delete"
    assert "DependsOn" not in made["Last"]
