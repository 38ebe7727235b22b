"""Events of AWS in the shape that Lambda hands them over, and Lambda's context."""

from __future__ import annotations

import json
import time
from typing import Any

QUEUE = "arn:aws:sqs:us-east-1:000000000000:remit-test-run-echo"


class Context:
    """Lambda's second argument, for an invocation that has `seconds` left."""

    aws_request_id = "8f507cfc-xmpl-4697-b07a-ac58fc914c95"
    function_name = "remit-test-agent-echo"
    memory_limit_in_mb = "512"

    def __init__(self, seconds: float = 60.0) -> None:
        self._until = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._until - time.monotonic()) * 1000))


def message(body: Any, message_id: str = "m1", received: int = 1, queue: str = QUEUE) -> dict[str, Any]:
    """A record of SQS."""
    return {
        "messageId": message_id,
        "receiptHandle": f"receipt-{message_id}",
        "body": body if isinstance(body, str) else json.dumps(body),
        "attributes": {
            "ApproximateReceiveCount": str(received),
            "SentTimestamp": "1545082649183",
            "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            "ApproximateFirstReceiveTimestamp": "1545082649185",
        },
        "messageAttributes": {},
        "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
        "eventSource": "aws:sqs",
        "eventSourceARN": queue,
        "awsRegion": "us-east-1",
    }


def batch(*records: dict[str, Any]) -> dict[str, Any]:
    """Records as one event."""
    return {"Records": list(records)}


def hint(run_id: str, message_id: str = "m1", received: int = 1) -> dict[str, Any]:
    """A batch of one hint."""
    return batch(message({"run_id": run_id}, message_id, received))


def failed(answer: dict[str, Any]) -> list[str]:
    """The ids that an answer says were not served."""
    return [each["itemIdentifier"] for each in answer["batchItemFailures"]]


def rest(
    method: str, path: str, *, key: str = "", body: str | None = None, stage: str = "prod", **more: Any
) -> dict[str, Any]:
    """A proxy event of a REST API (payload 1.0)."""
    headers = {"Host": "abc.execute-api.us-east-1.amazonaws.com", "X-Forwarded-Proto": "https"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    if body is not None:
        headers["Content-Type"] = "application/json"
    headers.update(more.pop("headers", {}))
    query = more.pop("query", {})
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": {"proxy": path.lstrip("/")},
        "stageVariables": None,
        "requestContext": {
            "resourcePath": "/{proxy+}",
            "httpMethod": method,
            "path": f"/{stage}{path}",
            "stage": stage,
            "accountId": "123456789012",
            "apiId": "abc",
            "protocol": "HTTP/1.1",
            "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
            "identity": {"sourceIp": "203.0.113.7", "userAgent": "curl/8.0"},
            **more.pop("context", {}),
        },
        "body": body,
        "isBase64Encoded": False,
        **more,
    }


def http(
    method: str, path: str, *, key: str = "", body: str | None = None, stage: str = "$default", **more: Any
) -> dict[str, Any]:
    """An event of an HTTP API or a function URL (payload 2.0)."""
    headers = {"host": "abc.lambda-url.us-east-1.on.aws", "x-forwarded-proto": "https"}
    if key:
        headers["authorization"] = f"Bearer {key}"
    if body is not None:
        headers["content-type"] = "application/json"
    headers.update(more.pop("headers", {}))
    prefix = "" if stage == "$default" else f"/{stage}"
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": prefix + path,
        "rawQueryString": more.pop("query", ""),
        "headers": headers,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abc",
            "domainName": "abc.lambda-url.us-east-1.on.aws",
            "http": {
                "method": method,
                "path": prefix + path,
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.7",
                "userAgent": "curl/8.0",
            },
            "requestId": "id",
            "routeKey": "$default",
            "stage": stage,
            "time": "12/Mar/2020:19:03:58 +0000",
            "timeEpoch": 1583348638390,
            **more.pop("context", {}),
        },
        **({} if body is None else {"body": body}),
        "isBase64Encoded": False,
        **more,
    }
