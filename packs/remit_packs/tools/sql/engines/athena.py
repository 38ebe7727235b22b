"""Athena: queries in a workgroup that bounds what one of them may scan. What may be read is for IAM and Lake Formation to say."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any

from remit_packs.tools.sql.engines.address import Address
from remit_packs.tools.sql.engines.base import Reads
from remit_packs.tools.sql.errors import (
    engine_refused,
    misconfigured,
    too_costly,
    too_long,
    unreachable,
)
from remit_packs.tools.sql.limits import Limits
from remit_packs.tools.sql.result import Rows
from remit_packs.tools.sql.schema import Column, Table, Tables, kind_of

_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.1, 1.0
_NUMBERS = frozenset({"tinyint", "smallint", "integer", "int", "bigint"})


class AthenaEngine:
    """A database of the Glue catalogue: `athena://shop?workgroup=agents&region=eu-west-1`; `&catalog=`, `&output=s3://...`."""

    dialect = "athena"

    def __init__(self, address: Address) -> None:
        self._name = address.name
        self._database = address.host
        self._options = address.options
        self._workgroup = address.options.get("workgroup", "primary")
        self._catalog = address.options.get("catalog", "AwsDataCatalog")
        self._client: Any = None

    def inspect(self) -> Tables:
        """The tables of the database."""
        client = self._connected()
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            pages = client.get_paginator("list_table_metadata").paginate(
                CatalogName=self._catalog, DatabaseName=self._database
            )
            return {t["Name"]: _table(self._database, t) for page in pages for t in page["TableMetadataList"]}
        except (BotoCoreError, ClientError):
            raise unreachable(self._name) from None

    def run(self, sql: str, limits: Limits, reads: Reads) -> Rows:
        """The rows of a guarded query."""
        del reads
        client = self._connected()
        from botocore.exceptions import BotoCoreError, ClientError

        output = self._options.get("output")
        more: dict[str, Any] = {"ResultConfiguration": {"OutputLocation": output}} if output else {}
        try:
            query = client.start_query_execution(
                QueryString=sql,
                WorkGroup=self._workgroup,
                QueryExecutionContext={"Database": self._database, "Catalog": self._catalog},
                **more,
            )["QueryExecutionId"]
            self._finished(client, query, limits)
            found = client.get_query_results(
                QueryExecutionId=query, MaxResults=min(1000, limits.max_rows + 2)
            )["ResultSet"]
        except (BotoCoreError, ClientError):
            raise unreachable(self._name) from None
        columns = found["ResultSetMetadata"]["ColumnInfo"]
        types = [c["Type"] for c in columns]
        rows = [_row(r["Data"], types) for r in found["Rows"][1:]]  # the first row holds the names
        return Rows([c["Name"] for c in columns], types, rows)

    def _finished(self, client: Any, query: str, limits: Limits) -> None:
        """Wait for the end of a query, and stop it when its time is over."""
        wait, waited, pause = _FIRST_WAIT_S, 0.0, threading.Event()
        while True:
            status = client.get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"]
            if status["State"] == "SUCCEEDED":
                return
            if status["State"] in ("FAILED", "CANCELLED"):
                reason = str(status.get("StateChangeReason", ""))
                if "Bytes scanned limit" in reason:
                    raise too_costly("it scans more than the workgroup allows")
                raise engine_refused(_cleaned(reason))
            if waited >= limits.timeout_s:
                client.stop_query_execution(QueryExecutionId=query)
                raise too_long(f"it ran for {limits.timeout_s:g} s")
            pause.wait(wait)
            waited, wait = waited + wait, min(wait * 1.5, _LONGEST_WAIT_S)

    def _connected(self) -> Any:
        """A client, once the workgroup was seen to bound what a query scans."""
        if self._client is None:
            self._client = self._proved()
        return self._client

    def _proved(self) -> Any:
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError

        options = self._options
        try:
            # A session of its own: that of the process is not for several threads, and keeps the credentials it was first asked with.
            client = boto3.Session().client(
                "athena", region_name=options.get("region"), endpoint_url=options.get("endpoint")
            )
            group = client.get_work_group(WorkGroup=self._workgroup)["WorkGroup"].get("Configuration", {})
        except (BotoCoreError, ClientError, ValueError):
            raise unreachable(self._name) from None
        if not group.get("BytesScannedCutoffPerQuery") or not group.get("EnforceWorkGroupConfiguration"):
            raise misconfigured(
                self._name,
                f"its workgroup `{self._workgroup}` does not bound what a query scans",
                "set a limit of bytes scanned per query, and enforce the workgroup's settings",
            )
        return client


def _table(database: str, told: dict[str, Any]) -> Table:
    columns = [*told.get("Columns", []), *told.get("PartitionKeys", [])]
    return Table(
        told["Name"],
        tuple(
            Column(c["Name"], c.get("Type", ""), kind_of(c.get("Type", "")), comment=c.get("Comment", ""))
            for c in columns
        ),
        database,
        comment=told.get("Parameters", {}).get("comment", ""),
    )


def _row(cells: list[dict[str, str]], types: list[str]) -> tuple[Any, ...]:
    return tuple(_value(c.get("VarCharValue"), t.lower()) for c, t in zip(cells, types, strict=True))


def _value(text: str | None, type_name: str) -> Any:
    """Athena answers everything as text."""
    if text is None:
        return None
    if type_name in _NUMBERS:
        return int(text)
    if type_name.startswith("decimal"):
        return Decimal(text)
    if type_name in ("double", "float", "real"):
        return float(text)
    return text.lower() == "true" if type_name == "boolean" else text


def _cleaned(reason: str) -> str:
    """The first words of Athena's reason, where it is about the query's own words."""
    code, _, text = reason.partition(":")
    about_words = code.strip() in (
        "SYNTAX_ERROR",
        "COLUMN_NOT_FOUND",
        "FUNCTION_NOT_FOUND",
        "TYPE_MISMATCH",
        "EXPRESSION_NOT_AGGREGATE",
    )
    return text.strip()[:200] if about_words else "it could not be run"
