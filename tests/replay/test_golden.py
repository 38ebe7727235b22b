"""Journals of earlier versions, kept in git: whatever changes, they fold to what they always did."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from remit.core.codec import decode, digest, genesis, link, plain
from remit.core.event import Event
from remit.core.result import view_of
from remit.core.run import fold

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.json"))
RUNS = [
    pytest.param(run, id=f"{path.stem}-{n}")
    for path in GOLDEN
    for n, run in enumerate(json.loads(path.read_text())["runs"])
]


def differences(kept: Any, now: Any, path: str = "$") -> list[str]:
    """Where `now` is not what was kept. New fields may have come; nothing may have gone or changed."""
    if isinstance(kept, dict) and isinstance(now, dict):
        return [d for key in kept for d in differences(kept[key], now.get(key, "(gone)"), f"{path}.{key}")]
    if isinstance(kept, list) and isinstance(now, list) and len(kept) == len(now):
        pairs = enumerate(zip(kept, now, strict=True))
        return [d for n, (a, b) in pairs for d in differences(a, b, f"{path}[{n}]")]
    return [] if kept == now else [f"{path}: {kept!r} became {now!r}"]


def test_there_are_golden_journals() -> None:
    """At least one of each kind: an ended, a waiting and a cancelled run, an effect in doubt, a delegation."""
    names = {path.stem for path in GOLDEN}
    assert {"plain", "approval", "in-doubt", "delegation", "cancelled", "waiting"} <= names


@pytest.mark.parametrize("run", RUNS)
def test_a_golden_journal_folds_to_the_view_it_always_had(run: dict[str, Any]) -> None:
    """Decode, fold, view: the same as when it was written."""
    events = [decode(body, Event) for body in run["events"]]
    contents = {ref: data.encode() for ref, data in run["contents"].items()}
    view = json.loads(json.dumps(plain(view_of(fold(run["run_id"], events, contents)))))
    assert differences(run["view"], view) == []


@pytest.mark.parametrize("run", RUNS)
def test_the_chain_of_a_golden_journal_verifies(run: dict[str, Any]) -> None:
    """Every hash covers the stored bytes and the hash before; every content has its digest."""
    at = genesis(run["run_id"])
    for body, expected in zip(run["events"], run["hashes"], strict=True):
        at = link(at, body.encode())
        assert at.hex() == expected
    for ref, data in run["contents"].items():
        assert digest(data.encode()) == ref
