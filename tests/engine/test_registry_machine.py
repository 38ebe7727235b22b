"""Random histories of one definition: every store does what a model of a page does, also when two write at once."""

from __future__ import annotations

import asyncio
import itertools
import os
import secrets
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.adapters.store import redis_world
from tests.engine.registry_stores import open_store, registry_over

from remit.core.errors import ConflictError, InputError, NotFoundError
from remit.core.task import Actor
from remit.engine.registry import Registry
from remit.testing.contracts.store import HandClock

DSN = os.environ.get("REMIT_TEST_POSTGRES", "")
EXAMPLES = itertools.count()
VERSIONS = st.integers(1, 6)


class Machine(RuleBasedStateMachine):
    """Each rule changes the definition and the model. Set up by `play`."""

    registry: Registry
    clock: HandClock
    do: Callable[[Coroutine[Any, Any, Any]], Any]

    def __init__(self) -> None:
        super().__init__()
        self.name = f"n{next(EXAMPLES)}"
        self.bodies: list[int] = []
        self.statuses: list[str] = []
        self.active = 0
        self.enabled = True
        self.exists = False
        self.past: list[tuple[int, int]] = []
        self.written = itertools.count()

    def at(self) -> tuple[str, str, str]:
        return "local", "note", self.name

    def given(self, who: str = "ana") -> dict[str, Any]:
        return {"actor": Actor(who), "reason": "because"}

    def activate(self, version: int) -> None:
        if self.active:
            self.statuses[self.active - 1] = "archived"
        self.active = version
        if version:
            self.statuses[version - 1] = "active"

    def added(self, n: int, status: str) -> None:
        self.exists = True
        self.bodies.append(n)
        self.statuses.append(status)

    def remember(self) -> None:
        """Note what is active now, and let time pass."""
        self.past.append((self.clock.now(), self.active))
        self.clock.advance(10)

    @precondition(lambda self: not self.exists)
    @rule()
    def create(self) -> None:
        n = next(self.written)
        made = self.do(self.registry.create(*self.at(), {"n": n}, **self.given()))
        assert made.version == 1
        self.added(n, "archived")
        self.activate(1)
        self.remember()

    @precondition(lambda self: self.exists)
    @rule()
    def create_again(self) -> None:
        with pytest.raises(ConflictError):
            self.do(self.registry.create(*self.at(), {"n": -1}, **self.given()))

    @precondition(lambda self: self.exists)
    @rule(stale=st.booleans())
    def edit(self, stale: bool) -> None:
        n = next(self.written)
        expect = self.active + 1 if stale else self.active
        work = self.registry.edit(*self.at(), {"n": n}, expect_version=expect, **self.given())
        if stale:
            with pytest.raises(ConflictError):
                self.do(work)
            return
        assert self.do(work).version == len(self.bodies) + 1
        self.added(n, "archived")
        self.activate(len(self.bodies))
        self.remember()

    @precondition(lambda self: self.exists)
    @rule()
    def edit_at_once(self) -> None:
        """Two edits of the same version: one wins, and the other is told who."""
        numbers = {"ana": next(self.written), "bob": next(self.written)}

        async def both() -> list[Any]:
            work = (
                self.registry.edit(*self.at(), {"n": n}, expect_version=self.active, **self.given(who))
                for who, n in numbers.items()
            )
            return await asyncio.gather(*work, return_exceptions=True)

        done = self.do(both())
        won = [d for d in done if not isinstance(d, BaseException)]
        lost = [d for d in done if isinstance(d, ConflictError)]
        assert (len(won), len(lost)) == (1, 1), done
        assert f"`{won[0].change_author}`: edit of version {won[0].version}" in lost[0].message
        self.added(won[0].body["n"], "archived")
        self.activate(len(self.bodies))
        self.remember()

    @rule()
    def draft(self) -> None:
        n = next(self.written)
        self.do(self.registry.draft(*self.at(), {"n": n}, **self.given()))
        self.added(n, "draft")
        self.remember()

    @precondition(lambda self: self.exists)
    @rule(version=VERSIONS, verb=st.sampled_from(["promote", "rollback"]))
    def make_active(self, version: int, verb: str) -> None:
        wanted = {"promote": "draft", "rollback": "archived"}[verb]
        work = getattr(self.registry, verb)(*self.at(), version, **self.given())
        if version > len(self.bodies):
            with pytest.raises(NotFoundError):
                self.do(work)
        elif self.statuses[version - 1] != wanted:
            with pytest.raises(InputError):
                self.do(work)
        else:
            self.do(work)
            self.activate(version)
            self.remember()

    @precondition(lambda self: self.exists)
    @rule(version=VERSIONS)
    def refuse(self, version: int) -> None:
        work = self.registry.refuse(*self.at(), version, **self.given())
        if version > len(self.bodies):
            with pytest.raises(NotFoundError):
                self.do(work)
        elif self.statuses[version - 1] != "draft":
            with pytest.raises(InputError):
                self.do(work)
        else:
            assert self.do(work).status == "archived"
            self.statuses[version - 1] = "archived"
            self.remember()

    @precondition(lambda self: self.exists)
    @rule()
    def archive(self) -> None:
        if not self.active:
            with pytest.raises(ConflictError):
                self.do(self.registry.archive(*self.at(), **self.given()))
            return
        self.do(self.registry.archive(*self.at(), **self.given()))
        self.activate(0)
        self.remember()

    @precondition(lambda self: self.exists)
    @rule(on=st.booleans())
    def switch(self, on: bool) -> None:
        verb = self.registry.enable if on else self.registry.disable
        self.do(verb(*self.at(), **self.given()))
        self.enabled = on
        self.remember()

    @precondition(lambda self: self.past)
    @rule(data=st.data())
    def look_back(self, data: st.DataObject) -> None:
        ts, active = data.draw(st.sampled_from(self.past))
        if active:
            assert self.do(self.registry.at(*self.at(), ts)).version == active
        else:
            with pytest.raises(NotFoundError):
                self.do(self.registry.at(*self.at(), ts))

    @invariant()
    def what_is_there_is_what_the_model_says(self) -> None:
        head = self.do(self.registry.head(*self.at()))
        if not self.exists:
            assert head is None
            return
        assert (head.active.version, head.latest, head.enabled) == (
            self.active,
            len(self.bodies),
            self.enabled,
        )
        found = list(reversed(self.do(self.registry.history(*self.at(), limit=200)).items))
        assert [d.status for d in found] == self.statuses
        assert [d.body["n"] for d in found] == self.bodies
        if self.active:
            assert found[self.active - 1].enabled is self.enabled
        trail = self.do(self.registry.changes(*self.at(), limit=1)).items
        assert trail[0].after == head


SERVICES = [
    pytest.param("postgres", marks=pytest.mark.service),
    pytest.param("redis", marks=[pytest.mark.service, pytest.mark.nightly]),
]


@pytest.mark.parametrize("kind", ["memory", "sqlite", *SERVICES])
def test_random_histories(kind: str, tmp_path: Path) -> None:
    """Create, edit, draft, promote, roll back, archive, switch, look back: the store and the model agree."""
    if kind == "postgres" and not DSN:
        assert os.environ.get("CI") != "true", "REMIT_TEST_POSTGRES must be set in CI"
        pytest.skip("REMIT_TEST_POSTGRES names no PostgreSQL to test with")
    urls = {"memory": "memory:", "sqlite": str(tmp_path / "r.db"), "postgres": DSN}
    url = redis_world.url() if kind == "redis" else urls[kind]
    schema, clock = f"test_{secrets.token_hex(6)}", HandClock()
    store = open_store(url, schema, clock)
    with asyncio.Runner() as runner:
        registry = runner.run(registry_over(store, tmp_path / "blobs", clock))
        machine = type(
            "Bound", (Machine,), {"registry": registry, "clock": clock, "do": staticmethod(runner.run)}
        )
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=60 if kind == "memory" else 20,
                stateful_step_count=25,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
        runner.run(store.close())
    if kind == "redis":
        redis_world.drop(schema)
    if kind == "postgres":
        import psycopg

        with psycopg.connect(DSN, autocommit=True) as db:
            db.execute(f"DROP SCHEMA {schema} CASCADE")
