"""F1, F2: SIGKILL at every named point and at random instants. Nothing doubles, nothing is lost without being told."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.common.bank_client import entries
from faultlib.driving import BANKS, EFFECTS, Counted, Rig, rig
from faultlib.invariants import check_invariants
from faultlib.program import opened, task_of

from remit.engine.runs import root_run_id

AGENTS = ("code", "llm")
SIDES = ("before", "after")
EVENTS = ("RunClaimed", "ToolDecided#3", "EffectIntended#3", "EffectDone#9", "RunFinished")
MODEL = ("before:model#3", "after:model#3")
MODEL_EVENTS = ("ModelAsked#3", "ModelAnswered#3")


def points(agent: str, effect: str) -> list[tuple[str, ...]]:
    """Plans of kills: the point of each attempt in turn."""
    charge = f"charge_{effect}"
    first = ["before:create", "after:create", f"before:effect:{charge}#10", f"after:effect:{charge}#10"]
    first += [f"before:effect:{charge}", f"after:effect:{charge}#20"]
    first += [f"{side}:append:{event}" for side in SIDES for event in EVENTS]
    if agent == "llm":
        first += [*MODEL, *(f"{side}:append:{event}" for side in SIDES for event in MODEL_EVENTS)]
    return [(point,) for point in first] + second_kills(effect)


def second_kills(effect: str) -> list[tuple[str, ...]]:
    """Plans that kill the recovery too, at each of its own points."""
    happened, not_yet = f"after:effect:charge_{effect}#6", f"before:effect:charge_{effect}#6"
    if effect == "keyed":
        recovery = ("append:EffectIntended", "effect:charge_keyed", "append:EffectDone")
        return [
            (began, f"{side}:{point}")
            for began in (happened, not_yet)
            for side in SIDES
            for point in recovery
        ]
    if effect == "lookup":
        redo = ("append:EffectReopened", "append:EffectIntended", "effect:charge_lookup", "append:EffectDone")
        plans = [(not_yet, f"{side}:{point}") for side in SIDES for point in redo]
        return [*plans, (happened, "before:append:EffectDone"), (happened, "after:append:EffectDone")]
    asking = ("EffectInDoubt", "ApprovalRequested", "RunParked")
    plans = [(began, f"{s}:append:{e}") for began in (happened, not_yet) for s in SIDES for e in asking]
    voted = ("append:ApprovalVoted", "append:EffectDone")
    plans += [(happened, "", f"{side}:{point}") for side in SIDES for point in voted]
    redo = ("append:ApprovalVoted", "append:EffectReopened", "append:EffectIntended", "effect:charge_plain")
    return plans + [(not_yet, "", f"{side}:{point}") for side in SIDES for point in redo]


CASES = [(a, e, plan) for e in BANKS for a in AGENTS for plan in points(a, e)]


@pytest.fixture(scope="module")
def victims(store_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """The program at banks that answer at once."""
    with rig(tmp_path_factory.mktemp("banks"), store_url) as made:
        yield made


@pytest.fixture(scope="module")
def slow_victims(store_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """The program at banks with 10 ms on the wire, so that random instants hit both sides of an effect."""
    with rig(tmp_path_factory.mktemp("banks"), store_url, "--delay-ms=10") as made:
        yield made


def expected(run: str) -> object:
    """The payload of a run that nothing happened to."""
    if run.startswith("llm"):
        return f"charged {EFFECTS}"
    return {"charged": [f"{run}:{index}" for index in range(EFFECTS)]}


async def assert_whole(rig: Rig, run: str, counted: Counted) -> None:
    """The run came to the same result as without kills, with every effect exactly once at the bank."""
    assert (counted.finished, counted.doubled, counted.lost) == (1, 0, 0), counted
    job = rig.job(run)
    task = task_of(run, EFFECTS)
    async with opened(rig.store, job.bank) as app:
        run_id = root_run_id(task.tenant_id, run)
        made = [e for e in entries(job.bank) if e["ref"].startswith(f"{run}:")]
        checked = await check_invariants(app, run_id, made)
        result = await app.runs.result(run_id, task.tenant_id)
        assert result is not None
        assert (result.status, result.result_payload) == ("success", expected(run))
        if "-keyed-" in run or "-lookup-" in run:
            assert checked.asked == 0, "a tool that can be sent again or asked needs no person"


def _id(case: tuple[str, str, tuple[str, ...]]) -> str:
    agent, effect, plan = case
    return f"{agent}-{effect}-{'+'.join(p or 'asked' for p in plan)}"


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=_id)
async def test_killed_at_every_named_point_a_run_ends_the_same_and_no_effect_doubles(
    victims: Rig, case: tuple[str, str, tuple[str, ...]]
) -> None:
    """Kill -9 at a named point, of the run or of its recovery: same result, every effect exactly once."""
    agent, effect, plan = case
    run = victims.name(agent, effect, CASES.index(case))
    counted = victims.to_the_end(run, plan)
    assert counted.kills == sum(p != "" for p in plan), f"a point was not reached: {counted}"
    await assert_whole(victims, run, counted)


async def _random_kills(rig: Rig, runs: int, seed: int) -> Counted:
    total, chance = Counted(), random.Random(seed)
    for number in range(runs):
        agent, effect = AGENTS[number % 2], list(BANKS)[number % 3]
        run = rig.name(agent, effect, f"{seed}x{number}")
        counted = rig.at_random(run, chance)
        await assert_whole(rig, run, counted)
        total.add(counted)
    return total


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
async def test_killed_at_random_instants_a_run_ends_the_same_and_no_effect_doubles(
    slow_victims: Rig, seed: int
) -> None:
    """Kill -9 twice at any instants: same result, every effect exactly once, every doubt told to a person."""
    total = await _random_kills(slow_victims, 6, seed)
    assert total.kills > 0, "every run ended before its instant"


@pytest.mark.nightly
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 110))
async def test_five_hundred_random_instants(
    slow_victims: Rig, seed: int, request: pytest.FixtureRequest
) -> None:
    """Ten times fifty random kills and more, with the same outcome as none."""
    total = Counted()
    while total.kills < 50:
        total.add(await _random_kills(slow_victims, 6, seed * 1000 + total.runs))
    print(f"seed {seed}: {total}")
    out = Path(__file__).parents[2] / ".bench" / "random-kills.txt"
    out.parent.mkdir(exist_ok=True)
    with out.open("a") as file:
        file.write(f"{request.node.name} {total}\n")
