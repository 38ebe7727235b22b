"""What the names in a query mean: tables, common table expressions, aliases and columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from remit_packs.tools.sql.access import Access
from remit_packs.tools.sql.errors import no_column, no_table, not_allowed

if TYPE_CHECKING:
    from sqlglot import exp

Names = list[str] | None
"""Names of columns in lower case; None where some have no name of their own."""

_OWN_ROWS = "every row that you see is already one of the caller's: leave that condition out"


class Naming:
    """The names of one query over these tables."""

    def __init__(self, tree: exp.Expr, tables: Mapping[str, Access]) -> None:
        self._tree = tree
        self._tables = tables
        self._loose = {name.lower(): access for name, access in tables.items()}
        self._columns: dict[int, Names] = {}
        self._sources: dict[int, dict[str, Names]] = {}

    def stored(self) -> list[tuple[exp.Table, Access]]:
        """Each mention of a stored table. Raises ArgumentsError E901 for a shadowed one, E902 for one that is not there."""
        from sqlglot import exp

        for cte in self._tree.find_all(exp.CTE):
            if cte.alias.lower() in self._loose:
                raise not_allowed(f"`{cte.alias}` as the name of a WITH", "give it a name that no table has")
        tables = self._tree.find_all(exp.Table)
        return [(table, self._access(table)) for table in tables if self.cte(table) is None]

    def check_columns(self) -> None:
        """Raise ArgumentsError E903 for a column that no table in sight has, E902 for an alias that is none."""
        from sqlglot import exp

        for column in list(self._tree.find_all(exp.Column)):
            if isinstance(column.this, exp.Star):
                self._check_qualified(column, "*")
            elif column.table:
                self._check_qualified(column, column.name)
            else:
                self._check_bare(column)

    def sources(self, select: exp.Select) -> dict[str, Names]:
        """What a SELECT reads, by alias in lower case, and the columns of each."""
        if id(select) not in self._sources:
            self._sources[id(select)] = {}
            for relation in self.relations(select):
                self._sources[id(select)] |= self._read(relation)
        return self._sources[id(select)]

    def relations(self, select: exp.Select) -> Iterator[exp.Expr]:
        """What stands in FROM and JOIN."""
        start = select.args.get("from_")
        if start is not None:
            yield start.this
        for join in select.args.get("joins") or []:
            yield join.this

    def _access(self, table: exp.Table) -> Access:
        found = self._tables.get(table.name) or self._loose.get(table.name.lower())
        if found is None or (table.db and table.db.lower() != found.table.schema.lower()):
            raise no_table(".".join(p for p in (table.db, table.name) if p), self._tables)
        return found

    def cte(self, table: exp.Table) -> exp.CTE | None:
        """The common table expression that a name means, which must be in sight there: an earlier one, or one further out."""
        from sqlglot import exp

        if table.db:
            return None
        inner: exp.Expr = table
        own: exp.Expr | None = None
        while (outer := inner.parent) is not None:
            written = outer.args.get("with_")
            if isinstance(outer, exp.With):
                own = inner
            elif written is not None:
                for cte in written.expressions:
                    if written is inner and cte is own:
                        break
                    if isinstance(cte, exp.CTE) and cte.alias == table.name:
                        return cte
            inner = outer
        return None

    def _read(self, relation: exp.Expr) -> dict[str, Names]:
        from sqlglot import exp

        if isinstance(relation, exp.Subquery) and isinstance(relation.this, exp.Table):  # (a JOIN b ON ...)
            inner = self._read(relation.this)
            for join in relation.this.args.get("joins") or []:
                inner |= self._read(join.this)
            return inner
        columns = self._of(relation)
        alias = relation.args.get("alias")
        if isinstance(alias, exp.TableAlias) and alias.args.get("columns"):
            given = [c.name.lower() for c in alias.args["columns"]]
            columns = None if columns is None else [*given, *columns[len(given) :]]
            columns = given if isinstance(relation, exp.Values) else columns
        return {relation.alias_or_name.lower(): columns}

    def _of(self, relation: exp.Expr) -> Names:
        from sqlglot import exp

        if isinstance(relation, exp.Table):
            cte = self.cte(relation)
            if cte is None:
                return [name.lower() for name in self._access(relation).names]
            given = [c.name.lower() for c in cte.args["alias"].args.get("columns") or []]
            return given or self._output(cte.this)
        return self._output(relation.this) if isinstance(relation, exp.Subquery) else None

    def _output(self, query: exp.Expr) -> Names:
        """The names that a query gives its columns."""
        if id(query) not in self._columns:
            self._columns[id(query)] = None  # for one that reads itself, which the engine refuses
            self._columns[id(query)] = self._named(query)
        return self._columns[id(query)]

    def _named(self, query: exp.Expr) -> Names:
        from sqlglot import exp

        if isinstance(query, exp.SetOperation | exp.Subquery):
            return self._output(query.this)
        if not isinstance(query, exp.Select):
            return None
        names: list[str] = []
        for each in query.expressions:
            found = self._expanded(query, each) if each.is_star else [each.alias_or_name.lower()]
            if found is None or "" in found:
                return None
            names += found
        return names

    def _expanded(self, select: exp.Select, star: exp.Expr) -> Names:
        from sqlglot import exp

        sources = self.sources(select)
        if isinstance(star, exp.Column):
            return sources.get(star.table.lower())
        names: list[str] = []
        for columns in sources.values():
            if columns is None:
                return None
            names += columns
        return names

    def _check_qualified(self, column: exp.Column, name: str) -> None:
        table = column.table.lower()
        scopes = [self.sources(select) for select in _around(column)]
        found = next((scope for scope in scopes if table in scope), None)
        if found is None:
            raise no_table(column.table, {alias for scope in scopes for alias in scope})
        columns = found[table]
        if columns is not None and name != "*" and name.lower() not in columns:
            raise no_column(name, columns, column.table, self._hint(name))

    def _check_bare(self, column: exp.Column) -> None:
        from sqlglot import exp

        name = column.name.lower()
        known: list[str] = []
        for select in _around(column):
            for columns in self.sources(select).values():
                if columns is None or name in columns:
                    return
                known += columns
            if any(name == each.alias.lower() for each in select.expressions if each.alias):
                return
        if any(
            name in (self._output(s) or [name]) for s in _ancestors(column) if isinstance(s, exp.SetOperation)
        ):
            return
        raise no_column(column.name, known, hint=self._hint(column.name) or _text_hint(column))

    def _hint(self, name: str) -> str:
        if any(name.lower() == access.tenant_column.lower() for access in self._tables.values()):
            return _OWN_ROWS
        holders = [t for t, access in self._tables.items() if name.lower() in map(str.lower, access.names)]
        return f"{' and '.join(f'`{t}`' for t in holders[:3])} has it: join it" if holders else ""


def _text_hint(column: exp.Column) -> str:
    """A text in double quotes is a name in SQL."""
    quoted = column.this.args.get("quoted")
    return (
        "a text stands in single quotes: double quotes are for names" if quoted and " " in column.name else ""
    )


def _around(node: exp.Expr) -> Iterator[exp.Select]:
    from sqlglot import exp

    return (each for each in _ancestors(node) if isinstance(each, exp.Select))


def _ancestors(node: exp.Expr) -> Iterator[exp.Expr]:
    outer = node.parent
    while outer is not None:
        yield outer
        outer = outer.parent
