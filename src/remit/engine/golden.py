"""Golden cases: what was asked of an agent, what its model said, and what came of it, kept to hold later versions to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from remit.core.codec import canonical, plain
from remit.core.definition import Definition, DefinitionUsed
from remit.core.errors import ConflictError, InputError
from remit.core.run import Run, Step
from remit.core.task import Actor, Problem
from remit.engine import loading
from remit.engine.kinds import Shaped
from remit.engine.registry import Registry
from remit.engine.versions import MOST_BYTES
from remit.ports.store import Store

if TYPE_CHECKING:
    from remit.engine.stepping import Stepping

GOLDEN = "golden_case"

MOST_EVENTS = 10_000
"""Events of a run that is made a case; what is longer is no case that anybody looks through."""

_STRANGE = re.compile(r"[^A-Za-z0-9_.-]+")


class AskedOf(Struct, frozen=True, forbid_unknown_fields=True):
    """The task: what was asked, without who asked it."""

    agent: str
    objective: str = ""
    input: Any = None
    output_schema: dict[str, Any] | None = None
    policy_profile: str = "default"


class Called(Struct, frozen=True, forbid_unknown_fields=True):
    """A call that was made: of which tool, agent or gate, with what, how policy decided, and what came of it."""

    step: str
    kind: str
    name: str
    state: str
    arguments: Any = None
    output: Any = None
    verdict: str = ""
    problem: Problem | None = None


class Expected(Struct, frozen=True, forbid_unknown_fields=True):
    """How it ended."""

    status: Literal["success", "failure"]
    payload: Any = None
    problem: Problem | None = None


class GoldenCase(Struct, frozen=True, forbid_unknown_fields=True):
    """A case. `script` is what the model said, as a script of the `scripted` model; `calls` what was done with it."""

    source_run: str
    task: AskedOf
    expected: Expected
    agent_digest: str = ""
    definitions: tuple[DefinitionUsed, ...] = ()
    script: dict[str, Any] = {}
    calls: tuple[Called, ...] = ()


class GoldenKind(Shaped):
    """Golden cases as definitions: written as drafts, and looked through before they are made active."""

    def __init__(self) -> None:
        super().__init__(GOLDEN, GoldenCase)


class Golden:
    """Makes cases of runs."""

    def __init__(self, store: Store, stepping: Stepping, registry: Registry) -> None:
        self._store = store
        self._stepping = stepping
        self._registry = registry

    async def save(
        self, run_id: str, tenant_id: str, *, name: str, actor: Actor, reason: str, comment: str = ""
    ) -> Definition:
        """Keep a run as a draft of the golden case `name` (by default the agent and the run).

        Raises NotFoundError, ConflictError E1012 for a run that has not ended, InputError E1013 for one too long or large,
        DeniedError for who may not edit definitions.
        """
        head = await self._stepping.head(run_id, tenant_id)
        if head.status != "ended":
            raise ConflictError(
                f"run `{run_id}` has not ended", code="E1012", help="wait until it has, or cancel it"
            )
        if head.seq >= MOST_EVENTS:
            raise _too_large(run_id, f"{head.seq + 1} events, more than {MOST_EVENTS}")
        run, _ = await loading.load(self._store, run_id, tenant_id)
        body = plain(case_of(run))
        size = len(canonical(body))
        if size > MOST_BYTES:
            raise _too_large(run_id, f"{size} bytes of messages, more than {MOST_BYTES}")
        name = name or f"{_STRANGE.sub('-', run.agent.name).strip('-')[:100]}-{run_id[-8:]}"
        return await self._registry.draft(
            tenant_id,
            GOLDEN,
            name,
            body,
            actor=actor,
            reason=reason or f"made of run {run_id}",
            comment=comment,
        )


def case_of(run: Run) -> GoldenCase:
    """The case that an ended run is."""
    ended = run.finished
    if ended is None:
        raise ConflictError(f"run `{run.run_id}` has not ended", code="E1012", help="wait until it has")
    steps = list(run.steps.values())
    replies = [_reply(step) for step in steps if step.kind == "model" and step.settled]
    return GoldenCase(
        source_run=run.run_id,
        task=AskedOf(
            run.agent.name,
            run.task.objective,
            run.task.input,
            run.task.output_schema,
            run.task.policy_profile,
        ),
        expected=Expected(ended.status, ended.payload, ended.problem),
        agent_digest=run.start.agent_digest,
        definitions=run.start.definitions,
        script={"replies": replies},
        calls=tuple(_called(step) for step in steps if step.kind != "model"),
    )


def _reply(step: Step) -> Any:
    if step.problem is not None:
        return {"error": {"message": step.problem.message, "code": step.problem.code}}
    return plain(step.output)


def _called(step: Step) -> Called:
    return Called(
        step=step.step,
        kind=step.kind,
        name=step.name,
        state=step.state,
        arguments=step.arguments,
        output=plain(step.output),
        verdict="" if step.decision is None else step.decision.verdict,
        problem=step.problem,
    )


def _too_large(run_id: str, why: str) -> InputError:
    return InputError(
        f"run `{run_id}` has {why}: that is no golden case",
        code="E1013",
        help="make a case of a shorter run, or keep the whole one with `remit runs export`",
    )
