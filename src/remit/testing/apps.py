"""An app for tests: everything real but the model, the clock and the store."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from remit.adapters.model.scripted import Scripted, ScriptedModel
from remit.bootstrap import App, open_app
from remit.core.message import Message, Text, ToolUse
from remit.core.pricing import Price
from remit.core.task import Actor, Task
from remit.engine.models import Route
from remit.ports.clock import Clock
from remit.ports.model import Model
from remit.ports.store import Store
from remit.sdk import Agent, CodeAgent, FunctionTool, Pack
from remit.settings import Settings
from remit.testing.clock import FakeClock

BOSS = Actor("boss", ("approver",))
"""Somebody who may approve."""


def app_for_tests(
    *agents: Agent | CodeAgent,
    replies: Iterable[Scripted] = (),
    cycle: bool = False,
    model: Model | None = None,
    tools: Sequence[FunctionTool] = (),
    packs: Sequence[Pack] = (),
    home: Path | None = None,
    store: Store | str = "memory:",
    clock: Clock | None = None,
    price: Price | None = None,
    **settings: Any,
) -> App:
    """An app with these agents, whose model says `replies` in order. Use it as `async with`.

    `store` is a URL or a store that two apps share. `settings` are fields of `Settings` (`secrets`, `policies`, ...).
    """
    folder = home or Path(tempfile.mkdtemp(prefix="remit-test-"))
    url = store if isinstance(store, str) else "memory:"
    app = open_app(
        Settings(home=folder, store=url, **settings),
        packs=[Pack("tests", agents=agents, tools=tools), *packs],
        models={"scripted": model or ScriptedModel(replies, cycle=cycle)},
        routes={"default": Route("scripted", "scripted", price=price)},
        store=None if isinstance(store, str) else store,
        clock=clock or FakeClock(),
    )
    if home is None:
        weakref.finalize(app, shutil.rmtree, folder, ignore_errors=True)
    return app


def call(tool: str, call_id: str = "", /, **arguments: Any) -> Message:
    """A model's turn that asks for one tool."""
    return calls((tool, arguments), ids=[call_id or f"call_{tool}"])


def calls(*asked: tuple[str, dict[str, Any]], ids: Sequence[str] = ()) -> Message:
    """A model's turn that asks for several tools at once."""
    names = ids or [f"call_{i}" for i in range(len(asked))]
    return Message(
        "assistant",
        (Text("I call."), *(ToolUse(i, tool, given) for i, (tool, given) in zip(names, asked, strict=True))),
    )


def task(agent: str | Agent | CodeAgent, task_id: str = "t1", **fields: Any) -> Task:
    """A task for an agent by `alice`, who may not approve."""
    name = agent if isinstance(agent, str) else agent.spec.name
    given = {"objective": "go", "actor_context": Actor("alice"), **fields}
    return Task(task_id, name, **given)
