"""The allowances that roles are made of, one function a kind of thing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from remit.adapters.model.bedrock import inference_profile
from remit_deploy.constructs.allow import GUARDRAIL, KEY, Allow
from remit_deploy.names import ACCOUNT, PARTITION, REGION, Names

READ = ("dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query")
"""By key and by index. Nobody may scan."""

APPEND = (*READ, "dynamodb:PutItem", "dynamodb:ConditionCheckItem")
WRITE = (*APPEND, "dynamodb:DeleteItem")
SERVICES_OF_KEY = ("dynamodb", "sqs", "s3", "sns", "secretsmanager", "ssm", "events", "lambda", "bedrock")


def logs(names: Names, role: str) -> Allow:
    """To write its own log."""
    group = f"arn:{PARTITION}:logs:{REGION}:{ACCOUNT}:log-group:{names.log_group(role)}:*"
    return Allow(
        ("logs:CreateLogStream", "logs:PutLogEvents"), (group,), why="streams of its own log group only"
    )


def traces() -> Allow:
    """To send what X-Ray shows."""
    return Allow(
        ("xray:PutTraceSegments", "xray:PutTelemetryRecords"), ("*",), why="X-Ray knows no resource of these"
    )


def network() -> Allow:
    """To be in a VPC at all: for Lambda itself, whose calls name no function as their source, as those of the code do."""
    actions = (
        "ec2:CreateNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:DeleteNetworkInterface",
        "ec2:AssignPrivateIpAddresses",
        "ec2:UnassignPrivateIpAddresses",
    )
    return Allow(
        actions,
        ("*",),
        {"Null": {"lambda:SourceFunctionArn": "true"}},
        "Lambda makes its network interfaces under this role, and asks for them on `*`",
    )


def key() -> Allow:
    """To use the deployment's key, and only through the services that keep our data."""
    via = [f"{service}.{REGION}.amazonaws.com" for service in SERVICES_OF_KEY]
    return Allow(
        ("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:DescribeKey"),
        (KEY,),
        {"StringEquals": {"kms:ViaService": via}},
    )


def tables(names: Names, actions: tuple[str, ...], tables: Mapping[str, bool]) -> Allow:
    """To use the items of tables and of their indexes. `tables`: full name -> whether it has indexes."""
    found: list[str] = []
    for table, indexed in tables.items():
        arn = names.table_arn(table)
        found += [arn, f"{arn}/index/*"] if indexed else [arn]
    return Allow(actions, tuple(found), why="the indexes of a table that is allowed")


def every_table(names: Names) -> Allow:
    """To read whatever the deployment keeps."""
    arn = names.table_arn(names.table("*"))
    return Allow(
        READ, (arn, f"{arn}/index/*"), why="it serves every collection of the deployment, and of no other"
    )


def stream(names: Names, table: str) -> Allow:
    """To follow a table's stream."""
    arn = f"{names.table_arn(table)}/stream/*"
    actions = ("dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream")
    return Allow(actions, (arn,), why="a stream's ARN ends with the time it was made")


def receive(names: Names, queue: str) -> Allow:
    """To take messages from a queue and settle them."""
    actions = (
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:ChangeMessageVisibility",
        "sqs:GetQueueAttributes",
        "sqs:GetQueueUrl",
    )
    return Allow(actions, (names.queue_arn(queue),))


def send(names: Names, queues: Iterable[str]) -> Allow:
    """To put messages into queues."""
    arns = tuple(names.queue_arn(queue) for queue in queues)
    return Allow(
        ("sqs:SendMessage", "sqs:GetQueueUrl"), arns, why="every run queue of the deployment, and no other"
    )


def objects(
    names: Names, bucket: str, prefixes: Iterable[str], *, write: bool = True, erase: bool = False
) -> Allow:
    """To read, to write, and to erase if that is wanted, the objects under prefixes."""
    actions = (
        "s3:GetObject",
        *(("s3:PutObject",) if write else ()),
        *(("s3:DeleteObject",) if erase else ()),
    )
    arns = tuple(names.bucket_arn(bucket, f"{prefix.strip('/')}/*".lstrip("/")) for prefix in prefixes)
    return Allow(actions, arns, why="objects under its own prefixes: their names are not known before")


def versions(names: Names, bucket: str, prefix: str) -> list[Allow]:
    """To read every version of what was ever written under a prefix."""
    return [
        Allow(
            ("s3:ListBucketVersions",),
            (names.bucket_arn(bucket),),
            {"StringLike": {"s3:prefix": f"{prefix}/*"}},
        ),
        Allow(
            ("s3:GetObjectVersion",),
            (names.bucket_arn(bucket, f"{prefix}/*"),),
            why="objects under its own prefixes: their names are not known before",
        ),
    ]


def secrets(names: Names, paths: Iterable[str], source: str) -> Allow:
    """To read secrets: `name` of any tenant, or `tenant/name`."""
    full = [path if "/" in path else f"*/{path}" for path in paths]
    if source == "parameters":
        return Allow(
            ("ssm:GetParameter",), tuple(map(names.parameter_arn, full)), why="this secret of each tenant"
        )
    return Allow(
        ("secretsmanager:GetSecretValue",),
        tuple(map(names.secret_arn, full)),
        why="this secret of each tenant; AWS ends the ARN with six characters of its own",
    )


def models(ids: Iterable[str], region: str) -> list[Allow]:
    """To ask models: in this region, or through the cross-region profile of its geography and by that way only."""
    actions = ("bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream")
    made: list[Allow] = []
    for model in ids:
        if model.startswith("arn:"):
            made.append(Allow(actions, (model,)))
            continue
        profile = inference_profile(model, region)
        geography, _, bare = profile.partition(".")
        if geography not in ("us", "eu", "apac", "jp", "au", "us-gov", "global"):
            made.append(Allow(actions, (f"arn:{PARTITION}:bedrock:{REGION}::foundation-model/{profile}",)))
            continue
        arn = f"arn:{PARTITION}:bedrock:{REGION}:{ACCOUNT}:inference-profile/{profile}"
        made.append(Allow(actions, (arn,)))
        made.append(
            Allow(
                actions,
                (f"arn:{PARTITION}:bedrock:*::foundation-model/{bare}",),
                {"StringEquals": {"bedrock:InferenceProfileArn": arn}},
                "the regions that this cross-region profile sends to, under that profile only",
            )
        )
    return made


def guardrail() -> Allow:
    """To have what goes to models and comes from them checked."""
    return Allow(("bedrock:ApplyGuardrail",), (GUARDRAIL,))


def mail(sender: str) -> Allow:
    """To send as one address, verified by itself or by its domain."""
    identity = f"arn:{PARTITION}:ses:{REGION}:{ACCOUNT}:identity/"
    arns = (identity + sender, identity + sender.partition("@")[2])
    return Allow(("ses:SendEmail", "ses:SendRawEmail"), arns, {"StringEquals": {"ses:FromAddress": sender}})


def machines(names: Names, workflows: Iterable[str]) -> list[Allow]:
    """To start workflows, to watch and stop their executions, and to answer their tasks."""
    workflows = tuple(workflows)
    actions = (
        "states:StartExecution",
        "states:DescribeStateMachine",
        "states:SendTaskSuccess",
        "states:SendTaskFailure",
        "states:SendTaskHeartbeat",
    )
    return [
        Allow(actions, tuple(map(names.machine_arn, workflows))),
        Allow(
            ("states:DescribeExecution", "states:GetExecutionHistory", "states:StopExecution"),
            tuple(arn for name in workflows for arn in names.execution_arns(name)),
            why="executions of these workflows: their names are not known before",
        ),
        Allow(
            ("states:DescribeMapRun",),
            tuple(map(names.map_run_arn, workflows)),
            why="what a distributed Map of these workflows starts: its names are not known before",
        ),
    ]


def know_machines(names: Names, workflows: Iterable[str]) -> Allow:
    """To see whether a workflow has a state machine."""
    return Allow(("states:DescribeStateMachine",), tuple(map(names.machine_arn, workflows)))


def put_events(names: Names) -> Allow:
    """To publish on the deployment's bus."""
    return Allow(("events:PutEvents",), (names.bus_arn,))


def publish_events(names: Names) -> Allow:
    """To publish on the topic for consumers outside."""
    return Allow(("sns:Publish",), (names.topic_arn("events.fifo"),))


def notify(names: Names) -> Allow:
    """To publish on the topic of alarms and notifications."""
    return Allow(("sns:Publish",), (names.topic_arn("alerts"),))
