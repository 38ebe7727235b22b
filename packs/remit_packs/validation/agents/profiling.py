"""Looking at values themselves. What comes back is the table's content, and is labelled as such."""

from __future__ import annotations

from remit.sdk import ToolContext, ToolError, tool
from remit_packs.validation.agreement import Agreement, agree
from remit_packs.validation.engines.base import Engine, Wanted
from remit_packs.validation.tools import asked

MOST = 50
LONGEST = 100


@tool(timeout_s=600, trust="untrusted", sensitivity="private")
async def distinct_values(source: str, column: str, context: ToolContext, limit: int = 12) -> list[str]:
    """The different values of a column as text, in order. Refused when there are more than `limit`, or long ones."""
    return await asked(source, context, lambda engine: _distinct(engine, column, max(1, min(limit, MOST))))


def _distinct(engine: Engine, name: str, limit: int) -> list[str]:
    column = next((c for c in engine.columns() if c.name == name), None)
    how = agree(column.kind, column.kind) if column else None
    if not isinstance(how, Agreement):
        raise ToolError(f"column `{name}` has no values that can be listed", code="E592")
    wanted = Wanted(name, how.source, how.common)
    sql = f"SELECT DISTINCT {engine.dialect.canonical(wanted)} AS v FROM {engine.relation([wanted])}"
    found: list[str] = []
    for batch in engine.stream(sql, limit + 2):
        found += [str(value) for (value,) in batch if value is not None]
        if len(found) > limit or any(len(value) > LONGEST for value in found):
            raise ToolError(f"column `{name}` has too many or too long values to list", code="E593")
    return sorted(found)
