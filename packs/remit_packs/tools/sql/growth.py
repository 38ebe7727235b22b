"""How large a query becomes when an engine writes out what it names.

`a AS (SELECT x || x AS x ...), b AS (SELECT x || x AS x FROM a)` doubles with every step: thirty lines are a billion terms, which the planner of an
engine writes out before any limit of time is looked at. So is a table that is named twice by each of thirty steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from remit_packs.tools.sql.errors import not_allowed
from remit_packs.tools.sql.naming import Naming

if TYPE_CHECKING:
    from sqlglot import exp

MOST_TERMS = 20_000
MOST_RELATIONS = 200
_MANY = 10**9


def check(tree: exp.Query, naming: Naming) -> None:
    """Raise ArgumentsError E901 for a query that grows beyond reason when it is written out."""
    weighed = _Growth(naming)
    if weighed.relations(tree) > MOST_RELATIONS:
        raise not_allowed(
            "a query that reads this many tables and subqueries, written out", "read each table once or twice"
        )
    if weighed.terms(tree) > MOST_TERMS:
        raise not_allowed(
            "a query whose expressions grow with every step",
            "compute from columns of tables, not from texts joined to themselves",
        )


class _Growth:
    def __init__(self, naming: Naming) -> None:
        self._naming = naming
        self._relations: dict[int, int] = {}
        self._terms: dict[int, int] = {}

    def relations(self, query: exp.Expr) -> int:
        """The SELECTs and tables that a query reads, those of what it names included."""
        from sqlglot import exp

        if id(query) not in self._relations:
            self._relations[id(query)] = _MANY  # for one that reads itself
            found = 1
            for node in _own(query):
                cte = self._naming.cte(node) if isinstance(node, exp.Table) else None
                found += (
                    self.relations(cte.this)
                    if cte is not None
                    else int(isinstance(node, exp.Table | exp.Select))
                )
            self._relations[id(query)] = min(found, _MANY)
        return self._relations[id(query)]

    def terms(self, query: exp.Expr) -> int:
        """The terms of the largest expression that a query shows."""
        from sqlglot import exp

        if id(query) in self._terms:
            return self._terms[id(query)]
        self._terms[id(query)] = _MANY  # for one that reads itself
        if isinstance(query, exp.SetOperation):
            found = max(self.terms(query.this), self.terms(query.expression))
        elif isinstance(query, exp.Select):
            found = max((self._weight(each) for each in query.expressions), default=1)
            found = max(
                found,
                *(
                    self._weight(each.this)
                    for each in (query.args.get("where"), query.args.get("having"))
                    if each
                ),
                1,
            )
        elif isinstance(query, exp.Subquery | exp.CTE):
            found = self.terms(query.this)
        else:
            found = 1
        self._terms[id(query)] = min(found, _MANY)
        return self._terms[id(query)]

    def _weight(self, node: exp.Expr) -> int:
        from sqlglot import exp

        if isinstance(node, exp.Column):
            return self._column(node)
        if isinstance(node, exp.Query):
            return self.terms(node)
        inner = sum(self._weight(child) for child in node.iter_expressions())
        if isinstance(node, exp.Replace | exp.RegexpReplace):
            by = node.args.get("replacement")
            inner *= max(1, len(by.this)) if isinstance(by, exp.Literal) else 1_000
        return min(max(1, inner), _MANY)

    def _column(self, column: exp.Column) -> int:
        """As much as what the column's name comes from, in the nearest SELECT that knows it."""
        from sqlglot import exp

        select = column.find_ancestor(exp.Select)
        while select is not None:
            sources = self._naming.sources(select)
            holders = [a for a, columns in sources.items() if _holds(a, columns, column)]
            if holders:
                return max(
                    (
                        self._relation(r)
                        for r in self._naming.relations(select)
                        if r.alias_or_name.lower() in holders
                    ),
                    default=1,
                )
            select = select.find_ancestor(exp.Select)
        return 1

    def _relation(self, relation: exp.Expr) -> int:
        from sqlglot import exp

        cte = self._naming.cte(relation) if isinstance(relation, exp.Table) else None
        return self.terms(cte.this if cte is not None else relation)


def _holds(alias: str, columns: list[str] | None, column: exp.Column) -> bool:
    if column.table:
        return bool(column.table.lower() == alias)
    return columns is None or column.name.lower() in columns


def _own(query: exp.Expr) -> list[exp.Expr]:
    """The nodes of a query but for those of its WITH, which count where they are named."""
    from sqlglot import exp

    return list(query.walk(prune=lambda node: isinstance(node, exp.With)))[1:]
