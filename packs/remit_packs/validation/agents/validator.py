"""`validator`: runs each rule by the agent of its type, several at once, and writes what came of it into the run log."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, ValidationError, convert, json, to_builtins

from remit.sdk import CodeAgent, Memory, RunContext, ToolError, agent
from remit_packs.validation.agents.calling import batches
from remit_packs.validation.agents.ingestor import Source
from remit_packs.validation.agents.recording import Finding, TriggeredBy, record_validation_run, run_id_of
from remit_packs.validation.agents.rules import Rule
from remit_packs.validation.checks.deciding import Verdict

EVERY_CHECK = "@validation_types"
"""Stands for the agents of all validation types that are loaded, a user's own among them."""


MOST_BYTES = 200_000
"""Of the details of one run as JSON."""


class Work(Struct, frozen=True, forbid_unknown_fields=True):
    """Rules to run. `agent_run` is the run that all this belongs to; of the `sources` only unreadable ones matter."""

    rules: list[Rule]
    agent_run: str
    triggered_by: TriggeredBy = "api"
    slot: int = 0
    sources: list[Source] = []


class Checked(Struct, frozen=True):
    """A rule's run as the log has it, with the sentence that says why."""

    run_id: str
    table_id: str
    config_id: str
    version: int
    validation_type: str
    status: str
    reason: str
    details: dict[str, Any]
    artifacts: list[str] = []
    duration_ms: int = 0


async def act(input: Any, memory: Memory, context: RunContext) -> dict[str, Any]:
    """Check the rules and record each. A check that cannot be run at all is an ERROR in the log like any other."""
    del memory
    work = convert(input, Work)
    broken = {s.table: s for s in work.sources if s.problem}
    done: list[Checked] = []
    for batch in batches(work.rules):
        done += await _checked(batch, work, broken, context)
    return {"runs": to_builtins(done)}


async def _checked(rules: Any, work: Work, broken: dict[str, Source], context: RunContext) -> list[Checked]:
    """Run a few rules at once, then record them at once."""
    verdicts: dict[str, tuple[Verdict, int]] = {}
    runnable = []
    for rule in rules:
        stopped = _unreadable(rule, broken)
        if stopped is None:
            runnable.append(rule)
        else:
            verdicts[rule.config_id] = (stopped, 0)
    answers = await context.call_all([_call(rule, work) for rule in runnable])
    verdicts.update({r.config_id: _verdict(r, a) for r, a in zip(runnable, answers, strict=True)})
    found = [_finding(rule, *verdicts[rule.config_id], work) for rule in rules]
    written = await context.call_many([("record_validation_run", {"finding": to_builtins(f)}) for f in found])
    del written
    return [_told(f, verdicts[f.config_id][0]) for f in found]


def _call(rule: Rule, work: Work) -> tuple[str, dict[str, Any]]:
    given = {
        "table": rule.table_id,
        "parameters": rule.parameters,
        "config_id": rule.config_id,
        "version": rule.version,
        "slot": work.slot,
    }
    name = "delegate_to_" + (rule.agent or rule.validation_type).replace("-", "_")
    return name, {"objective": f"check {rule.config_id} of {rule.table_id}", "input": given}


def _unreadable(rule: Rule, broken: dict[str, Source]) -> Verdict | None:
    """The verdict about a rule that reads a table which cannot be read; None when all can."""
    for table in rule.reads:
        if table in broken:
            source = broken[table]
            return Verdict("ERROR", source.problem, {"table": table}, [], source.code, source.help)
    return None


def _verdict(rule: Rule, answer: Any) -> tuple[Verdict, int]:
    """What the agent of the type said, and how long it took in milliseconds. Anything but an outcome is ERROR."""
    if isinstance(answer, ToolError):
        kind = f"validation type `{rule.validation_type}` cannot be run: {answer.message}"
        return Verdict(
            "ERROR",
            kind,
            {},
            [],
            answer.code,
            answer.help or "is the pack or app file with its agent loaded?",
        ), 0
    took = round(float(answer.get("cost_usage", {}).get("wall_s", 0)) * 1000)
    payload = answer.get("result_payload")
    try:
        return convert(payload, Verdict), took
    except ValidationError:
        problem = answer.get("problem") or {}
        said = problem.get("message") or f"agent `{rule.agent}` gave no outcome"
        return Verdict("ERROR", said, {}, [], problem.get("code") or "E598", problem.get("help", "")), took


def _finding(rule: Rule, verdict: Verdict, took: int, work: Work) -> Finding:
    told = {"reason": verdict.reason}
    if verdict.status == "ERROR":
        told |= {"code": verdict.code, "help": verdict.help}
    return Finding(
        run_id_of(work.agent_run, rule.config_id),
        rule.table_id,
        rule.config_id,
        rule.version,
        rule.validation_type,
        verdict.status,
        _bounded(verdict.details, told),
        work.triggered_by,
        work.agent_run,
        list(verdict.artifacts),
        took,
    )


def _bounded(details: dict[str, Any], told: dict[str, str]) -> dict[str, Any]:
    """The details as the run log takes them: what is too long is left out by name, never the sentence."""
    kept = {name: value for name, value in details.items() if len(json.encode(value)) <= MOST_BYTES // 8}
    while len(json.encode(kept)) > MOST_BYTES:
        kept.pop(max(kept, key=lambda name: len(json.encode(kept[name]))))
    left_out = [name for name in details if name not in kept]
    return {**kept, **told, **({"left_out": left_out} if left_out else {})}


def _told(found: Finding, verdict: Verdict) -> Checked:
    return Checked(
        found.run_id,
        found.table_id,
        found.config_id,
        found.version,
        found.validation_type,
        found.status,
        verdict.reason,
        found.details,
        found.artifacts,
        found.duration_ms,
    )


validator: CodeAgent = agent(
    act,
    name="validator",
    description="Runs rules by the agents of their types and records each in the run log.",
    tools=[record_validation_run],
    delegates=[EVERY_CHECK],
)
