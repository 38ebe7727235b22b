"""`suggester`: looks at a table's data and proposes rules that hold for it now. People decide which of them are meant.

What an active rule speaks of already is not proposed again.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from typing import Any

from msgspec import Struct, ValidationError, convert, to_builtins

from remit.sdk import CodeAgent, InputError, Memory, RunContext, ToolError, agent
from remit_packs.validation.agents.calling import batches, call_bounded
from remit_packs.validation.agents.changes import propose_rule, rules_of_table
from remit_packs.validation.agents.profiling import distinct_values
from remit_packs.validation.checks.data import Data, Given, number, plain_number
from remit_packs.validation.checks.deciding import READS
from remit_packs.validation.checks.freshness import moment
from remit_packs.validation.checks.schema_match import listed, told
from remit_packs.validation.engines.base import Column, Measure

AT_A_TIME = 20
"""Columns profiled in one pass."""

FEW = 12
"""So many different values look like a list that is meant."""

ENOUGH = 50
"""Rows below which a list or range says nothing."""

_ORDERED = ("number", "float", "date", "timestamp")
_LOCATION = re.compile(r"[/\\.:]")
"""What a location has, and the id of a registered table mostly not."""

_SLUG = re.compile(r"[^A-Za-z0-9_.-]+")


class Suggest(Struct, frozen=True, forbid_unknown_fields=True):
    """A registered table, or a location. `write` keeps the proposals as drafts, which needs a registered table."""

    table: str
    write: bool = False
    schedule: str = "daily"


class Said(Struct, frozen=True):
    """A proposal that was left out: the active rule `config_id` speaks of the same already."""

    config_id: str
    validation_type: str
    columns: list[str]


class Profile(Struct, frozen=True):
    """What a column holds."""

    column: Column
    rows: int
    nulls: int
    distinct: int
    low: Any = None
    high: Any = None


class Proposal(Struct, frozen=True):
    """A rule that holds for the data as it is now, and the observation behind it."""

    config_id: str
    validation_type: str
    parameters: dict[str, Any]
    because: str


async def act(input: Any, memory: Memory, context: RunContext) -> dict[str, Any]:
    """Profile the columns and propose rules; with `write` each becomes a draft."""
    del memory
    try:
        asked = convert({"table": input} if isinstance(input, str) else input, Suggest)
    except ValidationError as error:
        raise InputError(f"the input names no table: {error}", code="E590") from error
    data = Data(context, Given(table=asked.table))
    columns = await data.columns()
    profiles = await _profiles(columns, data)
    rows = profiles[0].rows if profiles else 0
    found = [_schema(asked.table, columns)]
    for profile in profiles:
        found += await _proposals(asked.table, profile, data)
    found, said = _new(asked.table, found, await _active(asked, context))
    answer: dict[str, Any] = {
        "table": asked.table,
        "rows": rows,
        "schedule": asked.schedule,
        "rules": to_builtins(found),
        "left_out": to_builtins(said),
    }
    return {**answer, "drafts": await _written(asked, found, context)} if asked.write else answer


async def _active(asked: Suggest, context: RunContext) -> list[dict[str, Any]]:
    """The active rules of the table, if it can have any."""
    if _LOCATION.search(asked.table) and not asked.write:
        return []
    found: list[dict[str, Any]] = await context.call("rules_of_table", table_id=asked.table)
    return found


def _new(
    table: str, found: list[Proposal], active: list[dict[str, Any]]
) -> tuple[list[Proposal], list[Said]]:
    """The proposals about which no active rule of the same type says anything, whatever its bounds are: those were decided."""
    by_subject: dict[_Subject, str] = {}
    for rule in active:
        subject = _subject(table, rule["validation_type"], rule["parameters"])
        if subject is not None:
            by_subject.setdefault(subject, rule["config_id"])
    new, said = [], []
    for proposal in found:
        subject = _subject(table, proposal.validation_type, proposal.parameters)
        if subject is not None and subject in by_subject:
            said.append(Said(by_subject[subject], proposal.validation_type, sorted(subject[1])))
        else:
            new.append(proposal)
    return new, said


_Subject = tuple[str, frozenset[str]]


def _subject(table: str, kind: str, parameters: dict[str, Any]) -> _Subject | None:
    """What a rule is about: columns of the whole table, of none its schema. None for one about some rows, or another table."""
    if parameters.get("filters") or parameters.get("table", "") not in ("", table):
        return None
    if kind == "schema_match":
        return kind, frozenset()
    columns = parameters["columns"] if "columns" in parameters else [parameters.get("column", "")]
    return kind, frozenset(str(name) for name in columns)


async def _profiles(columns: list[Column], data: Data) -> list[Profile]:
    """Every column, some in each pass over the table."""
    profiles: list[Profile] = []
    for some in batches([c for c in columns if c.kind.family != "other"], AT_A_TIME):
        asked = [Measure("count")]
        for column in some:
            asked += _measures(column)
        count, *answers = await data.measure(asked)
        for column in some:
            size = len(_measures(column))
            mine, answers = answers[:size], answers[size:]
            profiles.append(Profile(column, count, *mine))
    return profiles


def _measures(column: Column) -> list[Measure]:
    name = column.name
    asked = [Measure("nulls", column=name), Measure("distinct", columns=[name])]
    if column.kind.family in _ORDERED:
        asked += [Measure("min", column=name), Measure("max", column=name)]
    return asked


async def _proposals(table: str, seen: Profile, data: Data) -> list[Proposal]:
    if not seen.rows:
        return []
    name = seen.column.name
    filled = seen.rows - seen.nulls
    unique = (
        not seen.nulls
        and seen.distinct == seen.rows
        and seen.rows > 1
        and seen.column.kind.family in ("number", "string", "uuid")
    )
    found = [_nulls(table, seen)] if filled else []
    if unique:
        because = f"{seen.rows:,} rows, all different"
        found.append(_proposal(table, "uniqueness", name, {"columns": [name]}, because))
    found += _range(table, seen) if not unique else []
    found += _fresh(table, seen, data)
    if seen.column.kind.family == "string" and 0 < seen.distinct <= FEW and filled >= ENOUGH:
        values = await data.call("distinct_values", source=data.table, column=name, limit=FEW)
        because = f"{seen.distinct} different values in {filled:,} rows"
        found.append(_proposal(table, "value_set", name, {"column": name, "values": values}, because))
    return found


def _schema(table: str, columns: list[Column]) -> Proposal:
    shape = listed({c.name: told(c.kind) for c in columns})
    return Proposal(_id(table, "schema"), "schema_match", {"columns": shape}, f"{len(columns)} columns today")


def _nulls(table: str, seen: Profile) -> Proposal:
    """None now: none later. Some now: half as many again, rounded up."""
    rate = 100 * seen.nulls / seen.rows
    most = min(100.0, float(math.ceil(rate * 1.5))) if seen.nulls else 0.0
    because = f"{seen.nulls:,} of {seen.rows:,} are NULL"
    name = seen.column.name
    return _proposal(table, "null_rate", name, {"column": name, "max_percent": most}, because)


def _range(table: str, seen: Profile) -> list[Proposal]:
    """Only what the sign says: bounds at today's smallest and largest value would fail tomorrow."""
    if seen.column.kind.family not in ("number", "float") or seen.low is None or seen.rows < ENOUGH:
        return []
    low, high = number(seen.low, "min"), number(seen.high, "max")
    name = seen.column.name
    if low is not None and high is not None and low >= 0 and low.is_finite() and high.is_finite():
        because = f"from {plain_number(low)} to {plain_number(high)} today"
        return [_proposal(table, "value_range", name, {"column": name, "min": 0}, because)]
    return []


def _fresh(table: str, seen: Profile, data: Data) -> list[Proposal]:
    """A time of the last two days says that rows keep coming: allow twice today's age, in whole days."""
    if seen.column.kind.family not in ("date", "timestamp") or seen.high is None:
        return []
    now = dt.datetime.fromtimestamp(data.now() / 1000, dt.UTC)
    hours = (now - moment(seen.high)) / dt.timedelta(hours=1)
    if not -24 <= hours <= 48:
        return []
    most = 24 * max(1, math.ceil(2 * hours / 24))
    name = seen.column.name
    because = f"the newest is {max(hours, 0):.1f} hours old"
    return [_proposal(table, "freshness", name, {"column": name, "max_age_hours": most}, because)]


def _proposal(table: str, kind: str, column: str, parameters: dict[str, Any], because: str) -> Proposal:
    return Proposal(
        _id(table, kind.removeprefix("value_").replace("_", "-"), column), kind, parameters, because
    )


def _id(table: str, *parts: str) -> str:
    """An id for a rule that says what it is about."""
    stem = (
        re.split(r"[/\\]", table.split("?")[0].rstrip("/"))[-1].rsplit(".", 1)[0]
        if "/" in table or "." in table
        else table
    )
    return _SLUG.sub("-", "-".join((stem, *parts))).strip("-.")[:120] or "rule"


async def _written(asked: Suggest, found: list[Proposal], context: RunContext) -> list[dict[str, Any]]:
    """Each proposal as a draft, or why it could not be kept."""
    calls = [
        (
            "propose_rule",
            {
                "config_id": p.config_id,
                "table_id": asked.table,
                "validation_type": p.validation_type,
                "parameters": p.parameters,
                "reason": f"suggested: {p.because}",
                "schedule": asked.schedule,
            },
        )
        for p in found
    ]
    answers = await call_bounded(context, calls)
    return [
        {"config_id": p.config_id, "problem": a.message, "code": a.code} if isinstance(a, ToolError) else a
        for p, a in zip(found, answers, strict=True)
    ]


suggester: CodeAgent = agent(
    act,
    name="suggester",
    description="Looks at a table's data and proposes rules for it: schema, NULLs, keys, ranges, lists, freshness.",
    tools=[*READS, distinct_values, rules_of_table, propose_rule],
)
