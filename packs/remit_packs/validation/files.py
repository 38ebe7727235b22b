"""Local CSV and Parquet files as relations of DuckDB."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb
from msgspec import Struct
from msgspec.structs import replace

from remit.sdk import ToolError
from remit_packs.validation.canonical import Kind, quote

_TYPES = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"), Kind("number")),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"), Kind("number")),
    "BOOLEAN": Kind("boolean"),
    "VARCHAR": Kind("string"),
    "DATE": Kind("date"),
    "TIMESTAMP_S": Kind("timestamp", 0),
    "TIMESTAMP_MS": Kind("timestamp", 3),
    "TIMESTAMP": Kind("timestamp", 6),
    "TIMESTAMP_NS": Kind("timestamp", 9),
    "TIMESTAMP WITH TIME ZONE": Kind("timestamp", 6, zoned=True),
    "UUID": Kind("uuid"),
    "BLOB": Kind("binary"),
    "FLOAT": Kind("float"),
    "DOUBLE": Kind("float"),
}
_DECIMAL = re.compile(r"DECIMAL\(\d+,(\d+)\)")
_SEPARATORS = {".csv": ",", ".tsv": "\t"}


class Column(Struct, frozen=True):
    """A column of a file; of a CSV file the kind is what its text looks like."""

    name: str
    kind: Kind


class File(Struct, frozen=True):
    """A file that exists, is local, and is CSV, TSV or Parquet."""

    path: str
    format: str

    def relation(self, as_text: Sequence[str] | None = None) -> str:
        """SQL that reads the file. Of a CSV file, columns in `as_text` stay text and others are typed by detection."""
        if self.format == ".parquet":
            return f"read_parquet({_literal(self.path)})"
        # An unquoted empty field is NULL, a quoted one is the empty string.
        options = f"header = true, delim = {_literal(_SEPARATORS[self.format])}, quote = '\"', escape = '\"', comment = '', skip = 0, sample_size = -1"
        options += ", nullstr = '', allow_quoted_nulls = false"
        if as_text is None:
            options += ", all_varchar = true"
        elif as_text:
            options += ", types = {" + ", ".join(f"{_literal(name)}: 'VARCHAR'" for name in as_text) + "}"
        return f"read_csv({_literal(self.path)}, {options})"


def local_file(path: str) -> File:
    """The file at `path`. Raises ToolError for a URL, a pattern, a folder, a missing file or an unknown ending."""
    if "://" in path or re.search(r"[*?\[\]]", path):
        raise ToolError(
            f"`{path}` is not a plain local path",
            code="E751",
            help="give the path of one file, without patterns",
        )
    found = Path(path)
    if not found.is_file():
        raise ToolError(
            f"there is no file `{path}`",
            code="E752",
            help="check the path; it is relative to where Remit runs",
        )
    if found.stat().st_size == 0:
        raise ToolError(f"`{path}` is empty, without even a header", code="E755")
    ending = found.suffix.lower()
    if ending not in (".parquet", *_SEPARATORS):
        raise ToolError(f"`{path}` is neither .csv, .tsv nor .parquet", code="E753")
    return File(str(found.resolve()), ending)


@contextmanager
def session(path: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB connection for reading one file. What DuckDB cannot read becomes a ToolError that names `path`."""
    connection = duckdb.connect(":memory:")
    try:
        connection.execute("SET autoinstall_known_extensions = false")
        connection.execute("SET TimeZone = 'UTC'")
        with suppress(duckdb.Error):  # unknown to versions that do not have the trap
            connection.execute("SET disabled_optimizers = 'type_pushdown'")
        yield connection
    except duckdb.Error as error:
        first = str(error).strip().splitlines()[0]
        raise ToolError(f"`{path}` cannot be read: {first}", code="E754") from error
    finally:
        connection.close()


def columns_of(connection: duckdb.DuckDBPyConnection, file: File) -> list[Column]:
    """The columns with their kinds. Raises duckdb.Error when the file cannot be read."""
    rows = connection.execute(f"DESCRIBE SELECT * FROM {file.relation(())}").fetchall()
    columns = [Column(name, _kind(type_name)) for name, type_name, *_ in rows]
    if file.format == ".parquet":
        return columns
    return [_as_text(connection, file, column) for column in columns]


def _kind(type_name: str) -> Kind:
    decimal = _DECIMAL.fullmatch(type_name)
    if decimal:
        return Kind("number", int(decimal[1]), name=type_name)
    if type_name.startswith("ENUM("):
        return Kind("string", name="ENUM")
    known = _TYPES.get(type_name, Kind("other"))
    return Kind(known.family, known.digits, known.zoned, name=type_name)


def _as_text(connection: duckdb.DuckDBPyConnection, file: File, column: Column) -> Column:
    """A CSV column as text. Numbers in fixed notation are exact decimals with the most digits seen, never floats."""
    kind = column.kind
    if kind.family not in ("number", "float"):
        return Column(column.name, replace(kind, text=True))
    value = quote(column.name)
    fixed, digits = connection.execute(
        f"SELECT coalesce(bool_and(regexp_full_match({value}, '\\s*[-+]?([0-9]+\\.?[0-9]*|\\.[0-9]+)\\s*')), true),"
        f" coalesce(max(length(regexp_extract({value}, '\\.([0-9]*)', 1))), 0) FROM {file.relation()}"
    ).fetchone() or (False, 0)
    if not fixed or digits > 38:
        return Column(column.name, Kind("float", text=True, name=kind.name))
    return Column(column.name, Kind("number", digits, text=True, name=kind.name))


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
