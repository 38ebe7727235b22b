"""From a query that a model wrote to one that may run: read, checked against what is allowed, rewritten, and written out anew.

What runs is what sqlglot writes from the checked tree, never the text that was given: how the text could be read otherwise does not matter.
"""

from __future__ import annotations

import itertools
import logging
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from remit_packs.tools.sql import allowed, fencing, grouping, growth
from remit_packs.tools.sql.access import Access, Asker
from remit_packs.tools.sql.errors import not_allowed, not_one_query
from remit_packs.tools.sql.limits import Limits
from remit_packs.tools.sql.naming import Naming

if TYPE_CHECKING:
    from sqlglot import exp

_DEEPEST = 100
"""Levels of a query's tree, in levels of parentheses and operators one in another."""


class Checked(Struct, frozen=True):
    """A query that may run, the stored tables that it reads, and the names of its columns, where they do not hang on a star."""

    sql: str
    tables: tuple[str, ...]
    names: tuple[str, ...] = ()


def guard(sql: str, dialect: str, tables: Mapping[str, Access], asker: Asker, limits: Limits) -> Checked:
    """The query as it may run on behalf of `asker`. Raises ArgumentsError E900-E903, each telling how to mend it."""
    tree = _normalised(_checked(_plain(sql, limits.max_sql), dialect), dialect)
    tree = _checked(_written(tree, dialect), dialect)
    naming = Naming(tree, tables)
    mentions = naming.stored()
    if len(mentions) > limits.max_tables:
        raise not_allowed(f"a query over {len(mentions)} tables", f"ask at most {limits.max_tables} at once")
    naming.check_columns()
    growth.check(tree, naming)
    if dialect == "postgres":
        _complete_groups(mentions)
    names, fenced = _names(tree), fencing.tells(tree)
    for table, access in mentions:
        _replace(table, access.relation(asker, dialect, fenced))
    _limit(tree, limits.max_rows + 1)
    return Checked(
        _written(tree, dialect), tuple(dict.fromkeys(access.table.name for _, access in mentions)), names
    )


def _checked(sql: str, dialect: str) -> exp.Query:
    """The tree of one query that is made of what is allowed. Done twice: what is written from a tree must read as that tree did."""
    tree = _root(_parsed(sql, dialect))
    allowed.check(tree, dialect)
    return tree


def _plain(sql: str, longest: int) -> str:
    if len(sql) > longest:
        raise not_one_query(f"it is longer than {longest} characters")
    hidden = next((c for c in sql if not c.isprintable() and c not in "\n\r\t"), "")
    if hidden:
        raise not_one_query(f"it holds the character U+{ord(hidden):04X}, which does not show")
    if _brackets(sql) > _DEEPEST:  # before the parser, which takes seconds to give up on thousands of them
        raise not_allowed("a query that is nested this deeply", "write it with fewer levels")
    return sql


def _brackets(sql: str) -> int:
    """How many brackets are open at once, at most; those within texts count too."""
    return max(itertools.accumulate((c in "([{") - (c in ")]}") for c in sql), default=0)


def _parsed(sql: str, dialect: str) -> exp.Expr:
    import sqlglot
    from sqlglot.errors import ParseError, SqlglotError

    logging.getLogger("sqlglot").setLevel(logging.ERROR)  # what it warns of is refused below
    try:
        trees = [tree for tree in sqlglot.parse(sql, read=dialect) if tree is not None]
    except ParseError as error:
        first = error.errors[0] if error.errors else {}
        place = f" at line {first['line']}, column {first['col']}" if first.get("line") else ""
        raise not_one_query(
            f"it cannot be read{place}", f"write one SELECT in the SQL of {dialect}"
        ) from None
    except (SqlglotError, RecursionError, ValueError):
        raise not_one_query("it cannot be read", f"write one SELECT in the SQL of {dialect}") from None
    if len(trees) != 1:
        raise not_one_query("it holds several statements" if trees else "it is empty")
    return trees[0]


def _root(tree: exp.Expr) -> exp.Query:
    from sqlglot import exp

    while isinstance(tree, exp.Subquery) and not any(v for k, v in tree.args.items() if k != "this"):
        tree = tree.this
    if not isinstance(tree, exp.Select | exp.SetOperation):
        raise not_one_query("it is no SELECT")
    if _depth(tree) > _DEEPEST:
        raise not_allowed("a query that is nested this deeply", "write it with fewer levels")
    return tree


def _depth(tree: exp.Expr) -> int:
    deepest, left = 0, [(tree, 1)]
    while left:
        node, level = left.pop()
        deepest = max(deepest, level)
        left += [(child, level + 1) for child in node.iter_expressions()]
    return deepest


def _normalised(tree: exp.Query, dialect: str) -> exp.Query:
    """Names as the engine would read them, so that two mentions of one thing are spelled alike."""
    from sqlglot.optimizer.normalize_identifiers import normalize_identifiers

    return normalize_identifiers(tree, dialect=dialect)


def _names(tree: exp.Query) -> tuple[str, ...]:
    """What the columns of the answer are called: an expression without a name, by its words. Engines may call it by the text that ran."""
    from sqlglot import exp

    first: exp.Expr = tree
    while isinstance(first, exp.SetOperation | exp.Subquery):
        first = first.this
    if any(each.is_star for each in first.expressions):
        return ()
    return tuple(
        each.alias_or_name or re.sub(r"\W+", "_", each.sql()).strip("_").lower()[:40]
        for each in first.expressions
    )


def _complete_groups(mentions: list[tuple[exp.Table, Access]]) -> None:
    from sqlglot import exp

    keyed: dict[int, tuple[exp.Select, dict[str, Access]]] = {}
    for table, access in mentions:
        select = table.find_ancestor(exp.Select)
        if select is not None:
            keyed.setdefault(id(select), (select, {}))[1][table.alias_or_name.lower()] = access
    for select, tables in keyed.values():
        grouping.complete(select, tables)


def _replace(table: exp.Table, relation: exp.Query | exp.Table) -> None:
    """Put what may be seen in the place of a table, under the name that the query knows it by."""
    from sqlglot import exp

    alias = table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(table.name))
    joins = table.args.get("joins")
    if isinstance(relation, exp.Table):
        relation.set("alias", alias)
        new: exp.Expr = relation
    else:
        new = exp.Subquery(this=relation, alias=alias)
    if joins:
        new.set("joins", joins)
    table.replace(new)


def _limit(tree: exp.Query, most: int) -> None:
    """At most so many rows, whatever the query says; one that asks for fewer stays as it is."""
    from sqlglot import exp

    given = tree.args.get("limit")
    count = (
        given.args.get("count" if isinstance(given, exp.Fetch) else "expression")
        if given is not None
        else None
    )
    asked = int(count.this) if isinstance(count, exp.Literal) and str(count.this).isdigit() else most
    tree.set("limit", exp.Limit(expression=exp.Literal.number(min(asked, most))))


def _written(tree: exp.Query, dialect: str) -> str:
    from sqlglot.errors import ErrorLevel, SqlglotError

    try:
        return str(
            tree.sql(dialect=dialect, identify=True, comments=False, unsupported_level=ErrorLevel.RAISE)
        )
    except (SqlglotError, RecursionError, ValueError):
        raise not_allowed(f"something that cannot be written in the SQL of {dialect}") from None
