"""What a diff says about keys, types, sizes and names that are not plain."""

from __future__ import annotations

import resource
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import pytest
from brute_force import TINY, columns_of, compared
from stores import Store

from remit.sdk import InputError, ToolError
from remit_packs.validation.diff.segments import Sizes
from remit_packs.validation.engines.errors import SourceError

D = Decimal
ENGINES = ["parquet", "csv", "sqlite", "postgres", "mariadb"]
PAIRS = [(a, a) for a in ENGINES] + [("parquet", "postgres"), ("mariadb", "sqlite"), ("csv", "mariadb")]
both = pytest.mark.parametrize(("left", "right"), PAIRS)
Of = Callable[[str], Store]


def written(
    store: Of, left: str, right: str, types: dict[str, str], a: list[Any], b: list[Any]
) -> tuple[str, str]:
    return store(left).write(columns_of(types, a)), store(right).write(columns_of(types, b))


@both
def test_equal_tables_are_equal(store: Of, left: str, right: str) -> None:
    rows = [(i, f"n{i}") for i in range(50)]
    places = written(store, left, right, {"k": "integer", "v": "string"}, rows, rows[::-1])
    found = compared(*places, ["k"])
    assert (found.equal, found.differing, found.differences) == (True, 0, ())
    assert found.way == ("joined" if left == right else "segments")


@both
def test_a_changed_row_has_both_texts_of_what_changed(store: Of, left: str, right: str) -> None:
    types = {"k": "integer", "amount": "decimal(9,2)", "v": "string", "w": "string"}
    a = [(1, D("1.50"), "x", None), (2, None, "y", "same"), (3, D("0.00"), "", "same")]
    b = [(1, D("-1.50"), "x", ""), (2, D("7.00"), "y", "same"), (3, D("0.00"), None, "same")]
    found = compared(*written(store, left, right, types, a, b), ["k"])
    assert [(row.key, row.columns) for row in found.differences] == [
        (("1",), {"amount": ("1.50", "-1.50"), "w": (None, "")}),
        (("2",), {"amount": (None, "7.00")}),
        (("3",), {"v": ("", None)}),
    ]
    assert found.changed_columns == {"amount": 2, "v": 1, "w": 1}


@both
def test_values_swapped_between_rows_are_two_changed_rows(store: Of, left: str, right: str) -> None:
    a, b = [(1, "x"), (2, "y"), (3, "z")], [(1, "y"), (2, "x"), (3, "z")]
    found = compared(
        *written(store, left, right, {"k": "integer", "v": "string"}, a, b), ["k"], sizes=Sizes(1)
    )
    assert (found.changed, found.missing, found.extra) == (2, 0, 0)


@both
def test_duplicate_keys_are_told_with_examples_and_never_joined(store: Of, left: str, right: str) -> None:
    a = [("a", 1), ("a", 2), ("b", 1), ("c", 1), ("d", 1), ("d", 1)]
    b = [("a", 1), ("b", 9), ("c", 1), ("c", 1), ("d", 1), ("d", 1)]
    found = compared(*written(store, left, right, {"k": "string", "v": "integer"}, a, b), ["k"])
    assert not found.equal
    assert not found.decided
    assert (found.missing, found.extra, found.changed) == (0, 0, 1)
    assert found.source_duplicates.examples == ((("a",), 2), (("d",), 2))
    assert found.target_duplicates.examples == ((("c",), 2), (("d",), 2))
    assert (found.source_duplicates.keys, found.source_duplicates.rows) == (2, 4)


@both
def test_a_key_of_which_nearly_all_rows_are_duplicates_does_not_explode(
    store: Of, left: str, right: str
) -> None:
    rows = [("same", i) for i in range(3000)]
    a, b = [*rows, ("one", 1)], [*rows[1:], ("one", 2)]
    found = compared(
        *written(store, left, right, {"k": "string", "v": "integer"}, a, b), ["k"], sizes=Sizes()
    )
    assert (found.changed, found.missing, found.extra) == (1, 0, 0)
    assert found.source_duplicates.rows == 3000


@pytest.mark.parametrize(
    ("index", "keys"),
    [("UNIQUE (k)", 0), ("PRIMARY KEY (l, k)", 2), ("UNIQUE (l)", 1), ("EXCLUDE USING btree (k WITH =)", 0)],
)
def test_a_unique_index_decides_only_about_its_own_columns(store: Of, index: str, keys: int) -> None:
    import psycopg

    values = [1, 2, 3, 4] if not keys else [1, 1, 2, 2] if keys == 2 else [1, 1, 2, 3]
    place = store("postgres").write({"k": ("integer", values), "l": ("integer", [1, 2, 3, 4])})
    with psycopg.connect(store("postgres").dsn, autocommit=True) as connection:  # type: ignore[attr-defined]
        connection.execute(f"ALTER TABLE {place.rpartition('/')[2]} ADD {index}".encode())
    assert compared(place, place, ["k"]).source_duplicates.keys == keys
    assert compared(place, place, ["k", "l"]).decided


def test_a_unique_time_may_be_a_duplicate_of_fewer_digits(store: Of) -> None:
    import psycopg

    times = [datetime(2026, 1, 1, 0, 0, 0, micros) for micros in (1, 2, 5000)]
    left = store("postgres").write({"k": ("timestamp", times)})
    right = store("postgres").write({"k": ("timestamp(3)", [times[0], times[2]])})
    with psycopg.connect(store("postgres").dsn, autocommit=True) as connection:  # type: ignore[attr-defined]
        connection.execute(f"ALTER TABLE {left.rpartition('/')[2]} ADD UNIQUE (k)".encode())
    found = compared(left, right, ["k"])
    assert (found.source_duplicates.keys, found.target_duplicates.keys) == (1, 0)


@both
def test_a_null_in_a_key_matches_nothing_and_is_counted(store: Of, left: str, right: str) -> None:
    a = [(1, "a", 1), (None, "a", 1), (2, None, 1)]
    b = [(1, "a", 1), (None, "a", 1)]
    types = {"k": "integer", "l": "string", "v": "integer"}
    found = compared(*written(store, left, right, types, a, b), ["k", "l"])
    assert (found.differing, found.source_null_keys, found.target_null_keys) == (0, 2, 1)
    assert not found.equal


@pytest.mark.parametrize(("filled", "empty"), PAIRS)
def test_empty_tables(store: Of, filled: str, empty: str) -> None:
    types = {"k": "integer", "v": "string"}
    some = [(1, "a"), (2, "b")]
    assert compared(*written(store, filled, empty, types, some, []), ["k"]).missing == 2
    assert compared(*written(store, filled, empty, types, [], some), ["k"]).extra == 2
    assert compared(*written(store, filled, empty, types, [], []), ["k"]).equal


@pytest.mark.parametrize("sizes", [TINY, Sizes()])
@both
def test_all_rows_differ(store: Of, left: str, right: str, sizes: Sizes) -> None:
    a = [(i, f"a{i}") for i in range(300)]
    b = [(i, f"b{i}") for i in range(300)]
    found = compared(
        *written(store, left, right, {"k": "integer", "v": "string"}, a, b), ["k"], sizes=sizes, limit=7
    )
    assert found.changed == 300
    assert [row.key for row in found.differences] == [(str(i),) for i in range(7)]


@both
def test_odd_names(store: Of, left: str, right: str) -> None:
    names = ['a "quoted" key', "c0", "x0", "select", "s", "ключ `b`", "d1", "rn"]
    types = dict.fromkeys(names, "string")
    a = [tuple(f"{n}{i}" for n in names) for i in range(4)]
    b = [*a[:3], (*a[3][:-1], "else")]
    found = compared(*written(store, left, right, types, a, b), names[:2])
    assert found.changed_columns == {"rn": 1}
    assert found.differences[0].key == ('a "quoted" key3', "c03")


@both
def test_a_huge_cell_is_told_by_length_and_hash(store: Of, left: str, right: str) -> None:
    size = 900_000 if "csv" in (left, right) else 2_500_000  # a line of CSV has at most 2 MB
    huge = "é" * size
    a, b = [(1, huge + "x"), (2, huge)], [(1, huge + "y"), (2, huge)]
    found = compared(*written(store, left, right, {"k": "integer", "v": "string"}, a, b), ["k"])
    assert found.changed == 1
    mine, theirs = found.differences[0].columns["v"]
    assert mine is not None
    assert theirs is not None
    assert mine != theirs
    assert f"{size + 1} characters" in mine
    assert len(mine) < 1100


@both
def test_filters_hold_on_both_sides(store: Of, left: str, right: str) -> None:
    from remit_packs.validation.engines.base import Filter

    a, b = [(1, "a"), (2, "b"), (3, "x")], [(1, "a"), (2, "c"), (4, "x")]
    places = written(store, left, right, {"k": "integer", "v": "string"}, a, b)
    found = compared(*places, ["k"], filters=[Filter("k", "<", 3)])
    assert (found.source_rows, found.changed, found.missing) == (2, 1, 0)
    assert compared(*places, ["k"], filters=[Filter("v", "=", "a")]).equal


@pytest.mark.parametrize(("left", "right"), [("parquet", "postgres"), ("postgres", "postgres"), ("mariadb", "mariadb"), ("duckdb", "parquet"), ("parquet", "parquet")])  # fmt: skip
@pytest.mark.parametrize(
    ("mine", "theirs"),
    [("integer", "decimal(10,0)"), ("decimal(9,1)", "decimal(12,3)"), ("smallint", "integer")],
)
def test_keys_and_values_of_different_but_agreed_types(
    store: Of, left: str, right: str, mine: str, theirs: str
) -> None:
    a = store(left).write({"k": (mine, [1, 2, 3]), "v": (mine, [1, 2, None])})
    b = store(right).write({"k": (theirs, [2, 3, 4]), "v": (theirs, [2, 0, 4])})
    found = compared(a, b, ["k"])
    assert (found.missing, found.extra, found.changed) == (1, 1, 1)


@pytest.mark.parametrize("left", ["parquet", "postgres"])
def test_char_and_varchar_keys_match(store: Of, left: str) -> None:
    a = store(left).write({"k": ("string", ["ab", "c"]), "v": ("integer", [1, 2])})
    b = store("postgres").write({"k": ("char(5)", ["ab", "c"]), "v": ("integer", [1, 3])})
    assert compared(a, b, ["k"]).changed == 1


def test_a_name_without_schema_means_what_the_search_path_of_its_own_side_says(store: Of) -> None:
    import psycopg

    place = store("postgres").write({"k": ("integer", [1])})
    table, schema = place.rpartition("/")[2], f"other_{place.rpartition('/')[2]}"
    with psycopg.connect(store("postgres").dsn, autocommit=True) as connection:  # type: ignore[attr-defined]
        connection.execute(f"CREATE SCHEMA {schema} CREATE TABLE {table} (k bigint)".encode())
        try:
            found = compared(place, f"{place}?options=-csearch_path%3D{schema}", ["k"])
        finally:
            connection.execute(f"DROP SCHEMA {schema} CASCADE".encode())
    assert (found.source_rows, found.target_rows, found.missing) == (1, 0, 1)


def test_floats_are_compared_rounded_or_refused(store: Of) -> None:
    a = store("parquet").write({"k": ("integer", [1, 2]), "v": ("float", [0.1 + 0.2, 1.0])})
    b = store("parquet").write({"k": ("integer", [1, 2]), "v": ("float", [0.3, 1.1])})
    with pytest.raises(ToolError, match="cannot be compared"):
        compared(a, b, ["k"])
    assert compared(a, b, ["k"], decimals=6).changed == 1


def test_a_dropped_column_is_an_error_unless_it_is_ignored(store: Of) -> None:
    a = store("parquet").write({"k": ("integer", [1]), "v": ("integer", [1]), "w": ("integer", [1])})
    b = store("csv").write({"k": ("integer", [1]), "v": ("integer", [2])})
    with pytest.raises(ToolError, match="column `w` is only in"):
        compared(a, b, ["k"])
    assert compared(a, b, ["k"], ignore=["w"]).changed_columns == {"v": 1}
    with pytest.raises(SourceError, match="no column `w`"):
        compared(a, b, ["w"])


@pytest.mark.parametrize("key", [[], ["k", "k"]])
def test_a_key_must_name_columns_once(store: Of, key: list[str]) -> None:
    a = store("parquet").write({"k": ("integer", [1])})
    with pytest.raises(InputError, match="`key`"):
        compared(a, a, key)


@pytest.mark.parametrize("name", ["csv", "json"])
def test_a_value_that_does_not_fit_its_type_is_an_error_not_a_difference(store: Of, name: str) -> None:
    a = store(name).write({"k": ("string", ["1", "one"]), "v": ("integer", [1, 2])})
    b = store("parquet").write({"k": ("integer", [1, 2]), "v": ("integer", [1, 2])})
    with pytest.raises(ToolError):
        compared(a, b, ["k"])


@pytest.mark.slow
def test_memory_does_not_grow_with_rows_that_all_differ(tmp_path: Any) -> None:
    paths = [str(tmp_path / f"{side}.parquet") for side in "ab"]
    with duckdb.connect() as connection:
        for path, add in zip(paths, (0, 1), strict=True):
            connection.execute(
                f"COPY (SELECT i AS k, i + {add} AS v, repeat('x', 100) || i AS w FROM range(1000000) r(i))"
                f" TO '{path}' (FORMAT parquet)"
            )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = compared(*paths, ["k"], sizes=Sizes(), limit=10)
    assert (found.changed, found.changed_columns) == (1_000_000, {"v": 1_000_000})
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2_000_000  # kilobytes


@pytest.mark.parametrize("engine", ["parquet", "postgres"])
def test_swaps_between_rows_of_one_segment_show(store: Of, engine: str) -> None:
    """Hashes that an engine merely adds up column by column would come to the same sum."""
    for left, right in ((3, 8), (10, 77), (5, 100), (1000, 4), (12, 13)):
        a = [(1, left, "x"), (2, right, "y")]
        b = [(1, right, "x"), (2, left, "y")]
        types = {"k": "integer", "v": "integer", "w": "string"}
        found = compared(*written(store, engine, engine, types, a, b), ["k"], sizes=Sizes(1))
        assert (found.changed, found.changed_columns) == (2, {"v": 2})


@pytest.mark.parametrize(
    ("engine", "type_name", "one", "other"),
    [
        ("postgres", "bigint", 1, 2**32),
        ("postgres", "timestamp", datetime(2000, 1, 1, 0, 0, 0, 1), datetime(2000, 1, 1, 1, 11, 34, 967296)),
        ("parquet", "decimal(38,2)", D("0.00"), D("-0.01")),
        ("duckdb", "hugeint", 0, -1),
        (
            "parquet",
            "uuid",  # halves exchanged, less the bit that DuckDB flips
            UUID("12345678-90ab-cdef-0fed-cba098765432"),
            UUID("8fedcba0-9876-5432-9234-567890abcdef"),
        ),
    ],
)
def test_values_that_an_engine_hashes_alike_differ(
    store: Of, engine: str, type_name: str, one: Any, other: Any
) -> None:
    places = written(store, engine, engine, {"k": "integer", "v": type_name}, [(1, one)], [(1, other)])
    assert compared(*places, ["k"]).changed == 1


def test_a_column_that_ignores_case_hides_nothing(tmp_path: Path) -> None:
    """DuckDB compares texts by the collation of their columns, and hashes them by their bytes. Keys, too, are what stands there."""
    path = tmp_path / "shop.duckdb"
    with duckdb.connect(str(path)) as connection:
        for table, first in (("a", "X"), ("b", "x")):
            connection.execute(
                f"CREATE TABLE {table} (k VARCHAR COLLATE NOCASE, v VARCHAR COLLATE NOACCENT.NOCASE)"
            )
            connection.execute(
                f"INSERT INTO {table} VALUES ('1', '{first}'), ('2', 'y'), ('A', 'p'), ('a', 'q')"
            )
    found = compared(f"{path}::a", f"{path}::b", ["k"])
    assert [(row.key, row.columns) for row in found.differences] == [(("1",), {"v": ("X", "x")})]
    assert (found.changed, found.missing, found.extra) == (1, 0, 0)
    assert (found.source_duplicates.rows, found.target_duplicates.rows) == (0, 0)


def test_tables_that_change_while_they_are_compared_are_not_called_equal(store: Of) -> None:
    """Files have no snapshot: what differed at the first look and no longer at the second was never compared."""
    types = {"k": "integer", "v": "string"}
    left, right = written(store, "parquet", "parquet", types, [(1, "a")], [(1, "b")])
    after = Path(store("parquet").write(columns_of(types, [(1, "a")]))).read_bytes()

    def tell(what: str) -> None:
        if what.startswith("looking for duplicate"):
            Path(right).write_bytes(after)

    with pytest.raises(SourceError, match="changed while"):
        compared(left, right, ["k"], progress=tell)
