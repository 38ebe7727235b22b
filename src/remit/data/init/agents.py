"""Your agents and their tools. Try: remit run hello "Ada Lovelace"

It runs offline: `offline` below stands in for a language model, and says so. Set a real one in remit.toml.
"""

from remit import Agent, Message, ModelRequest, Pack, ToolResult, ToolUse, assistant, tool


@tool
def greeting(name: str) -> str:
    """The right greeting for a person."""
    return f"Hello, {name}!"


hello = Agent(
    "hello",
    instructions="Greet the person you are told about, with the words that `greeting` gives you.",
    tools=[greeting],
)


def offline(request: ModelRequest) -> Message | None:
    """Stands in for a language model: call the tool once, then pass on what it said."""
    last = request.messages[-1]
    for block in last.blocks:
        if isinstance(block, ToolResult):
            return assistant(f"{block.content} (said by a rule, not by a language model)")
    return Message("assistant", (ToolUse("call_1", "greeting", {"name": last.text or "world"}),))


pack = Pack("my-agents", agents=[hello], rules={"hello": [offline]})
