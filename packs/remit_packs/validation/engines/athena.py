"""Athena: a table of the Glue catalogue, through Athena's own API.

Location: `athena://database/table?region=...&workgroup=...&output=s3://...&catalog=...`; credentials are those of boto3.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from remit.sdk import how_to_install
from remit_packs.validation.canonical import Kind
from remit_packs.validation.engines.address import Address, missing_table
from remit_packs.validation.engines.base import Column, Wanted
from remit_packs.validation.engines.errors import (
    SourceError,
    absent,
    driver_missing,
    failed,
    forbidden,
    hidden,
    no_column,
    refused,
    too_slow,
    unfit,
    unreachable,
)
from remit_packs.validation.engines.sql import SqlEngine
from remit_packs.validation.engines.statements import one_select
from remit_packs.validation.engines.trino import TrinoDialect

_TYPES = {
    **dict.fromkeys(("tinyint", "smallint", "int", "integer", "bigint"), Kind("number")),
    "boolean": Kind("boolean"),
    **dict.fromkeys(("string", "varchar", "char"), Kind("string")),
    "date": Kind("date"),
    "timestamp": Kind("timestamp", 3),
    "timestamp with time zone": Kind("timestamp", 3, zoned=True),
    "binary": Kind("binary"),
    **dict.fromkeys(("float", "real", "double"), Kind("float")),
}
_DECIMAL = re.compile(r"decimal\(\s*\d+\s*(?:,\s*(\d+)\s*)?\)")
_ERRORS = {
    "UnrecognizedClientException": refused,
    "InvalidSignatureException": refused,
    "ExpiredTokenException": refused,
    "AccessDeniedException": forbidden,
    "EntityNotFoundException": absent,
    "MetadataException": absent,
    "ResourceNotFoundException": absent,
}
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.1, 2.0


class AthenaEngine(SqlEngine):
    """A table in Athena. Each query reads the table as it is then: there is no snapshot over several, unless it is Iceberg's."""

    dialect: TrinoDialect

    def __init__(self, address: Address) -> None:
        if not address.host or not address.path:
            raise missing_table(address)
        self._database, self._table = "/".join([address.host, *address.path[:-1]]), address.path[-1]
        options = address.options
        self._catalog = options.get("catalog", "AwsDataCatalog")
        self._workgroup = options.get("workgroup", "primary")
        self._output = options.get("output", "")
        self._seconds = float(options.get("statement_timeout_s", "3600"))
        self._secrets = address.secrets
        server = f"athena:{options.get('region', '')}:{self._catalog}:{self._workgroup}"
        super().__init__(TrinoDialect(), server, address.location)
        self._client = self._connect(options)
        self._closed = threading.Event()

    def relation(self, columns: Sequence[Wanted] = ()) -> str:
        """The table's name within the catalogue."""
        return ".".join(self.dialect.quote(n) for n in (self._database, self._table))

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        """A small answer of a query."""
        return [row for batch in self.stream(sql) for row in batch]

    def stream(self, sql: str, batch: int = 50_000) -> Iterator[list[tuple[Any, ...]]]:
        """Rows in pages of Athena's own size (1,000)."""
        from botocore.exceptions import BotoCoreError, ClientError

        del batch
        try:
            query = self._started(one_select(sql))
            self._finished(query)
            pages = self._client.get_paginator("get_query_results").paginate(QueryExecutionId=query)
            for number, page in enumerate(pages):
                found = page["ResultSet"]
                types = [c["Type"] for c in found["ResultSetMetadata"]["ColumnInfo"]]
                rows = found["Rows"][1 if number == 0 else 0 :]  # the first row of all holds the names
                if rows:
                    yield [_row(row["Data"], types) for row in rows]
        except (BotoCoreError, ClientError) as error:
            raise self._explained(error) from None

    def close(self) -> None:
        """Let go."""
        self._closed.set()
        self._client.close()

    def _connect(self, options: dict[str, str]) -> Any:
        try:
            import boto3
            from botocore.exceptions import BotoCoreError
        except ImportError:
            raise driver_missing("Athena", how_to_install("s3")) from None
        try:
            return boto3.Session().client(
                "athena",
                region_name=options.get("region"),
                endpoint_url=options.get("endpoint"),
                aws_access_key_id=options.get("access_key"),
                aws_secret_access_key=options.get("secret_key"),
                aws_session_token=options.get("session_token"),
            )
        except (BotoCoreError, ValueError) as error:
            raise refused(self.source, hidden(error, self._secrets)) from None

    def _started(self, sql: str) -> str:
        more: dict[str, Any] = {}
        if self._output:
            more["ResultConfiguration"] = {"OutputLocation": self._output}
        answer = self._client.start_query_execution(
            QueryString=sql,
            WorkGroup=self._workgroup,
            QueryExecutionContext={"Database": self._database, "Catalog": self._catalog},
            **more,
        )
        return str(answer["QueryExecutionId"])

    def _finished(self, query: str) -> None:
        """Wait for the end of a query. Raises SourceError for any end but a good one."""
        wait, waited = _FIRST_WAIT_S, 0.0
        while True:
            status = self._client.get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"]
            if status["State"] == "SUCCEEDED":
                return
            if status["State"] in ("FAILED", "CANCELLED"):
                raise self._ended(str(status.get("StateChangeReason", status["State"])))
            if waited >= self._seconds or self._closed.wait(wait):
                self._client.stop_query_execution(QueryExecutionId=query)
                raise too_slow(self.source, f"it ran for {waited:.0f} s")
            waited, wait = waited + wait, min(wait * 1.5, _LONGEST_WAIT_S)

    def _describe(self) -> list[Column]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            table = self._client.get_table_metadata(
                CatalogName=self._catalog, DatabaseName=self._database, TableName=self._table
            )["TableMetadata"]
        except (BotoCoreError, ClientError) as error:
            raise self._explained(error) from None
        precise = table.get("Parameters", {}).get("table_type", "").upper() == "ICEBERG"
        columns = [*table.get("Columns", []), *table.get("PartitionKeys", [])]
        if not columns:
            raise absent(self.source, f"the catalogue has no table `{self._table}`")
        return [Column(c["Name"], kind_of(c.get("Type", ""), 6 if precise else 3)) for c in columns]

    def _ended(self, reason: str) -> SourceError:
        text = hidden(reason, self._secrets)
        if "TABLE_NOT_FOUND" in text or "SCHEMA_NOT_FOUND" in text or "does not exist" in text:
            return absent(self.source, text)
        column = re.search(r"COLUMN_NOT_FOUND.*'(.+?)'", text)
        if column:
            return no_column(self.source, column[1])
        if "AccessDenied" in text or "Access Denied" in text or "Insufficient permissions" in text:
            return forbidden(self.source, text)
        if "INVALID_CAST_ARGUMENT" in text or "NUMERIC_VALUE_OUT_OF_RANGE" in text:
            return unfit(self.source, text)
        return failed(self.source, text)

    def _explained(self, error: Any) -> SourceError:
        text = hidden(error, self._secrets)
        response = getattr(error, "response", None)
        if response is None:
            credentials = "credential" in text.lower()
            return (refused if credentials else unreachable)(self.source, text)
        code = str(response.get("Error", {}).get("Code", ""))
        return _ERRORS.get(code, failed)(self.source, text)


def kind_of(type_name: str, second_digits: int = 3) -> Kind:
    """A type of Hive or Iceberg as a Kind."""
    lower = type_name.lower().strip()
    decimal = _DECIMAL.fullmatch(lower)
    if decimal:
        return Kind("number", int(decimal[1] or 0), name=type_name)
    known = _TYPES.get(lower) or _TYPES.get(lower.partition("(")[0], Kind("other"))
    if lower.startswith(("array", "map", "struct", "row")):
        known = Kind("other")
    digits = second_digits if known.family == "timestamp" else known.digits
    return Kind(known.family, digits, known.zoned, name=type_name)


def _row(cells: Sequence[dict[str, str]], types: Sequence[str]) -> tuple[Any, ...]:
    """Athena answers everything as text; a missing text is NULL."""
    return tuple(_value(c.get("VarCharValue"), t) for c, t in zip(cells, types, strict=True))


def _value(text: str | None, type_name: str) -> Any:
    if text is None:
        return None
    lower = type_name.lower()
    if lower in ("tinyint", "smallint", "integer", "int", "bigint"):
        return int(text)
    if lower.startswith("decimal"):
        return Decimal(text)
    if lower in ("double", "float", "real"):
        return float(text)
    return text.lower() == "true" if lower == "boolean" else text
