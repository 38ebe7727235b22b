"""What the server may read, its files and its AWS account, is not every tenant's."""

from __future__ import annotations

import pytest

from remit.sdk import Table
from remit_packs.validation.engines.errors import SourceError
from remit_packs.validation.granted import granted
from remit_packs.validation.sources import locate

SERVERS = [
    "/etc/passwd.csv",
    "data/*.parquet",
    ".remit/remit.db::api_key",
    "sqlite:///.remit/remit.db/api_key",
    "duckdb:///warehouse.duckdb/orders",
    "s3://bucket/key.parquet",
    "s3://bucket/key.parquet?access_key=&secret_key=x",
    "s3://bucket/key.parquet?access_key=x&secret_key=y&access_key=",
    "athena://shop/orders",
]
OWN = [
    "postgresql://acme:${secret:db}@db/shop/orders",
    "mysql://acme:${secret:db}@db/shop/orders",
    "s3://bucket/key.parquet?access_key=AK&secret_key=${secret:s3}",
    "s3://bucket/key.parquet?anonymous=true",
]


@pytest.mark.parametrize("location", SERVERS)
def test_a_tenant_reads_nothing_with_the_rights_of_the_server(location: str) -> None:
    """Files of the server hold all tenants' data: only `local`, who runs it, may name them."""
    table = locate(location)
    assert granted(table, "local") is table
    with pytest.raises(SourceError) as refused:
        granted(table, "acme")
    assert refused.value.code == "E574"


@pytest.mark.parametrize("location", OWN)
def test_a_tenant_reads_what_it_has_a_login_for(location: str) -> None:
    """A login of its own, or what is open to everybody."""
    granted(locate(location), "acme")


def test_the_engine_a_table_claims_does_not_hide_a_file() -> None:
    """A file behind a SQLAlchemy URL is still a file."""
    with pytest.raises(SourceError, match="is a file of the server"):
        granted(Table("t", "snowflake", "sqlite+pysqlite:///.remit/remit.db#api_key"), "acme")
