"""`custom_sql`: a question in the engine's own SQL, and the answer that it must give."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from remit_packs.validation.checks.data import Data, number, plain_number
from remit_packs.validation.checks.deciding import validation_type
from remit_packs.validation.checks.outcome import CheckError, Outcome, judged
from remit_packs.validation.checks.parameters import OwnTable

Operator = Literal["=", "!=", "<", "<=", ">", ">="]


class CustomSql(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`sql` is one SELECT that gives one number, in the dialect of the table's engine; `{table}` stands for the table."""

    sql: Annotated[str, Meta(min_length=6, max_length=20_000)]
    expected: int | float = 0
    operator: Operator = "="
    table: OwnTable = ""


@validation_type("custom_sql")
async def custom_sql(parameters: CustomSql, data: Data) -> Outcome:
    """The number that a SELECT answers compares with `expected` as it should: by default, nothing is found that breaks the rule."""
    answer = await data.query(parameters.sql, parameters.table)
    found = number(single(answer), "the answer")
    if found is None:
        raise CheckError("the query answered NULL", code="E593", help="wrap it in `coalesce(..., 0)`")
    wanted = Decimal(str(parameters.expected))
    return judged(
        holds(found, parameters.operator, wanted),
        f"the query answered {plain_number(found)}",
        f"the query answered {plain_number(found)}, which is not {parameters.operator} {parameters.expected}",
        table=data.named(parameters.table),
        expected=parameters.expected,
        operator=parameters.operator,
        actual=plain_number(found),
        sql=parameters.sql,
    )


def single(answer: Any) -> Any:
    """The one value of an answer. Raises CheckError E593 when it has another form."""
    rows = answer["rows"] if isinstance(answer, dict) else answer
    if not (isinstance(rows, list) and len(rows) == 1 and isinstance(rows[0], list) and len(rows[0]) == 1):
        raise CheckError(
            "the query does not answer with one row of one column",
            code="E593",
            help="e.g. SELECT count(*) FROM {table} WHERE ...",
        )
    return rows[0][0]


def holds(found: Decimal, operator: Operator, wanted: Decimal) -> bool:
    """Whether the comparison is true. NaN compares with nothing."""
    if found.is_nan():
        return False
    match operator:
        case "=":
            return found == wanted
        case "!=":
            return found != wanted
        case "<":
            return found < wanted
        case "<=":
            return found <= wanted
        case ">":
            return found > wanted
        case _:
            return found >= wanted
