"""Compiled documents on the emulator's Step Functions, with Lambda functions that open Remit's envelope."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from typing import Any
from uuid import uuid4

import pytest
from tests.core.states.compiled_flows import FLOWS, INNER, INPUT, PATH_FLOWS, broken, double, followed
from tests.workflows.differential.services import emulator_url

from remit.core.states.arns import Bindings
from remit.core.states.compile import compile_for_stepfunctions
from remit.testing.workflows import run_document

pytestmark = pytest.mark.service

ROLE = "arn:aws:iam::000000000000:role/flows"
CODE = """
def handler(event, context):
    assert set(event) == {"remit", "input"} and event["remit"]["execution"] and event["remit"]["entered"], event
    print("called")  # the emulator answers sooner to a handler that logs
    return {"n": event["input"]["n"] * 2}
"""
GAPS = {
    "remit:tool:broken": "the emulator names every error of a handler Runtime.HandlerError",
    "Assign": "the emulator evaluates Assign in JSONPath against another value than the result",
}


class Aws:
    """The emulator, with functions and machines under a prefix of this test's own."""

    def __init__(self, url: str) -> None:
        boto3 = pytest.importorskip("boto3")
        given = {
            "endpoint_url": url,
            "aws_access_key_id": "test",
            "aws_secret_access_key": "test",
            "region_name": "us-east-1",
        }
        self.functions, self.machines = (
            boto3.client("lambda", **given),
            boto3.client("stepfunctions", **given),
        )
        self.prefix = f"r{uuid4().hex[:8]}"
        self.bindings = Bindings(
            partition="aws", region="us-east-1", account="000000000000", prefix=self.prefix
        )

    def function(self, name: str, code: str) -> None:
        """A Lambda function of this code."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as file:
            file.writestr("main.py", code)
        self.functions.create_function(
            FunctionName=f"{self.prefix}-tool-{name}",
            Runtime="python3.12",
            Role=ROLE,
            Handler="main.handler",
            Code={"ZipFile": packed.getvalue()},
        )

    def machine(self, name: str, document: dict[str, Any]) -> str:
        """The ARN of a state machine of the compiled document."""
        made = compile_for_stepfunctions(document, self.bindings, name)
        assert made.problems == ()
        definition = json.dumps(made.document)
        created = self.machines.create_state_machine(
            name=f"{self.prefix}-{name}", definition=definition, roleArn=ROLE
        )
        return str(created["stateMachineArn"])

    async def run(self, machine: str, given: Any) -> dict[str, Any]:
        """How an execution ended."""
        arn = self.machines.start_execution(stateMachineArn=machine, input=json.dumps(given))["executionArn"]
        async with asyncio.timeout(60):
            while True:
                told: dict[str, Any] = self.machines.describe_execution(executionArn=arn)
                if told["status"] != "RUNNING":
                    return told
                await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
def aws() -> Aws:
    """The emulator with what the documents call."""
    made = Aws(emulator_url())
    made.function("double", CODE)
    made.machine("inner", INNER)
    return made


@pytest.mark.parametrize(
    ("language", "state"), [("JSONata", s) for s in FLOWS] + [("JSONPath", s) for s in PATH_FLOWS]
)
async def test_step_functions_gives_the_same_output(aws: Aws, language: str, state: dict[str, Any]) -> None:
    """What the interpreter gives for the document, Step Functions gives for the compiled one."""
    if state["Resource"] in GAPS or (language == "JSONPath" and "Assign" in state):
        pytest.skip(GAPS.get(state["Resource"], GAPS["Assign"]))
    document = followed(language, state)
    here = await run_document(
        document, INPUT, {"double": double, "broken": broken}, workflows={"inner": INNER}
    )
    there = await aws.run(aws.machine(uuid4().hex[:12], document), INPUT)
    assert here.status == there["status"] == "SUCCEEDED", there
    assert json.loads(there["output"]) == here.output
