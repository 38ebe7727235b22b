"""Starting is cheap: what `import remit` and `remit --help` may load."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {
    "anthropic", "asyncio", "boto3", "botocore", "cedarpy", "cryptography", "duckdb", "fastapi", "httpx",
    "jsonschema_rs", "msgspec", "opentelemetry", "psycopg", "pydantic", "requests", "rich", "sqlite3", "starlette", "uvicorn",
}  # fmt: skip


def loaded(code: str) -> set[str]:
    """The modules that `code` loads, beyond a bare interpreter's."""
    report = f"import sys, json; before = set(sys.modules)\n{code}\njson.dump(sorted(set(sys.modules) - before), sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", report], capture_output=True, text=True, check=True, timeout=60
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize(
    ("code", "at_most"),
    [
        ("import remit", 40),
        ("from remit.cli.main import execute; execute(['--help'])", 220),
    ],
)
def test_little_is_loaded(code: str, at_most: int) -> None:
    """No vendor, no server, no database; and not many modules at all."""
    modules = loaded(code)
    assert not HEAVY & {m.partition(".")[0] for m in modules}
    assert len(modules) <= at_most


def test_a_command_loads_only_what_typer_needs() -> None:
    """Typer itself checks options with pydantic; nothing else heavy comes in before a command needs it, and no other command."""
    modules = loaded("from remit.cli.main import execute; execute(['version'])")
    assert {m.partition(".")[0] for m in modules} & HEAVY <= {"pydantic"}
    assert {m.removeprefix("remit.cli.") for m in modules if m.startswith("remit.cli.")} == {
        "commands",
        "console",
        "main",
        "options",
        "version",
    }
    assert len(modules) <= 260


def test_the_packs_that_come_along_cost_nothing_that_is_not_used() -> None:
    """Every start loads them: no engine, driver or vendor comes in before a check needs it."""
    modules = loaded("import remit_packs.validation, remit_packs.support")
    assert not {m.partition(".")[0] for m in modules} & {
        "duckdb",
        "psycopg",
        "boto3",
        "pyarrow",
        "sqlalchemy",
    }
