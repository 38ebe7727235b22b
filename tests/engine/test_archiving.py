"""The archive of journals: what it shows that a journal alone cannot."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec.structs import replace

from remit.adapters.archive.files import FileArchive
from remit.bootstrap import App
from remit.core.codec import genesis, link
from remit.core.errors import NotFoundError
from remit.core.message import assistant
from remit.engine.archiving import Archiving, portions
from remit.engine.audit import Audit
from remit.ports.store import Entry, RunHead, Store
from remit.sdk import Agent
from remit.testing.apps import app_for_tests, task


class Rewritten:
    """The store of an app, but for one journal, which is somebody else's idea of what happened."""

    def __init__(self, store: Store, entries: list[Entry]) -> None:
        self._store = store
        self.entries = entries

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def read(self, run_id: str, *, after: int = -1, limit: int = 1000) -> list[Entry]:
        return [e for e in self.entries if e.seq > after][:limit]

    async def head(self, run_id: str) -> RunHead | None:
        found = await self._store.head(run_id)
        if found is None or not self.entries:
            return None
        return replace(found, seq=self.entries[-1].seq, hash=self.entries[-1].hash)


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    async with app_for_tests(
        Agent("writer", instructions="Write."), replies=[assistant("done")], cycle=True, home=tmp_path
    ) as program:
        yield program


async def finished(app: App) -> str:
    """A run that has ended."""
    return (await app.run(task("writer"))).run_id


def journal_of(app: App, entries: list[Entry]) -> Archiving:
    """The app's archive beside another journal."""
    store = cast(Store, Rewritten(app.store, entries))
    return Archiving(store, app.archiving.archive, Audit(store, app.clock, cast(Any, None)))


def rewritten(run_id: str, entries: list[Entry]) -> list[Entry]:
    """A journal with another story, chained anew from beginning to end."""
    made: list[Entry] = []
    at = genesis(run_id)
    for entry in entries:
        body = entry.body.replace(b'"done"', b'"gone"')
        at = link(at, body)
        made.append(Entry(entry.seq, body, at))
    return made


async def test_an_archived_run_is_whole(app: App) -> None:
    """Every event is there, and archiving again adds nothing."""
    run_id = await finished(app)
    events = len(await app.store.read(run_id))
    assert await app.archiving.keep(run_id, "local") == events
    assert await app.archiving.keep(run_id, "local") == 0
    report = await app.archiving.verify(run_id, "local")
    assert (report.ok, report.archived, report.events) == (True, events, events)


async def test_an_archive_that_is_behind_is_no_damage(app: App) -> None:
    """It holds the beginning; what is missing, also in the middle, is filled in by archiving."""
    run_id = await finished(app)
    entries = await app.store.read(run_id)
    await app.archiving.archive.put("local", run_id, entries[:2])
    report = await app.archiving.verify(run_id, "local")
    assert (report.ok, report.archived, report.events) == (True, 2, len(entries))
    await app.archiving.archive.put("local", run_id, entries[3:4])
    report = await app.archiving.verify(run_id, "local")
    assert (report.ok, report.first_bad_seq) == (False, 2)
    assert "in the archive, event 2 is missing" in report.reason
    assert await app.archiving.keep(run_id, "local") == len(entries) - 3
    assert (await app.archiving.verify(run_id, "local")).ok


async def test_a_journal_rewritten_whole_is_found(app: App) -> None:
    """Its own chain is flawless; the archive shows that it is another one."""
    run_id = await finished(app)
    await app.archiving.keep(run_id, "local")
    entries = await app.store.read(run_id)
    forged = rewritten(run_id, entries)
    assert forged != entries
    fake = Rewritten(app.store, forged)
    alone = await Audit(cast(Store, fake), app.clock, cast(Any, None)).verify(run_id, "local")
    assert alone.ok
    report = await journal_of(app, forged).verify(run_id, "local")
    assert not report.ok
    assert "history was rewritten" in report.reason


@pytest.mark.parametrize("left", [0, 1, 3])
async def test_a_journal_that_lost_events_is_found(app: App, left: int) -> None:
    """Cut short, or gone: the archive knows more."""
    run_id = await finished(app)
    await app.archiving.keep(run_id, "local")
    entries = await app.store.read(run_id)
    report = await journal_of(app, entries[:left]).verify(run_id, "local")
    assert (report.ok, report.archived, report.first_bad_seq) == (False, len(entries), left)


async def test_an_archive_that_was_changed_is_found(app: App, tmp_path: Path) -> None:
    """By the first event that is wrong; one that is there twice, in two forms, is named."""
    run_id = await finished(app)
    entries = await app.store.read(run_id)
    await app.archiving.keep(run_id, "local")
    (path,) = tmp_path.rglob("archive/**/*.jsonl")
    lines = path.read_text().splitlines()
    changed = {**json.loads(lines[2]), "body": json.loads(lines[2])["body"] + " "}
    path.chmod(0o644)
    path.write_text("\n".join([*lines[:2], json.dumps(changed), *lines[3:]]))
    report = await app.archiving.verify(run_id, "local")
    assert (report.ok, report.archived, report.first_bad_seq) == (False, 2, 2)
    await app.archiving.archive.put("local", run_id, entries[2:3])
    report = await app.archiving.verify(run_id, "local")
    assert (report.first_bad_seq, report.reason) == (2, "in the archive, there are two different events 2")


async def test_damage_of_the_journal_is_told_as_ever(app: App) -> None:
    """With the place where it is."""
    run_id = await finished(app)
    await app.archiving.keep(run_id, "local")
    entries = await app.store.read(run_id)
    broken = [*entries[:2], Entry(2, entries[2].body + b" ", entries[2].hash), *entries[3:]]
    report = await journal_of(app, broken).verify(run_id, "local")
    assert (report.ok, report.first_bad_seq) == (False, 2)
    assert report.reason.startswith("in the journal, event 2")


async def test_other_tenants_runs_are_not_there(app: App) -> None:
    """Neither to archive nor to compare."""
    run_id = await finished(app)
    for who, what in (("other", run_id), ("local", "run_unknown")):
        with pytest.raises(NotFoundError):
            await app.archiving.keep(what, who)
        with pytest.raises(NotFoundError):
            await app.archiving.verify(what, who)
    report = await app.archiving.verify(run_id, "local")
    assert (report.ok, report.reason) == (False, "nothing of it is archived")


async def test_the_archive_is_in_the_home(app: App, tmp_path: Path) -> None:
    """Unless the settings name a bucket."""
    run_id = await finished(app)
    await app.archiving.keep(run_id, "local")
    assert await FileArchive(tmp_path / "archive").read("local", run_id) == await app.store.read(run_id)


def test_portions_follow_one_another() -> None:
    """A gap begins a new one."""
    made = [Entry(seq, b"", b"") for seq in (0, 1, 4, 5, 6, 9)]
    assert [[e.seq for e in portion] for portion in portions(made)] == [[0, 1], [4, 5, 6], [9]]
    assert list(portions([])) == []
