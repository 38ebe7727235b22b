"""What somebody who sets up a database for agents says about it, and what comes of it for the tables that there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from remit_packs.tools.sql.access import Access
from remit_packs.tools.sql.errors import misconfigured
from remit_packs.tools.sql.schema import Column, Table, Tables

Allowed = Sequence[str] | Mapping[str, Sequence[str] | Literal["*"]] | Literal["*"]


class Rules(Struct, frozen=True):
    """See `Database` for what each means. Columns are written `table.column`."""

    database: str
    tables: Allowed
    tenant_column: str = ""
    shared: Sequence[str] = ()
    rows: Mapping[str, str] = {}
    masks: Mapping[str, str] = {}
    hide: Sequence[str] = ()

    def over(self, found: Tables, dialect: str) -> dict[str, Access]:
        """What may be seen of the tables that there are. Raises ToolError E907 for a rule that fits none of them, or is no SQL."""
        seen = {table.name: self._access(table) for table in self._chosen(found)}
        for named in (*self.rows, *self.shared, *(c.rpartition(".")[0] for c in (*self.masks, *self.hide))):
            if named not in found:
                raise self._wrong(f"a rule names the table `{named}`, which is not there")
        for written in (*self.rows.values(), *self.masks.values()):
            self._check(written, dialect)
        if not seen:
            raise self._wrong("no table may be asked")
        return seen

    def _chosen(self, found: Tables) -> Iterable[Table]:
        if self.tables == "*":
            return [table for table in found.values() if self._safe(table)]
        missing = [name for name in self.tables if name not in found]
        if missing:
            raise self._wrong(f"there is no table `{missing[0]}` that its login may read")
        unsafe = [name for name in self.tables if not self._safe(found[name])]
        if unsafe:
            raise misconfigured(
                self.database,
                f"table `{unsafe[0]}` has no column `{self.tenant_column}`, so that its rows are of no tenant",
                "name it in `shared` if all may see it, or give it a rule in `rows` with `:tenant`",
            )
        return [found[name] for name in self.tables]

    def _safe(self, table: Table) -> bool:
        """Whether it is known whose rows are whose."""
        if (
            not self.tenant_column
            or table.name in self.shared
            or table.column(self.tenant_column) is not None
        ):
            return True
        return ":tenant" in self.rows.get(table.name, "")

    def _access(self, table: Table) -> Access:
        tenant = (
            table.column(self.tenant_column) if self.tenant_column and table.name not in self.shared else None
        )
        columns = self._columns(table)
        masks = {c.name: mask for c in columns if (mask := self.masks.get(f"{table.name}.{c.name}"))}
        condition = self.rows.get(table.name, "")
        if not columns:
            raise self._wrong(f"no column of `{table.name}` may be seen")
        return Access(
            table,
            columns,
            masks,
            tenant.name if tenant else "",
            condition,
            whole=not (tenant or condition or masks)
            and len(columns) == len(table.columns)
            and self._named(table) is None,
        )

    def _named(self, table: Table) -> Sequence[str] | None:
        """The columns that are listed for a table; None for all of them."""
        if not isinstance(self.tables, Mapping):
            return None
        listed = self.tables[table.name]
        return None if listed == "*" else listed

    def _columns(self, table: Table) -> tuple[Column, ...]:
        listed = self._named(table)
        hidden = {c.rpartition(".")[2] for c in self.hide if c.rpartition(".")[0] == table.name}
        names = [c.name for c in table.columns]
        for name in (
            *(listed or ()),
            *hidden,
            *(c.rpartition(".")[2] for c in self.masks if c.rpartition(".")[0] == table.name),
        ):
            if name not in names:
                raise self._wrong(f"a rule names the column `{table.name}.{name}`, which is not there")
        if listed is None and table.name not in self.shared:
            hidden |= {self.tenant_column}  # the same in every row that is seen
        return tuple(
            c for c in table.columns if c.name not in hidden and (listed is None or c.name in listed)
        )

    def _check(self, written: str, dialect: str) -> None:
        from sqlglot import exp
        from sqlglot.errors import SqlglotError

        try:
            tree: exp.Expr = exp.maybe_parse(written, dialect=dialect)
        except SqlglotError:
            raise self._wrong(f"`{written[:80]}` is no expression of {dialect}") from None
        unknown = [p for p in tree.find_all(exp.Placeholder) if str(p.this) not in ("tenant", "actor")]
        if unknown or isinstance(tree, exp.Query):
            raise self._wrong(f"`{written[:80]}` is no condition over `:tenant` and `:actor`")

    def _wrong(self, why: str) -> Exception:
        return misconfigured(self.database, why, "correct what `Database(...)` says")
