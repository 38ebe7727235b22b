"""What the parameters of several checks have in common."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from remit_packs.validation.engines.base import Filter

TableRef = Annotated[
    str, Meta(description="A registered table_id, or a location.", extra_json_schema={"format": "table"})
]
"""Names a table. The mark `format: table` lets whoever writes a rule be told of a table that is not registered."""

OwnTable = Annotated[
    str,
    Meta(
        description="The table that the rule is about, unless it names another.",
        extra_json_schema={"format": "table"},
    ),
]
ColumnName = Annotated[str, Meta(min_length=1, description="A column's name, exactly as it is stored.")]
Columns = Annotated[list[ColumnName], Meta(min_length=1, description="Columns' names.")]
Percent = Annotated[float, Meta(ge=0, le=100, description="Per cent, 0 to 100.")]
Count = Annotated[int, Meta(ge=0)]
Decimals = Annotated[
    int, Meta(ge=0, le=18, description="Floating point is compared rounded to so many decimals.")
]
Filters = Annotated[
    list[Filter],
    Meta(
        description="Only rows for which all of these hold. A text value may be `${today}` or `${today-N}`: "
        "the day (UTC) for which the check runs, or N days before."
    ),
]


class Rows(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Of a check of the rows of one table. No row at all fails the check, unless `allow_empty`."""

    table: OwnTable = ""
    filters: Filters = []
    allow_empty: bool = False


class Pair(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Of a check of one table against another. The source is the expected side; `filters` are for both."""

    source_table: TableRef
    target_table: OwnTable = ""
    filters: Filters = []
