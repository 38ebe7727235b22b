"""The API of Step Functions as its documentation has it, moved by hand: a test says which state is entered and which call is made.

It answers over HTTP like AWS: tokens of each call are new, an answer to a call that is over is `TaskTimedOut`, a history names
the event before each on its path. `faults` are answered first: a status and a code for one request each.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

from remit.core.times import rfc3339

WHO = """<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>arn:aws:sts::123456789012:assumed-role/remit/session</Arn><UserId>U</UserId><Account>123456789012</Account>
</GetCallerIdentityResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></GetCallerIdentityResponse>"""


class Execution:
    """One execution: its history, and the tokens of the calls that it waits for."""

    def __init__(self, arn: str, input: str) -> None:
        self.arn, self.input = arn, input
        self.status, self.output, self.error, self.cause = "RUNNING", "", "", ""
        self.events: list[dict[str, Any]] = []
        self.tokens: dict[str, Any] = {}
        self.add("ExecutionStarted", "executionStarted", previous=0)

    def add(self, kind: str, key: str, *, previous: int | None = None, **details: Any) -> int:
        """One more event of the history; by default it follows the last one."""
        place = len(self.events) + 1
        event: dict[str, Any] = {
            "id": place,
            "type": kind,
            "timestamp": int(time.time() * 1000) / 1000,
            "previousEventId": place - 1 if previous is None else previous,
        }
        if details:
            event[f"{key}EventDetails"] = details
        self.events.append(event)
        return place

    def enter(self, state: str, kind: str = "Task", input: Any = None, previous: int | None = None) -> int:
        """Enter a state."""
        given = json.dumps(input)
        return self.add(f"{kind}StateEntered", "stateEntered", previous=previous, name=state, input=given)

    def leave(self, state: str, kind: str = "Task", output: Any = None, previous: int | None = None) -> int:
        """Leave a state."""
        given = json.dumps(output)
        return self.add(f"{kind}StateExited", "stateExited", previous=previous, name=state, output=given)

    def call(
        self, state: str, kind: str, name: str, input: Any, *, entered: int, retry: int = 0
    ) -> dict[str, Any]:
        """What the function of a Task is given: with a token of its own."""
        token = f"token-{uuid4().hex}"
        self.tokens[token] = None
        self.add("TaskScheduled", "taskScheduled", resourceType="lambda", resource="invoke")
        at = rfc3339(round(self.events[entered - 1]["timestamp"] * 1000))
        about = {
            "kind": kind,
            "name": name,
            "alias": "",
            "execution": self.arn,
            "state": state,
            "entered": at,
        }
        return {"remit": {**about, "retry": retry, "task_token": token}, "input": input}

    def end(self, output: Any) -> None:
        """Succeed."""
        self.status, self.output = "SUCCEEDED", json.dumps(output)
        self.add("ExecutionSucceeded", "executionSucceeded", output=self.output)

    def fail(self, error: str, cause: str) -> None:
        """Fail."""
        self.status, self.error, self.cause = "FAILED", error, cause
        self.add("ExecutionFailed", "executionFailed", error=error, cause=cause)


class StatesServer:
    """The service. `definitions` are documents by the ARN of their machine."""

    def __init__(self) -> None:
        self.definitions: dict[str, Mapping[str, Any]] = {}
        self.executions: dict[str, Execution] = {}
        self.answers: list[tuple[str, str, Any]] = []
        self.faults: list[tuple[str, int, str]] = []
        self.asked: list[str] = []
        self.beats: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, answer = server.serve(self.headers.get("X-Amz-Target", ""), body)
                data = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header(
                    "Content-Type", "text/xml" if isinstance(answer, str) else "application/x-amz-json-1.0"
                )
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args: Any) -> None:
                """Silence."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop."""
        self._http.shutdown()
        self._http.server_close()

    def serve(self, target: str, body: bytes) -> tuple[int, Any]:
        """The answer to a request."""
        if not target:
            return 200, WHO
        action = target.partition(".")[2]
        self.asked.append(action)
        for fault in self.faults:
            if fault[0] == action:
                self.faults.remove(fault)
                return fault[1], {"__type": fault[2], "message": "as asked"}
        result: tuple[int, Any] = getattr(self, f"_{action}")(json.loads(body))
        return result

    def _DescribeStateMachine(self, given: dict[str, Any]) -> tuple[int, Any]:
        arn = given["stateMachineArn"]
        if arn not in self.definitions:
            return 400, {"__type": "StateMachineDoesNotExist", "message": arn}
        made = {
            "stateMachineArn": arn,
            "name": arn.rpartition(":")[2],
            "roleArn": "arn:aws:iam::1:role/r",
            "type": "STANDARD",
        }
        return 200, {**made, "definition": json.dumps(self.definitions[arn]), "creationDate": 1.0}

    def _StartExecution(self, given: dict[str, Any]) -> tuple[int, Any]:
        arn = given["stateMachineArn"].replace(":stateMachine:", ":execution:") + ":" + given["name"]
        known = self.executions.get(arn)
        if known is not None and (known.status != "RUNNING" or known.input != given["input"]):
            return 400, {"__type": "ExecutionAlreadyExists", "message": arn}
        self.executions.setdefault(arn, Execution(arn, given["input"]))
        return 200, {"executionArn": arn, "startDate": 1.0}

    def _DescribeExecution(self, given: dict[str, Any]) -> tuple[int, Any]:
        found = self.executions.get(given["executionArn"])
        if found is None:
            return 400, {"__type": "ExecutionDoesNotExist", "message": "no"}
        told = {"executionArn": found.arn, "stateMachineArn": "m", "status": found.status, "startDate": 1.0}
        ends = {"output": found.output, "error": found.error, "cause": found.cause}
        if "/" in found.arn:
            told["mapRunArn"] = found.arn.replace(":execution:", ":mapRun:")
        return 200, {**told, "input": found.input, **{key: value for key, value in ends.items() if value}}

    def _DescribeMapRun(self, given: dict[str, Any]) -> tuple[int, Any]:
        machine = given["mapRunArn"].rpartition(":")[0].replace(":mapRun:", ":execution:").rpartition("/")[0]
        parent = next(arn for arn in self.executions if arn.startswith(f"{machine}:"))
        counts = dict.fromkeys(
            ("pending", "running", "succeeded", "failed", "timedOut", "aborted", "total", "resultsWritten"), 0
        )
        told = {
            "mapRunArn": given["mapRunArn"],
            "executionArn": parent,
            "status": "RUNNING",
            "startDate": 1.0,
        }
        numbers = {"maxConcurrency": 1, "toleratedFailurePercentage": 0.0, "toleratedFailureCount": 0}
        return 200, {**told, **numbers, "itemCounts": counts, "executionCounts": counts}

    def _GetExecutionHistory(self, given: dict[str, Any]) -> tuple[int, Any]:
        found = self.executions[given["executionArn"]].events[::-1]
        start = int(given.get("nextToken", 0))
        page = found[start : start + 7]  # pages are smaller than asked for, as they may be
        more = {"nextToken": str(start + 7)} if start + 7 < len(found) else {}
        return 200, {"events": page, **more}

    def _StopExecution(self, given: dict[str, Any]) -> tuple[int, Any]:
        found = self.executions.get(given["executionArn"])
        if found is None:
            return 400, {"__type": "ExecutionDoesNotExist", "message": "no"}
        if found.status == "RUNNING":
            found.status, found.error, found.cause = "ABORTED", given["error"], given["cause"]
            found.add("ExecutionAborted", "executionAborted", error=found.error, cause=found.cause)
        return 200, {"stopDate": 1.0}

    def _SendTaskSuccess(self, given: dict[str, Any]) -> tuple[int, Any]:
        return self._answered(given["taskToken"], "", json.loads(given["output"]))

    def _SendTaskFailure(self, given: dict[str, Any]) -> tuple[int, Any]:
        return self._answered(given["taskToken"], given["error"], given["cause"])

    def _SendTaskHeartbeat(self, given: dict[str, Any]) -> tuple[int, Any]:
        self.beats.append(given["taskToken"])
        return 200, {}

    def _answered(self, token: str, error: str, value: Any) -> tuple[int, Any]:
        execution = next((e for e in self.executions.values() if token in e.tokens), None)
        if execution is None:
            return 400, {"__type": "InvalidToken", "message": "no"}
        if execution.tokens[token] is not None or execution.status != "RUNNING":
            return 400, {"__type": "TaskTimedOut", "message": "no"}
        execution.tokens[token] = (error, value)
        if error:
            execution.add(
                "TaskFailed", "taskFailed", resourceType="lambda", resource="invoke", error=error, cause=value
            )
        else:
            execution.add(
                "TaskSucceeded",
                "taskSucceeded",
                resourceType="lambda",
                resource="invoke",
                output=json.dumps(value),
            )
        self.answers.append((token, error, value))
        return 200, {}
