"""Whatever two tables hold and wherever they are, the diff is what brute force finds, also when cut very finely."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from decimal import Decimal
from functools import partial
from itertools import product
from typing import Any

import pytest
from brute_force import TINY, columns_of, expected, of_engines, summary
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from stores import STORES, Columns, Store

from remit_packs.validation.diff.segments import Sizes
from remit_packs.validation.sources import open_engine

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


Tables = tuple[list[Any], list[Any]]


@st.composite
def pairs(draw: st.DrawFn, least: int, most: int) -> Tables:
    """Two tables that have much in common; some keys are NULL, and some stand there twice."""
    base = draw(
        st.lists(st.tuples(ids, parts, rest), min_size=least, max_size=most, unique_by=lambda r: (r[0], r[1]))
    )
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


KEYS = [["id"], ["id", "part"], ["part"]]
SIZES = st.sampled_from([TINY, Sizes()])
examples = partial(
    settings,
    deadline=None,
    database=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.function_scoped_fixture,
    ],
)


def located(store: Store, columns: Columns) -> str:
    """Where the table is; nowhere if it is empty and its store would not even know its columns."""
    empty = not any(values for _, values in columns.values())
    return "" if empty and not store.names_columns_of_nothing else store.write(columns)


def check(stores: dict[str, Store], tables: Tables, key: list[str], sizes: Sizes) -> None:
    """The two tables in each of the stores, and the diff of every pair."""
    order = [*key, *(name for name in TYPES if name not in key)]
    places = [list(TYPES).index(name) for name in order]
    types = {name: TYPES[name] for name in order}
    source, target = ([tuple(row[i] for i in places) for row in rows] for rows in tables)
    right = expected(order, len(key), source, target)
    at = [
        {name: place for name, s in stores.items() if (place := located(s, columns_of(types, rows)))}
        for rows in (source, target)
    ]
    with ExitStack() as opened:
        sides = [
            {
                name: opened.enter_context(open_engine(place, beside=[*at[1 - i].values()]))
                for name, place in at[i].items()
            }
            for i in (0, 1)
        ]
        for (left, mine), (other, theirs) in product(sides[0].items(), sides[1].items()):
            found = of_engines(mine, theirs, key, sizes=sizes)
            assert summary(found) == right, f"{left} against {other}"
            if key == ["id"]:
                numbers = [Decimal(row.key[0]) for row in found.differences]
                assert numbers == sorted(numbers), f"{left} against {other}"


@pytest.mark.parametrize("key", KEYS, ids="-".join)
def test_the_diff_is_what_brute_force_finds_between_all_engines(
    stores: dict[str, Store], key: list[str]
) -> None:
    """Each pair of tables stands in every engine, and is compared from each to each."""

    @examples(max_examples=2)
    @given(pairs(15, 40), SIZES)
    def tried(tables: Tables, sizes: Sizes) -> None:
        assume(tables[0] != tables[1])  # the simplest tables are tried in one engine
        check(stores, tables, key, sizes)

    tried()


@pytest.mark.parametrize("name", STORES)
def test_the_diff_is_what_brute_force_finds_in_one_engine(store: Callable[[str], Store], name: str) -> None:
    """Many tables, small ones and empty ones too, where both stand in one engine and it joins them."""
    one = {name: store(name)}

    @examples(max_examples=10)
    @given(pairs(0, 12), st.sampled_from(KEYS), SIZES)
    def tried(tables: Tables, key: list[str], sizes: Sizes) -> None:
        check(one, tables, key, sizes)

    tried()
