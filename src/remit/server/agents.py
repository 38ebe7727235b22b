"""Agents: invoke them on a task, and ask by the task's id how it goes (T2)."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import Response
from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import replace

from remit.bootstrap import App
from remit.core.agent import AgentSpec
from remit.core.approval import Approval, DecisionKind
from remit.core.errors import ConflictError, InputError, NotFoundError
from remit.core.task import Result, Task
from remit.core.view import RunView
from remit.engine import resolving
from remit.engine.runs import root_run_id
from remit.server.auth import DECIDE, READ, RUN, TheApp, Who
from remit.server.schemas import AgentPage, Cursor, Limit, operation, read, reply

router = APIRouter(prefix="/api/v1/agents", tags=["agents"])

TaskState = Literal["running", "waiting", "needs_approval", "needs_info", "success", "failure"]


TaskId = Annotated[str, Meta(pattern="^[A-Za-z0-9._:~-]{1,128}$")]
"""A task's id as it stands in addresses: nothing that a URL or a header would have to escape."""


class Invoke(Struct, frozen=True, forbid_unknown_fields=True):
    """What to do and who does it. With several agents, the one that may delegate to all the others leads.

    `context` is handed to the leading agent as its input; a workflow's has the task besides, as `objective`. Give a `task_id` (letters, digits and `. _ : ~ -`) to make
    sending this twice harmless.
    """

    task: str
    agents: list[str]
    context: dict[str, Any] | None = None
    task_id: TaskId | UnsetType = UNSET


class Accepted(Struct, frozen=True):
    """The task was accepted and goes on by itself; `Location` says where to ask."""

    task_id: str
    status: TaskState


class TaskStatus(Struct, frozen=True):
    """How a task stands. `approvals` are the open ones of its run and of the runs it waits for."""

    task_id: str
    run_id: str
    agent: str
    status: TaskState
    created_ts: int
    ended_ts: int | None = None
    waiting_on: tuple[str, ...] = ()
    approvals: tuple[Approval, ...] = ()


class DecideTask(Struct, frozen=True, forbid_unknown_fields=True):
    """A decision about what a task waits for. `approval_id` is needed only when it waits for several.

    `constrain` needs `arguments`; for `request_info` the `rationale` is the question.
    """

    decision: DecisionKind
    rationale: str = ""
    approval_id: str = ""
    arguments: dict[str, Any] | None = None
    decision_id: str = ""


class TaskDecided(Struct, frozen=True):
    """The approval as it stands after the decision, and its task."""

    task_id: str
    status: TaskState
    approval: Approval


def _same_task(id_from: str) -> dict[str, Any]:
    return {
        "status": {"operationId": "taskStatus", "parameters": {"task_id": id_from}},
        "result": {"operationId": "taskResult", "parameters": {"task_id": id_from}},
        "approve": {"operationId": "approveTask", "parameters": {"task_id": id_from}},
    }


LINKS = _same_task("$response.body#/task_id")
RUN_LINK = {"run": {"operationId": "showRun", "parameters": {"run_id": "$response.body#/run_id"}}}


@router.post(
    "/invoke",
    operation_id="invokeAgents",
    summary="Invoke agents on a task",
    **operation(
        RUN,
        {202: (Accepted, "Accepted; it goes on by itself.")},
        body=Invoke,
        refusals=(404, 409, 429),
        links=LINKS,
    ),
)
async def invoke(request: Request, app: TheApp, who: Who) -> Response:
    """Start a task. It outlives this request and a restart of the server."""
    asked = await read(request, Invoke, who)
    known = await _specs(app, who.tenant_id, asked.agents)
    lead = choose(asked.agents, known)
    task = Task(
        task_id=asked.task_id if asked.task_id is not UNSET else app.clock.new_id("task"),
        agent=lead,
        objective=asked.task,
        input=context_for(asked, known[lead]),
        tenant_id=who.tenant_id,
        actor_context=who.actor,
    )
    run_id = await app.runs.submit(task)
    view = await app.runs.view(run_id, who.tenant_id)
    now, _ = await standing(app, view)
    headers = {
        "Location": f"/api/v1/agents/status/{task.task_id}",
        "Link": f'</api/v1/runs/{run_id}>; rel="related"',
    }
    return reply(Accepted(task.task_id, now), 202, headers)


@router.get(
    "/status/{task_id}",
    operation_id="taskStatus",
    summary="How a task stands",
    **operation(READ, {200: (TaskStatus, "How it stands.")}, refusals=(404,), links={**LINKS, **RUN_LINK}),
)
async def status(task_id: str, app: TheApp, who: Who) -> Response:
    """The task's status, and what it waits for."""
    view = await find(app, task_id, who.tenant_id)
    now, waiting_approvals = await standing(app, view)
    return reply(
        TaskStatus(
            task_id=task_id,
            run_id=view.run_id,
            agent=view.agent,
            status=now,
            created_ts=view.created_ts,
            ended_ts=view.ended_ts,
            waiting_on=view.waiting_on,
            approvals=tuple(waiting_approvals),
        )
    )


@router.get(
    "/result/{task_id}",
    operation_id="taskResult",
    summary="The result of a task",
    **operation(
        READ,
        {
            200: (Result, "The result, or what it waits for."),
            202: (Accepted, "It is still running; ask again."),
        },
        refusals=(404,),
    ),
)
async def result(task_id: str, app: TheApp, who: Who) -> Response:
    """The result (P2). `needs_approval` and `needs_info` say what the task waits for."""
    view = await find(app, task_id, who.tenant_id)
    now, _ = await standing(app, view)
    if now in ("running", "waiting"):
        return reply(Accepted(task_id, now), 202, {"Retry-After": "1"})
    return reply(replace(view.result, status=now))


@router.post(
    "/approve/{task_id}",
    operation_id="approveTask",
    summary="Decide what a task waits for",
    **operation(
        DECIDE,
        {200: (TaskDecided, "The decision counts; the task goes on by itself.")},
        body=DecideTask,
        refusals=(404, 409),
        links=LINKS,
    ),
)
async def approve(task_id: str, request: Request, app: TheApp, who: Who) -> Response:
    """Approve, reject, constrain or question the pending approval of a task. Nobody decides their own request."""
    asked = await read(request, DecideTask, who)
    view = await find(app, task_id, who.tenant_id)
    pending = await pick(app, view, asked.approval_id)
    decided = await app.approvals.decide(
        pending,
        who.tenant_id,
        who.actor,
        asked.decision,
        rationale=asked.rationale,
        arguments=asked.arguments,
        decision_id=asked.decision_id,
    )
    after, left = await standing(app, await app.runs.view(view.run_id, who.tenant_id))
    waits = [a for a in left if a.approval_id != decided.approval_id or decided.open]
    return reply(TaskDecided(task_id, after if waits or not left else "running", decided))


@router.get(
    "",
    operation_id="listAgents",
    summary="The agents there are",
    **operation(READ, {200: (AgentPage, "A page of agents, by name.")}),
)
async def list_agents(app: TheApp, who: Who, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """What each agent says about itself."""
    found = await resolving.agents(
        app.registry, app.catalogue, who.tenant_id, after=cursor or "", limit=limit
    )
    return reply(AgentPage(*found))


async def _specs(app: App, tenant_id: str, names: list[str]) -> dict[str, AgentSpec]:
    """The agents that code defines, and of the registry those that are named."""
    made = {name: agent.spec for name, agent in app.catalogue.agents.items()}
    for name in names:
        with suppress(NotFoundError):
            made[name] = (await resolving.resolve(app.registry, app.catalogue, tenant_id, name, "")).spec
    return made


def choose(names: list[str], agents: Mapping[str, AgentSpec]) -> str:
    """The agent that leads: the only one named, else one that may delegate to all the others named.

    That may be an agent outside `names`, such as a supervisor. Raises InputError, NotFoundError.
    """
    wanted = list(dict.fromkeys(names))
    if not wanted:
        raise InputError("`agents` names nobody", code="E102", help="list them with GET /api/v1/agents")
    for name in wanted:
        if name not in agents:
            raise NotFoundError(f"there is no agent `{name[:100]}`", help="list them with GET /api/v1/agents")
    if len(wanted) == 1:
        return wanted[0]
    able = [
        name for name in [*wanted, *sorted(agents)] if set(wanted) - {name} <= set(agents[name].delegates)
    ]
    if not able:
        raise InputError(
            f"no agent may delegate to all of `{'`, `'.join(wanted)}`",
            code="E115",
            help="name one agent, or declare a supervisor that has them as `delegates`",
        )
    return able[0]


def context_for(asked: Invoke, lead: AgentSpec) -> Any:
    """What the leading agent gets as input: the context, and the team when there is one.

    A workflow reads nothing but its input, so that has the task too, as `objective`.
    """
    team = {"agents": asked.agents} if len(asked.agents) > 1 else {}
    if lead.kind == "workflow":
        return {"objective": asked.task, **(asked.context or {}), **team}
    return {**(asked.context or {}), **team} if team else asked.context


async def standing(app: App, view: RunView) -> tuple[TaskState, list[Approval]]:
    """A task's status in one word, and the open approvals of its run and of the runs it waits for, generations deep.

    A task that waits for a child's approval waits for a person, so it says so.
    """
    found: list[Approval] = []
    todo = [view]
    while todo:
        run = todo.pop(0)
        found += [approval for approval in run.approvals if approval.open]
        children = [w.removeprefix("child:") for w in run.waiting_on if w.startswith("child:")]
        todo += [await app.runs.view(child, view.tenant_id) for child in children]
    if view.status != "waiting" or not found:
        return view.status, found
    return ("needs_approval" if any(a.status == "pending" for a in found) else "needs_info"), found


async def find(app: App, task_id: str, tenant_id: str) -> RunView:
    """The run of a task. Raises NotFoundError, also for another tenant's: a run's id is bound to its tenant."""
    try:
        return await app.runs.view(root_run_id(tenant_id, task_id), tenant_id)
    except NotFoundError:
        raise NotFoundError(f"there is no task `{task_id[:100]}`", help="invoke agents first") from None


async def pick(app: App, view: RunView, approval_id: str) -> str:
    """The approval that is meant. Raises ConflictError when none is open, or several and none is named."""
    if approval_id:
        named = await app.approvals.get(approval_id, view.tenant_id)
        head = await app.store.head(named.run_id)
        if head is None or head.root_run != view.run_id:
            raise NotFoundError(f"this task has no approval `{approval_id[:100]}`")
        return approval_id
    _, found = await standing(app, view)
    if len(found) == 1:
        return found[0].approval_id
    if not found:
        raise ConflictError("this task waits for no approval", code="E410", help="ask for its status")
    raise ConflictError(
        f"this task waits for {len(found)} approvals",
        code="E411",
        help=f"name one as `approval_id`: {', '.join(f'`{a.approval_id}`' for a in found)}",
    )
