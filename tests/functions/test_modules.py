"""What a function loads before it can answer: a cold start is made of modules, so they are counted, not timed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

NEVER = {
    "duckdb",
    "typer",
    "click",
    "rich",
    "jsonata",
    "jsonpath",
    "uvicorn",
    "yaml",
    "anthropic",
    "matplotlib",
}
"""No function needs these to start."""

WEB = {"fastapi", "starlette", "pydantic"}
VENDORS = {"boto3", "botocore", "httpx", "psycopg", "cryptography"}
"""Loaded by the adapter that uses them, when it is opened."""

MOST = 570
"""Modules that a function loads; Python itself begins with about 60."""

MOST_WEB = 850
"""Of which the web framework loads about 240. Every group of operations is a module, and so is what its types come from: each
operation is told to the framework, with its types, before the first request is answered."""

LIGHT = ("advance", "tick", "react", "deliver", "inbound", "audit", "chat")


def loaded(code: str, **environ: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after `code`."""
    program = f"import json, sys\n{code}\nprint('\\n' + json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def tops(modules: set[str]) -> set[str]:
    """The packages they belong to."""
    return {name.partition(".")[0] for name in modules}


@pytest.mark.parametrize("name", LIGHT)
def test_a_function_is_light(name: str) -> None:
    """No web framework, no vendor, nothing of the command line, and not too much of ours."""
    modules = loaded(f"import remit.functions.{name}")
    assert tops(modules) & (NEVER | WEB | VENDORS) == set()
    assert not any(module.startswith("remit.cli") for module in modules)
    assert len(modules) <= MOST, len(modules)


def test_the_api_loads_the_web_framework_and_nothing_else() -> None:
    """No server and no vendor."""
    modules = loaded("import remit.functions.api")
    assert tops(modules) & (NEVER | VENDORS) == set()
    assert len(modules) <= MOST_WEB, len(modules)


def test_a_turn_loads_little_more(home: Path) -> None:
    """A run from its message to its end needs no web framework either, and nothing for workflows or data."""
    app = home / "app.py"
    app.write_text(
        "from remit import Agent, Pack, tool\n"
        "@tool(effect='read')\n"
        "def add(a: int, b: int) -> int:\n"
        "    'Add.'\n"
        "    return a + b\n"
        "adder = Agent('adder', instructions='Add.', tools=[add])\n"
    )
    code = (
        "from remit.functions import advance\n"
        "from remit.functions.container import shared\n"
        "from remit.core.task import Task\n"
        "run = shared().run(lambda app: app.runs.submit(Task('t', 'adder')))\n"
        "record = {'messageId': 'm', 'receiptHandle': 'r', 'body': json.dumps({'run_id': run})}\n"
        "assert advance.handler({'Records': [record]}, None) == {'batchItemFailures': []}\n"
        "assert shared().run(lambda app: app.runs.result(run, 'local')).status == 'success'\n"
    )
    modules = loaded(code, REMIT_APP=str(app))
    assert tops(modules) & (NEVER | WEB | VENDORS) == set()
    assert len(modules) <= MOST, len(modules)
