"""A database that agents may ask: where it is, what of it may be seen by whom, and how much a question may take."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal
from urllib.parse import quote

from msgspec import Struct, field

from remit.sdk import ConfigError, ToolContext, ToolError
from remit_packs.tools.sql.access import Access, Asker
from remit_packs.tools.sql.description import Description, described
from remit_packs.tools.sql.engines import open_engine
from remit_packs.tools.sql.engines.base import Engine, Reads
from remit_packs.tools.sql.errors import no_table
from remit_packs.tools.sql.guard import guard
from remit_packs.tools.sql.limits import Limits
from remit_packs.tools.sql.result import ROW, Result, result_of
from remit_packs.tools.sql.rules import Allowed, Rules
from remit_packs.tools.sql.schema import Tables

FRESH_S = 300.0
"""How long what a database holds is remembered before it is looked up again."""

_SECRET = re.compile(r"\$\{secret:([A-Za-z]\w*)\}")
_SAMPLES = 8
_MOST_ASKERS = 500


class Opened(Struct):
    """An engine, and what was there when it was last looked at."""

    engine: Engine
    tables: Tables
    access: Mapping[str, Access]
    at: float
    samples: dict[Asker, dict[str, list[str]]] = field(default_factory=dict)


class Database:
    """A database for `database_tools`. One object serves all tenants, threads and runs."""

    def __init__(
        self,
        name: str,
        url: str | Callable[[], str],
        *,
        tables: Allowed,
        tenant_column: str = "",
        shared: Sequence[str] = (),
        rows: Mapping[str, str] | None = None,
        masks: Mapping[str, str] | None = None,
        hide: Sequence[str] = (),
        notes: Mapping[str, str] | None = None,
        samples: Sequence[str] = (),
        limits: Limits = Limits(),
        trust: Literal["trusted", "untrusted"] = "untrusted",
        sensitivity: Literal["public", "internal", "private", "secret"] = "private",
    ) -> None:
        """`url` is a URL, with `${secret:NAME}` in the place of a password; or the name of a secret that holds it all; or what makes it.

        `tables` are those that may be asked: names, or names with their columns, or `"*"`. Nothing else exists for a query.
        `tenant_column`: of every table that has it, a tenant sees the rows that hold its id; a table without it must be `shared`, or have a rule.
        `rows` are conditions by table in the SQL of the engine, with `:tenant` and `:actor` for who asks.
        `masks` are expressions in the place of a column, by `table.column`; columns in `hide` do not exist.
        `notes` say what a table or a `table.column` means, where the database has no comment of its own.
        `samples` are columns (`table.column`) a few of whose values are shown to a model before it asks.
        `trust` is that of the texts in it: others may have written them. Raises ConfigError E907.
        """
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,39}", name):
            raise ConfigError(
                f"`{name}` is no name of a database", code="E907", help="use letters, digits and `_`"
            )
        self.name = name
        self.limits = limits
        self.trust = trust
        self.sensitivity = sensitivity
        self.notes = dict(notes or {})
        self.rules = Rules(name, tables, tenant_column, shared, dict(rows or {}), dict(masks or {}), hide)
        self._url = url
        self._samples = tuple(samples)
        self._opened: dict[str, Opened] = {}

    def query(self, sql: str, context: ToolContext) -> Result:
        """The answer to a query, as the caller of this context may see it. Raises ArgumentsError E900-E906, ToolError E907-E909."""
        result = self._asked(self._open(context), sql, _asker(context))
        if self.trust == "untrusted" and any(
            _is_text(v) for row in result.rows for k, v in row.items() if k != ROW
        ):
            context.mark(f"database:{self.name}", trust="untrusted", sensitivity=self.sensitivity)
        return result

    def describe(self, context: ToolContext, tables: Sequence[str] = ()) -> Description:
        """What may be asked here. Raises ArgumentsError E902 for a table that is not there, ToolError E907, E908."""
        opened, asker = self._open(context), _asker(context)
        for name in tables:
            if name not in opened.access:
                raise no_table(name, opened.access)
        samples = self._sampled(opened, asker)
        if samples and self.trust == "untrusted":
            context.mark(f"database:{self.name}", trust="untrusted", sensitivity=self.sensitivity)
        return described(self.name, opened.engine.dialect, opened.access, tables, self.notes, samples)

    def refresh(self) -> None:
        """Forget what the database holds: it is looked up again by the next call."""
        self._opened.clear()

    def _asked(self, opened: Opened, sql: str, asker: Asker) -> Result:
        engine = opened.engine
        checked = guard(sql, engine.dialect, opened.access, asker, self.limits)
        fetched = engine.run(checked.sql, self.limits, _reads(opened, checked.tables))
        return result_of(self.name, checked, fetched, self.limits)

    def _open(self, context: ToolContext) -> Opened:
        """The engine of this tenant's URL, and what it holds, looked up again when that is some minutes old."""
        url, now = self._resolved(context), context.clock.monotonic()
        opened = self._opened.get(url)
        if opened is None or now - opened.at > FRESH_S:
            engine = opened.engine if opened else open_engine(self.name, url)
            tables = engine.inspect()
            opened = self._opened[url] = Opened(engine, tables, self.rules.over(tables, engine.dialect), now)
        return opened

    def _resolved(self, context: ToolContext) -> str:
        url = self._url if isinstance(self._url, str) else self._url()
        whole = _SECRET.fullmatch(url)
        if whole or "://" not in url:
            return context.secrets.get(whole[1] if whole else url)
        return _SECRET.sub(lambda m: _quoted(context.secrets.get(m[1])), url)

    def _sampled(self, opened: Opened, asker: Asker) -> dict[str, list[str]]:
        """A few values of each sampled column, as the asker may see them."""
        if asker not in opened.samples:
            if len(opened.samples) >= _MOST_ASKERS:
                opened.samples.clear()
            opened.samples[asker] = {
                c: found for c in self._samples if (found := self._values(opened, asker, c))
            }
        return opened.samples[asker]

    def _values(self, opened: Opened, asker: Asker, column: str) -> list[str]:
        from sqlglot import exp

        table, _, name = column.rpartition(".")
        if table not in opened.access or name not in opened.access[table].names:
            return []
        asked = exp.column(name, quoted=True)
        query = (
            exp.select(asked).distinct().from_(exp.table_(table, quoted=True)).order_by(asked).limit(_SAMPLES)
        )
        try:
            result = self._asked(opened, query.sql(opened.engine.dialect), asker)
        except ToolError:
            return []  # a table too large to look through is described without samples
        return [str(row[name])[:60] for row in result.rows if row[name] is not None]


def _asker(context: ToolContext) -> Asker:
    return Asker(context.tenant_id, context.actor.actor_id)


def _is_text(value: object) -> bool:
    """Whether a value could hold words: a time could not."""
    return isinstance(value, str | list | dict) and not re.fullmatch(r"[\d\s:.TZ+-]*", str(value))


def _quoted(secret: str) -> str:
    return quote(secret, safe="")


def _reads(opened: Opened, tables: Sequence[str]) -> Reads:
    """The stored columns that a guarded query over these tables may read, those of the rules among them."""
    reads: dict[str, set[str]] = {}
    for name in tables:
        access = opened.access[name]
        reads[name.lower()] = access.reads() | reads.get(name.lower(), set())
        for other in access.rule_tables(opened.engine.dialect):
            table = opened.tables.get(other)
            if table is not None:
                reads.setdefault(other.lower(), set()).update(c.name.lower() for c in table.columns)
    return reads
