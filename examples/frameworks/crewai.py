"""A crew of CrewAI as an agent of Remit: the part above `desk` is as it was without Remit.

    remit run desk "Refund 500 cents for order A1." --app examples/frameworks/crewai.py

It is answered by the route `default` of remit.toml. The refund waits for a person, and the run goes on when one has
decided, in this process or in another one.
"""

from typing import Any

from crewai import Agent, BaseLLM, Crew, Task
from crewai.tools import tool

from remit.frameworks import Contract, crewai


@tool("refund")
def refund(order: str, cents: int) -> str:
    """Refund an order."""
    return f"refunded {cents} cents for {order}"


class Model(BaseLLM):
    """Stands for the model that the crew is built with; in a run it is never asked."""

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Answer."""
        raise RuntimeError("never asked")

    def supports_function_calling(self) -> bool:
        """Tools are offered as functions."""
        return True


def build() -> Crew:
    """The crew."""
    clerk = Agent(role="clerk", goal="help", backstory="At a desk.", tools=[refund], llm=Model(model="any"))
    return Crew(agents=[clerk], tasks=[Task(description="{input}", expected_output="an answer", agent=clerk)])


desk = crewai.agent(build, name="desk", contracts={"refund": Contract(risk="L3")})
