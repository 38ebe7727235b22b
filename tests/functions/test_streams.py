"""The functions behind DynamoDB streams: records as Lambda hands them over, in order, doubled and damaged."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from remit.adapters.store.dynamodb import heads, journal, values
from remit.adapters.store.dynamodb.values import text
from remit.core.codec import genesis, link
from remit.core.errors import StoreError
from remit.functions.audit import audit
from remit.functions.react import react
from remit.functions.streams import table_of
from remit.ports.driving import Hint
from remit.ports.store import Entry, RunHead
from remit.testing.apps import app_for_tests

Event = dict[str, Any]
NOW = 1_800_000_000_000
HEAD = RunHead("run_1", "acme", "run_1", "echo", "ready", 0, b"\x00" * 32, 0, "", 0, None, 0, NOW)


def record(table: str, number: int, new: Any = None, old: Any = None, name: str = "") -> Event:
    """A record of a stream in the form of Lambda: bytes are base64."""
    images = {"NewImage": new, "OldImage": old}
    return {
        "eventID": f"e{number}",
        "eventName": name or ("INSERT" if old is None else "MODIFY" if new is not None else "REMOVE"),
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1_800_000_000.0,
            "Keys": {"run_id": {"S": "run_1"}},
            **{key: lambda_form(image) for key, image in images.items() if image is not None},
            "SequenceNumber": f"{number:021d}",
            "SizeBytes": 26,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventSourceARN": f"arn:aws:dynamodb:us-east-1:123456789012:table/{table}/stream/2026-11-21T00:00:00.000",
    }


def lambda_form(image: Any) -> Any:
    """The image after its way through JSON."""
    return json.loads(json.dumps(image, default=lambda raw: base64.b64encode(raw).decode()))


def head(**changes: Any) -> Any:
    """The image of a head."""
    return heads.item(heads.Head(replace(HEAD, **changes), rev="r", since=NOW))


class Noting:
    """A driver that keeps what it is told, and passes nothing on while it is `down`."""

    def __init__(self, *, down: bool = False) -> None:
        self.told: list[Hint] = []
        self.down = down

    async def hint(self, hints: Sequence[Hint]) -> list[Hint]:
        if self.down:
            return list(hints)
        self.told += hints
        return []

    async def postpone(self, queue: str, receipt: str, seconds: float) -> None:
        raise AssertionError("nothing was received")


async def told(*records: Event, down: bool = False) -> list[Hint]:
    """What `react` tells of."""
    async with app_for_tests() as app:
        driver = app.driver = Noting(down=down)
        assert await react(app, records) == {"batchItemFailures": []}
        return driver.told


def test_the_table_of_a_record() -> None:
    """By the stream's ARN."""
    assert table_of(record("remit-dev-run_head", 1, head())) == "remit-dev-run_head"


async def test_a_new_run_is_told_of() -> None:
    """Its first head."""
    assert await told(record("t-run_head", 1, head())) == [Hint("run_1", "echo", tenant_id="acme")]


async def test_many_changes_of_one_run_are_told_once() -> None:
    """Submitted, taken, given back with a timer: the last word counts."""
    held = {"owner": "w", "lease_until": NOW + 15_000, "epoch": 1}
    waiting = {"status": "waiting", "wake_ts": NOW + 30_000}
    changes = [None, head(), head(**held), head(**held, **waiting), head(epoch=1, **waiting)]
    records = [record("t-run_head", n, new, old) for n, (old, new) in enumerate(itertools.pairwise(changes))]
    assert await told(*records) == [Hint("run_1", "echo", 30.0, "acme")]


async def test_a_removed_head_is_nothing() -> None:
    """Nor is a batch without records."""
    assert await told(record("t-run_head", 1, None, head())) == []
    assert await told() == []


async def test_hints_that_could_not_be_passed_on_hold_back_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, the stream goes on, and the next tick finds the runs."""
    assert await told(record("t-run_head", 1, head()), down=True) == []
    assert "1 runs could not be told of" in caplog.text


async def test_an_image_that_cannot_be_read_holds_back_its_shard_only_from_there() -> None:
    """What came before it is told of; it and what follows come again."""
    good, bad = head(), {"run_id": {"S": "run_2"}}
    async with app_for_tests() as app:
        driver = app.driver = Noting()
        records = [record("t-run_head", 1, good), record("t-run_head", 2, bad), record("t-run_head", 3, good)]
        answer = await react(app, records)
        assert answer == {"batchItemFailures": [{"itemIdentifier": f"{2:021d}"}]}
        assert driver.told == [Hint("run_1", "echo", tenant_id="acme")]


# the audit function


class Kept:
    """An archive in memory that refuses other entries under a number it knows, as the port says."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], dict[int, Entry]] = {}

    async def put(self, tenant_id: str, run_id: str, entries: Sequence[Entry]) -> None:
        await asyncio.sleep(0)
        known = self.entries.setdefault((tenant_id, run_id), {})
        for entry in entries:
            if known.setdefault(entry.seq, entry) != entry:
                raise StoreError("other entries are there", code="E659")

    async def read(self, tenant_id: str, run_id: str) -> list[Entry]:
        return [entry for _, entry in sorted(self.entries.get((tenant_id, run_id), {}).items())]


def entries(count: int, first: int = 0) -> list[Entry]:
    """A chain of entries of a run."""
    made, hash = [], genesis("run_1")
    for seq in range(first + count):
        body = f'{{"seq": {seq}}}'.encode()
        hash = link(hash, body)
        made.append(Entry(seq, body, hash))
    return made[first:]


def written(number: int, portion: list[Entry]) -> Event:
    """The record of one append."""
    (pack,) = journal.packs(portion)
    place = {"run_id": text("run_1"), "seq": values.number(pack.last), "first": values.number(pack.first)}
    return record("t-journal", number, {**place, **pack.body.attributes()})


async def archived(*records: Event) -> tuple[Event, list[Entry]]:
    """What `audit` answers and what is in the archive then; the run `run_1` belongs to acme."""
    archive = Kept()
    async with app_for_tests() as app:
        await app.store.create(
            "run_1", tenant_id="acme", root_run="run_1", agent="echo", entries=entries(1), now=NOW
        )
        return await audit(app.store, archive, records), await archive.read("acme", "run_1")


async def test_every_entry_goes_into_the_archive() -> None:
    """Under the run's own tenant."""
    answer, kept = await archived(written(1, entries(1)), written(2, entries(3, first=1)))
    assert answer == {"batchItemFailures": []}
    assert kept == entries(4)


async def test_doubled_records_are_archived_once() -> None:
    """A batch that is handed over again changes nothing."""
    first, second = written(1, entries(1)), written(2, entries(2, first=1))
    answer, kept = await archived(first, second, first, second, second)
    assert answer == {"batchItemFailures": []}
    assert kept == entries(3)


async def test_a_journal_that_was_changed_is_not_archived_over(caplog: pytest.LogCaptureFixture) -> None:
    """Changing or removing an item is logged, and the archive keeps what was written first."""
    first = written(1, entries(1))
    forged = [Entry(0, b'{"seq": "forged"}', b"\x01" * 32)]
    image = written(2, forged)["dynamodb"]["NewImage"]
    changed = record("t-journal", 2, image, first["dynamodb"]["NewImage"])
    removed = record("t-journal", 3, None, image)
    answer, kept = await archived(first, changed, removed)
    assert answer == {"batchItemFailures": []}
    assert kept == entries(1)
    assert caplog.text.count("was changed or removed") == 2


async def test_two_different_entries_under_one_number_stop_the_shard() -> None:
    """The second insert of an entry that differs is a failure that somebody must look at."""
    forged = written(2, [Entry(0, b'{"seq": "forged"}', b"\x01" * 32)])
    answer, kept = await archived(written(1, entries(1)), forged, written(3, entries(1, first=1)))
    assert answer == {"batchItemFailures": [{"itemIdentifier": f"{2:021d}"}]}
    assert kept == entries(1)


async def test_an_entry_of_a_run_that_is_not_there_comes_again() -> None:
    """Without its head nobody knows whose it is."""
    async with app_for_tests() as app:
        answer = await audit(app.store, Kept(), [written(1, entries(1))])
    assert answer == {"batchItemFailures": [{"itemIdentifier": f"{1:021d}"}]}
