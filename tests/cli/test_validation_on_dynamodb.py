"""The commands of the data-validation control plane against DynamoDB: nothing but the store's address is different."""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from tests.adapters.emulator import REGION, URL, emulated

from remit.cli.main import execute
from remit_packs.validation.demo import demo_files

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.service

Said = tuple[int, str, str]


@pytest.fixture
def remit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Said]:
    """Run a command in a folder with the example's files, over tables of DynamoDB that are made on first use."""
    for name in [n for n in os.environ if n.startswith(("REMIT_", "OTEL_"))] + ["NO_COLOR"]:
        monkeypatch.delenv(name, raising=False)
    emulated(monkeypatch)
    monkeypatch.setenv("AWS_ENDPOINT_URL", URL)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("REMIT_STORE", f"dynamodb://t{secrets.token_hex(4)}")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    demo_files(tmp_path)
    os.symlink(ROOT / "examples", "examples")

    def call(*arguments: str) -> Said:
        code = execute(arguments)
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def documents(said: Said) -> Any:
    assert said[0] == 0, said[2]
    return json.loads(said[1])


def inbox(topic: str) -> Callable[[], list[dict[str, Any]]]:
    """A topic with a queue that takes what is published to it."""
    sns, sqs = (boto3.client(each, endpoint_url=URL, region_name=REGION) for each in ("sns", "sqs"))
    arn = sns.create_topic(Name=topic)["TopicArn"]
    url = sqs.create_queue(QueueName=topic)["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue, Attributes={"RawMessageDelivery": "true"})

    def read() -> list[dict[str, Any]]:
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        return [json.loads(each["Body"]) for each in found.get("Messages", [])]

    read.arn = arn  # type: ignore[attr-defined]
    return read


def test_files_become_tables_types_and_rules_once(remit: Callable[..., Said]) -> None:
    """A dry run prints the diff and writes nothing; applied twice, the second time changes nothing (V10)."""
    code, out, err = remit("apply", "-f", "examples/validation", "--dry-run")
    assert code == 0, err
    assert "+ create" in out
    assert documents(remit("tables", "list", "--json"))["items"] == []
    assert documents(remit("apply", "-f", "examples/validation", "--json"))["changes"] > 0
    assert documents(remit("apply", "-f", "examples/validation", "--json"))["changes"] == 0


def test_rules_are_checked_told_changed_and_rolled_back(remit: Callable[..., Said]) -> None:
    """The same verdicts as on SQLite, one message in SNS, the scorecard, and a rule's versions (V3 to V7, V9, V11)."""
    read = inbox(f"t{secrets.token_hex(4)}")
    assert remit("apply", "-f", "examples/validation")[0] == 0
    code, _, err = remit("notifiers", "add", "team", "sns", read.arn)  # type: ignore[attr-defined]
    assert code == 0, err
    code, out, err = remit("validate", "run", "orders_warehouse")
    assert code == 1, err
    found = {
        name: status for status, name in re.findall(r"^(\w+) +orders_warehouse +(\S+) ", out, re.MULTILINE)
    }
    failed = {"orders-amount", "orders-customer", "orders-rows", "orders-status"}
    assert {name for name, status in found.items() if status == "FAILED"} == failed
    assert {name for name, status in found.items() if status == "PASSED"} == {"orders-count", "orders-key"}
    ten = documents(remit("validations", "runs", "--table", "orders_warehouse", "--limit", "10", "--json"))
    assert len(ten["items"]) == 6
    (message,) = read()
    assert "orders_warehouse" in json.dumps(message)
    assert documents(remit("scorecard", "orders_warehouse", "--json"))["tables"][0]["failing"]
    assert remit("validations", "disable", "orders-rows", "--why", "known")[0] == 0
    history = documents(remit("validations", "history", "orders-count", "--json"))["items"]
    assert [each["version"] for each in history] == [1]
