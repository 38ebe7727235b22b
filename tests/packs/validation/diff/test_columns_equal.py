"""Which columns are equal: the same answer as by digest, wherever the tables are."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from stores import Columns, Store

from remit_packs.validation.diff import columns_equal
from remit_packs.validation.diff.tool import agreements
from remit_packs.validation.sources import open_engine

SOURCE: Columns = {
    "k": ("integer", [1, 2, 3]),
    "same": ("string", ["a", None, ""]),
    "moved": ("string", ["x", "y", "y"]),
    "doubled": ("string", ["x", "x", "y"]),
    "null": ("string", ["a", None, None]),
    "case": ("string", ["a", "b", "c"]),
}
TARGET: Columns = {
    "k": ("integer", [1, 2, 3]),
    "same": ("string", ["a", None, ""]),
    "moved": ("string", ["y", "x", "y"]),
    "doubled": ("string", ["x", "y", "y"]),
    "null": ("string", ["a", "", None]),
    "case": ("string", ["a", "B", "c"]),
}


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("parquet", "parquet"),
        ("parquet", "csv"),
        ("postgres", "postgres"),
        ("sqlite", "mariadb"),
        ("csv", "postgres"),
    ],
)
def test_columns_equal_is_about_values_and_how_often(
    store: Callable[[str], Store], left: str, right: str
) -> None:
    a, b = store(left).write(SOURCE), store(right).write(TARGET)
    with open_engine(a, beside=[b]) as source, open_engine(b, beside=[a]) as target:
        found = columns_equal(source, target, agreements(source, target, []))
        assert columns_equal(source, target, {}) == {}
    assert {name for name, same in found.items() if same} == {"k", "same", "moved"}
