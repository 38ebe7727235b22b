"""The run log, as agents write and read it."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

from msgspec import Struct, to_builtins

from remit.sdk import ToolContext, ValidationRun, tool
from remit_packs.validation.checks.outcome import Status
from remit_packs.validation.control import control

MOST_RUNS = 20_000
"""Runs of one table that a scorecard folds: 20 rules checked hourly for 30 days are 14,400."""

TriggeredBy = Literal["scheduler", "api", "cli", "event"]


class Finding(Struct, frozen=True, forbid_unknown_fields=True):
    """A run of a rule before it is in the log: all of it but the time, which the log keeps."""

    run_id: str
    table_id: str
    config_id: str
    version: int
    validation_type: str
    status: Status
    details: dict[str, Any]
    triggered_by: TriggeredBy
    agent_run: str
    artifacts: list[str] = []
    duration_ms: int = 0


def run_id_of(agent_run: str, config_id: str) -> str:
    """The id of a rule's run: the same whenever the same agent run checks the same rule again."""
    return "vr_" + hashlib.sha256(f"{agent_run}\x00{config_id}".encode()).hexdigest()[:26]


@tool(risk="L1", effect="keyed", outward=False, timeout_s=60)
async def record_validation_run(finding: Finding, context: ToolContext) -> dict[str, Any]:
    """Write a run of a rule into the run log, once: the same run again changes nothing."""
    run = ValidationRun(
        **{name: getattr(finding, name) for name in finding.__struct_fields__ if name != "artifacts"},
        artifacts=tuple(finding.artifacts),
        timestamp=context.clock.now(),
    )
    with control(context) as platform:
        return {"run_id": run.run_id, "recorded": await platform.record_run(run)}


@tool(timeout_s=60, max_output_bytes=8_000_000)
async def recent_runs(table_id: str, context: ToolContext, limit: int = 10, since: int = 0) -> Any:
    """The last runs of a table's rules, newest first, from `since` (Unix milliseconds) on."""
    with control(context) as platform:
        return to_builtins(await platform.runs(table_id, limit=max(1, min(limit, 1000)), since=since))


@tool(timeout_s=120, max_output_bytes=16_000_000)
async def outcomes(table_id: str, since: int, context: ToolContext) -> Any:
    """What a table's rules came to since a time: [run_id, config_id, status, timestamp] of each run, newest first."""
    with control(context) as platform:
        runs = await platform.runs(table_id, limit=MOST_RUNS, since=since)
        return [[run.run_id, run.config_id, run.status, run.timestamp] for run in runs]
