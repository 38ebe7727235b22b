"""What the role of each agent's function is refused and allowed: tried with its rights, and told as a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from botocore.exceptions import ClientError
from tests.deploy.customer import OTHER_MODEL

ACCOUNT, REGION = "000000000000", "us-east-1"
REFUSALS = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError")
HELLO = [{"role": "user", "content": [{"text": "hello"}]}]


class Attempt(NamedTuple):
    """A call of AWS. `given` may name `{name}`, the deployment, `{own}`, the agent, and `{other}`, another one."""

    words: str
    service: str
    operation: str
    given: dict[str, Any]
    allowed: bool = False


ATTEMPTS = (
    Attempt("receive from its own run queue", "sqs", "receive_message",
            {"QueueUrl": "{queue}run-{own}", "WaitTimeSeconds": 0}, True),
    Attempt("read its own prefix of artifacts", "s3", "get_object", {"Bucket": "{bucket}", "Key": "agents/{own}/x"}, True),
    Attempt("receive from another agent's run queue", "sqs", "receive_message", {"QueueUrl": "{queue}run-{other}"}),
    Attempt("send to another agent's run queue", "sqs", "send_message", {"QueueUrl": "{queue}run-{other}", "MessageBody": "x"}),
    Attempt("ask a model that is not its own", "bedrock-runtime", "converse", {"modelId": OTHER_MODEL, "messages": HELLO}),
    Attempt("read a secret of the deployment", "secretsmanager", "get_secret_value", {"SecretId": "{name}/deployment/audit_key"}),
    Attempt("read the keys of callers", "dynamodb", "scan", {"TableName": "{name}-api_key"}),
    Attempt("change a definition of the registry", "dynamodb", "put_item", {"TableName": "{name}-definition_head", "Item": {}}),
    Attempt("remove an entry of a journal", "dynamodb", "delete_item",
            {"TableName": "{name}-journal", "Key": {"run_id": {"S": "r"}, "seq": {"N": "0"}}}),
    Attempt("read another agent's prefix of artifacts", "s3", "get_object", {"Bucket": "{bucket}", "Key": "agents/{other}/x"}),
    Attempt("write to the audit bucket", "s3", "put_object", {"Bucket": "{audit}", "Key": "journal/x", "Body": b""}),
    Attempt("call another agent's function", "lambda", "invoke", {"FunctionName": "{name}-agent-{other}"}),
    Attempt("list roles", "iam", "list_roles", {}),
)  # fmt: skip


def outcomes(
    client: Callable[[str, str], Any], endpoint: str, name: str, agents: Sequence[str]
) -> dict[str, list[str]]:
    """For each attempt the agents that were refused. `client(agent, service)` has the rights of the agent's function."""
    refused: dict[str, list[str]] = {attempt.words: [] for attempt in ATTEMPTS}
    for own in agents:
        other = "clerk" if own != "clerk" else "assistant"
        words = {
            "name": name, "own": own, "other": other, "queue": f"{endpoint}/{ACCOUNT}/{name}-",
            "bucket": f"{name}-artifacts-{ACCOUNT}-{REGION}", "audit": f"{name}-audit-{ACCOUNT}-{REGION}",
        }  # fmt: skip
        for attempt in ATTEMPTS:
            given = {k: v.format(**words) if isinstance(v, str) else v for k, v in attempt.given.items()}
            try:
                getattr(client(own, attempt.service), attempt.operation)(**given)
            except ClientError as error:
                if error.response["Error"]["Code"] in REFUSALS:
                    refused[attempt.words].append(own)
    return refused


def table(refused: dict[str, list[str]], agents: Sequence[str]) -> str:
    """The outcomes as a table of Markdown."""
    lines = [
        "| Attempt | " + " | ".join(f"`{agent}`" for agent in agents) + " |",
        "|---|" + "---|" * len(agents),
    ]
    for words, those in refused.items():
        cells = ("refused" if agent in those else "allowed" for agent in agents)
        lines.append(f"| {words} | {' | '.join(cells)} |")
    return "\n".join(lines)
