"""Whether a query could tell something about rows that it must not see, by failing or taking long on them.

An engine may evaluate a condition of the query before the rule that filters a tenant's rows. Where the condition can only be true or false,
nobody notices. Where it can fail (a cast, a division), the failure would tell: such a query is fenced off (`access.FENCE`), which costs
it the use of indexes on the filtered table.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot import exp

_NEVER_FAILS = frozenset(
    """
    Select Union Intersect Except Subquery With CTE From Join Table TableAlias Where Group Having Qualify Order Ordered Limit Offset
    Rollup Cube GroupingSets Grouping Window WindowSpec Alias Column Identifier Star Distinct Tuple Paren Filter Literal Null Boolean Var
    EQ NEQ GT GTE LT LTE NullSafeEQ NullSafeNEQ Is Not And Or In Between Exists Case If Coalesce Nullif
    Count Sum Avg Min Max CountIf RowNumber Rank DenseRank Lag Lead FirstValue LastValue Lower Upper Length Interval DataType
    """.split()  # noqa: SIM905
)
"""Nodes that never fail on any row, and take no longer on one than on another. Aggregates see filtered rows only."""


def tells(tree: exp.Query) -> bool:
    """Whether some condition of the query may fail. What only its outermost SELECT shows is computed on filtered rows."""
    return any(not _harmless(node) for node in _decisive(tree))


def _harmless(node: exp.Expr) -> bool:
    from sqlglot import exp

    if isinstance(node, exp.Like):
        return isinstance(node.expression, exp.Literal)
    if isinstance(node, exp.Cast):
        return isinstance(node.this, exp.Literal)  # computed before any row is read
    return type(node).__name__ in _NEVER_FAILS


def _decisive(tree: exp.Query) -> Iterator[exp.Expr]:
    """All nodes but those that the outermost SELECT only shows."""
    from sqlglot import exp

    shown = {id(each) for each in tree.expressions} if isinstance(tree, exp.Select) else set()
    within: list[exp.Expr] = []
    for node in tree.walk(prune=lambda n: id(n) in shown):
        if id(node) in shown:
            within.append(node)
        else:
            yield node
    for each in within:
        for query in each.find_all(exp.Query):
            yield from query.walk()
