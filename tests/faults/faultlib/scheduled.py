"""A worker whose schedule has come due: it validates a table and tells people. Run as a script it is what is killed.

python scheduled.py HOME STORE HOOK MINUTE FAULT PERSON

MINUTE is how late the worker looks, FAULT a point of `REMIT_FAULT`. PERSON is `sent` or `lost`: what somebody who
looked at Slack answers when asked whether a message is there; empty when nobody is at hand.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from remit.bootstrap import App, open_app
from remit.core.notification import NotifierConfig
from remit.core.task import Actor
from remit.core.validation import Table
from remit.engine.validations import Rule
from remit.settings import Settings
from remit.testing import FakeClock
from remit.testing.clock import START_MS
from remit_packs.validation import pack

TENANT = "local"
HOUR_MS = 3_600_000
ENDED = ("success", "failure")
ANA, PAT = Actor("ana"), Actor("pat", ("approver",))


def app_at(home: Path, store: str, hook: str, *, minute: float = 0, fault: str = "") -> App:
    """The app, `minute` minutes after its first slot came due."""
    secrets = {"slack_url": hook + "/slack", "hook_url": hook}
    settings = Settings(home=home, store=store, fault=fault, secrets=secrets, lease_ttl_s=1.0)
    clock = FakeClock(START_MS + HOUR_MS + round(minute * 60_000))
    return open_app(settings, packs=[pack(home)], clock=clock)


async def prepare(home: Path, store: str, hook: str, table: str) -> None:
    """A table with a rule that does not hold, looked at every hour, and two who want to know."""
    (home / f"{table}.csv").write_text("id,note\n1,a\n2,\n3,c\n")
    async with app_at(home, store, hook, minute=-30) as app:
        await app.tables.put(
            TENANT,
            Table(table, "file", str(home / f"{table}.csv"), "csv"),
            actor=Actor("ana"),
            reason="under test",
        )
        rule = Rule(table, "null_rate", {"column": "note"}, "hourly")
        await app.validations.create(TENANT, f"{table}-note", rule, actor=ANA, reason="the test")
        await app.notifiers.put(
            TENANT, NotifierConfig(f"{table}-team", "slack", "${secret:slack_url}", (table,))
        )
        await app.notifiers.put(
            TENANT, NotifierConfig(f"{table}-hook", "webhook", "${secret:hook_url}", (table,))
        )


async def work(app: App, person: str) -> dict[str, Any]:
    """Look at the schedules once, work until nothing is due, let the person answer, and work on; what there is then."""
    await app.scheduler.tick()
    await settle(app)
    asked = (await app.approvals.list(TENANT)).items
    for one in asked if person else ():
        await app.approvals.decide(
            one["approval_id"], TENANT, PAT, "reject" if person == "sent" else "approve"
        )
    await settle(app)
    runs = (await app.runs.list(TENANT, agent="validate", limit=1000)).items
    log = (await app.validation_runs.list(TENANT, limit=200)).items
    return {
        "asked": [one["approval_id"] for one in asked],
        "runs": [[r["run_id"], r["status"]] for r in runs],
        "log": [[r.table_id, r.status, r.agent_run] for r in log],
        "schedules": [[s.schedule_id, s.last_slot] for s in (await app.schedules.list(TENANT)).items],
    }


async def settle(app: App) -> None:
    """Work until every run has ended or a person is asked. What a dead worker held is free after its lease, by real time on PostgreSQL."""
    for _ in range(100):
        await app.worker.run_until_idle()
        runs = (await app.runs.list(TENANT, limit=1000)).items
        if all(run["status"] in ENDED for run in runs) or (await app.approvals.list(TENANT)).items:
            return
        await asyncio.sleep(0.1)


async def main(home: str, store: str, hook: str, minute: str, fault: str, person: str) -> None:
    """One attempt."""
    async with app_at(Path(home), store, hook, minute=float(minute), fault=fault) as app:
        print(json.dumps(await work(app, person)), flush=True)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
