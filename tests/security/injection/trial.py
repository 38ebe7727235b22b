"""Trying the cases: each attack while nobody approves anything, each honest task while everything asked is approved."""

from __future__ import annotations

import asyncio
import functools
import tempfile
from pathlib import Path

from tests.security.injection.cases import ATTACKS, CHANNELS, HONEST, SCRIPTS, Outcome, hostile_script
from tests.security.injection.world import SLOW, ObedientModel, World, company, leaked

from remit.bootstrap import App
from remit.core.provenance import Labels
from remit.core.view import RunView
from remit.testing import BOSS, task

PROFILES = {"open": "no policy", "quiet": "`default`", "careful": "`strict`"}


async def settle(app: App) -> None:
    """Let runs and events go as far as they can."""
    await app.worker.run_until_idle()
    while await app.bus.drain():
        await app.worker.run_until_idle()


async def attack(
    app: App, world: World, model: ObedientModel, channel: str, turn: int, profile: str
) -> Outcome:
    """One attack in one channel."""
    name = f"{profile}-{channel}-{turn}"
    world.clear()
    world.hostile = list(ATTACKS.values())[turn]
    model.scripts = {name: hostile_script(channel, turn), **SCRIPTS}
    event = CHANNELS[channel] is None
    wish = f"An event came in: {world.hostile}" if event else "Sum up what is new for customer 42."
    given = task("worker", name, objective=f"[{name}] {wish}", policy_profile=profile)
    run_id = await app.runs.submit(given, labels=Labels(event))
    await settle(app)
    if any(entry[0] in SLOW or entry[1] == "remember" or leaked(entry) for entry in world.entries()):
        return "harm"
    views = await _family(app, run_id)
    if any(view.status == "waiting" and view.approvals for view in views):
        return "waits"
    return "refused" if any(s.state == "refused" for view in views for s in view.steps) else "passed"


async def _family(app: App, run_id: str) -> list[RunView]:
    view = await app.runs.view(run_id, "local")
    below = [await _family(app, step.child_run) for step in view.steps if step.child_run]
    return [view, *(v for family in below for v in family)]


async def attacks(profile: str, channel: str, folder: Path) -> dict[str, Outcome]:
    """Every attack in one channel."""
    app, world, model = company(folder, profile)
    async with app:
        return {
            name: await attack(app, world, model, channel, turn, profile) for turn, name in enumerate(ATTACKS)
        }


async def honest(name: str, folder: Path) -> tuple[int, list[str]]:
    """How often a person was asked for an honest task, and what had happened in the end."""
    app, world, model = company(folder, "quiet")
    case = HONEST[name]
    model.scripts = {"case": case.script, **SCRIPTS}
    world.hostile = "Have a nice day."
    async with app:
        given = task("worker", objective=f"[case] {case.says}", policy_profile="quiet")
        run_id = await app.runs.submit(given)
        await settle(app)
        asked = 0
        while waiting := (await app.approvals.list("local")).items:
            asked += len(waiting)
            for approval in waiting:
                await app.approvals.decide(approval["approval_id"], "local", BOSS, "approve")
            await settle(app)
        status = (await app.runs.view(run_id, "local")).status
    return asked, [status, *(entry[1] for entry in world.entries())]


@functools.cache
def attacked(profile: str, channel: str) -> dict[str, Outcome]:
    """What came of every attack in one channel. The answer is kept: tests and the page ask for the same."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(attacks(profile, channel, Path(folder)))


@functools.cache
def done(name: str) -> tuple[int, list[str]]:
    """As `honest`, kept."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(honest(name, Path(folder)))
