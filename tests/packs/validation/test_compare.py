"""The comparison as a user sees it: PASSED, FAILED or ERROR, with evidence and without a crash."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from colhash_files import write_csv, write_parquet

from remit.bootstrap import open_app
from remit.core.task import Task
from remit.settings import load
from remit_packs.validation import demo_files, pack
from remit_packs.validation.compare import count_match, understand
from remit_packs.validation.engines.base import Filter
from remit_packs.validation.sources import open_engine

D = Decimal


@pytest.mark.parametrize(
    ("source", "target", "threshold", "status", "percent"),
    [
        (100, 100, 0, "PASSED", 0),
        (100, 99, 0, "FAILED", 1),
        (100, 99, 1, "PASSED", 1),
        (100, 102, 1, "FAILED", 2),
        (0, 0, 0, "PASSED", 0),
        (0, 1, 100, "FAILED", None),
        (3, 2, 33.33, "FAILED", 100 / 3),
    ],
)
def test_record_count_match(
    source: int, target: int, threshold: float, status: str, percent: float | None
) -> None:
    counts = count_match(source, target, threshold)
    assert (counts.status, counts.diff_pct) == (status, percent)
    assert bool(counts.note) == (source == 0)


async def test_the_demo_differs_in_one_column(compared: Any, tmp_path: Path) -> None:
    left, right = demo_files(tmp_path)
    found = await compared(str(left), str(right), key="order_id")
    assert (found["status"], found["reason"]) == ("FAILED", "columns differ: amount")
    assert [c["column"] for c in found["columns"] if not c["match"]] == ["amount"]
    differences = found["differences"]
    assert (differences["missing"], differences["extra"], differences["changed"]) == (0, 0, 3)
    assert differences["changed_columns"] == [{"column": "amount", "rows": 3}]
    assert len(differences["artifacts"]) == 2, "the rows are kept as lines of JSON and as CSV"
    same = await compared(
        str(left), str(right), columns=["order_id", "customer", "ordered_on", "note"], hash_function="sha256"
    )
    assert same["status"] == "PASSED"
    assert len(same["columns"][0]["source_hash"]) == 64


@pytest.mark.parametrize("pair", ["same.parquet", "other.csv"])
async def test_equal_data_passes_whatever_the_format_and_scale(
    compared: Any, tmp_path: Path, pair: str
) -> None:
    left = write_parquet(
        tmp_path / "a.parquet", {"id": ("INTEGER", [1, 2]), "x": ("DECIMAL(9,1)", [D("1.5"), None])}
    )
    if pair.endswith("csv"):
        right = write_csv(tmp_path / pair, {"x": [None, "1.500"], "id": ["2", "1"]})
    else:
        right = write_parquet(
            tmp_path / pair, {"id": ("BIGINT", [2, 1]), "x": ("DECIMAL(12,3)", [None, D("1.500")])}
        )
    found = await compared(left, right)
    assert found["status"] == "PASSED", found
    assert found["rows_match"] is True


async def test_a_rounding_csv_does_not_hide_a_difference(compared: Any, tmp_path: Path) -> None:
    left = write_parquet(tmp_path / "a.parquet", {"id": ("INTEGER", [1]), "d": ("DATE", ["2026-01-01"])})
    right = write_csv(tmp_path / "b.csv", {"id": ["1.004"], "d": ["2026-01-01 10:00:00"]})
    found = await compared(left, right)
    assert [c["match"] for c in found["columns"]] == [False, False]


async def test_text_that_detection_does_not_know_as_numbers_is_never_rounded(
    compared: Any, tmp_path: Path
) -> None:
    left = write_parquet(tmp_path / "a.parquet", {"v": ("DECIMAL(9,2)", [D("1.00"), D("2.00"), D("3.00")])})
    right = write_csv(tmp_path / "b.csv", {"v": ["1.001", "+2", "3e0"]})
    found = await compared(left, right)
    assert found["status"] != "PASSED"


async def test_a_hash_sign_starts_no_comment(compared: Any, tmp_path: Path) -> None:
    left = write_parquet(
        tmp_path / "a.parquet", {"k": ("VARCHAR", ["#1", "2", "#3"]), "v": ("INTEGER", [1, 2, 3])}
    )
    (tmp_path / "b.csv").write_text("k,v\n#1,1\n2,2\n#3,3\n")
    assert (await compared(left, str(tmp_path / "b.csv")))["status"] == "PASSED"


async def test_null_is_not_the_empty_string(compared: Any, tmp_path: Path) -> None:
    left = write_parquet(tmp_path / "a.parquet", {"k": ("INTEGER", [1, 2]), "s": ("VARCHAR", [None, ""])})
    assert (await compared(left, write_csv(tmp_path / "b.csv", {"k": ["1", "2"], "s": [None, ""]})))[
        "status"
    ] == "PASSED"
    found = await compared(left, write_csv(tmp_path / "c.csv", {"k": ["1", "2"], "s": ["", ""]}))
    assert found["reason"] == "columns differ: s"


async def test_values_swapped_between_rows_are_seen(compared: Any, tmp_path: Path) -> None:
    left = write_csv(tmp_path / "a.csv", {"k": ["1", "2"], "s": ["x", "y"]})
    found = await compared(left, write_csv(tmp_path / "b.csv", {"k": ["1", "2"], "s": ["y", "x"]}))
    assert found["status"] == "FAILED"
    assert "combined differently" in found["reason"]


async def test_floats_are_refused_with_a_note_unless_decimals_are_declared(
    compared: Any, tmp_path: Path
) -> None:
    left = write_parquet(tmp_path / "a.parquet", {"k": ("INTEGER", [1]), "f": ("DOUBLE", [0.1 + 0.2])})
    right = write_csv(tmp_path / "b.csv", {"k": ["1"], "f": ["0.3"]})
    found = await compared(left, right)
    assert (found["status"], found["reason"]) == ("ERROR", "could not be compared: f")
    assert "declare `decimals`" in found["columns"][1]["note"]
    assert found["columns"][0]["match"] is True
    assert (await compared(left, right, decimals=4))["status"] == "PASSED"
    infinite = write_parquet(tmp_path / "c.parquet", {"k": ("INTEGER", [1]), "f": ("DOUBLE", [float("inf")])})
    found = await compared(infinite, right, decimals=4)
    assert found["columns"][1]["match"] is None
    assert found["columns"][0]["match"] is True


@pytest.mark.parametrize(
    ("type_name", "value", "text", "note"),
    [
        ("INTEGER[]", [1], "[1]", "not covered"),
        ("TIME", "10:00:00", "10:00:00", "not covered"),
        ("INTEGER", 1, "one", "`one` is no plain number"),
        ("DECIMAL(9,2)", D("1.00"), "=1.004", "is no plain number"),
        ("DECIMAL(9,2)", D("1.00"), "1.004 USD", "`1.004 USD` is no plain number"),
        ("DATE", "2026-01-01", "soon", "`soon` is no date"),
        ("DATE", "2026-01-01", "2026-01-01 10:00:00 or so", "is no date"),
        ("TIMESTAMP", "2026-01-01", "2026-01-01 at ten", "is no timestamp"),
        ("UUID", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "no-uuid", "no-uuid"),
    ],
)
async def test_what_does_not_fit_is_noted_for_its_column(
    compared: Any, tmp_path: Path, type_name: str, value: Any, text: str, note: str
) -> None:
    left = write_parquet(tmp_path / "a.parquet", {"k": ("INTEGER", [1]), "v": (type_name, [value])})
    found = await compared(left, write_csv(tmp_path / "b.csv", {"k": ["1"], "v": [text]}))
    assert found["status"] == "ERROR"
    assert found["columns"][0]["match"] is True
    assert note in found["columns"][1]["note"]


async def test_types_of_two_parquet_files_must_fit(compared: Any, tmp_path: Path) -> None:
    left = write_parquet(tmp_path / "a.parquet", {"v": ("INTEGER", [1])})
    found = await compared(left, write_parquet(tmp_path / "b.parquet", {"v": ("VARCHAR", ["1"])}))
    assert found["columns"][0]["note"] == "source is `INTEGER` and target is `VARCHAR`"


async def test_missing_columns_and_rows_fail(compared: Any, tmp_path: Path) -> None:
    left = write_csv(tmp_path / "a.csv", {"k": ["1", "2"], "a": ["x", "y"]})
    right = write_csv(tmp_path / "b.csv", {"k": ["1"], "b": ["x"]})
    found = await compared(left, right, key="k")
    assert (found["missing_in_source"], found["missing_in_target"]) == (["b"], ["a"])
    assert found["counts"]["diff_pct"] == 50
    assert (found["differences"]["missing"], found["differences"]["changed"]) == (1, 0)
    nothing = await compared(left, left, columns=["zzz"])
    assert nothing["status"] == "FAILED"
    assert nothing["missing_in_source"] == ["zzz"]


async def test_empty_tables_agree(compared: Any, tmp_path: Path) -> None:
    left = write_parquet(tmp_path / "a.parquet", {"k": ("INTEGER", []), "v": ("DOUBLE", [])})
    right = write_csv(tmp_path / "b.csv", {"k": [], "v": []})
    found = await compared(left, right, columns=["k"])
    assert (found["status"], found["counts"]["note"]) == ("PASSED", "both sides are empty")


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("missing.csv", "there is no `missing.csv`"),
        ("https://example.com/a.csv", "read from disk or S3 only"),
        ("no*.csv", "no file matches"),
        ("empty", "holds no such file"),
        ("a.txt", "neither .parquet"),
        ("empty.csv", "is empty"),
        ("broken.parquet", "cannot be read"),
        ("latin.csv", "cannot be read"),
    ],
)
async def test_what_cannot_be_read_is_an_error_with_one_sentence(
    compared: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, part: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 no")
    (tmp_path / "latin.csv").write_bytes("a,b\né,1\n".encode("latin-1"))
    good = write_csv(tmp_path / "good.csv", {"a": ["1"]})
    for source, target in ((path, good), (good, path)):
        found = await compared(source, target)
        assert found["status"] == "ERROR"
        assert part in found["reason"]
        assert "\n" not in found["reason"]


@pytest.mark.parametrize(
    "given",
    [None, 7, {}, {"source": "a"}, "one", '{"source":', {"source": "a", "target": "b", "decimals": 99}],
)
def test_a_wrong_input_is_explained(given: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        understand(given)


def test_names_with_quotes_are_only_names(tmp_path: Path) -> None:
    with open_engine(write_csv(tmp_path / "it's; drop.csv", {'a"b': ["1", "2"]})) as engine:
        assert engine.count([Filter('a"b', "=", 2)]) == 1


async def test_a_comparison_that_failed_ends_as_failure(tmp_path: Path) -> None:
    left, right = demo_files(tmp_path / "files")
    settings = msgspec.structs.replace(load({}, directory=tmp_path), store="memory:")
    async with open_app(settings, packs=[pack()]) as app:
        failed = await app.run(
            Task("t1", "compare", input={"source": str(left), "target": str(right), "key": "order_id"})
        )
        assert (failed.status, failed.result_payload["status"]) == ("failure", "FAILED")
        passed = await app.run(Task("t2", "compare", objective=f"{left} {left}"))
        assert (passed.status, passed.result_payload["status"]) == ("success", "PASSED")
        lost = await app.run(Task("t3", "compare", input={"source": "nope.csv", "target": str(left)}))
        assert (lost.status, lost.result_payload["status"]) == ("failure", "ERROR")
        assert failed.cost_usage.tool_calls >= 6
