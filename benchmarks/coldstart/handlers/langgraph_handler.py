"""LangGraph: its own ReAct agent with one tool on Bedrock, behind API Gateway."""

from __future__ import annotations

import json
import warnings
from typing import Any

from langchain_aws import ChatBedrockConverse
from langchain_core.tools import tool

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from langgraph.prebuilt import create_react_agent


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


model = ChatBedrockConverse(model="anthropic.claude-sonnet-4-5-20250929-v1:0", region_name="us-east-1")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    agent = create_react_agent(model, [add], prompt="Add.")


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request."""
    asked = json.loads(event["body"])
    answer = agent.invoke({"messages": [("user", asked["query"])]})["messages"][-1]
    return {"statusCode": 200, "body": json.dumps({"response": answer.text})}
