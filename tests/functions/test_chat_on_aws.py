"""A chat as a deployment does it: records in DynamoDB, a hint over SQS, and the agent's own function advancing the run."""

from __future__ import annotations

import asyncio
import json
import secrets
from pathlib import Path
from typing import Any

import pytest
from tests.adapters import emulator

from remit import open_app
from remit.adapters.driving.names import run_queue
from remit.bootstrap import App
from remit.functions import advance, chat
from remit.settings import Settings
from remit_packs.assistant import pack

pytestmark = pytest.mark.service


async def serve(app: App, sqs: Any, url: str) -> None:
    """Do as Lambda does with the agent's queue, until cancelled."""
    while True:
        answer = await asyncio.to_thread(sqs.receive_message, QueueUrl=url, WaitTimeSeconds=1)
        for each in answer.get("Messages", ()):
            record = {
                "messageId": each["MessageId"],
                "receiptHandle": each["ReceiptHandle"],
                "body": each["Body"],
            }
            await advance.advance(
                app, {"Records": [{**record, "attributes": {}, "eventSourceARN": "q"}]}, lambda: 60.0
            )


async def test_two_functions_take_a_conversation_forward(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aws: Any
) -> None:
    """The chat's function only submits, tells and reads; the agent's does the work; the second turn knows the first."""
    clients = emulator.emulated(monkeypatch)
    name = f"e{secrets.token_hex(4)}"
    settings = Settings(home=tmp_path, store=f"dynamodb://{name}", deployment=name, aws_endpoint=emulator.URL)
    url = clients("sqs").create_queue(QueueName=run_queue(name, "assistant"))["QueueUrl"]
    async with open_app(settings, packs=[pack()]) as front, open_app(settings, packs=[pack()]) as back:
        serving = asyncio.create_task(serve(back, clients("sqs"), url))
        said: list[str] = []
        asked = {"user_id": "ana", "conversation_id": "c"}
        for query in ("what is 6 * 7?", "what did I ask?"):
            event = aws.rest("POST", "/chat", body=json.dumps({**asked, "query": query}))
            answer = await chat.respond(front, event, lambda: 30.0)
            assert answer["statusCode"] == 200, answer["body"]
            said.append(json.loads(answer["body"])["response"])
        serving.cancel()
        await asyncio.wait({serving})
        assert said == ["6 * 7 = 42", "You asked: what is 6 * 7?"]
        table = clients("dynamodb").query(
            TableName=f"{name}-message",
            KeyConditionExpression="conversation_id = :c",
            ExpressionAttributeValues={":c": {"S": "c"}},
        )
        assert table["Count"] == 6
