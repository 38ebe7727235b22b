"""Step Functions of the AWS emulator: the machine of 20 states, without calls and with a Lambda function.

Usage: python -m benchmarks.workflows.stepfunctions_peer [--quick], while `scripts/ci/ministack.sh` serves at
REMIT_TEST_MINISTACK. The emulator keeps executions in memory: nothing here is durable. It says nothing of the speed of AWS.
"""

from __future__ import annotations

import base64
import http.client
import io
import json
import os
import secrets
import statistics
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from benchmarks.common.measure import Json, at_once, emit, options, sample, spread_ms
from benchmarks.workflows import machines
from benchmarks.workflows.machines import ADDS, STATES

ACCOUNT = "000000000043"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/bench"
THREADS = 16
CODE = "def handler(event, context):\n    return {'n': event['n'] + 1}\n"


class Client:
    """One kept connection to the emulator, which checks no signature."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=120)

    def call(self, service: str, method: str, path: str, body: Any, target: str = "") -> Any:
        """The answer's JSON. Raises RuntimeError when the call is refused."""
        scope = f"{ACCOUNT}/20260101/us-east-1/{service}/aws4_request"
        headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
            **({"X-Amz-Target": f"AWSStepFunctions.{target}"} if target else {}),
        }
        self._connection.request(method, path, json.dumps(body), headers)
        response = self._connection.getresponse()
        text = response.read()
        if response.status >= 400:
            raise RuntimeError(text.decode()[:500])
        return json.loads(text)

    def states(self, action: str, **members: Any) -> Any:
        """A call of Step Functions."""
        return self.call("states", "POST", "/", members, action)


def machine(client: Client, document: Json, kind: str) -> str:
    """The ARN of a new state machine."""
    made: str = client.states(
        "CreateStateMachine",
        name=f"bench-{secrets.token_hex(4)}",
        definition=json.dumps(document),
        roleArn=ROLE,
        type=kind,
    )["stateMachineArn"]
    return made


def function(client: Client) -> str:
    """The ARN of a new function that adds one."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("add.py", CODE)
    body = {
        "FunctionName": f"add-{secrets.token_hex(4)}",
        "Runtime": "python3.13",
        "Handler": "add.handler",
        "Role": ROLE,
        "Timeout": 30,
        "Code": {"ZipFile": base64.b64encode(packed.getvalue()).decode()},
    }
    made: str = client.call("lambda", "POST", "/2015-03-31/functions", body)["FunctionArn"]
    return made


def start(client: Client, arn: str) -> str:
    """The ARN of a new execution."""
    made: str = client.states("StartExecution", stateMachineArn=arn, input='{"n": 0}')["executionArn"]
    return made


def wait(client: Client, execution: str) -> None:
    """Until an execution has ended, and ended well."""
    while True:
        found = client.states("DescribeExecution", executionArn=execution)
        if found["status"] != "RUNNING":
            assert json.loads(found["output"]) == {"n": ADDS}, found
            return
        time.sleep(0.001)


def standard(url: str, document: Json, runs: int, width: int, batches: int) -> Json:
    """Executions one after another, and many at once."""
    client = Client(url)
    arn = machine(client, document, "STANDARD")
    alone = sample(lambda: wait(client, start(client, arn)), runs)
    clients = [Client(url) for _ in range(THREADS)]

    def some(place: int) -> None:
        mine = clients[place]
        for execution in [start(mine, arn) for _ in range(place, width, THREADS)]:
            wait(mine, execution)

    def batch() -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(some, range(THREADS)))

    return figures(alone, sample(batch, batches, 1), width)


def figures(alone: list[float], together: list[float], width: int) -> Json:
    """Transitions a second and milliseconds each, alone and at once."""
    return {
        "transition_ms": spread_ms(alone, STATES),
        "transitions_per_second": round(STATES / statistics.median(alone), 1),
        "at_once": at_once(together, width, STATES),
    }


def documents(url: str) -> Iterator[tuple[str, Json]]:
    """The machine without calls, and with a function."""
    yield "pass", machines.adding(machines.PASS)
    yield "lambda", machines.adding(machines.task(function(Client(url))))


def measure(quick: bool) -> Json:
    """All figures."""
    url = os.environ["REMIT_TEST_MINISTACK"]
    runs, width, batches = (2, 10, 1) if quick else (20, 100, 3)
    found = {name: standard(url, document, runs, width, batches) for name, document in documents(url)}
    return {
        "peer": "stepfunctions emulator",
        "durable": found,
        "notes": ["executions are in memory: nothing is durable; start and poll over HTTP"],
    }


if __name__ == "__main__":
    quick = options(__doc__).quick
    emit(lambda: measure(quick))
