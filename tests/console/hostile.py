"""An app in which every field that somebody else can fill holds what an attacker would write there."""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from tests.console.payloads import PAYLOADS

from remit import Agent, Pack, ToolError, agent, open_app, tool
from remit.adapters.model.scripted import ScriptedModel
from remit.bootstrap import App
from remit.core.message import Message, Text, Thinking, ToolUse
from remit.core.scorecard import DAY_MS
from remit.core.validation import ValidationRun
from remit.engine.models import Route
from remit.ports.model import ModelRequest
from remit.sdk import RunContext, ToolContext
from remit.settings import Settings

CHART = """<!doctype html><body><script>
try { parent.document.title = "owned"; } catch (e) { /* another origin */ }
try { parent.alert("from the frame"); } catch (e) { /* another origin */ }
document.body.append("drawn");
</script><img src="data:image/gif;base64,R0lGODlhAQABAAAAACw="><p>"""
"""A page made by an agent: its script runs, alone."""

ALL = list(PAYLOADS)
LONGEST = max(PAYLOADS, key=len)


def short(size: int) -> list[str]:
    """The texts that fit a field of so many characters."""
    return [text for text in PAYLOADS if len(text) <= size]


def pack() -> Pack:
    """Agents whose tools take, give, keep and fail with hostile texts; a model that says them; a tool that needs approval."""

    @tool(effect="read")
    def say(text: str) -> dict[str, Any]:
        """<script>alert('description')</script>"""
        return {text: text, "html": f"<b>{text}</b>", "url": text}

    @tool
    def keep(context: ToolContext) -> dict[str, Any]:
        """<img src=x onerror=alert(1)>"""
        for index, text in enumerate(PAYLOADS):
            context.keep(text[:100], text.encode(), ("text/plain", "text/html", "image/svg+xml")[index % 3])
        context.keep("chart.html", CHART.encode(), "text/html")
        context.keep("data.json", json.dumps(ALL).encode(), "application/json")
        return {"html": "chart.html", "title": PAYLOADS[0]}

    @tool(risk="L3", effect="keyed")
    async def pay(to: str, note: str) -> str:
        """<svg onload=alert(1)>"""
        return f"paid {to}"

    @tool(effect="read")
    def fail(text: str) -> str:
        """Fails."""
        raise ToolError(text, help=text)

    @agent(tools=[say, keep])
    async def mirror(input: Any, memory: Any, context: RunContext) -> Any:
        """<script>alert('agent')</script>"""
        await context.call("keep")
        for text in PAYLOADS:
            await context.call("say", text=text)
        return {"said": ALL, **{text: text for text in PAYLOADS[:20]}}

    @agent
    async def echo(input: Any, memory: Any, context: RunContext) -> Any:
        """Says what it was given."""
        return input

    @agent(tools=[pay])
    async def payer(input: Any, memory: Any, context: RunContext) -> Any:
        """Pays, when somebody lets it."""
        return await context.call("pay", to=input, note=LONGEST)

    @agent(tools=[fail])
    async def failing(input: Any, memory: Any, context: RunContext) -> Any:
        """Fails by its tool."""
        return await context.call("fail", text=input)

    @agent
    async def broken(input: Any, memory: Any, context: RunContext) -> Any:
        """Fails by itself."""
        raise ValueError(input)

    talker = Agent("talker", description=PAYLOADS[0], instructions=PAYLOADS[6], tools=[say, pay, keep])
    return Pack("hostile", agents=[mirror, echo, payer, failing, broken, talker])


def speak(request: ModelRequest) -> Message:
    """A turn of the model: it thinks and says hostile texts; at first it asks for tools with them."""
    asked = [message for message in request.messages if message.role == "user"]
    if any(isinstance(block, Text) for block in asked[-1].blocks):
        uses = [ToolUse(f"call_{n}", "say", {"text": text}) for n, text in enumerate(PAYLOADS[:6])]
        return Message(
            "assistant",
            (Thinking("\n\n".join(PAYLOADS)), Text(LONGEST), *uses, ToolUse("call_k", "keep", {})),
        )
    return Message("assistant", tuple(Text(text) for text in PAYLOADS))


def app_of(settings: dict[str, Any]) -> App:
    """The app, with a model that speaks as above."""
    return open_app(
        Settings(**settings, packs=("validation",)),
        packs=[pack()],
        models={"scripted": ScriptedModel([speak], cycle=True)},
        routes={"default": Route("scripted", "scripted")},
    )


async def ended(app: App, run_ids: Sequence[str]) -> None:
    """Wait until runs have ended or wait for somebody."""
    for run_id in run_ids:
        while (head := await app.store.head(run_id)) is not None and head.status == "ready":
            await app.store.changed(run_id, after=head.seq, timeout_s=0.5)


class Filled:
    """What was filled in, by the routes that show it. `taken` counts by kind what the API took."""

    def __init__(self) -> None:
        self.routes: list[str] = []
        self.taken: dict[str, int] = {}


class Filler:
    """Fills an app in over its API, as those whose texts these are would."""

    def __init__(self, app: App, client: httpx.AsyncClient, folder: Path) -> None:
        self._app = app
        self._client = client
        self._folder = folder
        self.filled = Filled()

    async def fill(self) -> Filled:
        """Everything."""
        for part in (
            self._runs,
            self._chat,
            self._approvals,
            self._registry,
            self._workflows,
            self._quality,
            self._rest,
        ):
            await part()
        return self.filled

    async def _send(
        self, kind: str, method: str, path: str, body: Any, *, params: Any = None
    ) -> dict[str, Any]:
        """What the API makes of a request; an empty object where it refuses the text, which then is nowhere to be seen."""
        answer = await self._client.request(method, path, json=body, params=params)
        assert answer.status_code < 500, f"{method} {path}: {answer.text}"
        if answer.is_error:
            self.filled.taken.setdefault(kind, 0)
            return {}
        self.filled.taken[kind] = self.filled.taken.get(kind, 0) + 1
        found: dict[str, Any] = answer.json() if answer.content else {}
        return found

    async def _run(self, agent: str, task_id: str, objective: str, input: Any, **more: Any) -> str:
        task = {"task_id": task_id, "agent": agent, "objective": objective, "input": input, **more}
        return str((await self._send(f"run of {agent}", "POST", "/api/v1/runs", task))["run_id"])

    async def _each(self, kind: str, method: str, requests: Sequence[tuple[str, Any]]) -> None:
        """Many requests at once."""
        await asyncio.gather(*(self._send(kind, method, path, body) for path, body in requests))

    async def _runs(self) -> None:
        started = [self._run("echo", f"echo-{n}", text, {text: text}) for n, text in enumerate(PAYLOADS)]
        echoes = await asyncio.gather(*started)
        failures = [
            await self._run("failing", f"failing-{n}", text, text) for n, text in enumerate(PAYLOADS[:15])
        ]
        broken = [
            await self._run("broken", f"broken-{n}", text, text) for n, text in enumerate(PAYLOADS[15:30])
        ]
        mirrors = [await self._run("mirror", f"mirror-{n}", LONGEST, ALL) for n in range(2)]
        await ended(self._app, [*echoes, *failures, *broken, *mirrors])
        first = mirrors[0]
        tabs = ("steps", "messages", "calls", "artifacts", "audit", "cost", "handoffs", "approvals")
        self.filled.routes += [
            "/",
            "/runs",
            *(f"/runs/{first}?tab={tab}" for tab in tabs),
            f"/runs/{failures[0]}",
            f"/runs/{broken[0]}",
        ]
        self.filled.routes += [f"/compare/{first}/{mirrors[1]}", f"/runs?q={quote(PAYLOADS[6], safe='')}"]

    async def _chat(self) -> None:
        turns = [
            await self._run("talker", f"turn-{n}", text, None, session_id="hostile")
            for n, text in enumerate(PAYLOADS[:4])
        ]
        await ended(self._app, turns)
        for n, text in enumerate(short(120)[:20]):
            run_id = await self._run("echo", f"named-{n}", text, text, session_id=f"named-{n}")
            await ended(self._app, [run_id])
            await self._send("title", "PUT", f"/api/v1/conversations/named-{n}", {"title": text})
        self.filled.routes += ["/chat", "/chat/hostile", "/chat/named-0", f"/runs/{turns[0]}?tab=messages"]

    async def _approvals(self) -> None:
        runs = [await self._run("payer", f"payer-{n}", text, text) for n, text in enumerate(PAYLOADS[:26])]
        await ended(self._app, runs)
        waiting = (
            await self._client.get("/api/v1/approvals", params={"status": "pending", "limit": 100})
        ).json()["items"]
        judge = (await self._app.keys.create("local", "judge", ("approver",))).secret
        async with httpx.AsyncClient(base_url=self._client.base_url, headers={"x-api-key": judge}) as client:
            for n, text in enumerate(PAYLOADS[:20]):
                kind = ("reject", "request_info")[n % 2]
                answer = await client.post(
                    f"/api/v1/approvals/{waiting[n]['approval_id']}/decide",
                    json={"kind": kind, "rationale": text},
                )
                self.filled.taken["rationale"] = self.filled.taken.get("rationale", 0) + (not answer.is_error)
        ids = [waiting[n]["approval_id"] for n in (0, 1, 25)]
        self.filled.routes += [
            "/approvals",
            *(f"/approvals/{each}" for each in ids),
            "/policies?tab=log",
            "/policies?tab=tools",
        ]

    async def _registry(self) -> None:
        for more in ("", " again"):
            prompts = [
                (
                    f"/api/v1/definitions/prompt/p{n}",
                    {"spec": {"text": text + more}, "reason": text, "comment": text[:200]},
                )
                for n, text in enumerate(PAYLOADS)
            ]
            await self._each("prompt", "PUT", prompts if not more else prompts[6:7])
        spec = {"instructions": LONGEST, "description": PAYLOADS[6], "tools": ["say"], "model": "default"}
        await self._send(
            "agent", "PUT", "/api/v1/definitions/agent/described", {"spec": spec, "reason": LONGEST}
        )
        named = [
            (f"/api/v1/definitions/prompt/{quote(text, safe='')}", {"spec": {"text": "x"}, "reason": "x"})
            for text in PAYLOADS[:10]
        ]
        await self._each("name", "PUT", named)
        at = "/registry/prompt/p6"
        self.filled.routes += [
            "/registry",
            at,
            f"{at}?tab=versions",
            f"{at}?tab=changes",
            "/registry/agent/described",
        ]

    async def _workflows(self) -> None:
        states: dict[str, Any] = {}
        names = short(80)
        for here, then in zip(names, [*names[1:], "end"], strict=True):
            states[here] = {"Type": "Pass", "Comment": here, "Result": {here: here}, "Next": then}
        states["end"] = {"Type": "Fail", "Error": PAYLOADS[0], "Cause": LONGEST}
        document = {"Comment": LONGEST, "StartAt": names[0], "States": states}
        await self._send(
            "workflow", "PUT", "/api/v1/definitions/workflow/hostile", {"spec": document, "reason": LONGEST}
        )
        run_id = await self._run("hostile", "flow-1", PAYLOADS[6], {text: text for text in PAYLOADS})
        await ended(self._app, [run_id])
        at = "/workflows/hostile"
        self.filled.routes += [
            "/workflows",
            at,
            f"{at}?tab=document",
            f"{at}?tab=versions",
            f"{at}?tab=runs",
            f"/runs/{run_id}",
        ]

    async def _quality(self) -> None:
        left, right = self._folder / "left.csv", self._folder / "right.csv"
        await asyncio.to_thread(_tables, left, right)
        for name, path in (("left", left), ("right", right)):
            body = {
                "source": "file",
                "location": str(path),
                "format": "csv",
                "owner": "owner",
                "reason": LONGEST,
            }
            await self._send("table", "PUT", f"/api/v1/tables/{name}", body)
        for n, text in enumerate(PAYLOADS):
            owned = {"location": text, "owner": text, "reason": text}
            await self._send("described table", "PUT", f"/api/v1/tables/t{n}", owned)
        rule = {
            "table_id": "left",
            "validation_type": "row_diff",
            "parameters": {"source_table": "right", "key": ["id"]},
        }
        await self._send(
            "rule",
            "POST",
            "/api/v1/validations",
            {"config_id": "differs", **rule, "reason": LONGEST, "comment": LONGEST},
        )
        for n, text in enumerate(short(500)[:15]):
            values = {
                "table_id": "left",
                "validation_type": "value_set",
                "parameters": {"column": "text", "values": [text]},
            }
            await self._send(
                "value rule",
                "POST",
                "/api/v1/validations",
                {"config_id": f"rule-{n}", **values, "reason": text},
            )
        now = self._app.clock.now()
        for n, text in enumerate(PAYLOADS):
            details = {"reason": text, text: text, "error": text}
            status = ("FAILED", "ERROR")[n % 2]
            line = ValidationRun(
                f"vr_{n}",
                "left",
                "differs",
                1,
                "row_diff",
                status,
                details,
                "api",
                now - DAY_MS + n,  # type: ignore[arg-type]
            )
            await self._app.validation_runs.record("local", line)
        started = await self._send("check", "POST", "/api/v1/validations/differs/run", {})
        if started.get("run_id"):
            await ended(self._app, [started["run_id"]])
        for n, text in enumerate(PAYLOADS[:10]):
            await self._send(
                "notifier", "PUT", f"/api/v1/notifiers/n{n}", {"channel": "email", "target": text}
            )
            await self._send(
                "schedule",
                "PUT",
                f"/api/v1/schedules/s{n}",
                {"expression": "weekly", "agent": "echo", "input": {text: text}},
            )
        rule_at = "/quality/rules/differs"
        tabs = ("owners", "rules", "proposals", "runs", "schedules", "notifiers")
        self.filled.routes += ["/quality", *(f"/quality?tab={tab}" for tab in tabs), "/quality/tables/left"]
        self.filled.routes += [
            rule_at,
            f"{rule_at}?tab=versions",
            f"{rule_at}?tab=changes",
            "/quality?tab=runs&run=vr_6",
            f"/quality/tables/{quote(PAYLOADS[6], safe='')}",
        ]

    async def _rest(self) -> None:
        for text in short(128)[:30]:
            await self._send("key", "POST", "/api/v1/keys", {"actor_id": text, "custom_roles": [text]})
        for text in short(60)[:20]:
            await self._send("view", "PUT", "/api/v1/views/x", {"page": "runs", "query": {"q": text}})
        document = {"text": "\n".join(PAYLOADS), "title": PAYLOADS[6], "source": PAYLOADS[31]}
        await self._send("document", "PUT", "/api/v1/documents/hostile", document)
        self.filled.routes += [
            "/cost",
            "/policies",
            "/settings?tab=keys",
            "/settings?tab=about",
            "/no-such-page",
        ]


def _tables(left: Path, right: Path) -> None:
    for path, mark in ((left, ""), (right, "!")):
        with path.open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["id", "text"])
            rows.writerows([f"{n}", text + mark] for n, text in enumerate(PAYLOADS))
