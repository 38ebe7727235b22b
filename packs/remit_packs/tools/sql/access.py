"""Which tables, columns and rows may be seen, as the SQL that stands in the place of each table.

A query is never trusted to filter itself: wherever it names a table with rules, it gets a subquery that holds the rows of the tenant and the
columns that are not hidden, and nothing else is reachable from there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from remit_packs.tools.sql.errors import misconfigured, wrong_tenant
from remit_packs.tools.sql.schema import Column, Table

if TYPE_CHECKING:
    from sqlglot import exp

FENCE = 2**63 - 1
"""A LIMIT that no table reaches: no engine evaluates a condition of the query on what is inside before it was filtered (see `fencing`)."""


class Asker(Struct, frozen=True):
    """On whose behalf a query is asked."""

    tenant_id: str
    actor: str = ""


class Access(Struct, frozen=True):
    """What may be seen of one table. `masks` and `condition` are SQL of the engine's dialect, written by whoever set this up."""

    table: Table
    columns: tuple[Column, ...]
    masks: Mapping[str, str] = {}
    tenant_column: str = ""
    condition: str = ""
    whole: bool = False
    """Whether all of it may be seen as it is: no column hidden or masked, no row filtered."""

    @property
    def names(self) -> list[str]:
        """The columns that may be named."""
        return [c.name for c in self.columns]

    @property
    def filtered(self) -> bool:
        """Whether some rows are not seen."""
        return bool(self.tenant_column or self.condition)

    def reads(self) -> set[str]:
        """The stored columns that the subquery reads, in lower case."""
        written = " ".join([*self.masks.values(), self.condition])
        named = {word.lower() for word in re.findall(r"\w+", written)}
        stored = {c.name.lower() for c in self.table.columns}
        return (stored & named) | {n.lower() for n in self.names} | ({self.tenant_column.lower()} - {""})

    def rule_tables(self, dialect: str) -> set[str]:
        """Tables that the condition of this one reads besides."""
        from sqlglot import exp

        written: list[exp.Expr] = [
            exp.maybe_parse(text, dialect=dialect) for text in (self.condition, *self.masks.values()) if text
        ]
        return {table.name for tree in written for table in tree.find_all(exp.Table)}

    def relation(self, asker: Asker, dialect: str, fenced: bool = True) -> exp.Query | exp.Table:
        """What stands in the place of the table: itself where there are no rules, else a subquery."""
        from sqlglot import exp

        schema = exp.to_identifier(self.table.schema, quoted=True) if self.table.schema else None
        stored = exp.Table(this=exp.to_identifier(self.table.name, quoted=True), db=schema)
        if self.whole:
            return stored
        query = exp.select(*(self._selected(c, dialect) for c in self.columns)).from_(stored)
        for condition in self._conditions(asker, dialect):
            query = query.where(condition, copy=False)
        return query.limit(FENCE, copy=False) if self.filtered and fenced else query

    def _selected(self, column: Column, dialect: str) -> exp.Expr:
        from sqlglot import exp

        stored: exp.Expr = exp.column(exp.to_identifier(column.name, quoted=True))
        mask = self.masks.get(column.name)
        if mask is None:
            return stored
        return exp.alias_(exp.maybe_parse(mask, dialect=dialect), column.name, quoted=True)

    def _conditions(self, asker: Asker, dialect: str) -> list[exp.Expr]:
        from sqlglot import exp

        found: list[exp.Expr] = []
        if self.tenant_column:
            found.append(self._of_tenant(asker.tenant_id, dialect))
        if self.condition:
            written = exp.paren(exp.maybe_parse(self.condition, dialect=dialect), copy=False)
            found.append(written.transform(_filled, {"tenant": asker.tenant_id, "actor": asker.actor}))
        return found

    def _of_tenant(self, tenant_id: str, dialect: str) -> exp.Expr:
        """Exactly this tenant: no engine's idea of equal texts, of case or of numbers may widen it."""
        from sqlglot import exp

        column = self.table.column(self.tenant_column)
        if column is None:
            raise misconfigured(
                self.table.name,
                f"its tenant column `{self.tenant_column}` is gone",
                "correct `tenant_column`",
            )
        stored = exp.column(exp.to_identifier(column.name, quoted=True))
        if column.kind == "integer":
            if not re.fullmatch(r"-?\d{1,18}", tenant_id, re.ASCII):
                raise wrong_tenant(tenant_id, column.name)
            return stored.eq(exp.Literal.number(int(tenant_id)))
        wanted = exp.Literal.string(tenant_id)
        match dialect:
            case "mysql":  # its texts are equal whatever their case
                bytes_ = exp.Cast(this=stored.copy(), to=exp.DataType.build("binary"))
                exact = bytes_.eq(exp.Cast(this=wanted.copy(), to=exp.DataType.build("binary")))
                return exp.and_(stored.eq(wanted), exact) if tenant_id.isascii() else exact
            case "sqlite":
                return stored.eq(exp.Collate(this=wanted, expression=exp.var("BINARY")))
            case "postgres" if column.type.split("(")[0] not in ("text", "character varying", "uuid"):
                return exp.and_(stored.eq(wanted), exp.cast(stored.copy(), "text").eq(wanted.copy()))
            case _:
                return stored.eq(wanted)


def _filled(node: exp.Expr, values: dict[str, str]) -> exp.Expr:
    """A placeholder of a rule as its value."""
    from sqlglot import exp

    if not isinstance(node, exp.Placeholder):
        return node
    return exp.Literal.string(values[str(node.this)])
