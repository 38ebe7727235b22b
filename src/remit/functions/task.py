"""What the state machines of a deployment ask of Remit: a task of theirs is done as a step of the run that they belong to.

A call may come twice, its function may be killed at any moment, and a person may have to decide first. So the call is first
written down with the run; then whoever advances the run, here or elsewhere, brings it to its outcome and sends that back
by the task token. Nothing is done because of the invocation itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from msgspec import Struct

from remit.bootstrap import App
from remit.core.codec import canonical, convert, decode, encode
from remit.core.errors import ConfigError, InputError, RemitError, StoreError
from remit.core.event import Event as RunEvent
from remit.core.naming import LOCAL
from remit.core.run import Run
from remit.core.signal import Nudged, TaskAsked
from remit.core.states.arns import plain_name
from remit.core.states.compile import UNAVAILABLE
from remit.core.states.remote import Called
from remit.core.states.timestamps import nanoseconds
from remit.core.task import Actor, Task
from remit.engine import loading
from remit.engine.driving import now_of
from remit.engine.runs import root_run_id
from remit.engine.workflows.stepfunctions.answers import Answer, Calls
from remit.engine.workflows.stepfunctions.placing import execution_for
from remit.engine.workflows.stepfunctions.reach import Reach
from remit.functions.container import shared
from remit.functions.invocation import Event, Left, resting_ts, time_left
from remit.ports.driving import Hint
from remit.ports.machines import Machines
from remit.ports.store import Signal

log = logging.getLogger("remit.functions")

SOURCE = "aws.states"
ACTOR = Actor("stepfunctions", via="aws")
"""On whose behalf an execution runs that nobody submitted through Remit."""

ENOUGH_S = 3.0
"""Nothing more is begun with less time left."""
LOOK_S = 0.5


class About(Struct, frozen=True):
    """Which call it is: see `core.states.compile`."""

    kind: str
    name: str
    execution: str
    state: str
    entered: str
    alias: str = ""
    retry: int = 0
    task_token: str = ""


class TaskFailed(Exception):
    """How a task without a token fails: under a class with the name of the error, which Retry and Catch match."""


def handle(event: Event, context: Any) -> Any:
    """Serve a task of a state machine, or hear that an execution changed."""
    left = time_left(context)
    if event.get("source") == SOURCE:
        return shared().run(lambda app: changed(app, event, left))
    try:
        return shared().run(lambda app: answer(app, event, left))
    except StoreError as error:  # the app cannot be opened now
        raise _named(UNAVAILABLE)(str(error)) from error


async def changed(app: App, event: Mapping[str, Any], left: Left) -> Event:
    """The run of an execution that began or ended looks at it. `event` is of EventBridge."""
    execution = str(event.get("detail", {}).get("executionArn", ""))
    run_id = await _run_of(app, execution)
    if run_id:
        status = str(event["detail"].get("status", ""))
        body = encode(Nudged(ACTOR.actor_id))
        await app.store.transact([Signal(run_id, f"execution:{status}", body)])
        async with asyncio.timeout(max(left() - ENOUGH_S, ENOUGH_S)):
            await app.engine.advance(run_id, Reach(tools=()))
    return {"run_id": run_id}


async def answer(app: App, event: Mapping[str, Any], left: Left) -> Any:
    """Have a call done. With a token the answer goes to Step Functions; without one it is returned, or raised as TaskFailed."""
    about, given = convert(event["remit"], About), event.get("input")
    served = _Served(app, about, given, left)
    try:
        return await served.go()
    except StoreError as error:
        raise _named(UNAVAILABLE)(str(error)) from error
    except (InputError, ConfigError) as error:
        if not about.task_token:
            raise
        # Nothing will ever answer this call, and waiting would tell nobody why.
        log.error("a task of %s is refused: %s", about.execution, error, extra={"code": error.code})
        await machines_of(app).fail(about.task_token, "Remit.InvalidInput", error.message)
        return {"status": "refused"}


class _Served:
    """One call."""

    def __init__(self, app: App, about: About, given: Any, left: Left) -> None:
        self._app = app
        self._about = about
        self._given = given
        self._left = left
        self._call = _call_id(about, given)
        self._resting = resting_ts(app.clock.now(), max(left() - ENOUGH_S, 0.0))

    async def go(self) -> Any:
        execution = await machines_of(self._app).outermost(self._about.execution)
        run_id = await _run_of(self._app, execution) or await _adopted(self._app, execution)
        await self._ask(run_id)
        if not self._about.task_token:
            return await self._answered(run_id)
        try:
            return await self._answered(run_id)
        except Exception as error:
            # The call is written down with the run, and may be done already: its Task must not fail for what went wrong here.
            log.error("run %s cannot go on now: %s", run_id, error, extra={"run_id": run_id})
        with suppress(RemitError):  # else the next tick finds the run
            await self._go_on_elsewhere(run_id)
        return {"run_id": run_id, "status": "goes on"}

    async def _answered(self, run_id: str) -> Any:
        """What the invocation returns once the call, which was written down, is done or time is up."""
        while self._left() > ENOUGH_S:
            try:
                async with asyncio.timeout(self._left() - ENOUGH_S / 2):
                    run, done = await self._further(run_id)
            except TimeoutError:
                break
            if done:
                return await self._told(run)
        await self._go_on_elsewhere(run_id)
        if not self._about.task_token:
            raise _named("Remit.Unfinished")(
                "the call takes longer than its function may: answer it by task token"
            )
        return {"run_id": run_id, "status": "goes on"}

    async def _ask(self, run_id: str) -> None:
        about = self._about
        entered = nanoseconds(about.entered)
        if entered is None:
            raise InputError(
                f"`{about.entered[:50]}` is no time", code="E696", help="give `entered` as it was told"
            )
        asked = TaskAsked(
            self._call, about.state, entered // 1_000_000, about.retry, about.task_token, self._given
        )
        await self._app.store.transact([Signal(run_id, f"asked:{self._call}", encode(asked))])

    async def _further(self, run_id: str) -> tuple[Run, bool]:
        """Advance the run, and the child that the call is; whether there is no more to do here."""
        tools = [self._about.name] if self._about.kind == "tool" else []
        until = self._app.clock.now() + int(self._left() * 1000)
        outcome = await self._app.engine.advance(run_id, Reach(tools, until, self._call))
        run, _ = await loading.load(self._app.store, run_id)
        called = self._called(run)
        if run.finished is not None or (called is not None and called.replied):
            return run, True
        step = run.steps.get(called.step) if called is not None else None
        if step is not None and step.state == "child":
            outcome = await self._app.engine.advance(step.child_run, Reach(until_ts=self._resting))
            if outcome == "ended":
                return run, False
            if outcome == "ready":
                raise TimeoutError  # what is left of the time is for what the child has in hand
        if outcome == "waiting" and step is not None and self._about.task_token:
            return run, True
        await self._app.store.changed(run_id, after=run.seq, timeout_s=LOOK_S)
        return run, False

    def _called(self, run: Run) -> Called | None:
        return run.workflow.remote.calls.get(self._call) if run.workflow is not None else None

    async def _told(self, run: Run) -> Any:
        """What the invocation itself returns."""
        called = self._called(run)
        if called is None or not called.replied:
            if run.finished is None:
                return {"run_id": run.run_id, "status": "waiting"}
            ended = Answer(error="Remit.Cancelled", cause=f"run `{run.run_id}` has ended")
            return await self._given_back(run, ended, told=False)
        assert run.workflow is not None
        found = Calls(run, run.workflow, self._app.catalogue).answer(called)
        return await self._given_back(run, found or Answer(error=called.error), told=True)

    async def _given_back(self, run: Run, found: Answer, *, told: bool) -> Any:
        token = self._about.task_token
        if token:
            if not told:
                await machines_of(self._app).fail(token, found.error, found.cause)
            return {"run_id": run.run_id, "status": "answered"}
        if found.error:
            raise _named(found.error)(found.cause)
        return found.output

    async def _go_on_elsewhere(self, run_id: str) -> None:
        """There is no time left here: the functions of the run and of its child go on."""
        run, _ = await loading.load(self._app.store, run_id)
        called = self._called(run)
        step = run.steps.get(called.step) if called is not None else None
        hints = [Hint(run_id, run.agent.name, tenant_id=run.task.tenant_id)]
        if step is not None and step.state == "child":
            head = await self._app.store.head(step.child_run)
            hints += [now_of(head)] if head is not None else []
        await self._app.driver.hint(hints)


async def _run_of(app: App, execution: str) -> str:
    """The run that an execution belongs to; the empty string for one that Remit did not start and has not met."""
    for run_id in (execution.rpartition(":")[2], root_run_id(LOCAL, execution)):
        first = await app.store.read(run_id, limit=1) if run_id else []
        if first and getattr(decode(first[0].body, RunEvent).data, "execution", "") == execution:
            return run_id
    return ""


async def _adopted(app: App, execution: str) -> str:
    """A run for an execution that was started on AWS itself: by hand, by EventBridge, by another machine.

    Raises InputError E696 for a machine that is none of this deployment's, ConfigError E698 for one of another version.
    """
    machines = machines_of(app)
    name = machines.workflow_of(execution)
    known = [n for n in app.catalogue.agents if n == name or plain_name(n) == name]
    stands = await machines.describe(execution) if name else None
    if stands is None:
        raise InputError(
            f"execution `{execution}` is of no workflow of this deployment",
            code="E696",
            help="call an agent from another state machine by starting its own workflow, or through the API",
        )
    workflow = known[0] if known else name
    view = await app.workflows.get(LOCAL, workflow)
    if not await execution_for(app.kit, workflow, view.document, "any"):
        raise ConfigError(
            f"the state machine of `{execution}` was made of another version of workflow `{workflow}`",
            code="E698",
            help="bring both to one version: `remit deploy apply`",
        )
    task = Task(execution, workflow, input=stands.input, tenant_id=LOCAL, actor_context=ACTOR)
    return await app.runs.submit(task, execution=execution)


def machines_of(app: App) -> Machines:
    """The state machines of the deployment. Raises ConfigError E698."""
    if app.kit.machines is None:
        raise ConfigError(
            "a task of Step Functions came, and this function was not told of any state machines",
            code="E698",
            help="set `REMIT_ENGINE=stepfunctions` and `REMIT_DEPLOYMENT`",
        )
    return app.kit.machines


def _call_id(about: About, given: Any) -> str:
    """The same for the same call, however often it is delivered; another one for each retry."""
    token = (
        about.task_token or f"{about.execution}\0{about.state}\0{about.entered}\0{canonical(given).decode()}"
    )
    return hashlib.sha256(f"{token}\0{about.retry}".encode()).hexdigest()[:32]


def _named(error: str) -> type[TaskFailed]:
    """An exception whose class has the name of the error: Lambda tells no other."""
    return type(error, (TaskFailed,), {})
