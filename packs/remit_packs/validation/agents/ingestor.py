"""`ingestor`: what is to be checked, and whether its sources can be read at all."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, convert, field, to_builtins

from remit.sdk import CodeAgent, Memory, RunContext, ToolError, agent
from remit_packs.validation.agents.calling import call_bounded
from remit_packs.validation.agents.rules import Rules, Wanted, load_rules, rules_of
from remit_packs.validation.tools import describe_source


class Source(Struct, frozen=True):
    """A table that rules read: its columns, or why it cannot be read."""

    table: str
    columns: int = 0
    code: str = ""
    problem: str = ""
    help: str = ""


class Ingested(Rules, frozen=True):
    """The rules, and the tables that they read."""

    sources: list[Source] = field(default_factory=list)


async def act(input: Any, memory: Memory, context: RunContext) -> dict[str, Any]:
    """Load the rules and describe every table that they read, once each."""
    del memory
    wanted = convert(input, Wanted)
    found = rules_of(await context.call("load_rules", wanted=to_builtins(wanted)))
    tables = list(dict.fromkeys(table for rule in found.rules for table in rule.reads))
    answers = await call_bounded(context, [("describe_source", {"source": table}) for table in tables])
    sources = [_source(table, answer) for table, answer in zip(tables, answers, strict=True)]
    return to_builtins(Ingested(found.rules, found.skipped, found.owners, sources))  # type: ignore[no-any-return]


def _source(table: str, answer: Any) -> Source:
    if isinstance(answer, ToolError):
        return Source(table, 0, answer.code, answer.message, answer.help)
    return Source(table, len(answer["columns"]))


ingestor: CodeAgent = agent(
    act,
    name="ingestor",
    description="Loads the active rules and checks that every table they read can be read.",
    tools=[load_rules, describe_source],
)
