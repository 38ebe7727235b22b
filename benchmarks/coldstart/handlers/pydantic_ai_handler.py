"""Pydantic AI: one agent with one tool on Bedrock, behind API Gateway."""

from __future__ import annotations

import json
from typing import Any

from pydantic_ai import Agent
from pydantic_ai.models.bedrock import BedrockConverseModel

agent = Agent(BedrockConverseModel("anthropic.claude-sonnet-4-5-20250929-v1:0"), instructions="Add.")


@agent.tool_plain
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request."""
    asked = json.loads(event["body"])
    return {"statusCode": 200, "body": json.dumps({"response": agent.run_sync(asked["query"]).output})}
