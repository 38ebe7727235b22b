"""Parquet, CSV, TSV and JSON files, local or in S3, as one relation of DuckDB."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from remit_packs.validation.canonical import Kind
from remit_packs.validation.engines.base import Column, Wanted
from remit_packs.validation.engines.duckdb import DuckDbEngine, connect, explained, kind_of, lock
from remit_packs.validation.engines.errors import absent, unclear, unreadable

_FORMATS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "tsv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
}
_PACKED = (".gz", ".zst")
_PATTERN = re.compile(r"[*?\[]")
_TIMESTAMP = "[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,6})?"
_ALL = 2**31 - 1
_FLOAT_DIGITS = 15
"""A number of JSON is exact up to so many digits."""


class Files(Struct, frozen=True):
    """Files that are read as one table. `path` may be a pattern; `folder` is what has to be readable for it."""

    path: str
    format: str
    folder: str = ""


def format_of(path: str) -> str:
    """The format that a name ends in; empty when unknown."""
    name = path.lower()
    for packed in _PACKED:
        name = name.removesuffix(packed)
    return next((kind for ending, kind in _FORMATS.items() if name.endswith(ending)), "")


def local_files(path: str, format: str = "") -> Files:
    """The file, pattern or folder at `path`. Raises SourceError when nothing is there, or its format is unknown."""
    if "://" in path or "\x00" in path:
        raise unclear(path, "it is no local path")
    found = Path(path).expanduser()
    if found.is_dir():
        return _folder(found, path, format)
    if _PATTERN.search(path) and not found.exists():
        return _matching(found, path, format)
    if not found.is_file():
        raise absent(path, "the path is relative to where Remit runs" if not found.is_absolute() else "")
    if found.stat().st_size == 0 and _known(path, format) != "json":
        raise unreadable(path, "it is empty, without even a header")
    if _PATTERN.search(str(found.resolve())):
        raise unclear(
            path, "a name with `*`, `?` or `[` stands for several files", "rename the file or its folder"
        )
    return Files(str(found.resolve()), _known(path, format))


def _folder(folder: Path, path: str, format: str) -> Files:
    kind = format if format in _FORMATS.values() else "parquet"
    ending = one_ending((f.name for f in folder.rglob("*") if f.is_file()), kind, path)
    return Files(f"{folder.resolve()}/**/*{ending}", kind, f"{folder.resolve()}/")


def one_ending(names: Iterable[str], kind: str, path: str) -> str:
    """The ending of all files of this format in a folder. Raises SourceError for none, and for several: some would be left out."""
    endings = sorted({_ending(name) for name in names if format_of(name) == kind})
    if not endings:
        wanted = next(ending for ending, known in _FORMATS.items() if known == kind)
        raise absent(f"{path}/**/*{wanted}", "the folder holds no such file")
    if len(endings) > 1:
        told = " and ".join(f"`{ending}`" for ending in endings)
        raise unclear(
            path, f"the folder holds files that end in {told}", "name those of one ending: `FOLDER/*.csv`"
        )
    return endings[0]


def _ending(name: str) -> str:
    """The ending of a file in a known format, as it is spelled there."""
    packed = next((p for p in _PACKED if name.lower().endswith(p)), "")
    return name[name.rfind(".", 0, len(name) - len(packed)) :]


def _matching(pattern: Path, path: str, format: str) -> Files:
    absolute = str(pattern.absolute())
    if not glob.glob(absolute, recursive=True):
        raise absent(path, "no file matches")
    folder = absolute[: _PATTERN.search(absolute).start()].rpartition("/")[0]  # type: ignore[union-attr]
    return Files(absolute, _known(path, format), f"{folder}/")


def _known(path: str, format: str) -> str:
    ending = format_of(path)
    kind = ending if ending == "tsv" or format not in _FORMATS.values() else format
    if not kind:
        raise unclear(path, "it is neither .parquet, .csv, .tsv nor .json(l)")
    return kind


class FileEngine(DuckDbEngine):
    """Files as a table. Of CSV and JSON, numbers are read as text, so that nothing is rounded unseen."""

    def __init__(
        self,
        files: Files,
        source: str,
        *,
        beside: Sequence[Files] = (),
        filesystem: Any = None,
        server: str = "duckdb",
        secrets: Sequence[str] = (),
    ) -> None:
        reached = [files, *beside]
        connection = connect(
            [f.path for f in reached if not f.folder], [f.folder for f in reached if f.folder], filesystem
        )
        lock(connection)
        super().__init__(connection, server, source, secrets)
        self._files = files

    def relation(self, columns: Sequence[Wanted] = ()) -> str:
        """The files as a table function; what is wanted as text is read as text."""
        if self._files.format == "parquet":
            return self._parquet()
        texts = {c.name for c in columns if c.stored.text}
        texts |= {c.name for c in self.columns() if c.kind.text and c.kind.family == "number"}
        if self._files.format == "json":
            return self._json(texts)
        return self._csv("types = {%s}", texts)

    def _parquet(self) -> str:
        # by itself DuckDB brings all files to the columns and types of the first: it drops columns, and rounds 1.5 to 2
        return f"read_parquet({self.dialect.literal(self._files.path)}{self._united()})"

    def _united(self) -> str:
        """Of several files the columns of all, each of a type that holds what all hold; NULL where a file has none."""
        return ", union_by_name = true" if self._files.folder else ""

    def _csv(self, how: str, texts: set[str]) -> str:
        options = (
            f"header = true, delim = {self._delimiter()}, quote = '\"', escape = '\"', comment = '', skip = 0"
        )
        # an unquoted empty field is NULL, a quoted one is the empty string
        options += ", sample_size = -1, nullstr = '', allow_quoted_nulls = false" + self._united()
        if how == "all_varchar = true":
            options += f", {how}"
        elif texts:
            options += ", " + how % ", ".join(f"{self.dialect.literal(t)}: 'VARCHAR'" for t in sorted(texts))
        return f"read_csv({self.dialect.literal(self._files.path)}, {options})"

    def _delimiter(self) -> str:
        return "'\t'" if self._files.format == "tsv" else "','"

    def _json(self, texts: set[str]) -> str:
        path = self.dialect.literal(self._files.path)
        if not self.columns():
            return f"read_json({path})"
        types = ((c.name, "VARCHAR" if c.name in texts else c.kind.name) for c in self.columns())
        fields = ", ".join(f"{self.dialect.literal(name)}: {self.dialect.literal(t)}" for name, t in types)
        return f"read_json({path}, columns = {{{fields}}})"

    def _describe(self) -> list[Column]:
        read = {
            "parquet": self._parquet(),
            "json": f"read_json({self.dialect.literal(self._files.path)}, sample_size = -1, maximum_sample_files = {_ALL},"
            " map_inference_threshold = -1)",
        }.get(self._files.format) or self._csv("", set())
        # DESCRIBE is no SELECT; the connection is locked all the same
        rows = self._described(f"DESCRIBE SELECT * FROM {read}")
        columns = [Column(name, kind_of(type_name)) for name, type_name, *_ in rows]
        return columns if self._files.format == "parquet" else self._as_text(columns)

    def _described(self, sql: str) -> list[tuple[Any, ...]]:
        import duckdb

        try:
            return list(self._connection.execute(sql).fetchall())
        except duckdb.Error as error:
            raise explained(error, self.source, self._secrets) from None

    def _as_text(self, columns: list[Column]) -> list[Column]:
        """Columns of CSV or JSON: what the text looks like."""
        columns = self._times(self._scalars(columns))
        numbers = [c for c in columns if c.kind.family in ("number", "float")]
        seen = dict(zip([c.name for c in numbers], self._notations(numbers), strict=True))
        return [
            Column(c.name, _looks(c.kind, seen[c.name]) if c.name in seen else _textual(c.kind))
            for c in columns
        ]

    def _scalars(self, columns: list[Column]) -> list[Column]:
        """A column of JSON that mixes texts, numbers and truth values holds text; one with lists or objects is refused."""
        mixed = [c for c in columns if c.kind.name == "JSON"]
        if not mixed:
            return columns
        fields = ", ".join(f"{self.dialect.literal(c.name)}: 'JSON'" for c in mixed)
        nested = ", ".join(
            f"coalesce(bool_or(json_type({self.dialect.quote(c.name)}) IN ('ARRAY', 'OBJECT')), false)"
            for c in mixed
        )
        path = self.dialect.literal(self._files.path)
        row = self.fetch(f"SELECT {nested} FROM read_json({path}, columns = {{{fields}}})")[0]
        plain = {c.name for c, deep in zip(mixed, row, strict=True) if not deep}
        return [Column(c.name, Kind("string", name="JSON")) if c.name in plain else c for c in columns]

    def _times(self, columns: list[Column]) -> list[Column]:
        """Texts of JSON that all are timestamps, some with a part of a second, which DuckDB takes for mere texts."""
        texts = [c for c in columns if c.kind.name == "VARCHAR"] if self._files.format == "json" else []
        if not texts:
            return columns
        asked = ", ".join(
            f"coalesce(bool_and(regexp_full_match({self.dialect.quote(c.name)}, '{_TIMESTAMP}')), false)"
            for c in texts
        )
        row = self.fetch(f"SELECT {asked} FROM {self._all_text(texts)}")[0]
        times = {c.name for c, all_of_them in zip(texts, row, strict=True) if all_of_them}
        moment = Kind("timestamp", 6, name="TIMESTAMP")
        return [Column(c.name, moment) if c.name in times else c for c in columns]

    def _notations(self, columns: list[Column]) -> list[tuple[bool, int]]:
        """Of each column whether all numbers are in fixed notation, and the most decimals."""
        if not columns:
            return []
        parts = []
        for column in columns:
            value = self.dialect.quote(column.name)
            exact = f"regexp_full_match({value}, '\\s*[-+]?([0-9]+\\.?[0-9]*|\\.[0-9]+)\\s*')"
            if self._files.format == "json":
                exact += f" AND ({value} NOT LIKE '%.%' OR length(regexp_replace({value}, '[^0-9]', '', 'g')) <= {_FLOAT_DIGITS})"
            digits = f"coalesce(max(length(regexp_extract({value}, '\\.([0-9]*)', 1))), 0)"
            parts.append(f"coalesce(bool_and({exact}), true), {digits}")
        row = self.fetch(f"SELECT {', '.join(parts)} FROM {self._all_text(columns)}")[0]
        return [(bool(row[2 * i]), int(row[2 * i + 1])) for i in range(len(columns))]

    def _all_text(self, columns: list[Column]) -> str:
        if self._files.format == "json":
            fields = ", ".join(f"{self.dialect.literal(c.name)}: 'VARCHAR'" for c in columns)
            return f"read_json({self.dialect.literal(self._files.path)}, columns = {{{fields}}})"
        return self._csv("all_varchar = true", set())


def _textual(kind: Kind) -> Kind:
    return kind if kind.family == "other" else replace(kind, text=True)


def _looks(kind: Kind, seen: tuple[bool, int]) -> Kind:
    """Numbers in fixed notation are exact decimals with the most digits seen, others floats."""
    fixed, digits = seen
    if not fixed or digits > 38:
        return Kind("float", text=True, name=kind.name)
    return Kind("number", digits, text=True, name=kind.name)
