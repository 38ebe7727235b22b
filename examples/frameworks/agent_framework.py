"""An agent of Microsoft's Agent Framework as an agent of Remit: the part above `desk` is as it was without Remit.

    remit run desk "Refund 500 cents for order A1." --app examples/frameworks/agent_framework.py

It is answered by the route `default` of remit.toml. The refund waits for a person, and the run goes on when one has
decided, in this process or in another one.
"""

from typing import Any

from agent_framework import Agent, BaseChatClient, FunctionInvocationLayer, tool

from remit.frameworks import Contract, agent_framework


@tool
def refund(order: str, cents: int) -> str:
    """Refund an order."""
    return f"refunded {cents} cents for {order}"


class Client(FunctionInvocationLayer, BaseChatClient):  # type: ignore[misc]
    """Stands for the chat client that the agent is built with; in a run it is never asked."""

    def _inner_get_response(self, **kwargs: Any) -> Any:
        raise RuntimeError("never asked")


clerk = Agent(client=Client(), tools=[refund], instructions="You run the desk of a shop.")

desk = agent_framework.agent(clerk, name="desk", contracts={"refund": Contract(risk="L3")})
