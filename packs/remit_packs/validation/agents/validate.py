"""`validate`: Ingestor -> Validator -> Notifier. Plain Python, no model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from msgspec import Struct, ValidationError, convert, to_builtins

from remit.sdk import CodeAgent, InputError, Memory, RunContext, ToolError, agent
from remit_packs.validation.agents.calling import batches, payload
from remit_packs.validation.agents.ingestor import Ingested, ingestor
from remit_packs.validation.agents.notifier import notifier
from remit_packs.validation.agents.recording import TriggeredBy
from remit_packs.validation.agents.validator import validator

CHUNK = 100
"""Rules handed to one validator at a time: what passes between agents stays small however many there are."""


class Validate(Struct, frozen=True, forbid_unknown_fields=True):
    """What to check: a table, a rule, several rules, or `every` table (of an `owner`); of these what has a `schedule`.

    `slot` is the time (Unix milliseconds) that a scheduled run stands for.
    """

    table_id: str = ""
    config_id: str = ""
    configs: list[str] = []
    every: bool = False
    owner: str = ""
    schedule: str = ""
    triggered_by: TriggeredBy = "api"
    slot: int = 0
    notify: bool = True


async def act(input: Any, memory: Memory, context: RunContext) -> dict[str, Any]:
    """Check rules, record their runs, and tell who wants to know."""
    del memory
    asked = understand(input)
    try:
        found = await _ingested(asked, context)
    except ToolError as error:
        return {
            "status": "ERROR",
            "reason": error.message,
            "code": error.code,
            "help": error.help,
            "runs": [],
        }
    if not found.rules:
        return _nothing(asked, found)
    runs = await _validated(asked, found, context)
    told = await _notified([run["run_id"] for run in runs], context) if asked.notify else {}
    return {**summary(runs), "runs": runs, "skipped": to_builtins(found.skipped), "notifications": told}


def understand(input: Any) -> Validate:
    """The input as a value; text is the id of a table. Raises InputError E590."""
    try:
        asked = convert({"table_id": input} if isinstance(input, str) else input or {}, Validate)
    except ValidationError as error:
        raise InputError(f"the input says not what to validate: {error}", code="E590") from error
    if not (asked.table_id or asked.config_id or asked.configs or asked.every or asked.owner):
        raise InputError(
            "the input says not what to validate",
            code="E590",
            help="give `table_id`, `config_id`, `configs` or `every`",
        )
    return asked


def summary(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """ERROR when something could not be decided, else FAILED when something does not hold, else PASSED."""
    counts = Counter(run["status"] for run in runs)
    bad = [run for run in runs if run["status"] != "PASSED"]
    if not bad:
        status, reason = "PASSED", f"{len(runs)} of {len(runs)} rules hold"
    else:
        status = "ERROR" if counts["ERROR"] else "FAILED"
        first = next(run for run in bad if run["status"] == status)
        more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
        reason = f"{first['config_id']}: {first['reason']}{more}"
    counted = {"passed": counts["PASSED"], "failed": counts["FAILED"], "errors": counts["ERROR"]}
    return {"status": status, "reason": reason, "counts": counted}


def _nothing(asked: Validate, found: Ingested) -> dict[str, Any]:
    """No rule to run: never a pass, unless a schedule found that its rules are gone."""
    status = "PASSED" if asked.triggered_by == "scheduler" and asked.schedule else "ERROR"
    what = asked.table_id or asked.config_id or ", ".join(asked.configs) or asked.owner or "any table"
    reason = f"`{what}` has no active, enabled rule" + (
        f" with schedule `{asked.schedule}`" if asked.schedule else ""
    )
    told = {"status": status, "reason": reason, "runs": [], "skipped": to_builtins(found.skipped)}
    return (
        told
        if status == "PASSED"
        else {**told, "code": "E596", "help": "`remit validations list` shows the rules"}
    )


async def _ingested(asked: Validate, context: RunContext) -> Ingested:
    configs = [*asked.configs, *([asked.config_id] if asked.config_id else [])]
    wanted = {
        "table_id": asked.table_id,
        "configs": configs,
        "every": asked.every,
        "owner": asked.owner,
        "schedule": asked.schedule,
    }
    return convert(payload(await context.delegate("ingestor", "load the rules", input=wanted)), Ingested)


async def _validated(asked: Validate, found: Ingested, context: RunContext) -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = []
    broken = [source for source in found.sources if source.problem]
    for chunk in batches(found.rules, CHUNK):
        work = {
            "rules": to_builtins(list(chunk)),
            "agent_run": context.run_id,
            "triggered_by": asked.triggered_by,
            "slot": asked.slot,
            "sources": to_builtins(broken),
        }
        runs += payload(await context.delegate("validator", f"check {len(chunk)} rules", input=work))["runs"]
    return runs


async def _notified(run_ids: list[str], context: RunContext) -> dict[str, Any]:
    """What was told. That somebody could not be told does not change what is true of the data."""
    try:
        answer = await context.delegate("notifier", "tell who wants to know", input={"run_ids": run_ids})
        return dict(payload(answer))
    except ToolError as error:
        return {"sent": [], "failed": [{"code": error.code, "problem": error.message}]}


validate: CodeAgent = agent(
    act,
    name="validate",
    description="Checks the rules of a table (or given rules), records what came of each, and tells who wants to know.",
    delegates=[ingestor, validator, notifier],
)
