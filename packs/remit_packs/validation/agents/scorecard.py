"""`scorecard`: Metadata Fetcher -> Rule Validator -> Score Aggregator. How well tables and owners keep what was promised."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from msgspec import Struct, ValidationError, convert, to_builtins

from remit.sdk import (
    CodeAgent,
    InputError,
    Memory,
    RunContext,
    Score,
    ToolError,
    ValidationRun,
    agent,
    score,
)
from remit_packs.validation.agents.calling import batches, call_bounded, payload
from remit_packs.validation.agents.recording import outcomes
from remit_packs.validation.agents.rules import Rule, load_rules, rules_of
from remit_packs.validation.agents.validator import validator

DAY_MS = 86_400_000
CHUNK = 100


class Scorecard(Struct, frozen=True, forbid_unknown_fields=True):
    """Which tables, over how many days; `fresh` runs every rule first."""

    table_id: str = ""
    owner: str = ""
    days: int = 30
    fresh: bool = False


class Subject(Struct, frozen=True):
    """A table to be scored: whose it is and its rules."""

    table_id: str
    owner: str
    rules: list[Rule]


class Log(Struct, frozen=True):
    """The outcomes of one table's rules in the window."""

    table_id: str
    owner: str
    active: list[str]
    outcomes: list[tuple[str, str, Literal["PASSED", "FAILED", "ERROR"], int]]


async def fetch(input: Any, memory: Memory, context: RunContext) -> list[Any]:
    """The tables with their owners and active rules."""
    del memory
    asked = convert(input, Scorecard)
    wanted = {"table_id": asked.table_id, "owner": asked.owner, "every": not asked.table_id}
    found = rules_of(await context.call("load_rules", wanted=wanted))
    tables = dict.fromkeys(rule.table_id for rule in found.rules)
    subjects = [
        Subject(t, found.owners.get(t, ""), [r for r in found.rules if r.table_id == t]) for t in tables
    ]
    return to_builtins(subjects)  # type: ignore[no-any-return]


async def check(input: Any, memory: Memory, context: RunContext) -> list[Any]:
    """What the rules came to in the window, after running them once more where that is asked."""
    del memory
    asked = convert(input["asked"], Scorecard)
    subjects = convert(input["subjects"], list[Subject])
    if asked.fresh:
        rules = [to_builtins(rule) for subject in subjects for rule in subject.rules]
        for chunk in batches(rules, CHUNK):
            work = {"rules": list(chunk), "agent_run": context.run_id}
            payload(await context.delegate("validator", f"check {len(chunk)} rules", input=work))
    since = context.now() - asked.days * DAY_MS
    calls = [("outcomes", {"table_id": s.table_id, "since": since}) for s in subjects]
    answers = await call_bounded(context, calls)
    for answer in answers:
        if isinstance(answer, ToolError):
            raise answer
    logs = [
        Log(s.table_id, s.owner, [r.config_id for r in s.rules], convert(a, Any))
        for s, a in zip(subjects, answers, strict=True)
    ]
    return to_builtins(logs)  # type: ignore[no-any-return]


async def aggregate(input: Any) -> dict[str, Any]:
    """Scores of tables and of owners."""
    logs = convert(input, list[Log])
    owners = sorted({log.owner for log in logs if log.owner})
    tables = [_score(log.table_id, "table", [log]) for log in logs]
    owned = [_score(o, "owner", [log for log in logs if log.owner == o]) for o in owners]
    return {"tables": to_builtins(tables), "owners": to_builtins(owned)}


def _score(subject: str, kind: Literal["table", "owner"], logs: Iterable[Log]) -> Score:
    logs = list(logs)
    runs = [
        ValidationRun(run_id, log.table_id, config_id, 0, "", status, {}, "event", timestamp)
        for log in logs
        for run_id, config_id, status, timestamp in log.outcomes
    ]
    return score(subject, kind, runs, active={config for log in logs for config in log.active})


async def act(input: Any, memory: Memory, context: RunContext) -> dict[str, Any]:
    """The scorecard of a table, of an owner, or of everything."""
    del memory
    try:
        asked = convert({"table_id": input} if isinstance(input, str) else input or {}, Scorecard)
    except ValidationError as error:
        raise InputError(f"the input names no scorecard: {error}", code="E590") from error
    if not 1 <= asked.days <= 366:
        raise InputError(f"a scorecard is over 1 to 366 days, not {asked.days}", code="E590")
    given = to_builtins(asked)
    subjects = payload(await context.delegate("metadata_fetcher", "which tables and rules", input=given))
    both = {"asked": given, "subjects": subjects}
    logs = payload(await context.delegate("rule_validator", "what the rules came to", input=both))
    scores = payload(await context.delegate("score_aggregator", "fold the outcomes", input=logs))
    return {"days": asked.days, "until": context.now(), **scores}


metadata_fetcher: CodeAgent = agent(
    fetch,
    name="metadata_fetcher",
    description="Loads tables, their owners and their active rules.",
    tools=[load_rules],
)
rule_validator: CodeAgent = agent(
    check,
    name="rule_validator",
    description="Says what the rules of tables came to, and runs them first where that is asked.",
    tools=[outcomes],
    delegates=[validator],
)
score_aggregator: CodeAgent = agent(
    aggregate, name="score_aggregator", description="Folds outcomes into scores of tables and owners."
)
scorecard: CodeAgent = agent(
    act,
    name="scorecard",
    description="The data-quality scorecard: pass rate, trend and history of tables and owners.",
    delegates=[metadata_fetcher, rule_validator, score_aggregator],
)
