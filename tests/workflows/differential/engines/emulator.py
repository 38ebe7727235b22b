"""The emulator's Step Functions over HTTP. Tasks are Lambda functions: a small bootstrap that answers as the case says.

The custom runtime is used since only there the emulator passes on the name of an error that a function raised.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import secrets
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import msgspec
from tests.workflows.differential.cases import FUNCTION, MACHINE, REFUSED, Answer, Case, Seen, renamed

ACCOUNT = "000000000042"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/differential"
BATCH = 60
DEADLINE_S = 60.0
BOOTSTRAP = Path(__file__).parent / "bootstrap.py"


class Refused(Exception):
    """The emulator refused a call."""


class Emulator:
    def __init__(self, url: str) -> None:
        self._url = url
        # names are new in each run: an emulator that lives on keeps the code of functions
        self._run = secrets.token_hex(3)

    async def run(self, cases: Sequence[Case]) -> list[Seen]:
        """What it makes of each case. Executions of a batch run side by side."""
        async with httpx.AsyncClient(base_url=self._url, timeout=30) as client:
            seen: list[Seen] = []
            for start in range(0, len(cases), BATCH):
                batch = cases[start : start + BATCH]
                tasks = [
                    self._case(client, f"{self._run}-{start + at}", case) for at, case in enumerate(batch)
                ]
                seen += await asyncio.gather(*tasks)
            return seen

    async def _case(self, client: httpx.AsyncClient, tag: str, case: Case) -> Seen:
        names: dict[str, str] = {}
        functions = [f"f-{tag}-{at}" for at in range(len(case.tasks))]
        for name, function in zip(case.tasks, functions, strict=True):
            names[FUNCTION + name] = _arn("lambda", f"function:{function}")
            names[name] = function
        for name in case.machines:
            names[MACHINE + name] = _arn("states", f"stateMachine:{name}-{tag}")
        for bucket in {place.partition("/")[0] for place in case.objects}:
            names[bucket] = f"{bucket}-{tag}"
            await _put(client, f"/{bucket}-{tag}", "")
        for place, text in case.objects.items():
            bucket, _, key = place.partition("/")
            await _put(client, f"/{bucket}-{tag}/{key}", text)
        try:
            for answers, function in zip(case.tasks.values(), functions, strict=True):
                await _create_function(client, function, answers)
            for name, document in case.machines.items():
                await _create_machine(client, f"{name}-{tag}", renamed(document, names))
            machine = await _create_machine(client, f"m-{tag}", renamed(case.document, names))
        except Refused as error:
            return Seen(error=REFUSED, cause=str(error))
        execution = await _states(
            client, "StartExecution", stateMachineArn=machine, input=json.dumps(case.input)
        )
        seen = await _ended(client, execution["executionArn"])
        for function in functions:
            await client.delete(f"/2015-03-31/functions/{function}", headers=_headers("lambda"))
        return seen


async def _ended(client: httpx.AsyncClient, execution: str) -> Seen:
    pause = 0.2
    async with asyncio.timeout(DEADLINE_S):
        while True:
            await asyncio.sleep(pause)
            found = await _states(client, "DescribeExecution", executionArn=execution)
            if found["status"] != "RUNNING":
                break
            pause = min(pause * 1.5, 1.0)
    path = await _path(client, execution)
    if found["status"] == "SUCCEEDED":
        return Seen(json.loads(found["output"]), path=path)
    return Seen(error=found.get("error", found["status"]), cause=found.get("cause", ""), path=path)


async def _path(client: httpx.AsyncClient, execution: str) -> list[str]:
    path: list[str] = []
    page: dict[str, Any] = {}
    while True:
        history = await _states(
            client, "GetExecutionHistory", executionArn=execution, maxResults=1000, **page
        )
        entered = (event.get("stateEnteredEventDetails") for event in history["events"])
        path += [details["name"] for details in entered if details]
        if "nextToken" not in history:
            return path
        page = {"nextToken": history["nextToken"]}


async def _create_machine(client: httpx.AsyncClient, name: str, document: dict[str, Any]) -> str:
    made = await _states(
        client, "CreateStateMachine", name=name, definition=json.dumps(document), roleArn=ROLE
    )
    arn: str = made["stateMachineArn"]
    return arn


async def _create_function(client: httpx.AsyncClient, name: str, answers: list[Answer]) -> None:
    body = {
        "FunctionName": name,
        "Runtime": "provided.al2023",
        "Handler": "bootstrap",
        "Role": ROLE,
        "Timeout": 30,
        "Code": {"ZipFile": base64.b64encode(_code(name, answers)).decode()},
    }
    response = await client.post("/2015-03-31/functions", json=body, headers=_headers("lambda"))
    if response.status_code >= 400:
        raise Refused(response.text)


def _code(name: str, answers: list[Answer]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        bootstrap = zipfile.ZipInfo("bootstrap")
        bootstrap.external_attr = 0o755 << 16
        archive.writestr(bootstrap, f"#!{sys.executable} -IS\n{BOOTSTRAP.read_text()}")
        archive.writestr("answers.json", msgspec.json.encode(answers))
        archive.writestr("name", name)
    return packed.getvalue()


async def _put(client: httpx.AsyncClient, path: str, text: str) -> None:
    """Make a bucket, or an object in one."""
    response = await client.put(
        path, content=text.encode(), headers=_headers("s3") | {"Content-Type": "text/plain"}
    )
    if response.status_code >= 400:
        raise Refused(response.text)


async def _states(client: httpx.AsyncClient, action: str, **members: Any) -> dict[str, Any]:
    headers = _headers("states") | {"X-Amz-Target": f"AWSStepFunctions.{action}"}
    response = await client.post("/", content=json.dumps(members), headers=headers)
    if response.status_code >= 400:
        raise Refused(response.text)
    answer: dict[str, Any] = response.json()
    return answer


def _headers(service: str) -> dict[str, str]:
    """The account is in the credential's scope; the emulator checks no signature."""
    scope = f"{ACCOUNT}/20260101/us-east-1/{service}/aws4_request"
    return {
        "Content-Type": "application/x-amz-json-1.0",
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
    }


def _arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:us-east-1:{ACCOUNT}:{resource}"
