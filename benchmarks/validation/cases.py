"""Who does what: one case is one tool answering one question about the pair in one place, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from benchmarks.validation.generate import COLUMNS, answer, load_duckdb, load_postgres, pair

HERE = Path(__file__).resolve().parent
ENVIRONMENTS = HERE.parents[1] / ".bench"
DRIVERS = HERE / "drivers"
QUIET = {"SODA_CORE_TELEMETRY_ENABLED": "false", "GX_ANALYTICS_ENABLED": "false"}
LIMIT = "by hand"
LIBRARY = "Remit, library"
DOOR = "Remit, governed run"

CANNOT = {
    "soda": "soda-core counts one table at a time and compares no two; it has no row diff in its open part",
    "great_expectations": "great-expectations compares counts, but neither columns nor rows of two tables",
    "data_validator": "google-pso-data-validator reads no Parquet file",
    "reladiff": "reladiff has no count and no comparison of columns, and reads no Parquet file",
}


class Case(NamedTuple):
    """One measurement. `right` is what a right tool answers."""

    task: str
    place: str
    tool: str
    argv: list[str]
    right: list[Any]


def cases(rows: int, url: str) -> Iterator[Case]:
    """Everything that can be asked. Without a database, only what needs none."""
    files = [str(path) for path in pair(rows)]
    yield from _own("parquet", files, rows)
    yield from _by_hand("parquet", files, rows)
    yield from _reladiff("DuckDB file", [_duckdb(rows, "source"), _duckdb(rows, "target")], rows, "hashdiff")
    if url:
        names = load_postgres(rows, url)
        tables = [f"{url}/{name}" for name in names]
        yield from _own("postgres", tables, rows)
        yield from _by_hand("postgres", tables, rows)
        yield from _own("parquet to postgres", [files[0], tables[1]], rows)
        yield from _peers(url, names, rows)
        sides = [(url, name) for name in names]
        yield from _reladiff("postgres", sides, rows, "joindiff")
        yield from _reladiff("postgres", sides, rows, "hashdiff")
        yield from _reladiff("DuckDB file to postgres", [_duckdb(rows, "source"), sides[1]], rows, "hashdiff")


def right(task: str, rows: int) -> list[Any]:
    """The answer to a question."""
    known = answer(rows)
    if task == "count":
        return [known.source_rows, known.target_rows]
    return sorted(COLUMNS) if task in ("columns", "digests") else [known.missing, known.extra, known.changed]


def install(peer: str) -> str:
    """Make a peer's environment with its pinned versions unless it is there; what went wrong, or nothing."""
    place = ENVIRONMENTS / peer
    done = place / "validation.installed"
    pinned = (HERE / "requirements" / f"{peer}.txt").read_text()
    if done.exists() and done.read_text() == pinned:
        return ""
    uv = str(Path(sys.executable).with_name("uv"))
    for argv in (
        [uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(place)],
        [uv, "pip", "install", "--quiet", "--python", str(place / "bin/python"), "-r", str(HERE / "requirements" / f"{peer}.txt")],
    ):  # fmt: skip
        try:
            said = subprocess.run(argv, capture_output=True, text=True, check=False)
        except OSError as error:
            return str(error)
        if said.returncode:
            return said.stderr.strip()[-300:]
    done.write_text(pinned)
    return ""


def _own(place: str, sides: list[str], rows: int) -> Iterator[Case]:
    module = [sys.executable, "-m", "benchmarks.validation.ours"]
    for task in ("count", "columns", "digests", "diff"):
        yield Case(task, place, LIBRARY, [*module, "library", task, *sides], right(task, rows))
        if task != "columns":
            yield Case(task, place, DOOR, [*module, "door", task, *sides], right(task, rows))


def _by_hand(place: str, sides: list[str], rows: int) -> Iterator[Case]:
    for task in ("count", "columns", "diff"):
        argv = [sys.executable, "-m", "benchmarks.validation.handwritten", place, task, *sides]
        yield Case(task, place, LIMIT, argv, right(task, rows))


def _peers(url: str, names: tuple[str, str], rows: int) -> Iterator[Case]:
    parts = urlsplit(url)
    login = [str(parts.hostname), str(parts.port), str(parts.username), parts.path.strip("/")]
    spelt = url.replace("postgresql://", "postgresql+psycopg2://")
    counted = right("count", rows)
    yield Case("count", "postgres", "soda", [*_driver("soda"), *login, *names], counted)
    yield Case(
        "count", "postgres", "great_expectations", [*_driver("great_expectations"), spelt, *names], counted
    )
    for task in ("count", "columns", "diff"):
        argv = [*_driver("data_validator"), task, *login, *names]
        yield Case(task, "postgres", "data_validator", argv, right(task, rows))


def _reladiff(place: str, sides: list[tuple[str, str]], rows: int, algorithm: str) -> Iterator[Case]:
    argv = [*_driver("reladiff"), algorithm, *sides[0], *sides[1]]
    yield Case("diff", place, f"reladiff {algorithm}", argv, right("diff", rows))


def _duckdb(rows: int, table: str) -> tuple[str, str]:
    return f"duckdb://{load_duckdb(rows)}", table


def _driver(peer: str) -> list[str]:
    return [str(ENVIRONMENTS / peer / "bin" / "python"), str(DRIVERS / f"{peer}_driver.py")]
