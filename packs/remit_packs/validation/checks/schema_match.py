"""`schema_match`: does a table have the columns and types that it should have?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta, Struct

from remit_packs.validation.canonical import Kind
from remit_packs.validation.checks.data import Data
from remit_packs.validation.checks.deciding import validation_type
from remit_packs.validation.checks.outcome import Outcome, judged, passed
from remit_packs.validation.checks.parameters import ColumnName, OwnTable

TypeName = Annotated[
    str,
    Meta(
        pattern=r"^(any|integer|number|boolean|string|date|timestamp|uuid|binary|float|other)(\([0-9]{1,2}\))?$",
        description="A type, the same on every engine: `integer`, `number`, `number(2)` with exactly 2 decimals, "
        "`boolean`, `string`, `date`, `timestamp`, `timestamp(6)`, `uuid`, `binary`, `float`, `other`, or `any`.",
    ),
]
_TYPE = re.compile(r"([a-z]+)(?:\((\d+)\))?")


class Expected(Struct, frozen=True, forbid_unknown_fields=True):
    """A column that there should be."""

    name: ColumnName
    type: TypeName = "any"


class SchemaMatch(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Against `columns`, against another table's, or against what the last PASSED run of this version found."""

    table: OwnTable = ""
    columns: list[Expected] = []
    source_table: OwnTable = ""
    allow_extra: bool = False
    ordered: bool = False


@validation_type("schema_match")
async def schema_match(parameters: SchemaMatch, data: Data) -> Outcome:
    """The columns of a table and their types: none is missing, none has another type and, unless `allow_extra`, none is new.

    Types are compared as families that are the same on every engine. Text files (CSV) have no types of their own:
    of them the type is what the text of all rows looks like.
    """
    table = data.named(parameters.table)
    found = {c.name: c.kind for c in await data.columns(table)}
    expected, whose = await _expected(parameters, data)
    details: dict[str, Any] = {
        "table": table,
        "actual_columns": listed({n: told(k) for n, k in found.items()}),
    }
    if not expected:
        note = "the first run of this version: these columns are what the next runs are compared with"
        return passed(f"{len(found)} columns were recorded for the first time", **details, note=note)
    missing = [n for n in expected if n not in found]
    extra = [n for n in found if n not in expected]
    changed = [
        {"name": n, "expected": t, "actual": told(found[n])}
        for n, t in expected.items()
        if n in found and not fits(found[n], t)
    ]
    moved = parameters.ordered and not missing and [n for n in found if n in expected] != list(expected)
    problems = [
        *([f"missing: {_named(missing)}"] if missing else []),
        *([f"new: {_named(extra)}"] if extra and not parameters.allow_extra else []),
        *(f"`{c['name']}` is {c['actual']} instead of {c['expected']}" for c in changed),
        *(["the columns are in another order"] if moved else []),
    ]
    return judged(
        not problems,
        f"{len(found)} columns are as {whose} has them",
        "; ".join(problems),
        **details,
        expected_columns=listed(expected),
        missing=missing,
        extra=extra,
        changed=changed,
        compared_with=whose,
    )


async def _expected(parameters: SchemaMatch, data: Data) -> tuple[dict[str, str], str]:
    """Name -> type of the columns there should be, and whose they are; none when there is nothing to compare with yet."""
    if parameters.columns:
        return {c.name: c.type for c in parameters.columns}, "the rule"
    if parameters.source_table:
        columns = await data.columns(parameters.source_table)
        return {c.name: family(c.kind) for c in columns}, f"`{parameters.source_table}`"
    before = await data.baseline()
    if before is None:
        return {}, ""
    return {c["name"]: c["type"] for c in before.details.get("actual_columns", ())}, f"run `{before.run_id}`"


def listed(columns: Mapping[str, str]) -> list[dict[str, str]]:
    """Columns as a list: a name as a key could look like a secret's, and its type would be hidden."""
    return [{"name": name, "type": shape} for name, shape in columns.items()]


def told(kind: Kind) -> str:
    """A type for people, and for the next run to compare with: `number(2)`, `timestamp(6)`, `string`."""
    if kind.family == "number":
        return f"number({kind.digits})" if kind.digits else "integer"
    return f"timestamp({kind.digits})" if kind.family == "timestamp" else kind.family


def family(kind: Kind) -> str:
    """A type as other engines can have it too: decimals count, digits of a second do not."""
    return "timestamp" if kind.family == "timestamp" else told(kind)


def fits(kind: Kind, wanted: str) -> bool:
    """Whether a column's type is what a type name says."""
    found = _TYPE.fullmatch(wanted)
    if found is None or found[1] == "any":
        return found is not None
    if found[1] == "integer":
        return kind.family == "number" and kind.digits == 0
    return kind.family == found[1] and (found[2] is None or kind.digits == int(found[2]))


def _named(names: list[str]) -> str:
    shown = ", ".join(f"`{n}`" for n in names[:10])
    return shown if len(names) <= 10 else f"{shown} and {len(names) - 10} more"
