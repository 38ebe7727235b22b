"""Parquet, read by DuckDB from a file, and Zstandard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from remit.core.errors import ConfigError, InputError
from remit.core.extras import how_to_install

MAX_UNPACKED_BYTES = 1 << 30
"""The most that one object may hold once it is unpacked: items are held in memory."""


def parquet_rows(path: Path, limit: int | None) -> list[dict[str, Any]]:
    """The rows of a Parquet file as JSON values: dates and times as ISO 8601 text, NaN and infinities as null."""
    query = "SELECT to_json(t) FROM read_parquet(?) t" + ("" if limit is None else f" LIMIT {int(limit)}")
    return [_row(text) for (text,) in _fetch(query, path, "Parquet")]


def _row(text: str) -> dict[str, Any]:
    try:
        row: dict[str, Any] = msgspec.json.decode(text)
    except msgspec.DecodeError:
        # DuckDB writes NaN and infinities, which JSON has not.
        import json

        row = json.loads(text, parse_constant=lambda _: None)
    return row


def unpacked(data: bytes) -> bytes:
    """Bytes compressed with Zstandard, unpacked. Raises InputError E694 for others, ConfigError E699 without the package."""
    try:
        import zstandard
    except ImportError as error:
        raise ConfigError(
            "reading Zstandard needs a package", code="E699", help=how_to_install("s3")
        ) from error
    try:
        with zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True) as reader:
            text: bytes = reader.read(MAX_UNPACKED_BYTES + 1)
    except zstandard.ZstdError as error:
        raise _unreadable("Zstandard", str(error)) from error
    if len(text) > MAX_UNPACKED_BYTES:
        raise _unreadable("Zstandard", f"it holds more than {MAX_UNPACKED_BYTES} bytes")
    return text


def _fetch(query: str, path: Path, format: str) -> list[tuple[Any, ...]]:
    import duckdb

    with duckdb.connect(config={"threads": 1, "autoinstall_known_extensions": False}) as connection:
        try:
            connection.execute("SET TimeZone = 'UTC'")
            return connection.execute(query, [str(path)]).fetchall()
        except duckdb.Error as error:
            raise _unreadable(format, str(error).splitlines()[0]) from error


def _unreadable(format: str, reason: str) -> InputError:
    return InputError(
        f"the object cannot be read as {format}: {reason}",
        code="E694",
        help="check `InputType` in `ReaderConfig`, and how the object was written",
    )
