"""The app of workers that are killed while tasks come by Kafka: an agent with one keyed effect, in a ledger outside."""

from __future__ import annotations

import os
from typing import Any

from remit import agent, tool
from remit.ports.agents import ToolContext


@tool(effect="keyed", risk="L1")
def book(n: int, context: ToolContext) -> str:
    """Write a line with the key under which it was asked for."""
    ledger = os.open(os.environ["KAFKA_LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(ledger, f"{n} {context.idempotency_key}\n".encode())
    os.close(ledger)
    return f"booked {n}"


@agent(name="clerk", tools=["book"])
async def clerk(given: dict[str, int], memory: Any, context: Any) -> str:
    """Books what it is given."""
    return str(await context.call("book", n=given["n"]))
