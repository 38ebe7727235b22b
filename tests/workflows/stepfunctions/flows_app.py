"""The app file of the state machines under test; what its tools did is in the files of REMIT_TEST_HOME."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

from remit import Pack, RunContext, ToolError, agent, tool
from remit.testing.workflows import Named

HOME = Path(os.environ.get("REMIT_TEST_HOME", "."))


@tool(risk="L1", effect="plain")
async def charge(ref: str) -> dict[str, str]:
    """Charge an account: sent twice, it charges twice."""
    with (HOME / "charged").open("a") as ledger:
        ledger.write(f"{ref}\n")
    return {"charged": ref}


@tool(risk="L1", effect="plain")
async def charge_slowly(ref: str) -> dict[str, str]:
    """Charge an account that answers late."""
    await asyncio.sleep(1.5)
    found: dict[str, str] = await charge(ref)
    return found


@tool(risk="L1", effect="keyed")
async def note(ref: str) -> dict[str, str]:
    """Write a note: sent twice under one key, it is one."""
    with (HOME / "noted").open("a") as ledger:
        ledger.write(f"{ref}\n")
    return {"noted": ref}


@tool(risk="L3", effect="keyed")
async def wire(amount: int) -> dict[str, int]:
    """Move money: a person decides first."""
    return {"wired": amount}


@tool(effect="read")
async def sold_out(ref: str) -> None:
    """Fails under a name of its own."""
    raise ToolError(f"no {ref} left", code="OutOfStock")


@agent
async def research(event: Any) -> Any:
    """Collects what is known about a topic."""
    return {"topic": event["topic"], "facts": [len(event["topic"]), 3, 1]}


@agent
async def analysis(event: Any) -> Any:
    """Ranks what was found."""
    return {"topic": event["topic"], "highest": max(event["facts"])}


@agent
async def summary(event: Any) -> Any:
    """Says what came out."""
    return f"{event['topic']}: {event['highest']}"


async def _charger(event: Any, memory: Any, context: RunContext) -> Any:
    """Charges an account."""
    return await context.call("charge", ref=event["ref"])


charger = agent(_charger, name="charger", tools=[charge])


@agent(name="patient", tools=[charge_slowly])
async def patient(event: Any, memory: Any, context: RunContext) -> Any:
    """Charges two accounts, and thinks in between."""
    first = await context.call("charge_slowly", ref="a")
    await asyncio.sleep(2.0)
    return [first, await context.call("charge_slowly", ref="b")]


async def _writer(event: Any, memory: Any, context: RunContext) -> Any:
    """Writes a note."""
    return await context.call("note", ref=event["ref"])


writer = agent(_writer, name="writer", tools=[note])


async def _banker(event: Any, memory: Any, context: RunContext) -> Any:
    """Moves money."""
    return await context.call("wire", amount=event["amount"])


banker = agent(_banker, name="banker", tools=[wire])


@agent
async def picky(event: Any) -> Any:
    """Fails."""
    raise ToolError("not like this", code="NotLikeThis")


def task(resource: str, following: str = "", **fields: Any) -> dict[str, Any]:
    """A Task."""
    end = {"Next": following} if following else {"End": True}
    return {"Type": "Task", "Resource": resource, **end, **fields}


def flow(start: str, **states: dict[str, Any]) -> dict[str, Any]:
    """A document in JSONata."""
    return {"QueryLanguage": "JSONata", "StartAt": start, "States": states}


DOCUMENTS: dict[str, dict[str, Any]] = {
    "pipeline": flow(
        "Research",
        Research=task("remit:agent:research", "Analyse"),
        Analyse=task("remit:agent:analysis", "Summarise"),
        Summarise=task("remit:agent:summary"),
    ),
    "payment": flow("Pay", Pay=task("remit:agent:charger")),
    "payments": flow("Pay", Pay=task("remit:agent:patient")),
    "notes": flow("Write", Write=task("remit:agent:writer")),
    "direct": flow("Charge", Charge=task("remit:tool:charge")),
    "transfer": flow("Move", Move=task("remit:agent:banker")),
    "gated": flow(
        "Ask",
        Ask=task("remit:gate:release", "Done", Arguments={"Message": "Release?", "Payload": "{% $states.input %}"}),
        Done={"Type": "Pass", "Output": "{% $states.input.decision %}", "End": True},
    ),
    "caught": flow(
        "Buy",
        Buy=task(
            "remit:tool:sold_out",
            Catch=[{"ErrorEquals": ["OutOfStock"], "Next": "Sorry", "Output": "{% $states.errorOutput.Error %}"}],
        ),
        Sorry={"Type": "Pass", "End": True},
    ),
    "failing": flow("Try", Try=task("remit:agent:picky")),
    "many": flow(
        "Each",
        Each={
            "Type": "Map",
            "Items": "{% $states.input.refs %}",
            "ItemProcessor": {
                "StartAt": "Note",
                "States": {"Note": task("remit:tool:note", Arguments={"ref": "{% $states.input %}"})},
            },
            "End": True,
        },
    ),
    "crowd": flow(
        "Each",
        Each={
            "Type": "Map",
            "ItemProcessor": {"StartAt": "Move", "States": {"Move": task("remit:agent:banker")}},
            "End": True,
        },
    ),
    "outer": flow(
        "Inside",
        Inside=task("remit:workflow:pipeline", "After"),
        After={"Type": "Pass", "Output": {"got": "{% $states.input %}"}, "End": True},
    ),
    "outside": flow(
        "Order",
        Order=task(
            "remit:tool:note.waitForTaskToken",
            Arguments={"ref": "{% $states.context.Task.Token %}"},
        ),
    ),
}  # fmt: skip

pack = Pack("flows", workflows=[Named(name, document) for name, document in DOCUMENTS.items()])
