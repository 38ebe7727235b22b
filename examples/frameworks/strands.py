"""A Strands agent as an agent of Remit: the part above `desk` is as it was without Remit.

    remit run desk "Refund 500 cents for order A1." --app examples/frameworks/strands.py

It is answered by the route `default` of remit.toml. The refund waits for a person, and the run goes on when one has
decided, in this process or in another one.
"""

from strands import Agent, tool

from remit.frameworks import Contract, strands


@tool
def refund(order: str, cents: int) -> str:
    """Refund an order."""
    return f"refunded {cents} cents for {order}"


def build() -> Agent:
    """The agent, on Bedrock as always; in a run its model is never asked."""
    return Agent(tools=[refund], system_prompt="You run the desk of a shop.", callback_handler=None)


desk = strands.agent(build, name="desk", contracts={"refund": Contract(risk="L3")})
