"""SIGKILL at every transition of a workflow: same output, same path, every effect exactly once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.common.bank_client import entries
from faultlib.driving import EFFECTS, Rig, rig
from faultlib.invariants import all_events, check_invariants
from faultlib.program import opened, task_of
from faultlib.workflows import SCENARIOS

from remit.core.run import Run
from remit.engine import loading
from remit.engine.runs import root_run_id

KINDS = ("keyed", "lookup", "plain")
EFFECT_OF = {name: KINDS[place % 3] for place, name in enumerate(SCENARIOS)}
"""Every point of a scenario is tried with one kind of effect; the kinds take turns."""
NOT_COUNTED = ("RunCreated", "RunClaimed", "RunParked")
"""The first event, which is created and not appended, and those whose number depends on how fast children and people are."""
STRIDE = 97
"""Of the points of a scenario, every so-manieth is tried each time, and all of them nightly."""


@pytest.fixture(scope="module")
def victims(store_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """The program, and banks that answer at once."""
    with rig(tmp_path_factory.mktemp("banks"), store_url) as made:
        yield made


async def _run(rig: Rig, run: str) -> tuple[Run, list[str]]:
    """A run as its journal says, and the names of its events."""
    job, task = rig.job(run), task_of(run, EFFECTS)
    async with opened(rig.store, job.bank) as app:
        found, _ = await loading.load(app.store, root_run_id(task.tenant_id, run))
        return found, [type(e.data).__name__ for e in await all_events(app, found)]


def path(run: Run) -> dict[str, list[str]]:
    """The states that each frame entered. Frames are named by their place, since branches take turns as they come."""
    assert run.workflow is not None
    visits = run.workflow.visits
    found: dict[str, list[str]] = {}
    for visit in visits.values():
        parent, _, place = visit.frame.partition(".")
        name = f"{visits[parent].state}.{place}" if parent else ""
        found.setdefault(name, []).append(visit.state)
    return found


def points(events: list[str]) -> list[str]:
    """Both sides of every append of an event, and of every effect."""
    made: list[str] = []
    for name, times in Counter(e for e in events if e not in NOT_COUNTED).items():
        made += [f"{side}:append:{name}#{n}" for n in range(1, times + 1) for side in ("before", "after")]
    return made


async def _try(rig: Rig, run: str, point: str, whole: dict[str, list[str]]) -> None:
    # A gate's run takes two processes, one before the person and one after: the point counts in each by itself.
    counted = rig.to_the_end(run, (point, point) if run.startswith("gate") else (point,))
    assert (counted.finished, counted.doubled, counted.lost) == (1, 0, 0), (point, counted)
    assert counted.kills or run.startswith("gate"), f"{point} was not reached"
    job, task = rig.job(run), task_of(run, EFFECTS)
    async with opened(rig.store, job.bank) as app:
        run_id = root_run_id(task.tenant_id, run)
        made = [e for e in entries(job.bank) if e["ref"].startswith(f"{run}:")]
        checked = await check_invariants(app, run_id, made)
        result = await app.runs.result(run_id, task.tenant_id)
    assert result is not None
    assert result.result_payload == [f"{run}:{n}" for n in range(EFFECTS)], point
    assert path(checked.run) == whole, point


def _all_points(rig: Rig, scenario: str, stride: int) -> tuple[list[str], dict[str, list[str]]]:
    """What can happen to a scenario: learnt from a run that nothing happened to."""
    run = rig.name(scenario, EFFECT_OF[scenario], f"{stride}whole")
    counted = rig.to_the_end(run, ())
    assert (counted.kills, counted.finished, counted.doubled, counted.lost) == (0, 1, 0, 0), counted
    found, events = asyncio.run(_run(rig, run))
    effect = f"charge_{EFFECT_OF[scenario]}"
    at_effects = [f"{side}:effect:{effect}#{n}" for n in range(1, 6) for side in ("before", "after")]
    return [*points(events), *(at_effects if scenario != "nested" else [])], path(found)


def _try_all(rig: Rig, scenario: str, stride: int) -> None:
    """Every so-manieth point. Both tests below share a store, so their runs are named apart: one that has ended reaches no point."""
    tried, whole = _all_points(rig, scenario, stride)
    for number, point in enumerate(tried[::stride]):
        run = rig.name(scenario, EFFECT_OF[scenario], f"{stride}x{number}")
        asyncio.run(_try(rig, run, point, whole))


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_killed_at_transitions_a_workflow_ends_the_same_and_no_effect_doubles(
    victims: Rig, scenario: str
) -> None:
    """Kill -9 around a sample of the events of every scenario: same output, same path, effects once."""
    _try_all(victims, scenario, STRIDE)


@pytest.mark.nightly
@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_killed_at_every_transition_a_workflow_ends_the_same(
    victims: Rig, scenario: str, tmp_path: Path
) -> None:
    """Kill -9 before and after every event of every scenario."""
    _try_all(victims, scenario, 1)
