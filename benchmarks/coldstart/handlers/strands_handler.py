"""Strands: one agent with one tool on Bedrock, behind API Gateway."""

from __future__ import annotations

import json
from typing import Any

from strands import Agent, tool
from strands.models import BedrockModel


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


model = BedrockModel(model_id="anthropic.claude-sonnet-4-5-20250929-v1:0", streaming=False)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request."""
    asked = json.loads(event["body"])
    agent = Agent(model=model, tools=[add], system_prompt="Add.", callback_handler=None)
    return {"statusCode": 200, "body": json.dumps({"response": str(agent(asked["query"]))})}
