"""Every built-in validation type: what passes, what fails, and what cannot be decided."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from checking import app_at, ask, check, parquet, registered, ruled
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from remit.bootstrap import App
from remit_packs.validation.canonical import Kind
from remit_packs.validation.checks import CHECKS
from remit_packs.validation.checks.schema_match import fits, told

ORDERS = """
SELECT 1000 + i AS order_id, i % 7 AS customer_id, (100 + i)::decimal(9,2) AS amount, i::double / 3 AS rate,
  CASE WHEN i % 10 = 0 THEN NULL ELSE 'note ' || i END AS note, ['placed', 'packed', 'shipped'][1 + i % 3] AS status,
  date '2026-11-01' + (i % 20)::integer AS day, timestamp '2026-11-20 08:30:00' - interval (i) minute AS loaded_at
FROM range(100) t(i)
"""
CUSTOMERS = "SELECT i AS customer_id, 'C' || i AS name FROM range(7) t(i)"


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    """A program with the pack."""
    async with app_at(tmp_path / "home") as program:
        yield program


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hundred orders, written once."""
    return parquet(tmp_path_factory.mktemp("orders") / "orders.parquet", ORDERS)


@pytest.fixture
def orders(written: Path, tmp_path: Path) -> Path:
    """A hundred orders that a test may change."""
    return Path(shutil.copy(written, tmp_path))


def changed(tmp_path: Path, select: str) -> Path:
    """The orders, seen through a SELECT over `o`."""
    return parquet(tmp_path / "changed.parquet", f"WITH o AS ({ORDERS}) {select}")


FOUND = [
    ("null_rate", {"column": "order_id"}, "PASSED", {"offending_count": 0, "actual_count": 100}),
    ("null_rate", {"column": "note"}, "FAILED", {"offending_count": 10, "null_pct": 10.0}),
    ("null_rate", {"column": "note", "max_percent": 10}, "PASSED", {"offending_count": 10}),
    ("null_rate", {"column": "note", "max_percent": 9.99}, "FAILED", {}),
    ("uniqueness", {"columns": ["order_id"]}, "PASSED", {"distinct_count": 100}),
    ("uniqueness", {"columns": ["customer_id"]}, "FAILED", {"repeated_count": 93, "offending_count": 93}),
    ("uniqueness", {"columns": ["customer_id", "order_id"]}, "PASSED", {}),
    ("uniqueness", {"columns": ["note"]}, "FAILED", {"null_count": 10, "repeated_count": 0}),
    ("uniqueness", {"columns": ["note"], "allow_nulls": True}, "PASSED", {"null_count": 10}),
    ("value_range", {"column": "amount", "min": 100, "max": 199}, "PASSED", {}),
    ("value_range", {"column": "amount", "min": 100.5, "max": 198.5}, "FAILED", {"below_count": 1, "above_count": 1}),
    ("value_range", {"column": "day", "min": "2026-11-01", "max": "2026-11-20"}, "PASSED", {}),
    ("value_range", {"column": "day", "min": "2026-11-02"}, "FAILED", {"below_count": 5}),
    ("value_range", {"column": "rate", "min": 0}, "PASSED", {}),
    ("value_set", {"column": "status", "values": ["placed", "packed", "shipped"]}, "PASSED", {}),
    ("value_set", {"column": "status", "values": ["placed"]}, "FAILED", {"strange_count": 66}),
    ("value_set", {"column": "note", "values": ["x"], "max_percent": 90}, "PASSED", {"strange_count": 90}),
    ("value_set", {"column": "customer_id", "values": [0, 1, 2, 3, 4, 5, 6]}, "PASSED", {}),
    ("value_regex", {"column": "note", "pattern": "note [0-9]+"}, "PASSED", {"null_count": 10}),
    ("value_regex", {"column": "note", "pattern": "note [0-9]"}, "FAILED", {"strange_count": 81}),
    ("value_regex", {"column": "note", "pattern": "note [0-9]+", "allow_nulls": False}, "FAILED", {"offending_count": 10}),
    ("custom_sql", {"sql": "SELECT count(*) FROM {table} WHERE amount < 0"}, "PASSED", {"actual": 0}),
    ("custom_sql", {"sql": "SELECT max(amount) FROM {table}", "expected": 150, "operator": "<="}, "FAILED", {"actual": 199}),
    ("null_rate", {"column": "note", "filters": [{"column": "customer_id", "op": "=", "value": 1}]}, "FAILED", {"actual_count": 15}),
]  # fmt: skip


@pytest.mark.parametrize("kind", sorted({kind for kind, *_ in FOUND}))
async def test_a_check_of_one_table(app: App, orders: Path, kind: str) -> None:
    """The status, and the numbers that prove it."""
    for parameters, status, details in (row[1:] for row in FOUND if row[0] == kind):
        found = await check(app, kind, orders, **parameters)
        assert found["status"] == status, (parameters, found)
        assert {name: found["details"][name] for name in details} == details, parameters
        assert found["reason"], parameters


UNDECIDED = [
    ("null_rate", {"column": "nope"}, "E592", "no column `nope`"),
    ("null_rate", {}, "E590", "column"),
    ("null_rate", {"column": "note", "max_percent": 101}, "E590", "max_percent"),
    ("null_rate", {"column": "note", "colour": "red"}, "E590", "colour"),
    ("uniqueness", {"columns": ["order_id", "nope"]}, "E592", "no column `nope`"),
    ("value_range", {"column": "amount"}, "E590", "`min`, `max` or both"),
    ("value_range", {"column": "amount", "min": "cheap"}, "E572", "amount"),
    ("value_regex", {"column": "note", "pattern": "("}, "E590", "no regular expression"),
    ("value_regex", {"column": "amount", "pattern": "x"}, "E593", "not text"),
    ("freshness", {"column": "note", "max_age_hours": 1}, "E593", "neither date nor timestamp"),
    ("custom_sql", {"sql": "SELECT order_id FROM {table}"}, "E593", "one row of one column"),
    ("custom_sql", {"sql": "SELECT sum(amount) FROM {table} WHERE false"}, "E593", "NULL"),
    ("custom_sql", {"sql": "DROP TABLE orders"}, "E569", "SELECT"),
    ("column_hash_match", {"column": "rate"}, "E593", "floating point"),
    ("column_hash_match", {"column": "note", "source_table": "x.csv", "expected_hash": "0" * 32}, "E590", "exclude"),
    ("aggregate_match", {"source_table": "x.csv", "aggregate": "sum"}, "E590", "needs a `column`"),
    ("row_diff", {"source_table": "nope.parquet", "key": ["order_id"]}, "E564", "nope.parquet"),
    ("record_count_match", {"source_table": "nope.parquet"}, "E564", "nope.parquet"),
    ("referential_integrity", {"columns": ["customer_id"], "reference_table": "nope.csv"}, "E564", "nope.csv"),
    ("schema_match", {"columns": [{"name": "order_id", "type": "numbr"}]}, "E590", "columns"),
]  # fmt: skip


async def test_what_cannot_be_decided_is_an_error_with_a_code(app: App, orders: Path) -> None:
    """Neither a pass nor a fail: ERROR, a stable code, and a sentence that names what is wrong."""
    for kind, parameters, code, said in UNDECIDED:
        found = await check(app, kind, orders, **parameters)
        assert (found["status"], found["code"]) == ("ERROR", code), (kind, parameters, found)
        assert said in found["reason"], (kind, parameters)


@pytest.mark.parametrize(
    ("target", "threshold", "status", "percent"),
    [
        ("SELECT * FROM o", 0, "PASSED", 0),
        ("SELECT * FROM o LIMIT 99", 0, "FAILED", 1),
        ("SELECT * FROM o LIMIT 99", 1, "PASSED", 1),
        ("SELECT * FROM o UNION ALL SELECT * FROM o LIMIT 102", 1, "FAILED", 2),
        ("SELECT * FROM o WHERE false", 99.9, "FAILED", 100),
    ],
)
async def test_record_count_match(
    app: App, orders: Path, tmp_path: Path, target: str, threshold: float, status: str, percent: float
) -> None:
    """The difference in per cent of the source, against the threshold."""
    other = changed(tmp_path, target)
    found = await check(
        app, "record_count_match", other, source_table=str(orders), threshold_percent=threshold
    )
    assert (found["status"], found["details"]["diff_pct"]) == (status, percent)
    assert found["details"]["expected_count"] == 100


async def test_counts_of_nothing(app: App, orders: Path, tmp_path: Path) -> None:
    """Both empty is a pass with a note; an empty source and a full target is none, and no percentage either."""
    empty = changed(tmp_path, "SELECT * FROM o WHERE false")
    both = await check(app, "record_count_match", empty, source_table=str(empty))
    assert (both["status"], both["details"]["diff_pct"]) == ("PASSED", 0)
    assert "empty" in both["details"]["note"]
    one = await check(app, "record_count_match", orders, source_table=str(empty), threshold_percent=100)
    assert (one["status"], one["details"]["diff_pct"]) == ("FAILED", None)


EMPTIED = [
    ("null_rate", {"column": "note"}),
    ("uniqueness", {"columns": ["order_id"]}),
    ("value_range", {"column": "amount", "min": 0}),
    ("value_set", {"column": "status", "values": ["placed"]}),
    ("value_regex", {"column": "note", "pattern": ".*"}),
    ("freshness", {"column": "loaded_at", "max_age_hours": 1}),
]


async def test_an_emptied_table_fails_unless_that_is_allowed(app: App, tmp_path: Path) -> None:
    """A rule about rows does not pass because there are none."""
    empty = changed(tmp_path, "SELECT * FROM o WHERE false")
    for kind, parameters in EMPTIED:
        found = await check(app, kind, empty, **parameters)
        assert (found["status"], found["reason"]) == ("FAILED", "there are no rows to check"), kind
        allowed = await check(app, kind, empty, allow_empty=True, **parameters)
        assert allowed["status"] == "PASSED", kind


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
async def test_column_hash_match_against_another_table(
    app: App, orders: Path, tmp_path: Path, algorithm: str
) -> None:
    """The order of rows does not count, a changed cell does, and the digests are kept."""
    shuffled = changed(tmp_path, "SELECT amount, order_id FROM o ORDER BY order_id DESC")
    given = {"source_table": str(orders), "column": "amount", "hash_function": algorithm}
    same = await check(app, "column_hash_match", shuffled, **given)
    assert same["status"] == "PASSED"
    assert same["details"]["expected_hash"] == same["details"]["actual_hash"]
    assert len(same["details"]["actual_hash"]) == {"md5": 32, "sha256": 64}[algorithm]
    other = changed(tmp_path, "SELECT if(order_id = 1007, amount + 0.01, amount) AS amount FROM o")
    differs = await check(app, "column_hash_match", other, **given)
    assert (differs["status"], differs["details"]["expected_hash"]) == (
        "FAILED",
        same["details"]["expected_hash"],
    )


async def test_column_hash_match_against_a_known_hash(app: App, orders: Path) -> None:
    """`expected_hash` is what the column must come to."""
    first = await check(app, "column_hash_match", orders, column="status")
    known = first["details"]["actual_hash"]
    assert (await check(app, "column_hash_match", orders, column="status", expected_hash=known))[
        "status"
    ] == "PASSED"
    found = await check(app, "column_hash_match", orders, column="note", expected_hash=known)
    assert (found["status"], found["details"]["expected_hash"]) == ("FAILED", known)


async def test_column_hash_match_against_the_last_passed_run(app: App, orders: Path) -> None:
    """The first run of a version records the hash, a change fails for as long as it lasts, a new version begins anew."""
    await registered(app, "orders", orders)
    await ruled(app, "orders-note", "orders", "column_hash_match", column="note")
    assert await _statuses(app) == ["PASSED"]
    assert await _statuses(app) == ["PASSED"]
    parquet(orders, f"WITH o AS ({ORDERS}) SELECT * REPLACE ('x' AS note) FROM o")
    assert await _statuses(app) == ["FAILED"]
    assert await _statuses(app) == ["FAILED"]
    rule = await app.validations.get("local", "orders-note")
    from remit.core.task import Actor
    from remit.engine.validations import body_of

    await app.validations.edit(
        "local", "orders-note", body_of(rule), actor=Actor("ana"), reason="new baseline"
    )
    assert await _statuses(app) == ["PASSED"]


async def test_the_last_passed_run_is_found_behind_any_number_of_others(app: App, orders: Path) -> None:
    """A rule that has long been failing does not begin anew and pass."""
    await registered(app, "orders", orders)
    await ruled(app, "orders-note", "orders", "column_hash_match", column="note")
    assert await _statuses(app) == ["PASSED"]
    (first,) = (await app.validation_runs.list("local", table_id="orders")).items
    for number in range(1001):
        failed = replace(first, run_id=f"vr_{number:026d}", status="FAILED", timestamp=first.timestamp + 1)
        await app.validation_runs.record("local", failed)
    parquet(orders, f"WITH o AS ({ORDERS}) SELECT * REPLACE ('x' AS note) FROM o")
    assert await _statuses(app) == ["FAILED"]


async def test_aggregates_of_text_are_compared_as_text(app: App, tmp_path: Path) -> None:
    """`1.0` and `1.00` are one number and two texts."""
    one = parquet(tmp_path / "one.parquet", "SELECT '1.0' AS v")
    two = parquet(tmp_path / "two.parquet", "SELECT '1.00' AS v")
    for aggregate in ("min", "max"):
        found = await check(
            app, "aggregate_match", two, source_table=str(one), aggregate=aggregate, column="v", tolerance=5
        )
        assert found["status"] == "FAILED"


async def test_files_of_one_table_are_read_whole(app: App, tmp_path: Path) -> None:
    """Nothing is rounded or dropped because the first file has another type or fewer columns."""
    folder = tmp_path / "parts"
    folder.mkdir()
    parquet(folder / "1.parquet", "SELECT 1::integer AS id, 5::integer AS v")
    parquet(folder / "2.parquet", "SELECT 2::integer AS id, 1.5::decimal(9,2) AS v, 'x' AS more")
    found = await check(app, "aggregate_match", folder, source_table=str(folder), aggregate="sum", column="v")
    assert found["details"]["actual"] == 6.5
    found = await check(app, "null_rate", folder, column="more", max_percent=50)
    assert (found["status"], found["details"]["offending_count"]) == ("PASSED", 1)
    parquet(folder / "3.pq", "SELECT 3::integer AS id")
    found = await check(app, "null_rate", folder, column="id")
    assert (found["status"], found["code"]) == ("ERROR", "E560")


async def test_schema_match_against_the_last_passed_run(app: App, orders: Path) -> None:
    """A dropped column, a new one and another type are told apart."""
    await registered(app, "orders", orders)
    await ruled(app, "orders-schema", "orders", "schema_match")
    assert await _statuses(app) == ["PASSED"]
    parquet(
        orders,
        f"WITH o AS ({ORDERS}) SELECT * EXCLUDE (note) REPLACE (amount::varchar AS amount), 1 AS more FROM o",
    )
    (run,) = (await ask(app, "validate", {"table_id": "orders"})).result_payload["runs"]
    assert run["status"] == "FAILED"
    assert (run["details"]["missing"], run["details"]["extra"]) == (["note"], ["more"])
    assert run["details"]["changed"] == [{"name": "amount", "expected": "number(2)", "actual": "string"}]


async def _statuses(app: App) -> list[str]:
    result = await ask(app, "validate", {"table_id": "orders"})
    return [run["status"] for run in result.result_payload["runs"]]


SCHEMAS = [
    (
        {
            "columns": [{"name": "order_id", "type": "integer"}, {"name": "amount", "type": "number(2)"}],
            "allow_extra": True,
        },
        "PASSED",
    ),
    (
        {"columns": [{"name": "order_id", "type": "integer"}, {"name": "amount", "type": "number(2)"}]},
        "FAILED",
    ),
    (
        {
            "columns": [{"name": "order_id", "type": "any"}, {"name": "amount", "type": "number"}],
            "allow_extra": True,
        },
        "PASSED",
    ),
    ({"columns": [{"name": "order_id", "type": "string"}], "allow_extra": True}, "FAILED"),
    (
        {
            "columns": [{"name": "amount", "type": "number"}, {"name": "order_id", "type": "integer"}],
            "allow_extra": True,
            "ordered": True,
        },
        "FAILED",
    ),
    (
        {
            "columns": [
                {"name": "loaded_at", "type": "timestamp"},
                {"name": "day", "type": "date"},
                {"name": "rate", "type": "float"},
            ],
            "allow_extra": True,
        },
        "PASSED",
    ),
]


async def test_schema_match_against_the_rule(app: App, orders: Path) -> None:
    """Names and types, and order where it is asked for."""
    for parameters, status in SCHEMAS:
        assert (await check(app, "schema_match", orders, **parameters))["status"] == status, parameters


@given(
    st.sampled_from(["integer", "boolean", "string", "date", "uuid", "binary", "float"]), st.integers(1, 12)
)
def test_a_type_fits_what_it_is_called(family: str, digits: int) -> None:
    """What one run records, the next one accepts, and nothing else of the same family."""
    kinds = [Kind("number", digits), Kind("timestamp", min(digits, 9))]
    kinds.append(Kind("number") if family == "integer" else Kind(family))  # type: ignore[arg-type]
    for kind in kinds:
        assert fits(kind, told(kind))
        assert fits(kind, "any")
        assert not any(fits(kind, told(other)) for other in kinds if other != kind)


@pytest.mark.parametrize(
    ("column", "hours", "status"),
    [("loaded_at", 1.0, "FAILED"), ("loaded_at", 24 * 3650, "PASSED"), ("day", 24 * 3650, "PASSED")],
)
async def test_freshness(app: App, orders: Path, column: str, hours: float, status: str) -> None:
    """The newest value against the clock; the age is kept."""
    found = await check(app, "freshness", orders, column=column, max_age_hours=hours, max_future_hours=10**6)
    now = dt.datetime.fromtimestamp(app.clock.now() / 1000, dt.UTC)
    newest = (
        dt.datetime(2026, 11, 20, 8, 30, tzinfo=dt.UTC)
        if column == "loaded_at"
        else dt.datetime(2026, 11, 21, tzinfo=dt.UTC)
    )
    assert found["details"]["age_hours"] == pytest.approx((now - newest).total_seconds() / 3600, abs=0.05)
    if now > newest + dt.timedelta(hours=1):
        assert found["status"] == status


async def test_a_time_in_the_future_hides_nothing(app: App, orders: Path, tmp_path: Path) -> None:
    """A newest value years ahead fails: everything would look fresh for ever."""
    ahead = changed(tmp_path, "SELECT timestamp '2999-01-01' AS loaded_at FROM o LIMIT 1")
    found = await check(app, "freshness", ahead, column="loaded_at", max_age_hours=24)
    assert found["status"] == "FAILED"
    assert "in the future" in found["reason"]


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        ({"aggregate": "sum", "column": "amount"}, "FAILED"),
        ({"aggregate": "sum", "column": "amount", "tolerance": 0.01}, "PASSED"),
        ({"aggregate": "sum", "column": "amount", "tolerance_percent": 0.0001}, "PASSED"),
        ({"aggregate": "max", "column": "day"}, "PASSED"),
        ({"aggregate": "distinct", "column": "customer_id"}, "PASSED"),
        ({"aggregate": "count"}, "PASSED"),
        ({"aggregate": "nulls", "column": "note"}, "PASSED"),
    ],
)
async def test_aggregate_match(
    app: App, orders: Path, tmp_path: Path, parameters: dict[str, Any], status: str
) -> None:
    """A cent in a sum shows, and a tolerance forgives it."""
    other = changed(
        tmp_path, "SELECT * REPLACE (if(order_id = 1007, amount + 0.01, amount) AS amount) FROM o"
    )
    found = await check(app, "aggregate_match", other, source_table=str(orders), **parameters)
    assert found["status"] == status, found


async def test_referential_integrity(app: App, orders: Path, tmp_path: Path) -> None:
    """Orphans are counted by row and by key, and the keys are kept; NULL refers to nothing."""
    customers = parquet(tmp_path / "customers.parquet", CUSTOMERS)
    given = {"columns": ["customer_id"], "reference_table": str(customers)}
    assert (await check(app, "referential_integrity", orders, **given))["status"] == "PASSED"
    other = changed(
        tmp_path,
        "SELECT * REPLACE (CASE order_id WHEN 1001 THEN 99 WHEN 1002 THEN 99 WHEN 1003 THEN NULL ELSE customer_id END AS customer_id) FROM o",
    )
    found = await check(app, "referential_integrity", other, **given)
    assert found["status"] == "FAILED"
    assert (found["details"]["offending_count"], found["details"]["offending_keys"]) == (2, 1)
    (kept,) = found["artifacts"]
    assert (await app.blobs.get(kept)).decode() == "customer_id,rows\n99,2\n"


async def test_row_diff_names_the_rows(app: App, orders: Path, tmp_path: Path) -> None:
    """Counts and columns are in the details, the rows themselves only in the artifact."""
    other = changed(
        tmp_path,
        "SELECT * REPLACE (if(order_id = 1007, amount + 0.01, amount) AS amount) FROM o WHERE order_id <> 1011",
    )
    found = await check(app, "row_diff", other, source_table=str(orders), key=["order_id"], decimals=6)
    details = found["details"]
    assert found["status"] == "FAILED"
    assert (details["missing"], details["extra"], details["changed"]) == (1, 0, 1)
    assert details["changed_columns"] == [["amount", 1]]
    assert "1007" not in str(details)
    same = await check(app, "row_diff", other, source_table=str(other), key=["order_id"], decimals=6)
    assert same["status"] == "PASSED"
    few = await check(
        app, "row_diff", other, source_table=str(orders), key=["order_id"], decimals=6, max_differences=2
    )
    assert few["status"] == "PASSED"


async def test_columns_named_like_secrets(app: App, tmp_path: Path) -> None:
    """`token` and `password` are columns like any other: what is said about them is not hidden."""
    select = "SELECT i AS id, {} AS token, i AS password, 'a' || i AS api_key FROM range(5) t(i)"
    left = parquet(tmp_path / "left.parquet", select.format("'x'"))
    right = parquet(tmp_path / "right.parquet", select.format("'y' || i"))
    diff = await check(app, "row_diff", right, source_table=str(left), key=["id"])
    assert (diff["status"], diff["details"]["changed_columns"]) == ("FAILED", [["token", 5]])
    wanted = [{"name": "id"}, {"name": "token", "type": "integer"}]
    schema = await check(app, "schema_match", right, columns=wanted, allow_extra=True)
    assert schema["details"]["changed"] == [{"name": "token", "expected": "integer", "actual": "string"}]
    for kind, parameters in (
        ("null_rate", {"column": "password"}),
        ("value_range", {"column": "password", "min": 0}),
        ("value_regex", {"column": "api_key", "pattern": "a[0-9]"}),
        ("uniqueness", {"columns": ["password", "api_key"]}),
        ("column_hash_match", {"column": "api_key", "source_table": str(left)}),
    ):
        found = await check(app, kind, right, **parameters)
        assert found["status"] == "PASSED", (kind, found)


async def test_a_key_that_is_none_is_an_error(app: App, orders: Path) -> None:
    """Rows that cannot be told apart are never joined: the diff is not decided."""
    found = await check(app, "row_diff", orders, source_table=str(orders), key=["customer_id"], decimals=6)
    assert (found["status"], found["code"]) == ("ERROR", "E604"), found
    assert "customer_id" in found["reason"]


async def test_filters_follow_the_day_of_the_run(app: App, orders: Path) -> None:
    """`${today}` and `${today-N}` are days of the slot, and the details say which."""
    slot = int(dt.datetime(2026, 11, 6, 6, tzinfo=dt.UTC).timestamp() * 1000)
    given = {"column": "note", "filters": [{"column": "day", "value": "${today-1}"}], "max_percent": 100}
    result = await ask(app, "null_rate", {"table": str(orders), "parameters": given, "slot": slot})
    details = result.result_payload["details"]
    assert details["filters"][0]["value"] == "2026-11-05"
    assert details["actual_count"] == 5


def test_every_type_says_what_it_is_and_takes() -> None:
    """A description for people, a closed JSON Schema, and `format: table` where a table is meant."""
    assert len({c.spec.name for c in CHECKS}) == 13
    for one in CHECKS:
        kind = one.validation_type
        assert kind is not None
        assert kind.description
        assert kind.parameters["additionalProperties"] is False
        tables = [n for n in kind.parameters["properties"] if n == "table" or n.endswith("_table")]
        assert all(kind.parameters["properties"][n]["format"] == "table" for n in tables)


async def test_huge_cells(app: App, tmp_path: Path) -> None:
    """A cell of ten megabytes is counted, hashed and compared like any other, and never goes into an answer."""
    big = parquet(tmp_path / "big.parquet", "SELECT 1 AS id, repeat('x', 10_000_000) AS cell")
    other = parquet(tmp_path / "other.parquet", "SELECT 1 AS id, repeat('x', 9_999_999) || 'y' AS cell")
    assert (await check(app, "null_rate", big, column="cell"))["status"] == "PASSED"
    hashed = await check(app, "column_hash_match", other, source_table=str(big), column="cell")
    assert hashed["status"] == "FAILED"
    found = await check(app, "row_diff", other, source_table=str(big), key=["id"])
    assert found["status"] == "FAILED"
    assert len(str(found)) < 5000
