"""Remit: one agent with one tool on Bedrock; `remit.functions.chat` is the handler."""

from __future__ import annotations

from remit import Agent, tool


@tool(effect="read")
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


adder = Agent("adder", instructions="Add.", tools=[add])
