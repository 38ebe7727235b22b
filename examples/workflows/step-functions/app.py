"""The three functions that the state machine names, as agents. On AWS each is a Lambda function of the same name."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

from remit import RunContext, ToolError, agent, tool

PLANETS = Path(__file__).with_name("planets.csv")
TOPICS = ("density", "mass", "diameter")


@tool
def planets(topic: str) -> list[dict[str, str]]:
    """The planets with what is known about them. Source: NASA Planetary Fact Sheet (mass, equatorial diameter)."""
    if topic not in TOPICS:
        raise ToolError(f"there is nothing on `{topic}`: {', '.join(TOPICS)}", code="NothingFound")
    with PLANETS.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@agent(tools=[planets])
async def research(event: Any, memory: Any, context: RunContext) -> dict[str, Any]:
    """Collects what is known about a topic."""
    found = await context.call("planets", topic=event["topic"])
    return {"topic": event["topic"], "count": len(found), "facts": found}


@agent
async def analysis(event: Any) -> dict[str, Any]:
    """Ranks what was found, highest first."""
    ranked = sorted(
        ({"name": fact["name"], "value": value_of(event["topic"], fact)} for fact in event["facts"]),
        key=lambda one: -one["value"],
    )
    return {"ranking": ranked}


def value_of(topic: str, fact: dict[str, str]) -> float:
    """Mass in 10^24 kg, diameter in km, or density in kg/m3 of a sphere with the equatorial diameter."""
    mass, diameter = float(fact["mass_1e24_kg"]), float(fact["diameter_km"])
    if topic == "density":
        return round(mass * 1e24 / (math.pi / 6 * (diameter * 1000) ** 3))
    return mass if topic == "mass" else diameter


@agent
async def summary(event: Any) -> dict[str, str]:
    """Says in two sentences what came out."""
    found = event["analysis"]
    first, last = found["ranking"][0], found["ranking"][-1]
    text = f"{event['title']}: {found['highest']} comes first with {first['value']:g}, {found['lowest']} last with {last['value']:g}."
    return {"text": f"{text} {len(found['ranking'])} were compared."}
