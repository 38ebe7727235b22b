"""Delegating: another agent is called like a tool, under a handoff envelope and a slice of the budget (F5, P13)."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from remit.core import event as ev
from remit.core.budget import Budget, carve
from remit.core.codec import convert, digest_of, plain
from remit.core.errors import ConfigError, InputError, RunExistsError
from remit.core.payload import NOTHING, pack
from remit.core.run import Run, Step
from remit.core.task import Constraints, Handoff, Task
from remit.core.tool import ToolSpec
from remit.engine import creation, profiles, resolving
from remit.engine.kit import Kit
from remit.engine.schemas import check_schema
from remit.engine.vouching import vouched
from remit.engine.workflows.stepfunctions.placing import execution_for
from remit.ports.agents import Catalogue
from remit.ports.store import Put, Write

PREFIX = "delegate_to_"
MOST_USD = Decimal(10) ** 12

_INPUT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "objective": {
            "type": "string",
            "minLength": 1,
            "description": "What the other agent should achieve.",
        },
        "input": {"description": "Data it needs, as JSON."},
        "output_schema": {"type": "object", "description": "JSON Schema that its answer must fit."},
        "max_cost_usd": {
            "type": ["string", "number"],
            "description": "The most it may spend, in US dollars.",
        },
    },
    "required": ["objective"],
    "additionalProperties": False,
}


def tool_name(agent: str) -> str:
    """The name under which a delegate is offered to a model."""
    return PREFIX + agent.replace("-", "_")


def target(name: str, delegates: tuple[str, ...]) -> str:
    """The declared delegate that a tool name means, or the empty string: the one of just that name before one that sounds like it."""
    exact = name.removeprefix(PREFIX)
    if exact != name and exact in delegates:
        return exact
    return next((d for d in delegates if tool_name(d) == name), "")


def spec(name: str, agent: str, catalogue: Catalogue) -> ToolSpec:
    """The tool `name` that stands for delegating to `agent`."""
    known = catalogue.agents.get(agent)
    about = known.spec.description if known else ""
    return ToolSpec(
        name=name,
        description=f"Hand a task to the agent `{agent}` and get its result. {about}".strip(),
        input_schema=_INPUT_SCHEMA,
        risk="L0",
        effect="keyed",
        outward=False,
    )


def child_run_id(parent: str, step: str) -> str:
    """The id of the child run of a step: the same on every attempt, so that it is created once."""
    return "run_" + hashlib.sha256(f"child\x00{parent}\x00{step}".encode()).hexdigest()[:26]


def start(
    kit: Kit, run: Run, step: str, name: str, arguments: dict[str, Any], *, starting: int = 1
) -> tuple[ev.ChildStarted, list[Write]]:
    """The event that starts a child and holds its slice; `starting` as for `carve`. Raises BudgetError, InputError."""
    agent = target(name, run.agent.delegates)
    wanted = Budget(max_cost_usd=_money(arguments.get("max_cost_usd")))
    used_children = run.usage.children + run.held.children
    if run.budget.max_children is not None and used_children >= run.budget.max_children:
        raise InputError(
            f"`max_children` is {run.budget.max_children} and all are used", code="E502", help="delegate less"
        )
    slice_ = carve(run.budget, run.usage, run.held, wanted, starting=starting)
    child = child_run_id(run.run_id, step)
    handoff = Handoff(
        handoff_id=f"{run.run_id}/{step}",
        from_agent=run.agent.name,
        to_agent=agent,
        objective=str(arguments["objective"]),
        context_ref=f"{run.run_id}#{step}",
        constraints=replace(run.task.constraints, budget=slice_),
        expected_output_schema=_schema(arguments.get("output_schema")),
        trace_id=run.task.trace_id,
    )
    return ev.ChildStarted(step, child, handoff, slice_), [Put("agent_handoff", _record(run, handoff, child))]


async def ensure(kit: Kit, run: Run, step: Step) -> None:
    """Make the child run exist. Doing it again changes nothing. Raises NotFoundError, DeniedError for its agent.

    Which version of the agent it is decides what output the hand-off expects where the call asks for none.
    """
    handoff, slice_ = step.handoff, step.slice
    if handoff is None or slice_ is None or await kit.store.head(step.child_run) is not None:
        return
    arguments = step.arguments or {}
    agent, used, document = await resolving.resolve(
        kit.registry, kit.catalogue, run.task.tenant_id, handoff.to_agent, run.start.root_run or run.run_id
    )
    policy = await profiles.of_run(kit.registry, kit.policy, run)
    task = Task(
        task_id=handoff.handoff_id,
        agent=agent.name,
        objective=handoff.objective,
        input=arguments.get("input"),
        tenant_id=run.task.tenant_id,
        actor_context=run.task.actor_context,
        constraints=Constraints(slice_, run.task.constraints.deadline_ts, run.task.constraints.max_risk),
        policy_profile=run.start.profile,
        trace_id=run.task.trace_id,
        output_schema=handoff.expected_output_schema,
    )
    contents: dict[str, bytes] = {}
    own = creation.with_output(agent, task.output_schema)
    handoff = replace(handoff, expected_output_schema=own.output_schema)
    created = ev.RunCreated(
        task=task,
        agent=own,
        agent_digest=digest_of(agent),
        profile=run.start.profile,
        profile_digest=policy.profile.digest,
        budget=slice_,
        parent_run=run.run_id,
        parent_step=step.step,
        root_run=run.start.root_run or run.run_id,
        depth=run.start.depth + 1,
        handoff=handoff,
        labels=run.labels,
        vouched=vouched(kit, run, [handoff.objective, arguments.get("input")]),
        workflow=NOTHING if document is None else pack(document, contents),
        execution=await execution_for(kit, handoff.to_agent, document, step.child_run),
        definitions=used if policy.used is None else (*used, policy.used),
        within=run.start.workflow_name,
    )
    record = Put("agent_handoff", _record(run, handoff, step.child_run))
    try:
        await creation.create(kit, step.child_run, created, contents=contents, writes=[record])
    except RunExistsError:
        return


def _record(run: Run, handoff: Handoff, child: str) -> dict[str, Any]:
    return {**plain(handoff), "run_id": run.run_id, "child_run": child, "tenant_id": run.task.tenant_id}


def _money(text: Any) -> Decimal | None:
    if text is None:
        return None
    money: Decimal = convert(str(text), Decimal)
    if not (money.is_finite() and 0 < money < MOST_USD):
        raise InputError(f"`max_cost_usd` is `{text}`, which is no amount of dollars", code="E703")
    return money


def _schema(schema: Any) -> dict[str, Any] | None:
    if schema is None:
        return None
    try:
        check_schema(schema)
    except ConfigError as error:
        raise InputError(f"`output_schema`: {error.message}", code="E703", help=error.help) from error
    checked: dict[str, Any] = schema
    return checked
