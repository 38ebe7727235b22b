"""What a question may be made of: a list of what is allowed, since a list of what is not forgets tomorrow's function.

Everything is named by its class in sqlglot. A function that sqlglot has no class for is allowed by its name in one dialect.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from remit_packs.tools.sql.errors import not_allowed

if TYPE_CHECKING:
    from sqlglot import exp

_SHAPE = """
Select Union Intersect Except Subquery With CTE From Join Table TableAlias Values Where Group Having Qualify Order Ordered Limit Offset
Fetch LimitOptions Rollup Cube GroupingSets Window WindowSpec Alias Column Identifier Star Distinct Tuple Paren Filter WithinGroup IgnoreNulls RespectNulls
""".split()  # noqa: SIM905

_OPERATORS = """
Add Sub Mul Div IntDiv Mod Neg Pow DPipe EQ NEQ GT GTE LT LTE NullSafeEQ NullSafeNEQ Is Not And Or Xor In Between Like ILike SimilarTo Glob
Escape RegexpLike RegexpILike Exists All Any Case If Cast TryCast DataType DataTypeParam AtTimeZone Interval IntervalSpan Var Literal Null
Boolean
""".split()  # noqa: SIM905

_AGGREGATES = """
Count CountIf Sum Avg Min Max Median Mode Stddev StddevPop StddevSamp Variance VariancePop Quantile PercentileCont PercentileDisc
ApproxDistinct ApproxQuantile Corr CovarPop CovarSamp RegrSlope RegrIntercept RegrR2 RegrCount ArgMax ArgMin AnyValue GroupConcat ArrayAgg
LogicalAnd LogicalOr First Last FirstValue LastValue NthValue Lag Lead RowNumber Rank DenseRank PercentRank CumeDist Ntile Grouping
Kurtosis Skewness
""".split()  # noqa: SIM905

_FUNCTIONS = """
Abs Ceil Floor Round Trunc Sqrt Cbrt Exp Ln Log Sign Greatest Least Coalesce Nullif Nvl2 Pi WidthBucket
Lower Upper Initcap Length Trim Substring Left Right Concat ConcatWs Replace Reverse SplitPart SubstringIndex StrPosition StartsWith EndsWith Contains Pad
RegexpReplace RegexpExtract RegexpFullMatch Typeof
CurrentDate CurrentTime CurrentTimestamp CurrentDatetime Localtime Localtimestamp Extract Date Datetime Time Timestamp DateTrunc
TimestampTrunc DatetimeTrunc DateAdd DateSub DateDiff DatetimeAdd DatetimeSub DatetimeDiff TimestampAdd TimestampSub TimestampDiff TimeAdd
TimeSub TimeDiff Year Quarter Month Week WeekOfYear Day DayOfMonth DayOfWeek DayOfWeekIso DayOfYear Hour Minute Second LastDay Dayname
Monthname DateFromParts TimestampFromParts AddMonths MonthsBetween ToChar TimeToStr StrToTime StrToDate StrToUnix NumberToStr TimeToUnix
UnixToTime UnixToStr UnixSeconds DateStrToDate TimeStrToTime TimeStrToDate TsOrDsAdd TsOrDsDiff TsOrDsToDate TsOrDsToTimestamp
TsOrDsToTime TsOrDsToDatetime ToDays
""".split()  # noqa: SIM905

NODES = frozenset([*_SHAPE, *_OPERATORS, *_AGGREGATES, *_FUNCTIONS])

NAMED: Mapping[str, frozenset[str]] = {
    "sqlite": frozenset({"date", "time", "datetime", "julianday", "unixepoch", "total", "printf", "format"}),
    "postgres": frozenset({"age", "make_date", "justify_days", "justify_interval", "div", "date_part", "to_date"}),
    "duckdb": frozenset(
        {"age", "epoch", "isodow", "isoyear", "mad", "entropy", "product", "fsum", "favg", "histogram", "geomean", "date_part", "list", "round_even"}
    ),
    "mysql": frozenset({"truncate", "field", "makedate", "period_diff", "std", "weekday", "sec_to_time", "time_to_sec"}),
    "athena": frozenset({"geometric_mean", "max_by", "min_by", "year_of_week", "date_parse"}),
}  # fmt: skip
"""Functions by name. Each reads its arguments only, costs about a step, and answers with no more than it is given."""

TYPES = frozenset(
    """
    BIGINT BOOLEAN CHAR DATE DATETIME DECIMAL DOUBLE FLOAT INT INTERVAL NCHAR NVARCHAR SMALLINT TEXT TIME TIMESTAMP TIMESTAMPTZ
    TIMESTAMPNTZ TIMESTAMPLTZ TIMETZ TINYINT UBIGINT UINT UTINYINT USMALLINT UUID VARCHAR INT128 UDECIMAL
    """.split()  # noqa: SIM905
)
"""What may be cast to. Others look things up (`regclass`), or run code of an extension."""

_PARTS: Mapping[str, frozenset[str]] = {
    "Select": frozenset({"with_", "expressions", "distinct", "from_", "joins", "where", "group", "having", "qualify", "windows", "order", "limit", "offset"}),
    "Table": frozenset({"this", "alias", "db", "joins"}),
    "Join": frozenset({"this", "on", "side", "kind", "using"}),
    "With": frozenset({"expressions"}),
    "CTE": frozenset({"this", "alias", "materialized"}),
    "Subquery": frozenset({"this", "alias", "with_", "order", "limit", "offset"}),
    **dict.fromkeys(
        ("Union", "Intersect", "Except"),
        frozenset({"with_", "this", "expression", "distinct", "by_name", "order", "limit", "offset"}),
    ),
    "Column": frozenset({"this", "table"}),
    "Star": frozenset({"except_"}),
    "Values": frozenset({"expressions", "alias"}),
    "Limit": frozenset({"expression", "offset"}),
    "Offset": frozenset({"expression"}),
    "Fetch": frozenset({"direction", "count", "limit_options"}),
    "LimitOptions": frozenset({"rows"}),
    "In": frozenset({"this", "expressions", "query"}),
    "Group": frozenset({"expressions", "grouping_sets", "cube", "rollup", "all"}),
    "Cast": frozenset({"this", "to"}),
    "TryCast": frozenset({"this", "to", "safe", "requires_string"}),
    "DataType": frozenset({"this", "expressions", "nested"}),
}  # fmt: skip
"""Of these every other clause is refused: locks, `INTO`, samples, pivots, hints, time travel, recursion."""

_JOINS = frozenset({"", "INNER", "LEFT", "RIGHT", "FULL", "OUTER", "CROSS"})
_WORDS = {
    "with_": "WITH",
    "from_": "FROM",
    "laterals": "LATERAL",
    "recursive": "WITH RECURSIVE",
    "locks": "FOR UPDATE",
    "into": "INTO",
}
_PADDED = 1000
_FORMAT = re.compile(r"(?:[^%]|%%|%[-+ 0,]{0,3}\d{0,2}(?:\.\d{1,2})?[dfs])*")


def check(tree: exp.Expr, dialect: str) -> None:
    """Raise ArgumentsError E901 unless the tree is made of nothing but what is allowed."""
    for node in tree.walk():
        name = type(node).__name__
        if name == "Anonymous":
            _check_named(node, dialect)
        elif name not in NODES:
            raise _refused(node, name, dialect)
        else:
            _check_parts(node, name)
            _check_more(node, name)


def _check_parts(node: exp.Expr, name: str) -> None:
    allowed = _PARTS.get(name)
    if allowed is None:
        return
    for part in _given(node):
        if part not in allowed:
            word = _WORDS.get(part, part.rstrip("_").upper())
            raise not_allowed(f"`{word}` of `{name.upper()}`" if part not in _WORDS else f"`{word}`")


def _given(node: exp.Expr) -> Iterator[str]:
    return (key for key, value in node.args.items() if value not in (None, False, [], ""))


def _check_more(node: exp.Expr, name: str) -> None:
    """What a class alone does not tell."""
    match name:
        case "Table" if type(node.this).__name__ != "Identifier":
            raise not_allowed("a function in the place of a table", "ask tables only")
        case "Join" if not {node.args.get("side") or "", node.args.get("kind") or ""} <= _JOINS:
            raise not_allowed(
                f"a `{node.args.get('kind')}` join", "use INNER, LEFT, RIGHT, FULL or CROSS JOIN ... ON"
            )
        case "DataType" if getattr(node.this, "value", "") not in TYPES:
            raise not_allowed(f"the type `{node.sql()[:40]}`", "cast to a number, text, date or time")
        case "Pad" if not _small(node.args.get("expression"), _PADDED):
            raise not_allowed("padding to a length that is not written out, or above 1000")
        case "Values" if not all(type(row).__name__ == "Tuple" for row in node.expressions):
            raise not_allowed("`VALUES` without rows")
        case "Identifier" if not node.this.isprintable():
            raise not_allowed("a name with characters that do not show")


def _check_named(node: exp.Expr, dialect: str) -> None:
    name = node.this if isinstance(node.this, str) else ""
    if name.lower() not in NAMED.get(dialect, frozenset()):
        raise _unknown_function(name or str(node.this), dialect)
    if name.lower() in ("printf", "format"):
        first = node.expressions[0] if node.expressions else None
        text = (
            first.this if type(first).__name__ == "Literal" and first is not None and first.is_string else "%"
        )
        if not _FORMAT.fullmatch(text):
            raise not_allowed(f"this format of `{name}`", "write out a format of %d, %s and %.2f")


def _small(node: exp.Expr | None, most: int) -> bool:
    return (
        type(node).__name__ == "Literal"
        and node is not None
        and node.this.isdigit()
        and int(node.this) <= most
    )


def _refused(node: exp.Expr, name: str, dialect: str) -> Exception:
    from sqlglot import exp

    if isinstance(node, exp.Func):
        return _unknown_function(node.sql_name().lower() if node.sql_names() else name.lower(), dialect)
    return not_allowed(_CLAUSES.get(name, f"`{name}`"))


_CLAUSES = {
    "Lateral": "`LATERAL`",
    "TableSample": "`TABLESAMPLE`",
    "Pivot": "`PIVOT`",
    "Lock": "`FOR UPDATE`",
    "Into": "`INTO`",
    "Placeholder": "a placeholder",
    "Parameter": "a parameter",
    "SessionParameter": "a system variable",
    "Dot": "a name of more than two parts",
    "Hint": "a hint",
    "Command": "a command",
    "Bracket": "an index into a list",
}


def _unknown_function(name: str, dialect: str) -> Exception:
    return not_allowed(
        f"the function `{name[:60]}`",
        f"use common functions of {dialect}, such as those for sums, texts and dates",
    )
