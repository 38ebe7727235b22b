"""The door of AgentCore Runtime, over a real socket: its two addresses, its headers, its statuses."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from remit import Agent, Pack, agent, open_app, tool
from remit.adapters.model.scripted import ScriptedModel
from remit.bootstrap import App
from remit.core.errors import NotFoundError
from remit.core.message import assistant
from remit.core.task import Actor
from remit.engine.models import Route
from remit.server.agentcore import build_door, serve
from remit.settings import Settings
from remit.testing.apps import app_for_tests

SESSION = "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"
ONE, TWO = "s" * 33, "t" * 33


def pack(home: Path) -> Pack:
    """An agent that echoes, one that takes its time, one that needs a person, and one that converses."""

    @tool(risk="L3", effect="keyed")
    async def pay(amount: int) -> str:
        """Pay."""
        return f"paid {amount}"

    @tool(effect="read", timeout_s=60)
    async def slow() -> str:
        """Take as long as the test wants."""
        (home / "began").touch()
        while (home / "hold").exists():
            await asyncio.sleep(0.01)
        return "done at last"

    @agent(tools=[pay, slow])
    async def clerk(input, memory, context):
        """Does what it is told."""
        given = input if isinstance(input, dict) else {}
        if "pay" in given:
            return await context.call("pay", amount=given["pay"])
        if "slow" in given:
            return await context.call("slow")
        return {"said": input}

    return Pack("door", agents=[clerk, Agent("talker", instructions="Talk.")])


class Door:
    """A running door."""

    def __init__(self, home: Path, name: str, port: int) -> None:
        self.home = home
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10)
        self.app: App
        self._name, self._port = name, port
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)

    def start(self, until: Callable[..., Any]) -> None:
        """Serve in a thread; returns when it answers."""
        self._thread.start()
        until(lambda: self.client.get("/ping").status_code == 200)

    def stop(self) -> None:
        """Stop as a signal does."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)
        assert not self._thread.is_alive()
        self.client.close()

    def run(self, coroutine: Any) -> Any:
        """Run a coroutine on the server's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    def invoke(self, body: Any, **headers: str) -> httpx.Response:
        """POST /invocations."""
        return self.client.post("/invocations", json=body, headers=headers)

    async def _main(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        settings = Settings(home=self.home, store=f"sqlite:///{self.home / 'remit.db'}")
        replies = [assistant(f"answer {n}") for n in range(5)]
        self.app = open_app(
            settings,
            packs=[pack(self.home)],
            models={"scripted": ScriptedModel(replies)},
            routes={"default": Route("scripted", "scripted")},
        )
        async with self.app:
            await serve(
                self.app, self._name, tenant_id="acme", host="127.0.0.1", port=self._port, stop=self._stop
            )


@pytest.fixture
def doors(tmp_path: Path, until: Callable[..., Any]) -> Iterator[Callable[[str], Door]]:
    """Opens doors of agents."""
    import socket

    opened: list[Door] = []

    def open_door(name: str) -> Door:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        opened.append(Door(tmp_path, name, port))
        opened[-1].start(until)
        return opened[-1]

    yield open_door
    for door in opened:
        door.stop()


def test_an_invocation_is_answered(doors: Callable[[str], Door]) -> None:
    """JSON in, JSON out; whatever is no prompt is the agent's input."""
    door = doors("clerk")
    answer = door.invoke({"order": 7}, **{SESSION: ONE}).json()
    assert answer["response"] == {"said": {"order": 7}}
    assert (answer["status"], answer["session_id"]) == ("success", ONE)
    assert door.invoke({"prompt": "hi", "input": [1]}).json()["response"] == {"said": [1]}


def test_ping_when_nothing_is_in_hand(doors: Callable[[str], Door]) -> None:
    """Healthy, since a time that does not move."""
    door = doors("clerk")
    first = door.client.get("/ping").json()
    assert first["status"] == "Healthy"
    assert abs(first["time_of_last_update"] - time.time()) < 60
    assert door.client.get("/ping").json() == first


def test_ping_is_busy_while_a_run_is_in_hand(
    doors: Callable[[str], Door], tmp_path: Path, until: Callable[..., Any]
) -> None:
    """HealthyBusy as long as the run goes on, also after its caller has gone away; then Healthy."""
    door = doors("clerk")
    (tmp_path / "hold").touch()
    with pytest.raises(httpx.ReadTimeout):
        door.client.post("/invocations", json={"slow": 1}, headers={SESSION: ONE}, timeout=0.5)
    until((tmp_path / "began").exists)
    assert door.client.get("/ping").json()["status"] == "HealthyBusy"
    (tmp_path / "hold").unlink()
    until(lambda: door.client.get("/ping").json()["status"] == "Healthy")
    (item,) = door.run(door.app.runs.list("acme", agent="clerk")).items
    assert item["status"] == "success"


def test_a_session_keeps_its_conversation(doors: Callable[[str], Door]) -> None:
    """The second turn of a session sees the first; another session does not, and a new process keeps all of it."""
    door = doors("talker")
    assert door.invoke({"prompt": "my name is Ana"}, **{SESSION: ONE}).json()["response"] == "answer 0"
    second = door.invoke({"prompt": "who am I?"}, **{SESSION: ONE}).json()
    other = door.invoke({"prompt": "who am I?"}, **{SESSION: TWO}).json()
    third = doors("talker").invoke({"prompt": "and now?"}, **{SESSION: ONE}).json()

    def heard(answer: Any) -> str:
        created = door.run(door.app.runs.events(answer["run_id"], "acme"))[0]
        return json.dumps(created.data["history"])

    assert "Ana" in heard(second)
    assert "Ana" not in heard(other)
    assert "Ana" in heard(third)
    assert "who am I?" in heard(third)


def test_the_answer_may_come_as_a_stream(doors: Callable[[str], Door]) -> None:
    """Server-sent events of JSON; the last one is the result."""
    door = doors("talker")
    answer = door.invoke({"prompt": "talk"}, Accept="text/event-stream", **{SESSION: ONE})
    assert answer.headers["content-type"].startswith("text/event-stream")
    pieces = [
        json.loads(line.removeprefix("data: ")) for line in answer.text.splitlines() if "data: " in line
    ]
    assert pieces[-1]["type"] == "result"
    assert pieces[-1]["data"]["response"] == "answer 0"
    assert {piece["type"] for piece in pieces[:-1]} <= {"delta"}


def test_a_run_that_waits_for_a_person_says_so_and_goes_on(doors: Callable[[str], Door]) -> None:
    """The answer names the approval; once it is given, the same session goes on with the run, and no other does."""
    door = doors("clerk")
    asked = door.invoke({"pay": 5}, **{SESSION: ONE}).json()
    assert asked["status"] == "needs_approval"
    (waits,) = asked["waiting_on"]
    boss = Actor("boss", ("approver",))
    decided = door.app.approvals.decide(waits.removeprefix("approval:"), "acme", boss, "approve")
    door.run(decided)
    assert door.invoke({"run_id": asked["run_id"]}, **{SESSION: TWO}).status_code == 404
    assert door.invoke({"run_id": asked["run_id"]}).status_code == 404
    assert door.invoke({"run_id": asked["run_id"]}, **{SESSION: ONE}).json()["response"] == "paid 5"


def test_the_same_request_is_the_same_run(doors: Callable[[str], Door]) -> None:
    """AgentCore's request id makes an invocation that is sent twice one run."""
    door = doors("clerk")
    headers = {SESSION: ONE, "X-Amzn-Bedrock-AgentCore-Runtime-Request-Id": "req-1"}
    first, second = (door.invoke({"n": 1}, **headers).json() for _ in range(2))
    assert first["run_id"] == second["run_id"]


def test_the_body_decides_nothing_about_who_calls(doors: Callable[[str], Door]) -> None:
    """Tenant and actor of a body are input like everything else."""
    door = doors("clerk")
    user = {"X-Amzn-Bedrock-AgentCore-Runtime-User-Id": "ana"}
    body = {"tenant_id": "zeta", "actor_context": {"actor_id": "root", "roles": ["admin"]}}
    answer = door.invoke(body, **{SESSION: ONE}, **user).json()
    view = door.run(door.app.runs.view(answer["run_id"], "acme"))
    assert view.task.actor_context == Actor("ana", (), "agentcore")


@pytest.mark.parametrize(
    ("content", "media", "status", "code"),
    [
        (b"{", "application/json", 400, "E112"),
        (b"hello", "text/plain", 415, "E114"),
        (b'{"prompt": 7}', "application/json", 422, "E102"),
        (b'{"run_id": "run_x"}', "application/json", 404, "E104"),
        (b'"' + b"x" * 1_100_000 + b'"', "application/json", 413, "E113"),
    ],
)
def test_what_cannot_be_served_is_a_problem(
    doors: Callable[[str], Door], content: bytes, media: str, status: int, code: str
) -> None:
    """Each with its code, and the process stays healthy."""
    door = doors("clerk")
    answer = door.client.post("/invocations", content=content, headers={"content-type": media, SESSION: ONE})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert door.client.get("/ping").json()["status"] == "Healthy"


async def test_an_agent_that_is_not_there_is_refused_at_once() -> None:
    """No door is opened for it."""
    async with app_for_tests() as app:
        with pytest.raises(NotFoundError, match="nobody"):
            build_door(app, "nobody", "acme")
