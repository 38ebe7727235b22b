"""An app in this process whose charges go to a list that nothing of Remit can touch, and a store that misbehaves."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from remit import agent, tool
from remit.bootstrap import App
from remit.core.errors import CommitUnknownError, RemitError, StoreError
from remit.core.task import Actor
from remit.ports.store import Store
from remit.sdk import Found, FunctionTool, RunContext, ToolContext

TENANT = "local"
APPROVER = Actor("pat", ("approver",))


class Ledger:
    """What really happened, in order. `before` is called as each charge arrives."""

    def __init__(self, before: Callable[[str], None] | None = None) -> None:
        self.entries: list[dict[str, Any]] = []
        self.before = before

    def charge(self, ref: str, key: str, *, keyed: bool) -> str:
        """Make an entry; a keyed bank makes one for a key."""
        if self.before is not None:
            self.before(ref)
        if not (keyed and any(e["key"] == key for e in self.entries)):
            self.entries.append({"ref": ref, "key": key})
        return ref

    def has(self, ref: str) -> bool:
        """Whether a reference was charged."""
        return any(e["ref"] == ref for e in self.entries)

    def tools(self) -> list[FunctionTool]:
        """A keyed, a lookup and a plain charge."""

        @tool(risk="L1", effect="keyed")
        async def charge_keyed(ref: str, context: ToolContext) -> str:
            """Charge; the bank honours the key."""
            return self.charge(ref, context.idempotency_key, keyed=True)

        @tool(risk="L1")
        async def charge_lookup(ref: str, context: ToolContext) -> str:
            """Charge; the bank can be asked."""
            return self.charge(ref, context.idempotency_key, keyed=False)

        @charge_lookup.reconciler
        async def lookup(key: str) -> Found:
            return Found(any(e["key"] == key for e in self.entries))

        @tool(risk="L1")
        async def charge_plain(ref: str, context: ToolContext) -> str:
            """Charge; the bank neither dedupes nor answers."""
            return self.charge(ref, context.idempotency_key, keyed=False)

        return [charge_keyed, charge_lookup, charge_plain]

    def agent(self, effects: int = 9) -> Any:
        """An agent that charges `effects` times, kinds in turn."""
        tools = self.tools()

        @agent(name="charger", tools=tools)
        async def act(given: Any, memory: Any, context: RunContext) -> list[str]:
            """Charge."""
            refs = [f"{context.run_id}:{index}" for index in range(effects)]
            for index, ref in enumerate(refs):
                await context.call(tools[index % 3].spec.name, ref=ref)
            return refs

        return act


class Troubled:
    """A store whose calls fail as told: `trouble(verb)` says `""`, `before` (nothing done), `lost` or `kept` (fate unknown)."""

    def __init__(self, store: Store, trouble: Callable[[str], str]) -> None:
        self.store = store
        self.trouble = trouble

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self.store, name)
        if name not in FAILING:
            return verb

        async def call(*args: Any, **kwargs: Any) -> Any:
            what = self.trouble(name)
            if what == "before":
                raise StoreError("the store is away")
            if what == "lost":
                raise CommitUnknownError("the connection died")
            answer = await verb(*args, **kwargs)
            if what == "kept":
                raise CommitUnknownError("the connection died")
            return answer

        return call


FAILING = ("create", "append", "read", "head", "lease", "renew", "release", "inbox", "due", "transact")


def at_random(chance: random.Random, share: float) -> Callable[[str], str]:
    """Trouble of every kind, in this share of all calls."""

    def trouble(verb: str) -> str:
        if chance.random() >= share:
            return ""
        unknown = ["lost", "kept"] if verb in ("append", "create", "transact") else []
        return chance.choice(["before", *unknown])

    return trouble


async def persist(call: Callable[[], Any], tries: int = 200) -> Any:
    """Do what a client or worker does when the store fails: ask again."""
    for _ in range(tries):
        try:
            return await call()
        except StoreError:
            continue
    raise AssertionError("the store never came back")


async def finish(app: App, run_id: str, ledger: Ledger) -> int:
    """Advance until the run ends; a person answers doubts by the ledger. How many answers it took."""
    answers = 0
    for _ in range(300):
        await persist(lambda: app.engine.advance(run_id))
        head = await persist(lambda: app.store.head(run_id))
        if head.status == "ended":
            return answers
        answers += await persist(lambda: answer(app, run_id, ledger))
    raise AssertionError("the run never ended")


async def answer(app: App, run_id: str, ledger: Ledger) -> int:
    """A person settles what is in doubt."""
    given = 0
    for waiting in (await app.approvals.list(TENANT)).items:
        if waiting["run_id"] == run_id and waiting["reason"] == "in_doubt":
            kind: Any = "reject" if ledger.has(waiting["arguments"]["ref"]) else "approve"
            try:
                await app.approvals.decide(waiting["approval_id"], TENANT, APPROVER, kind)
            except StoreError:
                raise
            except RemitError:
                continue  # decided before, by a vote whose fate was unknown
            given += 1
    return given
