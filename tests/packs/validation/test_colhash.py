"""Every engine and file format gives the digest of the plain Python reference."""

from __future__ import annotations

import tempfile
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from colhash_files import write_csv, write_parquet
from colhash_reference import canonical, digest, row_texts
from hypothesis import given, settings
from hypothesis import strategies as st

from remit_packs.validation.canonical import Kind
from remit_packs.validation.engines.base import Column, Wanted
from remit_packs.validation.sources import open_engine
from remit_packs.validation.tools import hashed

D = Decimal
PLUS2 = timezone(timedelta(hours=2))
STRINGS = [
    "",
    " ",
    "x",
    "x",
    None,
    "NULL",
    " x ",
    'a"b,c',
    "é",
    "é",
    "雪😀",
    "line\nbreak",
    "'",
    "-0",
    "0x1",
    "\\",
]

# DuckDB type, values, kind, digits, and how CSV writes them (None: no CSV)
CASES: dict[str, tuple[str, list[Any], str, int, Any]] = {
    "integer": ("BIGINT", [0, -1, None, 7, 7, 2**63 - 1, -(2**63)], "number", 0, str),
    "huge": ("DECIMAL(38,0)", [D(2**100), D(-(2**100)), D(0)], "number", 0, str),
    "unsigned": ("UBIGINT", [2**64 - 1, 0, None], "number", 0, str),
    "decimal": ("DECIMAL(18,2)", [D("1.10"), D("-0.00"), D("-0.01"), None, D("123456789012.34")], "number", 2, str),
    "decimal0": ("DECIMAL(38,0)", [D(10) ** 37, D(-1), None], "number", 0, lambda v: f"{v:f}"),
    "boolean": ("BOOLEAN", [True, False, None, True], "boolean", 0, lambda v: str(v).lower()),
    "string": ("VARCHAR", STRINGS, "string", 0, str),
    "date": ("DATE", [date(1, 1, 1), date(1969, 12, 31), date(9999, 12, 31), None], "date", 0, str),
    "timestamp": (
        "TIMESTAMP",
        [datetime(1969, 12, 31, 23, 59, 59, 999999), datetime(2026, 1, 1), None, datetime(2026, 1, 1, 1, 2, 3, 40)],
        "timestamp",
        6,
        str,
    ),
    "timestamp_s": ("TIMESTAMP_S", [datetime(2026, 1, 1, 1, 2, 3), None], "timestamp", 0, str),
    "timestamp_ms": ("TIMESTAMP_MS", [datetime(2026, 1, 1, 1, 2, 3, 45000), None], "timestamp", 3, str),
    "zoned": (
        "TIMESTAMPTZ",
        [datetime(2026, 1, 1, 1, 30, tzinfo=PLUS2), datetime(2026, 6, 1, 5, 0, 0, 7, tzinfo=UTC), None],
        "timestamp",
        6,
        lambda v: v.isoformat(),
    ),
    "uuid": ("UUID", [UUID(int=0), UUID("A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"), None], "uuid", 0, lambda v: str(v).upper()),
    "binary": ("BLOB", [b"", b"\x00\xff", None, b"abc"], "binary", 0, lambda v: v.hex()),
}  # fmt: skip


def hashes(path: str, common: dict[str, Kind], algorithm: str = "md5") -> dict[str, str]:
    """Digests of a file's columns; the pack's own agreement decides how CSV is read."""
    from remit_packs.validation.agreement import _stored

    with open_engine(path) as engine:
        wanted = [Wanted(c.name, _stored(c.kind, common[c.name]), common[c.name]) for c in engine.columns()]
        found = hashed(engine, wanted, algorithm)
    assert not [c.note for c in found.columns if c.note]
    return {**{c.name: c.hash for c in found.columns}, "": found.row_hash}


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
@pytest.mark.parametrize("case", CASES)
def test_parquet_and_csv_agree_with_the_reference(tmp_path: Path, case: str, algorithm: str) -> None:
    type_name, values, kind, digits, text = CASES[case]
    expected = digest([canonical(v, kind, digits) for v in values], algorithm)
    common = {"v": Kind(kind, digits), "n": Kind("number", 0)}  # type: ignore[arg-type]
    numbers = list(range(len(values)))
    parquet = write_parquet(tmp_path / "a.parquet", {"v": (type_name, values), "n": ("INTEGER", numbers)})
    assert hashes(parquet, common, algorithm)["v"] == expected
    csv = write_csv(
        tmp_path / "a.csv",
        {"v": [None if v is None else text(v) for v in values], "n": list(map(str, numbers))},
    )
    assert hashes(csv, common, algorithm)["v"] == expected


def test_nanoseconds_and_truncation(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", {"v": ("TIMESTAMP_NS", ["2026-01-01 00:00:00.123456789"])})
    assert hashes(path, {"v": Kind("timestamp", 9)})["v"] == digest(["2026-01-01T00:00:00.123456789"], "md5")
    assert hashes(path, {"v": Kind("timestamp", 3)})["v"] == digest(["2026-01-01T00:00:00.123"], "md5")
    assert hashes(path, {"v": Kind("timestamp", 0)})["v"] == digest(["2026-01-01T00:00:00"], "md5")


def test_order_does_not_matter_but_duplicates_and_nulls_do(tmp_path: Path) -> None:
    def of(*values: str | None) -> str:
        path = write_parquet(tmp_path / "v.parquet", {"v": ("VARCHAR", values)})
        return hashes(path, {"v": Kind("string")})["v"]

    assert of("a", "b", "b") == of("b", "a", "b")
    different = [
        of("a", "b"),
        of("a", "b", "b"),
        of("a", "a"),
        of("b", "b"),
        of("a", None),
        of("a", ""),
        of(),
        of(None),
    ]
    assert len(set(different)) == len(different)


def test_rows_know_which_values_stand_together(tmp_path: Path) -> None:
    def of(a: list[Any], b: list[Any]) -> dict[str, str]:
        path = write_parquet(tmp_path / "v.parquet", {"a": ("VARCHAR", a), "b": ("VARCHAR", b)})
        return hashes(path, {"a": Kind("string"), "b": Kind("string")})

    straight, swapped = of(["1", "2"], ["x", None]), of(["1", "2"], [None, "x"])
    assert (straight["a"], straight["b"]) == (swapped["a"], swapped["b"])
    assert straight[""] != swapped[""]
    assert straight[""] == digest(row_texts([["1", "2"], ["x", None]]), "md5")
    assert of(["é1"], ["-"])[""] == digest(["2:é11:-"], "md5")


def test_csv_numbers_are_exact_decimals(tmp_path: Path) -> None:
    path = write_csv(
        tmp_path / "a.csv", {"v": ["1", "1.50", "-0", ".5", None, "7", "123456789012345678901.25"]}
    )
    with open_engine(path) as engine:
        (column,) = engine.columns()
    assert column == Column("v", Kind("number", 2, text=True, name="DOUBLE"))
    texts = ["1.00", "1.50", "0.00", "0.50", None, "7.00", "123456789012345678901.25"]
    assert hashes(path, {"v": Kind("number", 2)})["v"] == digest(texts, "md5")


WORDS = st.one_of(st.none(), st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), max_size=8))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            WORDS,
            st.one_of(st.none(), st.decimals(-(10**9), 10**9, places=4)),
            st.datetimes(min_value=datetime(1000, 1, 1)),
        ),
        max_size=12,
    )
)
def test_any_rows_agree_with_the_reference(rows: list[tuple[Any, Any, datetime]]) -> None:
    words, numbers, times = ([row[i] for row in rows] for i in range(3))
    common = {"w": Kind("string"), "d": Kind("number", 4), "t": Kind("timestamp", 6)}
    texts = {
        "w": words,
        "d": [canonical(d, "number", 4) for d in numbers],
        "t": [canonical(t, "timestamp", 6) for t in times],
    }
    expected = {name: digest(column, "md5") for name, column in texts.items()}
    expected[""] = digest(row_texts(list(texts.values())), "md5")
    with tempfile.TemporaryDirectory() as folder:
        typed = {"w": ("VARCHAR", words), "d": ("DECIMAL(18,4)", numbers), "t": ("TIMESTAMP", times)}
        assert hashes(write_parquet(Path(folder) / "a.parquet", typed), common) == expected
        assert hashes(write_csv(Path(folder) / "a.csv", texts), common) == expected
