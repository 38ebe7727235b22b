"""Whatever two tables hold and wherever they are, the diff is what brute force finds, also when cut very finely."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from brute_force import TINY, columns_of, compared, expected, summary
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from stores import STORES, Store

from remit_packs.validation.diff.segments import Sizes

TYPES = {
    "id": "integer",
    "part": "string",
    "amount": "decimal(12,2)",
    "note": "string",
    "at": "timestamp",
    "open": "boolean",
}
WORDS = [
    "",
    "a",
    "A",
    "a ",
    "é",
    "e\u0301",
    "雪😀",
    "line\nbreak",
    "it's",
    'say "so"',
    "x" * 1500,
    "x" * 1499 + "y",
]

number = st.integers(-3, 9)
ids = st.one_of(number, number, number, st.sampled_from([None, 2**62, -(2**62)]))
parts = st.sampled_from(["p", "P", "p ", "ß", "q", "q", None])
amounts = st.one_of(st.none(), st.decimals(-1000, 1000, places=2))
times = st.one_of(st.none(), st.datetimes(datetime(1970, 1, 2), datetime(2037, 1, 1)))
rest = st.tuples(
    amounts, st.one_of(st.none(), st.sampled_from(WORDS)), times, st.one_of(st.none(), st.booleans())
)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[list[Any], list[Any]]:
    """Two tables that have much in common; some keys are NULL, and some stand there twice."""
    base = draw(st.lists(st.tuples(ids, parts, rest), max_size=12, unique_by=lambda r: (r[0], r[1])))
    source = [(i, p, *values) for i, p, values in base]
    target = []
    for row in source:
        change = draw(st.sampled_from(["same", "same", "same", "drop", "change", "swap", "double"]))
        if change == "change":
            target.append((*row[:2], *draw(rest)))
        elif change == "swap" and target:
            target.append((*row[:2], *target[-1][2:]))
        elif change != "drop":
            target += [row] * (2 if change == "double" else 1)
    target += [(i, p, *v) for i, p, v in draw(st.lists(st.tuples(ids, parts, rest), max_size=3))]
    return source, draw(st.permutations(target))


@pytest.mark.parametrize(("left", "right"), list(product(STORES, STORES)))
def test_the_diff_is_what_brute_force_finds(store: Callable[[str], Store], left: str, right: str) -> None:
    mine, theirs = store(left), store(right)

    @settings(
        max_examples=5,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(pairs(), st.sampled_from([["id"], ["id", "part"], ["part"]]), st.sampled_from([TINY, Sizes()]))
    def check(tables: tuple[list[Any], list[Any]], key: list[str], sizes: Sizes) -> None:
        source, target = tables
        assume(source or mine.names_columns_of_nothing)
        assume(target or theirs.names_columns_of_nothing)
        order = [*key, *(name for name in TYPES if name not in key)]
        places = [list(TYPES).index(name) for name in order]
        types = {name: TYPES[name] for name in order}
        source, target = ([tuple(row[i] for i in places) for row in rows] for rows in (source, target))
        locations = mine.write(columns_of(types, source)), theirs.write(columns_of(types, target))
        found = compared(*locations, key, sizes=sizes)
        assert summary(found) == expected(order, len(key), source, target)
        if key == ["id"]:
            numbers = [Decimal(row.key[0]) for row in found.differences]
            assert numbers == sorted(numbers)

    check()
