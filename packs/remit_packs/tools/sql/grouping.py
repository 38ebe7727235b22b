"""`GROUP BY customer.id` lets PostgreSQL show that customer's other columns, as long as it sees the table's key.

A subquery in the place of the table has no key. So the columns that the key decides are grouped by too, which changes no group.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from remit_packs.tools.sql.access import Access

if TYPE_CHECKING:
    from sqlglot import exp


def complete(select: exp.Select, keyed: Mapping[str, Access]) -> None:
    """Group by every column in use of a table whose whole key is grouped by. `keyed` are the stored tables by alias, in lower case."""
    from sqlglot import exp

    group = select.args.get("group")
    if group is None or any(group.args.get(part) for part in ("rollup", "cube", "grouping_sets", "all")):
        return
    grouped = [c for c in group.expressions if isinstance(c, exp.Column)]
    for alias, access in keyed.items():
        key = {name.lower() for name in access.table.primary_key}
        if not key or not key <= {c.name.lower() for c in grouped if _is_of(c, alias, access, keyed)}:
            continue
        there = {(c.table.lower(), c.name.lower()) for c in grouped}
        for column in list(select.find_all(exp.Column)):
            named = (column.table.lower(), column.name.lower())
            if (
                named not in there
                and not isinstance(column.this, exp.Star)
                and _is_of(column, alias, access, keyed)
            ):
                there.add(named)
                group.append("expressions", column.copy())


def _is_of(column: exp.Column, alias: str, access: Access, keyed: Mapping[str, Access]) -> bool:
    if column.table:
        return bool(column.table.lower() == alias)
    name = column.name.lower()
    holders = [a for a in keyed.values() if name in map(str.lower, a.names)]
    return len(holders) == 1 and holders[0] is access
