"""`find_orphans`: the tool behind `referential_integrity`."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Sequence

from msgspec import Struct

from remit.sdk import ToolContext, tool
from remit_packs.validation.checks.orphans import Orphans, orphans
from remit_packs.validation.engines.base import Filter, Wanted
from remit_packs.validation.sources import open_engine
from remit_packs.validation.tools import resolved

KEPT = 1000


class Found(Struct, frozen=True):
    """What `find_orphans` answers: counts, and the digest of the file with the first keys (empty for none)."""

    rows: int
    keys: int
    artifact: str = ""


@tool(timeout_s=3600)
async def find_orphans(
    source: str,
    columns: list[Wanted],
    reference: str,
    reference_columns: list[Wanted],
    context: ToolContext,
    filters: list[Filter] = [],  # noqa: B006
) -> Found:
    """The rows whose key the reference does not have. The first keys are kept as `orphans.csv`; none is answered."""
    child, parent = await resolved(source, context), await resolved(reference, context)

    def find() -> Orphans:
        with (
            open_engine(child, context.secrets, beside=[parent]) as left,
            open_engine(parent, context.secrets) as right,
        ):
            return orphans(left, columns, right, reference_columns, filters, KEPT)

    found = await asyncio.to_thread(find)
    if not found.keys:
        return Found(0, 0)
    kept = _as_csv([column.name for column in columns], found)
    return Found(found.rows, found.keys, context.keep("orphans.csv", kept, "text/csv"))


def _as_csv(names: Sequence[str], found: Orphans) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*names, "rows"])
    writer.writerows([*key, count] for key, count in found.first)
    return text.getvalue().encode()
