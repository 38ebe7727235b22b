"""The two tools of a database: what is in it, and a question to it."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from remit.sdk import FunctionTool, ToolContext, tool
from remit_packs.tools.sql.database import Database
from remit_packs.tools.sql.description import Description
from remit_packs.tools.sql.result import Result

Names = Annotated[
    tuple[str, ...],
    Meta(max_length=50, description="Tables to describe; empty: all, or their names where they are many."),
]
Sql = Annotated[str, Meta(min_length=1, description="One SELECT in the database's dialect.")]

_DESCRIBE = """What the database `{name}` holds: tables, columns with types and meaning, keys, sample values, and the SQL dialect to write."""
_QUERY = """Ask the database `{name}` one SELECT. Call `{describe}` first, and name only what it tells.

Every row that you see is one you may see: add no condition on a tenant. At most {rows} rows come back; aggregate in SQL, not by hand.
Write each number of the result into your answer with its cell: 1,250.00 [[r1.total]]. If the query is refused, mend it by the message.
"""


def database_tools(database: Database, *, named: bool = False) -> list[FunctionTool]:
    """`describe_database` and `query_database`; with `named` the database's own name is theirs: `describe_shop` and `query_shop`."""
    suffix = database.name if named else "database"
    limits = database.limits
    seconds = limits.timeout_s + 20.0

    def describe(context: ToolContext, tables: Names = ()) -> Description:
        return database.describe(context, tables)

    def query(context: ToolContext, sql: Sql) -> Result:
        return database.query(sql, context)

    describe.__doc__ = _DESCRIBE.format(name=database.name)
    query.__doc__ = _QUERY.format(name=database.name, describe=f"describe_{suffix}", rows=limits.max_rows)
    return [
        tool(
            name=f"describe_{suffix}",
            timeout_s=60.0,
            sensitivity=database.sensitivity,
            max_output_bytes=131_072,
            tags=["database"],
        )(describe),
        tool(
            name=f"query_{suffix}",
            timeout_s=seconds,
            sensitivity=database.sensitivity,
            max_output_bytes=2 * limits.max_bytes + 65_536,
            tags=["database"],
        )(query),
    ]
