"""A small real app behind the real server, for the tests; also runnable, so that a test can kill its process.

python service.py HOME PORT
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from remit import Pack, agent, open_app, tool
from remit.bootstrap import App
from remit.sdk import ToolContext, ValidationType
from remit.server.serving import serve
from remit.settings import McpServing, Settings

HOLD = "hold"
"""While a file of this name is in the home directory, the tool `slow` does not return."""


def pack(home: Path) -> Pack:
    """One agent that answers, one that needs an approval, one that takes its time, one that fails, and a supervisor."""

    @tool(risk="L3", effect="keyed")
    async def pay(amount: int) -> str:
        """Pay an amount."""
        with (home / "paid").open("a") as ledger:
            ledger.write(f"{amount}\n")
        return f"paid {amount}"

    @tool
    def note(context: ToolContext) -> str:
        """Keep a note."""
        context.keep("note.txt", b"about to pay", "text/plain")
        return "noted"

    @tool(effect="read", timeout_s=60)
    async def slow() -> str:
        """Take as long as the test wants."""
        (home / "slow-began").touch()
        while (home / HOLD).exists():
            await asyncio.sleep(0.02)
        return "done at last"

    @agent
    async def echo(input, memory, context):
        """Says what it was given."""
        return {"said": input}

    @agent(tools=[pay, note])
    async def payer(input, memory, context):
        """Pays, when somebody lets it."""
        await context.call("note")
        return {"receipt": await context.call("pay", amount=input.get("amount", 1))}

    @agent(tools=[slow])
    async def sloth(input, memory, context):
        """Takes its time."""
        return {"said": await context.call("slow")}

    @agent
    async def broken(input, memory, context):
        """Always fails."""
        raise ValueError("secret internals")

    @agent(delegates=["echo", "payer"])
    async def chief(input, memory, context):
        """Has the payer pay."""
        paid = await context.delegate("payer", "pay", input={"amount": 7})
        return {"payer": paid.result_payload}

    @agent
    async def counting(input, memory, context):
        """Finds that everything is in order."""
        return {"status": "PASSED"}

    counting.validation_type = ValidationType("row_counts", "Counts agree.", "counting", COUNTS)

    @agent
    async def validate(input, memory, context):
        """Says what it was asked to check."""
        return {"checked": input}

    return Pack("service", agents=[echo, payer, sloth, broken, chief, counting, validate])


COUNTS = {
    "type": "object",
    "properties": {
        "source_table": {"type": "string", "format": "table"},
        "threshold_percent": {"type": "number"},
    },
    "required": ["source_table"],
    "additionalProperties": False,
}


def app_in(home: Path) -> App:
    """The app whose data is in `home`."""
    store = f"sqlite:///{home / 'remit.db'}"
    settings = Settings(
        home=home,
        store=store,
        lease_ttl_s=1.0,
        policies=(str(profiles(home)),),
        chat_agent="echo",
        chat_origins=("https://shop.example",),
        mcp_serve=McpServing(tools=("pay", "slow"), hold_s=1.0),
    )
    return open_app(settings, packs=[pack(home)])


def profiles(home: Path) -> Path:
    """The policy profile that validations run under."""
    folder = home / "policies" / "validation"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "profile.toml").write_text('name = "validation"\nextends = "default"\n')
    (folder / "policy.cedar").write_text("")
    return folder


async def main(home: Path, port: int) -> None:
    """Serve until a signal comes."""
    async with app_in(home) as app:
        await serve(app, port=port)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
