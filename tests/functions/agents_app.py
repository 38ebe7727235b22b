"""The app file of the functions under test; what its agents did is in the files of REMIT_TEST_HOME."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from remit import agent, tool

HOME = Path(os.environ["REMIT_TEST_HOME"])


@tool(risk="L1", effect="keyed")
async def charge(ref: str) -> str:
    """Charge an account."""
    with (HOME / "charged").open("a") as ledger:
        ledger.write(f"{ref}\n")
    return f"charged {ref}"


@tool(risk="L1", effect="plain")
async def pay(ref: str) -> str:
    """Pay, in a way that cannot be repeated."""
    await asyncio.sleep(0.2)
    with (HOME / "paid").open("a") as ledger:
        ledger.write(f"{ref}\n")
    return f"paid {ref}"


@tool(effect="read", timeout_s=60)
async def slow() -> str:
    """Take as long as the test wants."""
    while (HOME / "hold").exists():
        await asyncio.sleep(0.01)
    return "done at last"


@agent
async def echo(input, memory, context):
    """Says what it was given."""
    return {"said": input}


@agent(tools=[charge])
async def charger(input, memory, context):
    """Charges three times."""
    return [await context.call("charge", ref=f"{input}-{n}") for n in range(3)]


@agent(tools=[slow])
async def sloth(input, memory, context):
    """Takes its time."""
    return await context.call("slow")


@agent(subscribes=["order.placed"])
async def packer(input, memory, context):
    """Packs what was ordered."""
    with (HOME / "packed").open("a") as ledger:
        ledger.write(f"{input['data']['order']}\n")
    return "packed"


@agent(tools=[pay])
async def payer(input, memory, context):
    """Pays once."""
    return await context.call("pay", ref=input)


@agent
async def glutton(input, memory, context):
    """Takes the process with it, as running out of memory does, until it is fed."""
    if not (HOME / "fed").exists():
        os.kill(os.getpid(), signal.SIGKILL)
    return "fed"
