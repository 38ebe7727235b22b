"""Athena by its own API, on the emulator, which runs queries on DuckDB."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from world import at

from remit.sdk import RemitError, ToolError
from remit_packs.tools.sql import Database

pytestmark = pytest.mark.service
ENDPOINT = os.environ.get("REMIT_TEST_ATHENA", "")
HIVE = "org.apache.hadoop.hive.ql.io.parquet"


@pytest.fixture(autouse=True)
def _login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


def client(service: str) -> Any:
    """A client that may write."""
    import boto3

    return boto3.client(
        service,
        endpoint_url=ENDPOINT,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Three orders of two tenants in the catalogue, and a workgroup that bounds what a query scans; the name of both."""
    if not ENDPOINT:
        assert os.environ.get("CI") != "true", "REMIT_TEST_ATHENA must be set in CI"
        pytest.skip("REMIT_TEST_ATHENA names no emulator to test with")
    import duckdb

    name, path = f"t{uuid.uuid4().hex[:10]}", tmp_path_factory.mktemp("athena") / "part.parquet"
    with duckdb.connect(":memory:") as connection:
        connection.execute(
            "CREATE TABLE t AS SELECT * FROM (VALUES ('acme', 1, 10.5), ('acme', 2, 20.0), ('other', 3, 99.0)) v(tenant_id, id, total)"
        )
        connection.table("t").write_parquet(str(path))
    s3, glue, athena = client("s3"), client("glue"), client("athena")
    s3.create_bucket(Bucket=name)
    s3.upload_file(str(path), name, "orders/part.parquet")
    glue.create_database(DatabaseInput={"Name": name})
    columns = [
        {"Name": "tenant_id", "Type": "string"},
        {"Name": "id", "Type": "int"},
        {"Name": "total", "Type": "decimal(3,1)"},
    ]
    stored = {
        "Columns": columns,
        "Location": f"s3://{name}/orders/",
        "InputFormat": f"{HIVE}.MapredParquetInputFormat",
        "SerdeInfo": {"SerializationLibrary": f"{HIVE}.serde.ParquetHiveSerDe"},
    }
    glue.create_table(DatabaseName=name, TableInput={"Name": "orders", "StorageDescriptor": stored})
    bounded = {
        "BytesScannedCutoffPerQuery": 10_000_000,
        "EnforceWorkGroupConfiguration": True,
        "ResultConfiguration": {"OutputLocation": f"s3://{name}/answers/"},
    }
    athena.create_work_group(Name=name, Configuration=bounded)
    yield name
    glue.delete_table(DatabaseName=name, Name="orders")


def asked(name: str, workgroup: str) -> Database:
    """The database by this workgroup."""
    url = f"athena://{name}?workgroup={workgroup}&region=us-east-1&endpoint={ENDPOINT}&output=s3://{name}/answers/"
    return Database("lake", url, tables=["orders"], tenant_column="tenant_id")


def test_a_tenant_sees_its_rows_of_the_lake(orders: str) -> None:
    """The same guard and the same rules, in Athena's SQL."""
    lake = asked(orders, orders)
    described = lake.describe(at())
    assert (described.dialect, [c.name for c in described.tables[0].columns]) == ("athena", ["id", "total"])
    result = lake.query("SELECT count(*) AS n, sum(total) AS total FROM orders WHERE total > 1", at())
    assert [(row["n"], float(str(row["total"]))) for row in result.rows] == [(2, 30.5)]
    with pytest.raises(RemitError) as refused:
        lake.query("DROP TABLE orders", at())
    assert refused.value.code == "E900"


def test_credentials_are_those_of_now(orders: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not those that the process's own session of boto3 was first asked with, by whomever."""
    import boto3

    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with monkeypatch.context() as before:
        before.setenv("AWS_ACCESS_KEY_ID", "123456789012")  # an account of the emulator, where nothing is
        boto3.client("sts", endpoint_url=ENDPOINT, region_name="us-east-1").get_caller_identity()
    assert asked(orders, orders).describe(at()).tables


def test_a_workgroup_without_a_bound_is_refused(orders: str) -> None:
    """What a query scans is paid for: E907 until the workgroup bounds it."""
    with pytest.raises(ToolError, match="does not bound") as refused:
        asked(orders, "primary").describe(at())
    assert refused.value.code == "E907"
