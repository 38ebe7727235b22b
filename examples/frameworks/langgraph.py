"""A LangGraph graph as an agent of Remit: the part above `desk` is as it was without Remit.

    remit run desk "Refund 500 cents for order A1." --app examples/frameworks/langgraph.py

It is answered by the route `default` of remit.toml. The refund waits for a person, and the run goes on when one has
decided, in this process or in another one.
"""

from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models import FakeListChatModel
from langchain_core.tools import tool

from remit.frameworks import Contract, langgraph


@tool
def refund(order: str, cents: int) -> str:
    """Refund an order."""
    return f"refunded {cents} cents for {order}"


class Model(FakeListChatModel):
    """Stands for the chat model that the graph is built with; in a run it is never asked."""

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        """Offer tools."""
        return self.bind(tools=tools, **kwargs)


graph = create_agent(Model(responses=["never asked"]), [refund], system_prompt="You run the desk of a shop.")

desk = langgraph.agent(graph, name="desk", contracts={"refund": Contract(risk="L3")})
