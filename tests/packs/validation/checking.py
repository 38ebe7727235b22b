"""A real app with the validation pack, and files to check."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from remit.bootstrap import App, open_app
from remit.core.task import Actor, Result, Task
from remit.core.validation import Table
from remit.engine.validations import Rule
from remit.ports.agents import ToolContext
from remit.settings import Settings
from remit_packs.validation import pack

ANA = Actor("ana")


def app_at(home: Path, store: str = "memory:", *, packs: Sequence[Any] = (), **settings: Any) -> App:
    """An app on the real clock. Use it as `async with`."""
    return open_app(Settings(home=home, store=store, **settings), packs=[pack(), *packs])


async def ask(app: App, agent: str, given: Any, *, task_id: str = "", profile: str = "validation") -> Result:
    """Run an agent to its end, or to where it waits."""
    task_id = task_id or app.clock.new_id("task")
    return await app.run(Task(task_id, agent, input=given, actor_context=ANA, policy_profile=profile))


async def check(app: App, kind: str, table: Path | str, **parameters: Any) -> dict[str, Any]:
    """What a check of this type says about a table."""
    result = await ask(app, kind, {"table": str(table), "parameters": parameters})
    assert isinstance(result.result_payload, dict), result.problem
    return result.result_payload


def parquet(path: Path, select: str) -> Path:
    """A Parquet file of what a SELECT gives."""
    with duckdb.connect(":memory:") as connection:
        connection.sql(select).write_parquet(str(path))
    return path


async def registered(app: App, table_id: str, location: Path | str, **fields: Any) -> None:
    """Register a table."""
    source = fields.pop("source", "file")
    await app.tables.put(
        "local", Table(table_id, source, str(location), **fields), actor=Actor("ana"), reason="under test"
    )


async def ruled(app: App, config_id: str, table_id: str, kind: str, **parameters: Any) -> None:
    """Write a rule."""
    rule = Rule(table_id, kind, parameters)
    await app.validations.create("local", config_id, rule, actor=ANA, reason="the test")


def tool_context(app: App) -> Any:
    """What a tool is given, outside any run."""
    kit = app.kit
    assert kit.platform is not None
    platform = kit.platform(Task("t", "investigator", actor_context=ANA))
    return ToolContext("run", "s0", "local", ANA, "investigator", "key", 1, kit.clock, kit.secrets, platform)
