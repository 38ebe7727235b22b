"""DBOS's side of the kill test: a workflow whose steps charge the bank. Run under `.bench/dbos`.

SQLite, write-ahead log, synchronous FULL. The idempotency key is workflow id and step id, which DBOS keeps stable over
a recovery. Recovery: launching DBOS resumes this executor's pending workflows by itself; the run is then awaited.
"""

from __future__ import annotations

import sys
from pathlib import Path

import dbos_sqlite
from dbos import DBOS, SetWorkflowID

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.bank_client import charge
from common.killable import FINISHED, Job, kill_point, reference, serve


@DBOS.step()
def model(turn: int) -> int:
    """The scripted model: asks for the next charge."""
    return turn


@DBOS.step()
def charge_step(bank: str, run: str, index: int) -> int:
    """The effect, with its points."""
    kill_point("before_effect", index)
    entry = charge(bank, reference(run, index), f"{DBOS.workflow_id}/{DBOS.step_id}")
    kill_point("after_effect", index)
    return int(entry["seq"])


@DBOS.workflow()
def agent(bank: str, run: str, effects: int) -> None:
    """A model step and a charge for each effect; a step that has returned has been recorded."""
    for turn in range(effects):
        index = model(turn)
        charge_step(bank, run, index)
        kill_point("after_record", index)


def attempt(job: Job) -> int:
    """Launch, which recovers; start the workflow if DBOS does not know it yet; await it."""
    dbos_sqlite.launch(Path(job.database))
    if DBOS.get_workflow_status(job.run) is None:
        with SetWorkflowID(job.run):
            DBOS.start_workflow(agent, job.bank, job.run, job.effects)
    DBOS.retrieve_workflow(job.run).get_result(polling_interval_sec=0.02)
    return FINISHED


if __name__ == "__main__":
    serve(attempt)
