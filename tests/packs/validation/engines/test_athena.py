"""Athena by its own API. The emulator runs queries on DuckDB, so that what is asked here is plain SQL."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from remit_packs.validation.canonical import Kind
from remit_packs.validation.engines.base import Filter, Measure
from remit_packs.validation.engines.errors import SourceError
from remit_packs.validation.sources import open_engine

pytestmark = pytest.mark.service
ENDPOINT = os.environ.get("REMIT_TEST_ATHENA", "")
LOGIN = {"region_name": "us-east-1", "aws_access_key_id": "test", "aws_secret_access_key": "test"}
OPTIONS = f"endpoint={ENDPOINT}&region=us-east-1&access_key=test&secret_key=test"
HIVE = "org.apache.hadoop.hive.ql.io.parquet"
COLUMNS = {"id": "bigint", "name": "string", "amount": "decimal(9,2)", "day": "date", "tags": "array<string>"}


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A table of 2,500 orders in the catalogue; its location."""
    if not ENDPOINT:
        assert os.environ.get("CI") != "true", "REMIT_TEST_ATHENA must be set in CI"
        pytest.skip("REMIT_TEST_ATHENA names no emulator to test with")
    name = f"t{uuid.uuid4().hex[:10]}"
    path = tmp_path_factory.mktemp("athena") / "part.parquet"
    write(path)
    s3, glue = client("s3"), client("glue")
    s3.create_bucket(Bucket=name)
    s3.upload_file(str(path), name, "orders/part.parquet")
    glue.create_database(DatabaseInput={"Name": name})
    glue.create_table(
        DatabaseName=name,
        TableInput={
            "Name": "orders",
            "StorageDescriptor": {
                "Columns": [{"Name": n, "Type": t} for n, t in COLUMNS.items()],
                "Location": f"s3://{name}/orders/",
                "InputFormat": f"{HIVE}.MapredParquetInputFormat",
                "SerdeInfo": {"SerializationLibrary": f"{HIVE}.serde.ParquetHiveSerDe"},
            },
        },
    )
    yield f"athena://{name}/orders?{OPTIONS}&output=s3://{name}/answers/"
    glue.delete_table(DatabaseName=name, Name="orders")


def client(service: str) -> Any:
    """A client that may write."""
    import boto3

    return boto3.client(service, endpoint_url=ENDPOINT, **LOGIN)  # type: ignore[call-overload]


def write(path: Path) -> None:
    """The orders as Parquet."""
    with duckdb.connect(":memory:") as connection:
        connection.execute(
            "CREATE TABLE t AS SELECT i::bigint AS id, CASE WHEN i % 10 > 0 THEN 'n' || i END AS name,"
            " (i * 1.1)::decimal(9,2) AS amount, date '2026-01-01' + i::integer AS day, ['a'] AS tags"
            " FROM range(2500) numbers(i)"
        )
        connection.table("t").write_parquet(str(path))


def test_columns_come_from_the_catalogue(orders: str) -> None:
    with open_engine(orders) as engine:
        assert [(c.name, c.kind.family, c.kind.digits) for c in engine.columns()] == [
            ("id", "number", 0),
            ("name", "string", 0),
            ("amount", "number", 2),
            ("day", "date", 0),
            ("tags", "other", 0),
        ]
        assert engine.columns()[2].kind == Kind("number", 2, name="decimal(9,2)")


def test_counts_and_aggregates_are_typed(orders: str) -> None:
    with open_engine(orders) as engine:
        assert engine.count() == 2500
        assert engine.count([Filter("day", ">=", "2026-02-01"), Filter("name", "!=", "n41")]) == 2222
        measures = [Measure("sum", "amount"), Measure("max", "day"), Measure("nulls", "name"), Measure("min", "amount")]  # fmt: skip
        assert engine.measures(measures) == [3436125, date(2032, 11, 4), 250, Decimal(0)]


def test_many_pages_stream(orders: str) -> None:
    with open_engine(orders) as engine:
        pages = list(engine.stream(f"SELECT id, name FROM {engine.relation()} ORDER BY id"))
    assert sum(map(len, pages)) == 2500
    assert pages[0][:2] == [(0, None), (1, "n1")]


def test_what_fails_is_told_without_the_key(orders: str) -> None:
    with open_engine(orders) as engine, pytest.raises(SourceError) as error:
        engine.fetch(f"SELECT nope FROM {engine.relation()}")
    assert error.value.code in ("E565", "E570")
    assert "secret_key=test" not in str(error.value)
    with open_engine(orders.replace("/orders?", "/none?")) as engine, pytest.raises(SourceError) as error:
        engine.columns()
    assert error.value.code == "E564"
