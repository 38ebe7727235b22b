"""Template 1: what is in it, by the names of the deployment, and how it is kept, watched and guarded."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.deploy.template.conftest import ROOT, Synthesise
from tests.deploy.template.sample import Template

from remit.adapters.store.dynamodb import schema
from remit.bootstrap.collections import COLLECTIONS
from remit.core.states.check import problems
from remit_deploy.constructs.collections import APPENDED

pytestmark = [pytest.mark.service, pytest.mark.slow]

NAME = "remit-prod"
IN_REGION = "123456789012-eu-west-1"
VARYING = (
    "AWS::ApiGateway::Deployment",
    "AWS::ApiGateway::Stage",
    "AWS::ApiGateway::UsagePlanKey",
    "AWS::Lambda::Permission",
)
KEY = "<Key961B73FD.Arn>"
AGENTS = ("assistant", "research", "checker", "flow", "default")
LINTERS = {
    "REMIT_TEST_CFN_LINT": ("-i", "W3005", "-t"),
    "REMIT_TEST_CHECKOV": ("--framework", "cloudformation", "--compact", "--quiet", "--skip-download", "-f"),
}
"""What is given to each, whose program the variable names."""

Linting = tuple[subprocess.Popen[bytes], Path]
"""A linter at work, and what it says."""

ALARMS = ROOT / "docs" / "explanation" / "alarms.md"
RESOURCES = ROOT / "docs" / "reference" / "aws-resources.md"


@pytest.fixture(scope="module")
def linting(full: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Linting]]:
    """The linters, begun with the first test and awaited by the last ones: each takes longer than all others together."""
    folder = tmp_path_factory.mktemp("linters")
    begun: dict[str, Linting] = {}
    for variable, arguments in LINTERS.items():
        if program := os.environ.get(variable, ""):
            said = folder / variable
            command = [program, *arguments, str(full.path)]
            with said.open("wb") as out:
                begun[variable] = (subprocess.Popen(command, stdout=out, stderr=out), said)
    yield begun
    for process, _ in begun.values():
        process.kill()
        process.wait()


@pytest.mark.usefixtures("linting")
def test_the_tables_are_those_of_the_store(full: Template) -> None:
    """Each with its exact name, keys and indexes, on demand, encrypted with our key, restorable, and protected in `prod`."""
    made = full.named("DynamoDB::Table", "TableName")
    wanted = {table.name: table for table in schema.tables(COLLECTIONS, NAME)}
    assert made.keys() == wanted.keys()
    for name, table in wanted.items():
        given, declared = made[name], table.create_table()
        for key in ("AttributeDefinitions", "KeySchema", "BillingMode"):
            assert given[key] == declared[key], name
        for key in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes"):
            assert given.get(key) == declared.get(key), name
        assert given["SSESpecification"] == {"KMSMasterKeyId": KEY, "SSEEnabled": True, "SSEType": "KMS"}
        assert given["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assert given["DeletionProtectionEnabled"] is True
        assert given.get("TimeToLiveSpecification", {}).get("AttributeName", "") == table.ttl
    assert {"remit-prod-agent_run", "remit-prod-validation_runs", "remit-prod-journal"} <= made.keys()


def test_data_outlives_the_stack_but_in_dev(full: Template, emulated: Template) -> None:
    """Tables and buckets stay when the stack of `prod` is deleted, but for the console's files, which come with Remit; of `dev` only
    what was audited stays."""
    for kind in ("DynamoDB::Table", "S3::Bucket", "KMS::Key", "SQS::Queue"):
        gone = [name for name, made in full.of(kind).items() if made["DeletionPolicy"] != "Retain"]
        assert [name.startswith("BucketsConsole") for name in gone] == [True] * (kind == "S3::Bucket")
    kept = [n for n, made in emulated.of("S3::Bucket").items() if made["DeletionPolicy"] == "Retain"]
    assert [name.startswith("BucketsAudit") for name in kept] == [True]
    assert {made["DeletionPolicy"] for made in emulated.of("DynamoDB::Table").values()} == {"Delete"}


def test_the_buckets_are_private_encrypted_and_versioned(full: Template) -> None:
    """Names with account and region; no public access, no ACLs; nothing without TLS 1.2; logs of who read what."""
    made = full.named("S3::Bucket", "BucketName")
    kinds = ("artifacts", "audit", "config", "tools", "logs", "console")
    assert made.keys() == {f"{NAME}-{kind}-{IN_REGION}" for kind in kinds}
    for name, given in made.items():
        assert set(given["PublicAccessBlockConfiguration"].values()) == {True}, name
        assert given["VersioningConfiguration"] == {"Status": "Enabled"}
        assert given["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
        assert given["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert given["LifecycleConfiguration"]["Rules"]
        assert ("LoggingConfiguration" in given) is (f"{NAME}-logs" not in name)
    audit = made[f"{NAME}-audit-{IN_REGION}"]["ObjectLockConfiguration"]
    assert audit["Rule"]["DefaultRetention"] == {"Days": 365, "Mode": "COMPLIANCE"}
    for policy in full.properties("S3::BucketPolicy"):
        denied = [s["Condition"] for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Deny"]
        assert {"Bool": {"aws:SecureTransport": "false"}} in denied
        assert {"NumericLessThan": {"s3:TlsVersion": 1.2}} in denied


def test_every_function_is_one_bundle_with_a_role_of_its_own(full: Template) -> None:
    """python3.13 on arm64, JSON logs in its own group, traces, variables encrypted, settings by name; `concurrency` is reserved."""
    made = full.named("Lambda::Function", "FunctionName")
    fixed = ("api", "chat", "tick", "react", "deliver", "inbound", "audit", "tool-price", "gate-sign")
    assert made.keys() == {f"{NAME}-{role}" for role in (*fixed, *(f"agent-{agent}" for agent in AGENTS))}
    assert len({given["Role"] for given in made.values()}) == len(made)
    assert len({json.dumps(given["Code"]) for given in made.values()}) == 1
    groups = full.named("Logs::LogGroup", "LogGroupName")
    for name, given in made.items():
        role = name.removeprefix(f"{NAME}-")
        assert (given["Runtime"], given["Architectures"]) == ("python3.13", ["arm64"])
        assert given["LoggingConfig"]["LogFormat"] == "JSON"
        assert (
            groups[f"/remit/{NAME}/{role}"] | {"RetentionInDays": 30, "KmsKeyId": KEY}
            == groups[f"/remit/{NAME}/{role}"]
        )
        assert given["TracingConfig"] == {"Mode": "Active"}
        assert given["KmsKeyArn"] == KEY
        handler = role if role in fixed[:7] else "advance"
        assert given["Handler"] == f"remit.functions.{handler}.handler"
        assert given.get("ReservedConcurrentExecutions") == (20 if role == "agent-assistant" else None)
        assert given["RecursiveLoop"] == (
            "Allow" if role.startswith("agent-") or role == "deliver" else "Terminate"
        )


def test_functions_find_everything_by_their_variables(full: Template) -> None:
    """The store, blobs, archive, bus, engine, secrets and guardrail of this deployment."""
    given = next(full.properties("Lambda::Function"))["Environment"]["Variables"]
    assert given["REMIT_DEPLOYMENT"] == NAME
    assert given["REMIT_STORE"] == f"dynamodb://{NAME}?create=no"
    assert given["REMIT_BLOBS"] == f"s3://{NAME}-artifacts-{IN_REGION}/blobs"
    assert given["REMIT_ARCHIVE"] == f"s3://{NAME}-audit-{IN_REGION}/journal"
    assert (given["REMIT_BUS"], given["REMIT_ENGINE"]) == ("aws+sns", "stepfunctions")
    assert given["REMIT_SECRETS"] == "secretsmanager"
    assert re.fullmatch(r"<\w+\.GuardrailId>:<\w+\.Version>", given["REMIT_GUARDRAIL"])
    assert given["REMIT_TENANT_CLAIM"] == "custom:tenant"
    assert given["REMIT_HOME"].startswith("/tmp/")


def test_queues_have_dead_letters_and_report_each_message(full: Template) -> None:
    """Each queue has a dead-letter queue with an alarm, is encrypted, and outwaits its function; batches fail by message."""
    queues = full.named("SQS::Queue", "QueueName")
    alarms = full.named("CloudWatch::Alarm", "AlarmName")
    working = {f"{NAME}-run-{agent}" for agent in AGENTS} | {f"{NAME}-deliveries.fifo", f"{NAME}-inbound"}
    for name in working:
        stem, dot, kind = name.partition(".")
        dead = f"{stem}-dead{dot}{kind}"
        assert queues[name]["RedrivePolicy"]["deadLetterTargetArn"]
        assert queues[dead]["MessageRetentionPeriod"] == 14 * 86_400
        assert f"{NAME}-dead-letters-{dead.removeprefix(f'{NAME}-').replace('.', '-')}" in alarms
    assert all(given["KmsMasterKeyId"] == KEY for given in queues.values())
    bus = queues[f"{NAME}-deliveries.fifo"]
    assert (bus["DeduplicationScope"], bus["FifoThroughputLimit"]) == ("messageGroup", "perMessageGroupId")
    assert queues[f"{NAME}-run-assistant"]["VisibilityTimeout"] == 330
    mappings = list(full.properties("Lambda::EventSourceMapping"))
    assert len(mappings) == len(working) + 3
    for mapping in mappings:
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    streams = [m for m in mappings if "StreamArn" in m["EventSourceArn"]]
    for mapping in streams:
        assert mapping["BisectBatchOnFunctionError"] is True
        assert mapping["DestinationConfig"]["OnFailure"]["Destination"]
    assert sum("FilterCriteria" in mapping for mapping in streams) == 1, (
        "a change of the journal must be seen, too"
    )


def test_streams_tell_old_and_new(full: Template) -> None:
    """Of run heads, of the journal, and of what lies ready on the bus."""
    made = full.named("DynamoDB::Table", "TableName")
    for collection in ("run_head", "journal", "bus_ready"):
        stream = made[f"{NAME}-{collection}"]["StreamSpecification"]
        assert stream == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert all("StreamSpecification" not in made[f"{NAME}-{name}"] for name in APPENDED if name != "journal")


def test_the_api_is_throttled_logged_and_asks_who_calls(full: Template) -> None:
    """A key and a quota, a user of the pool, TLS 1.2 at least, access logs, traces; a browser may ask what is allowed."""
    stage = full.named("ApiGateway::Stage", "StageName")["prod"]
    (settings,) = stage["MethodSettings"]
    assert (settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"]) == (10, 20)
    assert settings["DataTraceEnabled"] is False
    assert stage["TracingEnabled"] is True
    assert json.loads(stage["AccessLogSetting"]["Format"])["path"] == "$context.path"
    id, api = next(
        (id, made["Properties"])
        for id, made in full.of("ApiGateway::RestApi").items()
        if made["Properties"]["Name"] == NAME
    )
    for method in (m for m in full.properties("ApiGateway::Method") if m["RestApiId"] == f"<{id}>"):
        asked = method["HttpMethod"] != "OPTIONS"
        assert method.get("ApiKeyRequired", False) is asked
        assert method["AuthorizationType"] == ("COGNITO_USER_POOLS" if asked else "NONE")
    assert "TLS13_1_2" in api["SecurityPolicy"]
    plan = full.named("ApiGateway::UsagePlan", "UsagePlanName")[NAME]
    assert plan["Quota"] == {"Limit": 10_000, "Period": "DAY"}
    resources = full.properties("ApiGateway::Resource")
    paths = {given["PathPart"] for given in resources if given["RestApiId"] == f"<{id}>"}
    assert paths == {"chat", "{proxy+}"}


def test_users_cannot_choose_their_tenant(full: Template) -> None:
    """Only an administrator makes users; a user may write the address, and neither tenant nor roles."""
    (pool,) = full.properties("Cognito::UserPool")
    assert pool["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": True}
    (client,) = full.properties("Cognito::UserPoolClient")
    assert client["WriteAttributes"] == ["email"]
    assert {"custom:tenant", "custom:roles"} <= set(client["ReadAttributes"])


def test_the_firewall_stands_before_the_stage(full: Template) -> None:
    """AWS's managed rules and a limit by address; keys, tokens and cookies are kept from its log."""
    acl = full.named("WAFv2::WebACL", "Name")[NAME]
    names = {rule["Name"] for rule in acl["Rules"]}
    assert {"by-address", "AWSManagedRulesCommonRuleSet", "AWSManagedRulesKnownBadInputsRuleSet"} <= names
    for on in full.properties("WAFv2::WebACLAssociation"):
        assert "/stages/" in on["ResourceArn"]
    secret = {"authorization", "x-api-key", "cookie", "x-remit-csrf"}
    for log in full.properties("WAFv2::LoggingConfiguration"):
        assert {f["SingleHeader"]["Name"] for f in log["RedactedFields"]} == secret
    seen = [acl["VisibilityConfig"], *(rule["VisibilityConfig"] for rule in acl["Rules"])]
    assert not any(each["SampledRequestsEnabled"] for each in seen), "samples show every header"


def test_workflows_are_state_machines(full: Template) -> None:
    """Of the name that Remit starts them by; in order; logging without what agents are told; a role for its functions alone."""
    (machine,) = full.properties("StepFunctions::StateMachine")
    assert machine["StateMachineName"] == f"{NAME}-flow"
    document = json.loads(machine["DefinitionString"])
    assert problems(document) == []
    assert "{% '$' & '{not a placeholder}' %}" in machine["DefinitionString"]
    assert f"function:{NAME}-agent-research" in machine["DefinitionString"]
    assert machine["LoggingConfiguration"]["IncludeExecutionData"] is False
    ended = [r for r in full.properties("Events::Rule") if r["EventPattern"].get("source") == ["aws.states"]]
    assert len(ended) == 1


def test_what_comes_in_is_somebodys(full: Template) -> None:
    """A rule says the tenant, and never lets in what this deployment sent out; only these rules may fill the queue."""
    rules = full.named("Events::Rule", "Name")
    orders, uploads = rules[f"{NAME}-orders"], rules[f"{NAME}-uploads"]
    template = orders["Targets"][0]["InputTransformer"]["InputTemplate"]
    assert json.loads(template.replace("<aws.events.event.json>", "0")) == {"tenant_id": "acme", "event": 0}
    assert orders["EventPattern"]["detail"]["deployment"] == [{"anything-but": NAME}, {"exists": False}]
    assert '"trusted": true' in uploads["Targets"][0]["InputTransformer"]["InputTemplate"]
    assert "EventBusName" not in uploads
    assert all(rule["Targets"][0]["DeadLetterConfig"]["Arn"] for rule in rules.values())


def test_each_minute_a_tick(full: Template) -> None:
    """And each schedule of the configuration an event with an id of its own."""
    made = full.named("Scheduler::Schedule", "Name")
    assert made[f"{NAME}-tick"]["ScheduleExpression"] == "rate(1 minute)"
    sent = json.loads(made[f"{NAME}-nightly"]["Target"]["Input"])
    assert (sent["tenant_id"], sent["event"]["detail-type"]) == ("local", "night.began")
    assert sent["event"]["id"] == "<aws.scheduler.execution-id>"
    assert all(given["Target"]["DeadLetterConfig"]["Arn"] for given in made.values())


def test_every_alarm_tells_the_topic_and_is_explained(full: Template) -> None:
    """Each goes to the alerts; docs/explanation/alarms.md has a section for each kind, and for no other."""
    made = full.named("CloudWatch::Alarm", "AlarmName")
    (topic,) = [
        name for name, t in full.of("SNS::Topic").items() if t["Properties"]["TopicName"] == f"{NAME}-alerts"
    ]
    kinds = set()
    for name, given in made.items():
        assert given["AlarmActions"] == given["OKActions"] == [f"<{topic}>"]
        kind = given["AlarmDescription"].rpartition("#")[2]
        assert name == f"{NAME}-{kind}" or name.startswith(f"{NAME}-{kind}-")
        kinds.add(kind)
    explained = set(re.findall(r"^### ([a-z-]+)$", ALARMS.read_text(), re.M))
    assert kinds | {"budget"} == explained
    assert {
        f"{NAME}-errors-agent-assistant",
        f"{NAME}-duration-agent-assistant",
        f"{NAME}-approvals",
    } <= made.keys()
    assert made[f"{NAME}-duration-agent-assistant"]["Threshold"] == 240_000
    assert made[f"{NAME}-errors-agent-assistant"]["Threshold"] == 1


def test_the_budget_warns_at_80_and_100_percent(full: Template) -> None:
    """By the topic and by email."""
    (budget,) = full.properties("Budgets::Budget")
    told = budget["NotificationsWithSubscribers"]
    assert [n["Notification"]["Threshold"] for n in told] == [80, 100, 100]
    assert all({s["SubscriptionType"] for s in n["Subscribers"]} == {"SNS", "EMAIL"} for n in told)


def test_no_secret_has_a_value(full: Template) -> None:
    """What the functions share is made up by AWS; the rest is empty."""
    made = full.named("SecretsManager::Secret", "Name")
    assert made.keys() == {
        f"{NAME}/{path}"
        for path in (
            "local/jira_token",
            "acme/slack",
            "deployment/redaction_salt",
            "deployment/audit_key",
            "deployment/console_door",
        )
    }
    assert all("SecretString" not in given for given in made.values())
    made_up = {n for n, given in made.items() if "GenerateSecretString" in given}
    assert made_up == {name for name in made if name.startswith(f"{NAME}/deployment/")}


def test_everything_is_tagged_and_one_key_turns(full: Template) -> None:
    """By deployment and environment, and by the tags of the configuration."""
    (key,) = full.properties("KMS::Key")
    assert key["EnableKeyRotation"] is True
    for kind in ("DynamoDB::Table", "Lambda::Function", "S3::Bucket", "SQS::Queue", "KMS::Key"):
        for given in full.properties(kind):
            tags = {tag["Key"]: tag["Value"] for tag in given["Tags"]}
            assert (
                tags.items()
                >= {"remit:deployment": NAME, "remit:environment": "prod", "team": "support"}.items()
            )


def test_outputs_say_what_a_customer_needs(full: Template) -> None:
    """Where the API is, its key, who signs in where, and where things are."""
    wanted = {
        "ApiUrl",
        "ApiKeyId",
        "UserPoolId",
        "UserPoolClientId",
        "ConsoleUrl",
        "AlertsTopic",
        "AuditBucket",
    }
    assert wanted <= full.body["Outputs"].keys()
    assert "Parameters" not in full.body, "no bootstrap of the CDK is needed"


def test_the_template_fits(full: Template) -> None:
    """CloudFormation takes 1 MB and 500 resources."""
    assert full.path.stat().st_size < 1_000_000
    assert len(full.body["Resources"]) < 500


def test_the_emulator_goes_without_what_it_refuses_and_nothing_else(
    full: Template, emulated: Template
) -> None:
    """Types in `unsupported.LOST` and alarms that compute; everything else is the same."""
    listed, whole, there = _lost(), _comparable(full), _comparable(emulated)
    assert there <= whole
    for name, kind in whole - there:
        computes = "Metrics" in full.body["Resources"][name].get("Properties", {})
        assert kind in listed or (kind == "AWS::CloudWatch::Alarm" and computes), name
    assert not {kind for _, kind in there} & listed


def _comparable(template: Template) -> set[tuple[str, str]]:
    """Resources by logical id and type, without those whose id says the stage or what is in it."""
    found = {(name, made["Type"]) for name, made in template.body["Resources"].items()}
    return {(name, kind) for name, kind in found if kind not in VARYING}


def _lost() -> set[str]:
    text = (ROOT / "deploy" / "remit_deploy" / "constructs" / "unsupported.py").read_text()
    return set(re.findall(r'"(AWS::\w+::\w+)":', text))


def test_every_type_of_resource_is_in_the_reference(full: Template) -> None:
    """docs/reference/aws-resources.md names each, so that whoever must approve them can read what is made."""
    text = RESOURCES.read_text()
    kinds = {made["Type"] for made in full.body["Resources"].values()}
    assert [kind for kind in sorted(kinds) if f"`{kind}`" not in text] == []


@pytest.mark.nightly
def test_tokens_of_another_issuer_come_by_an_http_api(synthesise: Synthesise) -> None:
    """With its authorizer, throttled and logged, and without firewall; secrets in Parameter Store, workflows in Remit."""
    auth = {"kind": "jwt", "issuer": "https://id.example.com/", "audience": ["remit"]}
    made = synthesise("jwt", "--checks", auth=auth, waf=False, secrets_from="parameters", engine="local")
    (authorizer,) = made.properties("ApiGatewayV2::Authorizer")
    assert authorizer["JwtConfiguration"] == {"Audience": ["remit"], "Issuer": "https://id.example.com/"}
    assert all(r["AuthorizationType"] == "JWT" for r in made.properties("ApiGatewayV2::Route"))
    assert not made.of("WAFv2::WebACL")
    assert made.named("SecretsManager::Secret", "Name").keys() == {f"{NAME}/deployment/console_door"}
    assert len(made.of("ApiGateway::Account")) == 1, "the console's door writes a log too"
    assert not made.of("StepFunctions::StateMachine")


def test_configurations_that_cannot_be_are_refused(tmp_path: Path) -> None:
    """With a code, a sentence and what to do; nothing is written."""
    from remit_deploy import app

    file = tmp_path / "deploy.json"
    file.write_text(json.dumps({"bundle": str(tmp_path / "nowhere")}))
    assert app.main(["--config", str(file), "--out", str(tmp_path / "out")]) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("variable", LINTERS)
def test_linters_find_nothing(linting: dict[str, Linting], variable: str) -> None:
    """cfn-lint (but for redundant dependencies, which the CDK writes) and checkov; exceptions are argued in the template."""
    if variable not in linting:
        reason = 'no linters: eval "$(scripts/ci/linters.sh)"'
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    process, said = linting[variable]
    assert process.wait() == 0, said.read_text()[-6000:]
