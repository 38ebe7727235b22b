"""Secrets never reach a prompt, journal, log, trace or error (invariant 6). Personal data goes by profile."""

from __future__ import annotations

import base64
import io
import logging
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from msgspec.structs import replace

from remit import Agent, agent, tool
from remit.bootstrap import App
from remit.core.codec import encode
from remit.core.errors import ConfigError, ModelError, RemitError, ToolError
from remit.core.message import Message, Text, Thinking
from remit.core.task import Actor
from remit.ports.agents import Found
from remit.testing import BOSS, ScriptedModel, app_for_tests, call, task

SECRET = "hunter2-Zk93/xQ+plainly+secret"
MAIL = "jane.doe@example.com"


def forms(secret: str) -> set[bytes]:
    """How a secret may turn up."""
    raw = secret.encode()
    return {
        raw,
        base64.b64encode(raw).rstrip(b"="),
        base64.urlsafe_b64encode(raw).rstrip(b"="),
        quote(secret, safe="").encode(),
        raw.hex().encode(),
    }


@tool
def echo(text: str) -> str:
    """Says what it is told, and the secret in four spellings."""
    return f"{text} {SECRET} {base64.b64encode(SECRET.encode()).decode()} {SECRET.encode().hex()} {quote(SECRET)}"


@tool
def big() -> str:
    """So much that it becomes a blob."""
    return f"{SECRET} " * 10_000


@tool
def nested() -> dict[str, Any]:
    """In keys and deep inside."""
    return {SECRET: [{"a": (SECRET, [SECRET])}], "password": "another-one-4711"}


@tool
def refuses() -> str:
    """Says no, and why."""
    raise ToolError(f"no: {SECRET}", help=f"try {SECRET}")


@tool
def breaks() -> str:
    """Raises anything."""
    raise RuntimeError(f"at {SECRET}")


@tool(risk="L1")
def unclear() -> str:
    """Leaves its effect in doubt."""
    raise RuntimeError(f"lost {SECRET}")


@unclear.reconciler
def _unclear(key: str) -> Found:
    raise RuntimeError(f"cannot look {SECRET}")


@tool(risk="L3")
def launch(note: str) -> str:
    """Privileged."""
    return f"launched {note} {SECRET}"


@tool(risk="L2")
def facts(n: int) -> str:
    """Its facts cannot be computed."""
    return "ok"


@facts.facts
def _facts(n: int) -> dict[str, Any]:
    raise ValueError(f"facts {SECRET}")


leaky = Agent(
    "leaky",
    instructions="Say what you know.",
    tools=[echo, big, nested, refuses, breaks, unclear, launch, facts],
    max_iterations=20,
)
asker = Agent("asker", instructions="Ask.", delegates=[leaky])


@agent(tools=[echo], delegates=[leaky])
async def coded(input: Any, memory: Any, context: Any) -> Any:
    """Holds the secret and puts it everywhere."""
    await context.call("echo", text=SECRET)
    await context.remember(SECRET, {"s": SECRET})
    await context.ask(f"what about {SECRET}?", system=f"know {SECRET}")
    await context.delegate("leaky", f"use {SECRET}", input={"s": SECRET})
    return {"status": "FAILED", "reason": f"because {SECRET}", "data": [SECRET]}


@agent
def raising(input: Any) -> Any:
    """Dies of it."""
    raise ValueError(SECRET)


@agent(output={"type": "object", "required": ["x"], "properties": {"s": {"const": "y"}}})
def misfit(input: Any) -> Any:
    """Its output does not fit, and the problem would quote it."""
    return {"s": SECRET}


REPLIES = [
    Message(
        "assistant", (Thinking(f"hm {SECRET}"), Text(f"I know {SECRET}"), *call("echo", text=SECRET).blocks)
    ),
    *[call(name) for name in ("big", "nested", "refuses", "breaks")],
    call(SECRET, a=1),
    call("echo", wrong=SECRET),
    call("facts", n=1),
    call("unclear"),
    call("launch", note=SECRET),
    f"done with {SECRET}",
]


async def everything(app: App, model: ScriptedModel) -> list[bytes]:
    """Run all that leaks, in every way that is known, and gather all that a person or program could read."""
    seen: list[bytes] = []
    runs = []
    for made in (leaky, coded, raising, misfit):
        fields = {"objective": f"go {SECRET}", "input": {"k": SECRET, SECRET: 1}}
        runs.append((await app.run(task(made, f"t-{made.spec.name}", **fields))).run_id)
    for _ in range(4):
        await app.worker.run_until_idle()
        for item in (await app.approvals.list("local")).items:
            ident = item["approval_id"]
            seen.append(encode(item))
            if item["reason"] == "in_doubt":
                await app.approvals.decide(ident, "local", BOSS, "reject", rationale=f"seen {SECRET}")
            else:
                await app.approvals.decide(ident, "local", BOSS, "request_info", rationale=f"is {SECRET} it?")
                await app.approvals.answer(ident, "local", Actor("alice"), f"yes {SECRET}")
                edit = {"note": f"edited {SECRET}"}
                await app.approvals.decide(ident, "local", BOSS, "constrain", arguments=edit)
    cancelled = await app.runs.submit(task(asker, "t-cancelled"))
    await app.runs.cancel(cancelled, "local", BOSS, f"because of {SECRET}")
    await app.worker.run_until_idle()
    for item in (await app.runs.list("local")).items:
        run_id = item["run_id"]
        seen += [encode(item), encode(await app.runs.view(run_id, "local"))]
        seen += [encode(e) for e in await app.runs.events(run_id, "local")]
        seen += [
            encode(await app.runs.result(run_id, "local")),
            encode(await app.audit.export(run_id, "local")),
        ]
    seen += [encode(request.messages) + request.system.encode() for request in model.requests]
    assert {(await app.runs.view(r, "local")).status for r in runs} <= {"success", "failure"}
    return seen


async def test_a_secret_is_nowhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Echoed by models, tools, arguments, errors, people and agents, in five spellings: 0 occurrences anywhere."""
    caplog.set_level(logging.DEBUG)
    printed = io.StringIO()
    handler = logging.StreamHandler(printed)
    logging.getLogger().addHandler(handler)
    model = ScriptedModel([*REPLIES, "coded", *REPLIES, "more"], cycle=True)
    app = app_for_tests(
        leaky,
        asker,
        coded,
        raising,
        misfit,
        model=model,
        home=tmp_path,
        store=f"sqlite:///{tmp_path}/r.db",
        secrets={"key": SECRET},
    )
    async with app:
        seen = await everything(app, model)
        seen.append(_metrics(app))
    logging.getLogger().removeHandler(handler)
    seen += [caplog.text.encode(), printed.getvalue().encode()]
    files = [p for p in tmp_path.rglob("*") if p.is_file() and p.name != "audit.key"]
    assert any(p.name.startswith("r.db") for p in files)
    assert any("blobs" in p.parts for p in files)
    seen += [p.read_bytes() for p in files] + [str(p).encode() for p in files]
    found = [
        where[max(0, where.find(f) - 80) : where.find(f) + 40]
        for f in forms(SECRET)
        for where in seen
        if f in where
    ]
    assert found == []


def _metrics(app: App) -> bytes:
    """The text of the Prometheus endpoint."""
    for name in ("render", "text", "exposition"):
        shown = getattr(app.telemetry, name, None)
        if shown is not None:
            out = shown()
            return out if isinstance(out, bytes) else str(out).encode()
    raise AssertionError("telemetry has no text")


@pytest.mark.parametrize("where", ["instructions", "description", "tool"])
def test_a_definition_that_holds_a_secret_is_refused_at_load(where: str) -> None:
    """Instructions and descriptions go to models as they are: a secret in one is E249, which does not quote it."""
    odd = tool(name="odd")(lambda: "")
    if where == "tool":
        odd.spec = replace(odd.spec, description=f"uses {SECRET}")
    given = {"instructions": "", "description": "", where: f"use {SECRET}"}
    given.pop("tool", None)
    with pytest.raises(ConfigError) as refused:
        app_for_tests(Agent("keeper", tools=[odd], **given), secrets={"key": SECRET})
    assert refused.value.code == "E249"
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("failing", ["submit", "constrain", "model"])
async def test_an_error_never_quotes_a_secret(failing: str) -> None:
    """Exceptions that reach a caller are clean as well."""
    model = ScriptedModel([call("launch", note="x"), ModelError(f"refused {SECRET}", code="E602")])
    async with app_for_tests(leaky, model=model, secrets={"key": SECRET}) as app:
        result = await app.run(task(leaky))
        (item,) = (await app.approvals.list("local")).items
        texts = []
        if failing == "constrain":
            with pytest.raises(RemitError) as error:
                await app.approvals.decide(
                    item["approval_id"], "local", BOSS, "constrain", arguments={"note": 1, SECRET: SECRET}
                )
            texts.append(str(error.value))
        elif failing == "submit":
            with pytest.raises(RemitError) as error:
                await app.runs.submit(task(leaky, objective=f"other {SECRET}"))
            texts.append(str(error.value))
        else:
            await app.approvals.decide(item["approval_id"], "local", BOSS, "approve")
            await app.worker.run_until_idle()
            texts.append(str(await app.runs.result(result.run_id, "local")))
        assert SECRET not in "".join(texts)


async def test_a_stream_never_carries_a_secret_also_when_it_is_cut_in_two() -> None:
    """Live tokens are redacted word by word, however the provider cuts them."""
    import asyncio

    from remit.ports.model import Delta, ModelReply, ModelRequest, OnDelta

    class Dripping(ScriptedModel):
        async def ask(self, request: ModelRequest, on_delta: OnDelta | None = None) -> ModelReply:
            assert on_delta is not None
            for letter in f"it is {SECRET} indeed":
                on_delta(Delta("text", letter))
            return await super().ask(request)

    async with app_for_tests(leaky, model=Dripping(["ok"]), secrets={"key": SECRET}) as app:
        run_id = await app.runs.submit(task(leaky))
        heard: list[str] = []

        async def listen() -> None:
            async for delta in app.runs.deltas(run_id):
                heard.append(delta.text)
                if "indeed" in delta.text:
                    return

        listening = asyncio.create_task(listen())
        await asyncio.sleep(0)
        await app.worker.run_until_idle()
        await asyncio.wait_for(listening, 5)
        text = "".join(heard)
        assert SECRET not in text
        assert text.startswith("it is ")


def house(directory: Path, redact: str) -> str:
    """A profile `house` that redacts these kinds."""
    directory.mkdir()
    (directory / "profile.toml").write_text(f'name = "house"\nextends = "default"\nredact = {redact}\n')
    (directory / "policy.cedar").write_text("")
    return str(directory)


@pytest.mark.parametrize(("redact", "kept"), [('["secrets", "pii"]', False), ('["secrets"]', True)])
async def test_personal_data_goes_by_profile(tmp_path: Path, redact: str, kept: bool) -> None:
    """A profile that redacts `pii` keeps addresses out of prompt and journal; one that does not lets them through."""
    profile = house(tmp_path / "house", redact)
    model = ScriptedModel([call("echo", text=MAIL), f"wrote to {MAIL}"])
    async with app_for_tests(leaky, model=model, policies=(profile,), secrets={"key": SECRET}) as app:
        result = await app.run(task(leaky, objective=f"write to {MAIL}", policy_profile="house"))
        events = encode(await app.runs.events(result.run_id, "local"))
    assert (MAIL.encode() in events) is kept
    assert (MAIL in str(model.requests)) is kept
    assert (MAIL in result.result_payload) is kept
    assert SECRET.encode() not in events
