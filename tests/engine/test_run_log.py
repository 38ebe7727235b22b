"""A line of the log when a run is created, waits, goes on and ends: ids and figures, and nothing of what it is about."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from remit import Agent, agent, tool
from remit.adapters.telemetry.logs import FIELDS, handler
from remit.bootstrap import App
from remit.core.approval import Approval
from remit.core.budget import Usage
from remit.core.codec import decode, encode
from remit.core.pricing import Price
from remit.engine import loading, telling
from remit.ports.model import ModelReply, ModelRequest, OnDelta
from remit.testing import BOSS, FakeClock, ScriptedModel, app_for_tests, task

Lines = Callable[[], list[dict[str, Any]]]

ALWAYS = {"ts", "level", "logger", "message", "event", "run_id", "trace_id", "tenant_id", "agent"}


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    """What is logged at level INFO, as JSON."""
    out = io.StringIO()
    made = handler(as_json=True, known=lambda: ("hunter2",), stream=out)
    monkeypatch.setattr(telling.log, "level", logging.INFO)
    telling.log.manager._clear_cache()  # type: ignore[attr-defined]
    telling.log.addHandler(made)
    yield lambda: [json.loads(line) for line in out.getvalue().splitlines()]
    telling.log.removeHandler(made)
    monkeypatch.undo()
    telling.log.manager._clear_cache()  # type: ignore[attr-defined]


@tool(risk="L3", effect="keyed")
async def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


@agent(tools=[pay])
async def paying(input: Any, memory: Any, context: Any) -> str:
    """Pays."""
    paid: str = await context.call("pay", amount=7)
    return paid


@agent(delegates=["paying"])
async def boss(input: Any, memory: Any, context: Any) -> Any:
    """Has somebody pay."""
    return (await context.delegate("paying", "pay it")).result_payload


async def approve(app: App) -> str:
    """Let what waits happen; its id."""
    (item,) = (await app.approvals.list("local", status="pending")).items
    id = decode(encode(item), Approval).approval_id
    await app.approvals.decide(id, "local", BOSS, "approve")
    return id


async def test_a_run_says_when_it_begins_waits_goes_on_and_ends(lines: Lines) -> None:
    """Each line has the ids to search by; who is waited for is named; the last one has how it ended, steps, cost and seconds."""
    clock = FakeClock()
    async with app_for_tests(paying, clock=clock) as app:
        run_id = await app.runs.submit(task(paying, objective="a secret plan", trace_id="t" * 32))
        await app.worker.run_until_idle(run_id)
        clock.advance(60)
        approval = await approve(app)
        await app.worker.run_until_idle(run_id)
    found = lines()
    assert [line["event"] for line in found] == ["created", "parked", "resumed", "ended"]
    for line in found:
        assert ALWAYS <= line.keys() <= ALWAYS | set(FIELDS)
        ids = [line[name] for name in ("level", "run_id", "trace_id", "tenant_id", "agent")]
        assert ids == ["info", run_id, "t" * 32, "local", "paying"]
    assert found[1]["waiting_on"] == f"approval:{approval}"
    figures = [found[3].get(name) for name in ("status", "steps", "cost_usd", "seconds", "code")]
    assert figures == ["success", 1, 0.0, 60.0, None]
    assert found[3]["message"] == f"run {run_id} ended: success after 1 step, 0 USD, 60 s"
    assert not [word for word in ("secret plan", "paid 7", "alice") if word in json.dumps(found)]


async def test_a_child_names_its_parent(lines: Lines) -> None:
    """The lines of a run and of those that work for it share the trace; a child says for which run it works."""
    async with app_for_tests(boss, paying) as app:
        run_id = await app.runs.submit(task(boss))
        await app.worker.run_until_idle(run_id)
        await approve(app)
        await app.worker.run_until_idle(run_id)
    found = lines()
    assert len({line["trace_id"] for line in found}) == 1
    assert {line.get("parent_run", "") for line in found if line["agent"] == "paying"} == {run_id}
    assert {line.get("parent_run", "") for line in found if line["agent"] == "boss"} == {""}
    assert [line["event"] for line in found if line["agent"] == "boss"][-1] == "ended"


class Counting(ScriptedModel):
    """Counts tokens."""

    async def ask(self, request: ModelRequest, on_delta: OnDelta | None = None) -> ModelReply:
        reply = await super().ask(request, on_delta)
        return ModelReply(reply.message, reply.stop_reason, Usage(output_tokens=10))


async def test_a_failure_says_its_code_and_a_model_its_cost(lines: Lines) -> None:
    """What went wrong is told by its code: the text of an error may hold anything."""
    asking = Agent("asking", instructions="Answer.")

    @agent
    async def broken(input: Any) -> None:
        """Fails."""
        raise ValueError("hunter2")

    price = Price(output=Decimal(1))
    async with app_for_tests(asking, broken, model=Counting(["hello"]), price=price) as app:
        for number, who in enumerate((asking, broken)):
            run_id = await app.runs.submit(task(who, f"t{number}"))
            await app.worker.run_until_idle(run_id)
    good, bad = [line for line in lines() if line["event"] == "ended"]
    assert (good["status"], good["cost_usd"] > 0) == ("success", True)
    assert (bad["status"], bad["code"][0]) == ("failure", "E")
    assert "hunter2" not in json.dumps(lines())


async def test_a_run_that_is_set_aside_waits_for_an_operator(lines: Lines) -> None:
    """Who it waits for is told, and not the words of why; of many things that are waited for, the first few are named."""
    async with app_for_tests(paying) as app:
        run_id = await app.runs.submit(task(paying))
        await app.engine.set_aside(run_id, "[E710] a secret plan")
        run, _ = await loading.load(app.store, run_id)
    run.waiting_on = tuple(f"child:{n}" for n in range(20))
    telling.run_parked(run)
    aside, many = [line for line in lines() if line["event"] == "parked"]
    assert aside["waiting_on"] == "operator"
    assert many["waiting_on"] == ", ".join(f"child:{n}" for n in range(8)) + " and 12 more"
    assert "secret plan" not in json.dumps(lines())


async def test_where_the_level_is_off_nothing_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even the fields of a line are put together."""
    monkeypatch.setattr(telling, "_of", lambda *_, **__: pytest.fail("a line was made"))
    async with app_for_tests(paying) as app:
        run_id = await app.runs.submit(task(paying))
        await app.worker.run_until_idle(run_id)
        await approve(app)
        await app.worker.run_until_idle(run_id)


APP = '''
from remit import agent

@agent
async def echo(input):
    """Answers what it was given."""
    return input
'''


@pytest.mark.parametrize("level", ["warning", "info"])
def test_a_command_says_it_on_stderr_when_asked(tmp_path: Path, level: str) -> None:
    """At the level that is the default `remit run` shows its result alone; at `info` it says the lines too, and stdout stays the result."""
    (tmp_path / "agents.py").write_text(APP)
    (tmp_path / "remit.toml").write_text('app = "agents.py"\n')
    own = {name: value for name, value in os.environ.items() if not name.startswith("REMIT_")}
    done = subprocess.run(
        [str(Path(sys.executable).with_name("remit")), "run", "echo", "hello", "--json"],
        cwd=tmp_path,
        env={**own, "REMIT_LOG": level, "REMIT_LOG_JSON": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    run_id = json.loads(done.stdout)["run_id"]
    said = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    told = [line["event"] for line in said if line.get("run_id") == run_id]
    assert told == (["created", "ended"] if level == "info" else [])
