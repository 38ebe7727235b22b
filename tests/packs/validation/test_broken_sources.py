"""What can go wrong with a source: each is ERROR or FAILED with a sentence of its own, on every engine."""

from __future__ import annotations

import socket
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from checking import app_at, ask, check, parquet, registered, ruled, tool_context
from databases import ENGINES, Database, scratch
from msgspec import Struct

from remit.bootstrap import App
from remit.sdk import Pack, ToolError
from remit_packs.validation import Data, Outcome, passed, validation_type
from remit_packs.validation.agents.remedies import quarantine_partition

pytestmark = pytest.mark.service
SERVERS = [e for e in ENGINES if e != "sqlite"]


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database with a table of three orders."""
    with scratch(request.param, tmp_path, f"remit_{uuid.uuid4().hex[:12]}") as found:
        found.execute(
            "CREATE TABLE orders (id INTEGER NOT NULL, note VARCHAR(100), amount DECIMAL(9,2))",
            "INSERT INTO orders VALUES (1, 'a', 10), (2, NULL, 20), (3, 'c', 30)",
        )
        yield found


@pytest.fixture
async def app(database: Database, tmp_path: Path) -> AsyncIterator[App]:
    """A program with the pack, and the secrets of the database."""
    async with app_at(tmp_path / "home", secrets=database.secrets) as program:
        yield program


every = pytest.mark.parametrize("database", ENGINES, indirect=True)
servers = pytest.mark.parametrize("database", SERVERS, indirect=True)


@every
async def test_whole(app: App, database: Database, tmp_path: Path) -> None:
    """Nothing is wrong: the same rows in a file and in the engine are the same."""
    orders = parquet(
        tmp_path / "orders.parquet",
        "SELECT * FROM (VALUES (1, 'a', 10::decimal(9,2)), (2, NULL, 20), (3, 'c', 30)) t(id, note, amount)",
    )
    table = database.location("orders")
    for kind, more in (
        ("record_count_match", {}),
        ("column_hash_match", {"column": "note"}),
        ("column_hash_match", {"column": "amount", "hash_function": "sha256"}),
        ("row_diff", {"key": ["id"]}),
        ("schema_match", {}),
        ("aggregate_match", {"aggregate": "sum", "column": "amount"}),
        ("referential_integrity", {"columns": ["id"], "reference_table": str(orders)}),
    ):
        given = more if kind == "referential_integrity" else {"source_table": str(orders), **more}
        found = await check(app, kind, table, **given)
        assert found["status"] == "PASSED", (kind, found)


@servers
async def test_the_server_is_down(app: App, database: Database) -> None:
    """Nobody answers at the port: ERROR, which says so."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed = f"127.0.0.1:{probe.getsockname()[1]}"
    found = await check(app, "null_rate", database.location("orders", host=closed), column="id")
    assert (found["status"], found["code"]) == ("ERROR", "E562"), found
    assert "cannot be reached" in found["reason"]


@servers
async def test_the_credentials_are_wrong(app: App, database: Database) -> None:
    """The login is refused: ERROR without the password anywhere."""
    table = database.location("orders", login="nobody:${secret:wrong}")
    result = await ask(app, "null_rate", {"table": table, "parameters": {"column": "id"}})
    found = result.result_payload
    assert (found["status"], found["code"]) == ("ERROR", "E563"), found
    assert "refuses the login" in found["reason"]
    assert "wrong-secret" not in str([e.data for e in await app.runs.events(result.run_id, "local")])


@every
async def test_there_is_no_such_table(app: App, database: Database) -> None:
    """The database is there and the table is not."""
    found = await check(app, "null_rate", database.location("nope"), column="id")
    assert (found["status"], found["code"]) == ("ERROR", "E564"), found


@every
async def test_a_column_was_dropped(app: App, database: Database) -> None:
    """A rule about it cannot be decided; the schema does not hold, and says which is missing."""
    database.execute("ALTER TABLE orders DROP COLUMN note")
    table = database.location("orders")
    found = await check(app, "null_rate", table, column="note")
    assert (found["status"], found["code"]) == ("ERROR", "E592")
    assert "`note`" in found["reason"]
    wanted = [
        {"name": "id", "type": "integer"},
        {"name": "note", "type": "string"},
        {"name": "amount", "type": "number(2)"},
    ]
    schema = await check(app, "schema_match", table, columns=wanted)
    assert (schema["status"], schema["details"]["missing"]) == ("FAILED", ["note"])


@every
async def test_a_type_was_changed(app: App, database: Database, tmp_path: Path) -> None:
    """The schema does not hold; a comparison with the old type cannot be made."""
    database.execute("CREATE TABLE later (id VARCHAR(10), note VARCHAR(100), amount DECIMAL(9,2))")
    database.execute("INSERT INTO later VALUES ('1', 'a', 10)")
    table = database.location("later")
    schema = await check(
        app, "schema_match", table, columns=[{"name": "id", "type": "integer"}], allow_extra=True
    )
    assert (schema["status"], schema["details"]["changed"]) == (
        "FAILED",
        [{"name": "id", "expected": "integer", "actual": "string"}],
    )
    old = parquet(tmp_path / "old.parquet", "SELECT 1 AS id")
    found = await check(app, "column_hash_match", table, source_table=str(old), column="id")
    assert (found["status"], found["code"]) == ("ERROR", "E593")
    assert "cannot be compared" in found["reason"]


@every
async def test_the_table_was_emptied(app: App, database: Database, tmp_path: Path) -> None:
    """Rules about rows fail, the count fails, and two empty sides agree with a note."""
    orders = database.location("orders")
    database.execute("CREATE TABLE empty (id INTEGER, note VARCHAR(100), amount DECIMAL(9,2))")
    table = database.location("empty")
    rows = await check(app, "null_rate", table, column="id")
    assert (rows["status"], rows["reason"]) == ("FAILED", "there are no rows to check")
    count = await check(app, "record_count_match", table, source_table=orders)
    assert (count["status"], count["details"]["diff_pct"]) == ("FAILED", 100)
    unexpected = await check(app, "record_count_match", orders, source_table=table)
    assert (unexpected["status"], unexpected["details"]["diff_pct"]) == ("FAILED", None)
    both = await check(app, "record_count_match", table, source_table=table)
    assert (both["status"], both["details"]["note"]) == ("PASSED", "both sides are empty")


@every
async def test_huge_cells(app: App, database: Database, tmp_path: Path) -> None:
    """Five megabytes in one cell, of which the last character differs."""
    wide = "LONGTEXT" if database.kind == "mariadb" else "TEXT"
    made = (
        "replace(hex(zeroblob(2500000)), '0', 'x')" if database.kind == "sqlite" else "repeat('x', 5000000)"
    )
    database.execute(f"CREATE TABLE huge (id INTEGER, cell {wide})", f"INSERT INTO huge SELECT 1, {made}")
    same = parquet(tmp_path / "same.parquet", "SELECT 1 AS id, repeat('x', 5_000_000) AS cell")
    other = parquet(tmp_path / "other.parquet", "SELECT 1 AS id, repeat('x', 4_999_999) || 'y' AS cell")
    table = database.location("huge")
    for file, status in ((same, "PASSED"), (other, "FAILED")):
        hashed = await check(app, "column_hash_match", table, source_table=str(file), column="cell")
        assert hashed["status"] == status, hashed
        diff = await check(app, "row_diff", table, source_table=str(file), key=["id"])
        assert diff["status"] == status, diff
        assert len(str(diff)) < 5000


class Nothing(Struct, frozen=True, forbid_unknown_fields=True):
    """No parameters."""


@servers
async def test_permission_is_lost_in_the_middle_of_a_run(database: Database, tmp_path: Path) -> None:
    """The first question is answered, the second refused: ERROR, though the first answer is known."""
    database.execute(*_reader(database))

    @validation_type("twice")
    async def twice(parameters: Nothing, data: Data) -> Outcome:
        """Counts, loses its rights, and counts again."""
        first = await data.count()
        database.execute(_revoked(database))
        return passed("both were counted", counts=[first, await data.count()])

    table = database.location("orders", login="remit_reader:${secret:reader}")
    try:
        async with app_at(
            tmp_path / "home", packs=[Pack("mine", agents=[twice])], secrets=database.secrets
        ) as app:
            found = await check(app, "twice", table)
    finally:
        database.execute(*_no_reader(database))
    assert (found["status"], found["code"]) == ("ERROR", "E566"), found
    assert "may not be read" in found["reason"]


async def test_a_file_is_removed_in_the_middle_of_a_run(tmp_path: Path) -> None:
    """As above, of a file."""
    file = parquet(tmp_path / "orders.parquet", "SELECT 1 AS id")

    @validation_type("twice")
    async def twice(parameters: Nothing, data: Data) -> Outcome:
        """Counts, loses the file, and counts again."""
        first = await data.count()
        file.unlink(missing_ok=True)
        return passed("both were counted", counts=[first, await data.count()])

    async with app_at(tmp_path / "home", packs=[Pack("mine", agents=[twice])]) as app:
        found = await check(app, "twice", file)
    assert (found["status"], found["code"]) == ("ERROR", "E564"), found


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("torn.parquet", b"PAR1 and nothing else", "E567"),
        ("empty.csv", b"", "E567"),
        ("image.png", b"\x89PNG", "E560"),
    ],
)
async def test_a_file_is_not_what_it_claims(tmp_path: Path, name: str, content: bytes, code: str) -> None:
    """A torn file, an empty one, and one of another kind."""
    (tmp_path / name).write_bytes(content)
    async with app_at(tmp_path / "home") as app:
        found = await check(app, "null_rate", tmp_path / name, column="id")
    assert (found["status"], found["code"]) == ("ERROR", code), found


@every
async def test_one_broken_table_does_not_keep_others_from_being_checked(app: App, database: Database) -> None:
    """Rules of two tables, of which one is gone: the log has both, each with its own status."""
    await registered(app, "orders", database.location("orders"), source=database.source)
    await registered(app, "gone", database.location("gone"), source=database.source)
    await ruled(app, "orders-id", "orders", "uniqueness", columns=["id"])
    await ruled(app, "gone-id", "gone", "uniqueness", columns=["id"])
    result = await ask(app, "validate", {"every": True})
    status: dict[str, Any] = {run["config_id"]: run["status"] for run in result.result_payload["runs"]}
    assert status == {"orders-id": "PASSED", "gone-id": "ERROR"}


def _reader(database: Database) -> list[str]:
    if database.kind == "postgres":
        return [
            "DO $$ BEGIN CREATE ROLE remit_reader LOGIN PASSWORD 'reader-secret'; EXCEPTION WHEN duplicate_object THEN END $$",
            "GRANT SELECT ON orders TO remit_reader",
        ]
    return [
        "CREATE OR REPLACE USER remit_reader@'127.0.0.1' IDENTIFIED BY 'reader-secret'",
        f"GRANT SELECT ON {database.name}.orders TO remit_reader@'127.0.0.1'",
    ]


def _revoked(database: Database) -> str:
    if database.kind == "postgres":
        return "REVOKE SELECT ON orders FROM remit_reader"
    return f"REVOKE SELECT ON {database.name}.orders FROM remit_reader@'127.0.0.1'"


def _no_reader(database: Database) -> list[str]:
    return [] if database.kind == "postgres" else ["DROP USER IF EXISTS remit_reader@'127.0.0.1'"]


@every
async def test_a_bad_partition_is_copied_beside_the_table(app: App, database: Database) -> None:
    """Its rows, exactly once however often it is done; a partition without rows changes nothing."""
    await registered(app, "orders", database.location("orders"), source=database.source, partition_key="note")
    given = {"table_id": "orders", "partition": "c", "reason": "x"}
    for _ in range(2):
        answer = await quarantine_partition.call(given, tool_context(app))
        assert (answer["copied_to"], answer["rows"]) == ("orders__quarantine", 1)
    with pytest.raises(ToolError, match="no row"):
        await quarantine_partition.call({**given, "partition": "z"}, tool_context(app))
    copied = database.location("orders__quarantine")
    rows = await check(
        app, "custom_sql", copied, sql="SELECT count(*) FROM {table} WHERE note = 'c'", expected=1
    )
    assert rows["status"] == "PASSED"
    count = await check(app, "record_count_match", copied, source_table=database.location("orders"))
    assert (count["details"]["expected_count"], count["details"]["actual_count"]) == (3, 1)
