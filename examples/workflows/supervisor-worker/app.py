"""Supervisor and workers: count the stock of each aisle twice, by the ledger and by the shelf scans, and settle differences.

Offline, the workers are played by the rule at the end of this file, which calls the one tool that the part asks for and passes its
answer on: no language model. Name a model in remit.toml and the same workers ask it, each within its slice of the budget.
"""

from __future__ import annotations

import csv
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, TypedDict

from remit import (
    END,
    Agent,
    Message,
    ModelRequest,
    Pack,
    RunContext,
    ToolResult,
    ToolUse,
    Workflow,
    agent,
    assistant,
    field,
    result,
    tool,
    variable,
    when,
)

DATABASE = Path("stock.db")
WORKERS = 3
SLICE_USD = "0.02"
"""What one worker may spend."""


class Count(TypedDict):
    """How many pieces there are of a product, by evidence of this day."""

    sku: str
    pieces: int
    day: str


class Counted(TypedDict):
    """What a worker hands in."""

    counts: list[Count]


# tools


@tool
def aisles() -> list[str]:
    """The aisles of the store."""
    return [str(row[0]) for row in _rows("SELECT DISTINCT aisle FROM moves ORDER BY aisle")]


@tool
def count_by_ledger(aisle: str) -> list[Count]:
    """What was booked in less what was booked out; the day is that of the last booking."""
    return _counts(
        "SELECT sku, sum(pieces), max(day) FROM moves WHERE aisle = ? GROUP BY sku ORDER BY sku", aisle
    )


@tool
def count_by_scan(aisle: str) -> list[Count]:
    """What was last scanned on the shelves."""
    return _counts("SELECT sku, pieces, max(day) FROM scans WHERE aisle = ? GROUP BY sku ORDER BY sku", aisle)


@tool(risk="L1", effect="keyed", outward=False)
def write_stock(counts: dict[str, int]) -> dict[str, Any]:
    """Write the stock list `stock.csv`; written twice it is the same file."""
    path = Path("stock.csv")
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("sku", "pieces"))
        writer.writerows(sorted(counts.items()))
    return {"file": str(path), "products": len(counts), "pieces": sum(counts.values())}


def _counts(query: str, aisle: str) -> list[Count]:
    return [Count(sku=sku, pieces=pieces, day=day) for sku, pieces, day in _rows(query, aisle)]


def _rows(query: str, *values: str) -> list[Any]:
    with closing(sqlite3.connect(f"file:{DATABASE}?mode=ro", uri=True)) as db:
        return db.execute(query, values).fetchall()


# agents


@agent(tools=[aisles])
async def planner(input: Any, memory: Any, context: RunContext) -> list[dict[str, str]]:
    """Decomposes: every aisle, counted in both ways."""
    return [{"aisle": aisle, "by": by} for aisle in await context.call("aisles") for by in ("ledger", "scan")]


counter = Agent(
    "counter",
    instructions="Count the aisle by the way you are given: by the ledger with `count_by_ledger`, by the scans with `count_by_scan`. "
    "Hand in exactly what the tool answers.",
    tools=[count_by_ledger, count_by_scan],
    output=Counted,
)


@agent
async def resolver(parts: Any) -> dict[str, Any]:
    """Resolves conflicts: equal counts stand, else the newer evidence does; on the same day, or alone, nothing is decided."""
    by_sku: dict[str, list[Count]] = {}
    for part in parts:
        for count in part.get("counts", ()):
            by_sku.setdefault(count["sku"], []).append(count)
    settled: dict[str, int] = {}
    resolved: dict[str, str] = {}
    open_: dict[str, list[Count]] = {}
    for sku, found in sorted(by_sku.items()):
        newest = [one for one in found if one["day"] == max(c["day"] for c in found)]
        if len(found) == 2 and len({one["pieces"] for one in found}) == 1:
            settled[sku] = found[0]["pieces"]
        elif len(found) == 2 and len(newest) == 1:
            settled[sku] = newest[0]["pieces"]
            resolved[sku] = f"the evidence of {newest[0]['day']} is newer"
        else:
            open_[sku] = found
    failed = [part for part in parts if "counts" not in part]
    return {"settled": settled, "resolved": resolved, "open": open_, "failed": failed}


# the workflow

flow = Workflow(
    "count-stock", description="Counts the stock in parts, each twice, and settles what disagrees."
)
plan = flow.node("decompose", planner)
work = flow.node(
    "count",
    counter,
    input={"objective": "Count this aisle.", "input": field(), "max_cost_usd": SLICE_USD},
    catch={"States.ALL": "not counted"},
)
flow.transform("not counted", output={"why": field("Cause")})
workers = flow.map("workers", body=work, items=field(), max_concurrency=WORKERS)
resolve = flow.node("resolve", resolver, assign={"found": result()})
flow.add_conditional_edges(
    resolve,
    {when(field("failed")[0].exists()): "give up", "{% $count($keys($states.input.open)) > 0 %}": "settle"},
    default="total",
)
flow.fail("give up", error="NotCounted", cause="{% $join($states.input.failed.why, '; ') %}")
settle = flow.gate(
    "settle",
    message="{% 'Which counts are right? ' & $string($states.input.open) & ' Take the lower ones, or give others.' %}",
    payload="{% $merge($each($states.input.open, function($counts, $sku) { {$sku: $min($counts.pieces)} })) %}",
    schema={
        "type": "object",
        "required": "{% [$keys($states.input.open)] %}",
        "additionalProperties": {"type": "integer", "minimum": 0},
    },
    output={"settled": "{% $merge([$found.settled, $states.result.payload]) %}"},
)
total = flow.node(
    "total",
    write_stock,
    input={"counts": field("settled")},
    output={
        "file": result("file"),
        "products": result("products"),
        "pieces": result("pieces"),
        "resolved": variable("found")["resolved"],
        "asked": "{% [$keys($found.open)] %}",
    },
)
plan >> workers >> resolve
settle >> total >> END

# the rule that plays the workers offline


def count(request: ModelRequest) -> Message:
    """Call the tool that the part asks for, then hand in what it answered."""
    for block in request.messages[-1].blocks:
        if isinstance(block, ToolResult):
            return assistant(json.dumps({"counts": block.content}))
    part = json.loads(request.messages[0].text.split("Input:\n", 1)[1])
    return Message("assistant", (ToolUse("count", f"count_by_{part['by']}", {"aisle": part["aisle"]}),))


pack = Pack("supervisor-worker", workflows=[flow], agents=[counter], rules={"counter": [count]})
