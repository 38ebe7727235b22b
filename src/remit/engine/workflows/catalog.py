"""The workflows there are, of code and registry: what each names, whether a document could run here, and how runs stand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from remit.core.agent import AgentSpec
from remit.core.definition import MAIN, is_name
from remit.core.errors import DeniedError, InputError, NotFoundError
from remit.core.event import RunCreated
from remit.core.payload import load
from remit.core.run import Run
from remit.core.states import check
from remit.core.states.imported import Linked, links
from remit.core.states.progress import Progress
from remit.core.states.report import Problem
from remit.core.states.resources import parse
from remit.core.states.text import Positions
from remit.core.words import closest
from remit.engine import loading, resolving
from remit.engine.kinds import AGENT, WORKFLOW
from remit.engine.kit import Kit
from remit.engine.resolving import Resolved
from remit.engine.workflows.kind import told
from remit.engine.workflows.names import INLINE, START, machine_name
from remit.engine.workflows.spec import states, workflow_spec
from remit.ports.agents import Agent
from remit.ports.services import tool_name

if TYPE_CHECKING:
    from remit.engine.stepping import Stepping
    from remit.engine.workflows.picturing import Picture

Source = Literal["code", "registry", "run", "file"]


MOST_NAMED = 100
"""Workflows that are looked through for names like one that there is not."""


class WorkflowSummary(Struct, frozen=True):
    """A workflow in a list. `states` counts those inside branches and processors too."""

    name: str
    version: str
    source: Source
    description: str
    states: int


class WorkflowPage(Struct, frozen=True):
    """A page of workflows by name; `cursor` of the next page, or null at the end."""

    items: list[WorkflowSummary]
    cursor: str | None = None


class WorkflowView(Struct, frozen=True):
    """A workflow: its States Language document, what that may call, and what each of its Tasks leads to here."""

    name: str
    version: str
    source: Source
    description: str
    document: dict[str, Any]
    spec: AgentSpec | None
    bindings: tuple[Linked, ...] = ()


class Checked(Struct, frozen=True):
    """Whether a document could run here, and every reason why not."""

    ok: bool
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


class Workflows:
    """Looking at the workflows of all tenants; every question names its tenant."""

    def __init__(self, kit: Kit, stepping: Callable[[], Stepping] | None = None) -> None:
        """`stepping` gives the kept folds of runs, for pictures of long ones; without it these are folded here."""
        self._kit = kit
        self._stepping = stepping or self._own_stepping

    async def list(self, tenant_id: str, *, after: str = "", limit: int = 50) -> WorkflowPage:
        """The workflows behind the name `after`, those that are switched off and archived left out."""
        kit = self._kit
        coded = [n for n, a in kit.catalogue.agents.items() if document_of(a) is not None]
        names, cursor = await resolving.named(
            kit.registry, tenant_id, WORKFLOW, coded, after=after, limit=limit
        )
        found = [s for n in names if (s := await self._summary(tenant_id, n)) is not None]
        return WorkflowPage(found, cursor)

    async def _summary(self, tenant_id: str, name: str) -> WorkflowSummary | None:
        try:
            found = await self._resolved(tenant_id, name)
        except (NotFoundError, DeniedError):
            return None
        assert found.document is not None
        count = sum(1 for _ in states(found.document))
        return WorkflowSummary(name, found.spec.version, _source(found), found.spec.description, count)

    async def get(self, tenant_id: str, name: str, *, version: int = 0, alias: str = "") -> WorkflowView:
        """A workflow: the active version, another one, or what an alias stands for. Raises NotFoundError, DeniedError."""
        kit = self._kit
        if version or alias:
            made = await kit.registry.get(tenant_id, WORKFLOW, name, version, alias=alias or MAIN)
            spec = workflow_spec(name, made.body, kit.catalogue, version=str(made.version))
            found = Resolved(spec, (resolving.used(made),), made.body)
        else:
            found = await self._resolved(tenant_id, name)
        document = dict(found.document or {})
        bound = await self.bindings(tenant_id, document)
        spec = found.spec
        return WorkflowView(name, spec.version, _source(found), spec.description, document, spec, bound)

    async def _resolved(self, tenant_id: str, name: str) -> Resolved:
        kit = self._kit
        try:
            found = await resolving.resolve(kit.registry, kit.catalogue, tenant_id, name, "")
        except NotFoundError as error:
            raise await self._unknown(tenant_id, name) from error
        if found.document is None:
            raise NotFoundError(
                f"`{name}` is an agent and no workflow", code="E649", help="`remit workflow list` shows those"
            )
        return found

    async def _unknown(self, tenant_id: str, name: str) -> NotFoundError:
        page = await self.list(tenant_id, limit=MOST_NAMED)
        known = closest(name, [one.name for one in page.items])
        return NotFoundError(
            f"there is no workflow `{name[:100]}`",
            help=f"known workflows: {known}; `remit workflow list` lists them",
        )

    # documents

    async def check(
        self, tenant_id: str, document: Any, positions: Positions | None = None, *, names: bool = True
    ) -> Checked:
        """All that is wrong with a document, and what it names and is not there unless `names` is false."""
        known = await self.known(tenant_id, document) if names else {}
        # Which services there are is said by `bindings`: where a document runs decides that, not the document.
        there = {kind: found for kind, found in known.items() if kind != "service"}
        problems = check.problems(document, positions, there)
        return Checked(not problems, tuple(problems), tuple(check.warnings(document, positions)))

    async def known(self, tenant_id: str, document: Any) -> Mapping[str, set[str]]:
        """The names that exist: the tools, agents and workflows of code, and of all others those that a document speaks of."""
        catalogue = self._kit.catalogue
        flows = {name for name, agent in catalogue.agents.items() if document_of(agent) is not None}
        known = {"tool": set(catalogue.tools), AGENT: set(catalogue.agents) - flows, WORKFLOW: flows}
        known["service"] = set()
        for kind, name in _spoken_of(document):
            if kind == "service":
                there = tool_name(name) in catalogue.tools
            else:
                there = kind in (AGENT, WORKFLOW) and await self._registered(tenant_id, kind, name)
            if there:
                known[kind].add(name)
        return known

    async def _registered(self, tenant_id: str, kind: str, name: str) -> bool:
        head = await self._kit.registry.head(tenant_id, kind, name) if is_name(name) else None
        return head is not None and bool(head.active.version)

    async def bindings(self, tenant_id: str, document: Mapping[str, Any]) -> tuple[Linked, ...]:
        """What the Tasks of a checked document lead to here."""
        return links(document, await self.known(tenant_id, document))

    # runs and pictures

    async def of_run(self, tenant_id: str, run_id: str, name: str = "") -> WorkflowView:
        """The workflow that a run goes by, as it was when the run began. Raises NotFoundError as `picture_of_run`."""
        start, found = await self._begun(tenant_id, run_id, name)
        spec, document = start.agent, dict(found)
        bound = await self.bindings(tenant_id, document)
        return WorkflowView(spec.name, spec.version, "run", spec.description, document, spec, bound)

    async def visit(self, tenant_id: str, run_id: str, place: str) -> str:
        """The visit of a run that `place` means: its id (`s4`), or the name of a state that was entered once.

        Raises InputError E648 for a name that means several, NotFoundError E645 for one that means none.
        """
        run, progress = await self._run(tenant_id, run_id, "")
        return _visit(run.run_id, progress, place)

    async def picture(self, tenant_id: str, name: str) -> Picture:
        """The picture of a workflow as it stands."""
        from remit.engine.workflows.picturing import pictured

        found = await self._resolved(tenant_id, name)
        return pictured(found.document or {}, name)

    async def picture_of_run(self, tenant_id: str, run_id: str, name: str = "") -> Picture:
        """The picture of the document that a run went by, with how far its states have come.

        Raises NotFoundError for a run that is not there, is of another workflow than `name`, or of none (E649).
        """
        from remit.engine.long_runs import is_long
        from remit.engine.workflows.picturing import pictured

        start, document = await self._begun(tenant_id, run_id, name)
        head = await self._kit.store.head(run_id)
        # One that Step Functions moves is never too long: an execution ends after 25,000 events of its own.
        if head is not None and is_long(head) and not start.execution:
            from remit.engine.workflows.long_pictures import picture_of_long

            return await picture_of_long(
                self._kit.store, self._stepping(), run_id, tenant_id, document, start.agent.name
            )
        run, progress = await self._run(tenant_id, run_id, name)
        return pictured(progress.document, _title(run), run)

    def _own_stepping(self) -> Stepping:
        from remit.engine.stepping import Stepping

        return Stepping(self._kit.store, self._kit.clock)

    async def _begun(self, tenant_id: str, run_id: str, name: str) -> tuple[RunCreated, Mapping[str, Any]]:
        """What a run of a workflow began with, and its document."""
        start, contents = await loading.start(self._kit.store, run_id, tenant_id)
        document = load(start.workflow, contents)
        if document is None or (name and start.agent.name != name):
            raise _of_none(run_id, name, start.agent.name)
        return start, document

    async def _run(self, tenant_id: str, run_id: str, name: str) -> tuple[Run, Progress]:
        run, _ = await loading.load(self._kit.store, run_id, tenant_id)
        if run.workflow is None or (name and run.agent.name != name):
            raise _of_none(run_id, name, run.agent.name)
        return run, run.workflow


async def inline(kit: Kit, tenant_id: str, document: Any, key: str) -> Resolved:
    """A workflow that a task brings with it. Raises InputError E632 with all that is wrong with its document."""
    made = kit.registry.check(tenant_id, WORKFLOW, "inline", document)
    found = (await Workflows(kit).check(tenant_id, made)).problems
    if found:
        raise InputError(told(found), code="E632", help="correct them and try again; nothing was started")
    spec = workflow_spec(INLINE, made, kit.catalogue)
    return await resolving.completed(kit.registry, kit.catalogue, tenant_id, Resolved(spec, (), made), key)


def document_of(agent: Agent) -> Mapping[str, Any] | None:
    """The document of a workflow that code defines; None for an agent."""
    found: Mapping[str, Any] | None = getattr(agent, "document", None)
    return found


def _of_none(run_id: str, name: str, agent: str) -> NotFoundError:
    return NotFoundError(
        f"run `{run_id}` is of no workflow" + (f" `{name}`" if name else ""),
        code="E649",
        help=f"it is of `{agent}`",
    )


def _visit(run_id: str, progress: Progress, place: str) -> str:
    if place in progress.visits:
        return place
    found = [v.visit for v in progress.visits.values() if v.state == place]
    if not found:
        raise NotFoundError(
            f"run `{run_id}` has entered no state `{place[:150]}`",
            code="E645",
            help="`remit runs show` lists the states that it entered",
        )
    if len(found) > 1:
        some = ", ".join(f"`{v}`" for v in found[:10])
        raise InputError(
            f"run `{run_id}` entered state `{place[:150]}` {len(found)} times",
            code="E648",
            help=f"say which time: {some}; `remit runs show` says when each was",
        )
    return found[0]


def _title(run: Run) -> str:
    return f"{run.agent.name}  {run.finished.status if run.finished is not None else ''}".rstrip()


def _source(found: Resolved) -> Source:
    return "registry" if any(d.kind == WORKFLOW for d in found.used) else "code"


def _spoken_of(value: Any) -> Iterator[tuple[str, str]]:
    """Every resource that a document names, as (kind, name), however wrong the rest of it is."""
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, Mapping):
            named = found.get("Resource")
            resource = parse(named) if isinstance(named, str) else None
            if resource is not None:
                yield resource.kind, resource.name
                if resource.name == START:
                    yield (
                        WORKFLOW,
                        machine_name(found.get("Arguments", found.get("Parameters"))).partition("@")[0],
                    )
            waiting.extend(found.values())
        elif isinstance(found, list):
            waiting.extend(found)
