"""Runs documents on moto's interpreter. A program of its own: it lives in moto's venv, reads cases on stdin and writes what it saw.

moto's interpreter calls a JSONata engine that moto does not ship, and Lambda functions in Docker: both are put in its place
here. Waits and retry intervals are skipped.
"""

import io
import json
import logging
import sys
import threading
import time

import boto3
import jsonata
from moto import mock_aws
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction
from moto.stepfunctions.parser.asl.jsonata import jsonata as moto_jsonata
from moto.stepfunctions.parser.asl.parse.preprocessor import Preprocessor

REGION, ACCOUNT = "us-east-1", "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/differential"
PREFIXES = {
    "arn:aws:lambda:us-east-1:000000000000:": f"arn:aws:lambda:{REGION}:{ACCOUNT}:",
    "arn:aws:states:us-east-1:000000000000:": f"arn:aws:states:{REGION}:{ACCOUNT}:",
}
DEADLINE_S = 30.0


class Functions:
    """The client of Lambda that the interpreter is given. A function's name is `CASE--NAME`."""

    def __init__(self):
        self.answers = {}
        self.calls = {}
        self.lock = threading.Lock()

    def invoke(self, FunctionName, Payload=b"{}", **_):
        name = FunctionName.rpartition(":function:")[2]
        given = json.loads(Payload)
        answer = self._chosen(name, given)
        PAUSE(answer["slow_s"])
        if answer["error"]:
            failure = {"errorMessage": answer["cause"], "errorType": answer["error"]}
            return self._response(failure) | {"FunctionError": "Unhandled"}
        return self._response(given if answer["echo"] else answer["answer"])

    def _chosen(self, name, given):
        answers = self.answers[name]
        if any("when" in answer for answer in answers):
            fits = [a for a in answers if "when" in a and a["when"] == given]
            return (fits or [a for a in answers if "when" not in a])[0]
        with self.lock:
            turn = self.calls[name] = self.calls.get(name, -1) + 1
        return answers[min(turn, len(answers) - 1)]

    @staticmethod
    def _response(value):
        return {
            "StatusCode": 200,
            "ExecutedVersion": "$LATEST",
            "Payload": io.BytesIO(json.dumps(value).encode()),
        }


PAUSE = time.sleep
FUNCTIONS = Functions()


class Clock:
    """Stands where the retrier has `time`."""

    sleep = staticmethod(lambda _: None)


def evaluate(expression):
    try:
        return json.loads(json.dumps(jsonata.Jsonata(expression).evaluate(None)))
    except Exception as error:
        raise moto_jsonata.JSONataException("UNKNOWN", str(error)) from error


def prepare():
    real = lambda_eval_utils.boto_client_for
    lambda_eval_utils.boto_client_for = lambda **given: (
        FUNCTIONS if given["service"] == "lambda" else real(**given)
    )
    moto_jsonata._eval_jsonata = evaluate
    retrier_decl.time = Clock
    WaitFunction._wait_interval = lambda self, env, wait_seconds: None
    logging.disable(logging.CRITICAL)


def renamed(value, names):
    if isinstance(value, dict):
        return {key: renamed(member, names) for key, member in value.items()}
    if isinstance(value, list):
        return [renamed(member, names) for member in value]
    if not isinstance(value, str):
        return value
    value = names.get(value, value)
    for old, new in PREFIXES.items():
        if value.startswith(old):
            return new + value[len(old) :]
    return value


def start(client, at, case):
    Preprocessor._query_language_per_scope.clear()  # left behind by a document that was refused
    names = {}
    for name, answers in case["tasks"].items():
        FUNCTIONS.answers[f"{at}--{name}"] = answers
        names[f"arn:aws:lambda:us-east-1:000000000000:function:{name}"] = (
            f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{at}--{name}"
        )
        names[name] = f"{at}--{name}"
    s3 = boto3.client("s3", REGION, aws_access_key_id="x", aws_secret_access_key="x")
    for place, text in case["objects"].items():
        bucket, _, key = place.partition("/")
        names[bucket] = f"{bucket}-{at}"
        s3.create_bucket(Bucket=names[bucket])
        s3.put_object(Bucket=names[bucket], Key=key, Body=text.encode())
    for name in case["machines"]:
        names[f"arn:aws:states:us-east-1:000000000000:stateMachine:{name}"] = (
            f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{name}-{at}"
        )
    try:
        for name, document in case["machines"].items():
            create(client, f"{name}-{at}", renamed(document, names))
        machine = create(client, f"m-{at}", renamed(case["document"], names))
    except Exception as error:
        return None, {"error": "refused", "cause": str(error)}
    return client.start_execution(stateMachineArn=machine, input=json.dumps(case["input"]))[
        "executionArn"
    ], None


def create(client, name, document):
    return client.create_state_machine(name=name, definition=json.dumps(document), roleArn=ROLE)[
        "stateMachineArn"
    ]


def ended(client, execution, case):
    until = time.monotonic() + DEADLINE_S
    while (found := client.describe_execution(executionArn=execution))["status"] == "RUNNING":
        if time.monotonic() > until:
            return {"error": "never ends"}
        PAUSE(0.02)
    events = client.get_execution_history(executionArn=execution)["events"]
    entered = (
        event.get("stateEnteredEventDetails") for event in sorted(events, key=lambda event: event["id"])
    )
    seen = {"path": [details["name"] for details in entered if details]}
    if found["status"] == "SUCCEEDED":
        return seen | {"output": parsed(found.get("output", "null"), case["output"])}
    return seen | {"error": found.get("error") or found["status"], "cause": found.get("cause") or ""}


def parsed(output, wanted):
    """moto gives an output that is text without its quotes: `wanted` says whether `1` is a text."""
    try:
        return output if isinstance(wanted, str) else json.loads(output)
    except ValueError:
        return output


def main():
    answer, sys.stdout = sys.stdout, sys.stderr  # libraries print too
    prepare()
    cases = json.load(sys.stdin)
    seen = []
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        client = boto3.client("stepfunctions", REGION, aws_access_key_id="x", aws_secret_access_key="x")
        for at, case in enumerate(cases):
            execution, refused = start(client, at, case)
            seen.append(refused or ended(client, execution, case))
    answer.write(json.dumps(seen))
    answer.flush()


main()
