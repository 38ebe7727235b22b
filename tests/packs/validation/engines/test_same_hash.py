"""colhash/1: the same rows give the same digests on every engine as in plain Python, and another row gives another."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any
from uuid import UUID

import pytest
from colhash_reference import canonical, digest, row_texts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stores import Columns, Store

from remit_packs.validation.agreement import agree
from remit_packs.validation.canonical import HashFunction, Kind
from remit_packs.validation.engines.base import Digests, Engine, Filter, Wanted
from remit_packs.validation.sources import open_engine

D = Decimal
PLUS2 = timezone(timedelta(hours=2))

KINDS = {
    "integer": Kind("number", 0, name="INTEGER"),
    "boolean": Kind("boolean", name="BOOLEAN"),
    "string": Kind("string", name="VARCHAR"),
    "date": Kind("date", name="DATE"),
    "timestamp": Kind("timestamp", 6, name="TIMESTAMP"),
    "zoned": Kind("timestamp", 6, zoned=True, name="TIMESTAMPTZ"),
    "uuid": Kind("uuid", name="UUID"),
    "binary": Kind("binary", name="BLOB"),
    "float": Kind("float", name="DOUBLE"),
}

TEXTS = ["", " ", "x", "x", "X", "x ", None, "NULL", 'a"b,c', "é", "e\u0301", "雪😀𝒳", "שלום \u200fعربي", "line\nbreak", "\ttab", "'", "\\", "\\'", "%s", "-0", "0x1", "1.10", "{}", "日本語" * 50]  # fmt: skip

CASES: dict[str, tuple[str, list[Any]]] = {
    "integer": ("integer", [0, -1, None, 7, 7, 2**63 - 1, -(2**63)]),
    "decimal": ("decimal(15,2)", [D("1.10"), D("-0.01"), None, D("0.00"), D("1234567890123.45")]),
    "small decimal": ("decimal(9,9)", [D("0.000000001"), D("0.999999999"), None]),
    "boolean": ("boolean", [True, False, None, True]),
    "string": ("string", TEXTS),
    "date": ("date", [date(1, 1, 1), date(1969, 12, 31), date(2024, 2, 29), date(9999, 12, 31), None]),
    "timestamp": (
        "timestamp",
        [
            datetime(1969, 12, 31, 23, 59, 59, 999999),
            datetime(2026, 1, 1),
            None,
            datetime(2026, 1, 1, 1, 2, 3, 40),
        ],
    ),
    "zoned": (
        "zoned",
        [datetime(2026, 1, 1, 1, 30, tzinfo=PLUS2), datetime(2026, 6, 1, 5, 0, 0, 7, tzinfo=UTC), None],
    ),
    "uuid": ("uuid", [UUID(int=0), UUID("A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"), None]),
    "binary": ("binary", [b"", b"\x00\xff", None, b"abc"]),
    "binary that looks like numbers": ("binary", [b"\x1e\x60", b"\x30", None]),
    "text that looks like numbers": ("string", ["1e60", "30", None]),
    "only nulls": ("integer", [None, None]),
}


def kind_of(type_name: str) -> Kind:
    if type_name.startswith("decimal"):
        return Kind("number", int(type_name.rpartition(",")[2].rstrip(")")), name=type_name.upper())
    return KINDS[type_name]


def wanted(engine: Engine, columns: Columns, decimals: int | None = None) -> list[Wanted]:
    """How this engine reads the columns when the other side has the types that the test declares."""
    found = {c.name: c.kind for c in engine.columns()}
    agreed = []
    for name, (type_name, _) in columns.items():
        how = agree(kind_of(type_name), found[name], decimals)
        assert not isinstance(how, str), (name, found[name], how)
        agreed.append(Wanted(name, how.target, how.common))
    return agreed


def hashed(
    location: str, columns: Columns, algorithm: HashFunction = "md5", decimals: int | None = None, **more: Any
) -> Digests:
    with open_engine(location) as engine:
        return engine.digests(wanted(engine, columns, decimals), algorithm, **more)


def expected(columns: Columns, algorithm: str = "md5", decimals: int | None = None) -> list[str]:
    texts = []
    for type_name, values in columns.values():
        kind = kind_of(type_name)
        if kind.family == "float" and decimals is not None:
            values = [None if v is None else D(repr(v)).quantize(D(1).scaleb(-decimals), ROUND_HALF_UP, Context(prec=400)) for v in values]  # fmt: skip
            kind = Kind("number", decimals)
        texts.append([canonical(v, kind.family, kind.digits) for v in values])
    rows = row_texts(texts)
    return [*(digest(column, algorithm) for column in texts), digest(rows, algorithm)]


def hashes(found: Digests) -> list[str]:
    return [*(c.hash for c in found.columns), found.row.hash]


@pytest.fixture(scope="module")
def cases(store: Store) -> tuple[str, Columns]:
    """One table with a column of each case, filled up with NULL, and where it is."""
    rows = max(len(values) for _, values in CASES.values())
    columns: dict[str, tuple[str, list[Any]]] = {
        case: (type_name, [*values, *[None] * (rows - len(values))])
        for case, (type_name, values) in CASES.items()
    }
    columns["n"] = ("integer", list(range(rows)))
    return store.write(columns), columns


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_every_type_hashes_as_the_reference_says(cases: tuple[str, Columns], algorithm: HashFunction) -> None:
    location, columns = cases
    found = hashed(location, columns, algorithm)
    right = expected(columns, algorithm)
    assert dict(zip([*columns, "row"], hashes(found), strict=True)) == dict(
        zip([*columns, "row"], right, strict=True)
    )
    nulls = {name: values.count(None) for name, (_, values) in columns.items()}
    assert {name: c.nulls for name, c in zip(columns, found.columns, strict=True)} == nulls
    assert found.rows == len(columns["n"][1])


def test_nothing_hashes_as_the_reference_says(store: Store) -> None:
    if not store.names_columns_of_nothing:
        pytest.skip("no rows, no names")
    columns: Columns = {"v": ("string", []), "n": ("integer", [])}
    found = hashed(store.write(columns), columns)
    assert (hashes(found), found.rows) == (expected(columns), 0)


def test_texts_with_nul_hash_where_they_can_be_held(store: Store) -> None:
    if not store.holds_nul:
        pytest.skip("no NUL there")
    columns = {"v": ("string", ["a\x00b", "\x00", "a", None]), "n": ("integer", [1, 2, 3, 4])}
    assert hashes(hashed(store.write(columns), columns)) == expected(columns)


@pytest.mark.parametrize("decimals", [0, 2, 6])
def test_floats_round_from_their_shortest_text_half_away_from_zero(store: Store, decimals: int) -> None:
    values = [0.1 + 0.2, 2.675, -2.675, 0.5, -0.5, 1.5, 1e15, -0.0, 1e-7, 123456.789, None, 1e20]
    columns = {"v": ("float", values), "n": ("integer", list(range(len(values))))}
    assert hashes(hashed(store.write(columns), columns, decimals=decimals)) == expected(
        columns, decimals=decimals
    )


def test_names_are_only_names(store: Store) -> None:
    names = ["select", 'quo"te', "back`tick", "it's", "two words", "größe", "a;b--c", "%s", "{x}", "雪" * 20, "UPPER", "n" * 63]  # fmt: skip
    if store.name == "sqlalchemy-mariadb":
        names.remove("back`tick")  # SQLAlchemy does not describe such a column; the engine of its own does
    columns = {name: ("integer", [i, None, i]) for i, name in enumerate(names)}
    assert hashes(hashed(store.write(columns), columns)) == expected(columns)


def test_wide_tables(store: Store) -> None:
    columns = {f"c{i}": ("string", [f"{i}", None, "é" * (i % 7)]) for i in range(200)}
    assert hashes(hashed(store.write(columns), columns)) == expected(columns)


def test_filters_narrow_what_is_hashed(store: Store) -> None:
    columns: dict[str, tuple[str, list[Any]]] = {
        "d": ("date", [date(2026, 1, d) for d in (1, 2, 3)]),
        "v": ("string", ["a", "A", "b"]),
    }
    location = store.write(columns)
    for given_filter, kept in (
        (Filter("v", "=", "a"), [0]),
        (Filter("d", ">=", "2026-01-02"), [1, 2]),
        (Filter("v", "in", ["b", "A"]), [1, 2]),
    ):
        only = {n: (t, [values[i] for i in kept]) for n, (t, values) in columns.items()}
        assert hashes(hashed(location, columns, filters=[given_filter])) == expected(only)


WORDS = st.one_of(st.none(), st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), max_size=8))
ROW = st.tuples(
    st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
    WORDS,
    st.one_of(st.none(), st.decimals(-(10**9), 10**9, places=4)),
    st.one_of(st.none(), st.datetimes(min_value=datetime(1000, 1, 1))),
    st.one_of(
        st.none(),
        st.datetimes(datetime(1971, 1, 1), datetime(2037, 1, 1), timezones=st.sampled_from([UTC, PLUS2])),
    ),
    st.one_of(st.none(), st.booleans()),
    st.one_of(st.none(), st.dates(date(1000, 1, 1))),
    st.one_of(st.none(), st.binary(max_size=6)),
    st.one_of(st.none(), st.uuids(version=4)),
    st.one_of(st.none(), st.floats(-1e9, 1e9)),
)
TYPES = (
    "integer",
    "string",
    "decimal(18,4)",
    "timestamp",
    "zoned",
    "boolean",
    "date",
    "binary",
    "uuid",
    "float",
)


def columns_of(rows: list[tuple[Any, ...]]) -> Mapping[str, tuple[str, list[Any]]]:
    return {f"c{i}": (t, [row[i] for row in rows]) for i, t in enumerate(TYPES)}


@settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(rows=st.lists(ROW, min_size=1, max_size=12), data=st.data())
def test_any_rows_hash_alike_and_any_changed_cell_shows(
    store: Store, rows: list[tuple[Any, ...]], data: st.DataObject
) -> None:
    """One cell of every column is another afterwards, or happens to be the same again."""
    columns = columns_of(rows)
    found = hashes(hashed(store.write(columns), columns, decimals=3))
    assert found == expected(columns, decimals=3)
    others = data.draw(ROW)
    places = data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=len(TYPES), max_size=len(TYPES)))
    changed = [
        tuple(others[i] if places[i] == at else cell for i, cell in enumerate(row))
        for at, row in enumerate(rows)
    ]
    after = columns_of(changed)
    again = hashes(hashed(store.write(after), after, decimals=3))
    wanted_after = expected(after, decimals=3)
    assert again == wanted_after
    same = [a == b for a, b in zip(expected(columns, decimals=3), wanted_after, strict=True)]
    assert [a == b for a, b in zip(found, again, strict=True)] == same
