"""A run of very many steps in Dagster's own storage, in one transaction of it. Runs in Dagster's environment.

DAGSTER_HOME=FOLDER python dagster_world.py STEPS
"""

import sys
from itertools import count

from dagster import (
    DagsterEvent,
    DagsterEventType,
    DagsterInstance,
    DynamicOut,
    DynamicOutput,
    EventLogEntry,
    job,
    op,
)
from dagster._core.events import StepSuccessData


@op(out=DynamicOut(int))
def orders():
    """As many orders as there are."""
    for i in range(int(sys.argv[1])):
        yield DynamicOutput(i, mapping_key=str(i))


@op
def look_up(order: int) -> int:
    """Look an order up."""
    return order


@job
def support():
    """Look every order up."""
    orders().map(look_up)


def main(steps: int) -> None:
    """Write the run, and say its id."""
    instance = DagsterInstance.get()
    run = instance.create_run_for_job(support, tags={"steps": str(steps)})

    def event(kind: DagsterEventType, step: str | None = None, data: object = None) -> EventLogEntry:
        told = DagsterEvent(kind.value, "support", step_key=step, event_specific_data=data, message="")
        return EventLogEntry(
            error_info=None,
            level=10,
            user_message="",
            run_id=run.run_id,
            timestamp=next(clock),
            step_key=step,
            job_name="support",
            dagster_event=told,
        )

    clock = (1_760_000_000 + 0.25 * i for i in count())
    for kind in (DagsterEventType.PIPELINE_STARTING, DagsterEventType.PIPELINE_START):
        instance.handle_new_event(event(kind))
    storage = instance.event_log_storage
    with storage.run_connection(run.run_id) as connection:
        for i in range(steps):
            for kind, data in (
                (DagsterEventType.STEP_START, None),
                (DagsterEventType.STEP_SUCCESS, StepSuccessData(duration_ms=400.0)),
            ):
                connection.execute(storage.prepare_insert_event(event(kind, f"look_up[{i}]", data)))
    instance.handle_new_event(event(DagsterEventType.PIPELINE_SUCCESS))
    print(run.run_id)


if __name__ == "__main__":
    main(int(sys.argv[1]))
