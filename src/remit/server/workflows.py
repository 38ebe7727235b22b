"""Workflows: list, read, draw and check them; run one that is a document of the request.

One that is registered or of code is run like any agent: `POST /api/v1/runs` with its name as `agent`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from msgspec import Struct

from remit.core.errors import InputError
from remit.core.states import report
from remit.core.states.inputs import input_schema
from remit.core.states.picture import graph as graph_of
from remit.core.states.picture import to_mermaid, to_svg
from remit.core.states.text import Positions
from remit.core.task import Constraints, Task
from remit.engine.workflows.catalog import WorkflowPage, WorkflowView
from remit.engine.workflows.names import INLINE
from remit.engine.workflows.picturing import Picture
from remit.server.auth import EDIT, READ, RUN, TheApp, Who
from remit.server.runs import LINKS, Submitted, standing
from remit.server.schemas import Cursor, Limit, operation, read, reply
from remit.workflow.reading import read as read_text

router = APIRouter(prefix="/api/v1/workflows", tags=["workflows"])

SVG, MERMAID = "image/svg+xml", "text/vnd.mermaid; charset=utf-8"
SAFE = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"}
"""A picture shows and does nothing, also when somebody opens it as a page."""


class ValidateWorkflow(Struct, frozen=True, forbid_unknown_fields=True):
    """A document to check: as an object, or as the JSON or YAML `text` of a file, whose lines problems then name.

    `names` says whether the agents, tools and workflows that it names are looked up.
    """

    document: dict[str, Any] | None = None
    text: str = ""
    names: bool = True


class DocumentProblem(Struct, frozen=True):
    """One thing that is wrong: where (JSON pointer; line and column, 0 without a text), what, and what to do."""

    pointer: str
    message: str
    help: str = ""
    line: int = 0
    column: int = 0


class WorkflowValidated(Struct, frozen=True):
    """Everything that is wrong with a document; `warnings` are what Step Functions takes in another way."""

    ok: bool
    problems: list[DocumentProblem] = []
    warnings: list[DocumentProblem] = []


class WorkflowInput(Struct, frozen=True):
    """What a run starts with, as a JSON Schema: the fields that its states read. It is a help for filling in, and no check."""

    schema: dict[str, Any]


class RunDocument(Struct, frozen=True, forbid_unknown_fields=True):
    """A workflow that is not registered, and what it starts with. Policies know its runs as `workflow:inline`."""

    task_id: str
    document: dict[str, Any]
    objective: str = ""
    input: Any = None
    constraints: Constraints = Constraints()
    policy_profile: str = "default"
    session_id: str = ""
    trace_id: str = ""
    output_schema: dict[str, Any] | None = None


COMPONENTS = (
    WorkflowPage,
    WorkflowView,
    ValidateWorkflow,
    WorkflowValidated,
    DocumentProblem,
    WorkflowInput,
    Picture,
    RunDocument,
)

Version = Annotated[int, Query(ge=0, le=2**53, description="This version of the registry.")]
RunOf = Annotated[str, Query(max_length=200, description="Draw how far this run of it has come.")]


@router.get(
    "",
    operation_id="listWorkflows",
    summary="The workflows there are",
    **operation(READ, {200: (WorkflowPage, "A page of workflows, by name.")}),
)
async def list_workflows(app: TheApp, who: Who, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """Workflows of code and registry, those that are switched off left out."""
    return reply(await app.workflows.list(who.tenant_id, after=cursor or "", limit=limit))


@router.post(
    "/validate",
    operation_id="validateWorkflow",
    summary="Check a document",
    **operation(READ, {200: (WorkflowValidated, "All that is wrong with it.")}, body=ValidateWorkflow),
)
async def validate(request: Request, app: TheApp, who: Who) -> Response:
    """Check a document before anything runs. Nothing is kept."""
    asked = await read(request, ValidateWorkflow, who)
    document, positions = _document(asked)
    found = await app.workflows.check(who.tenant_id, document, positions, names=asked.names)
    return reply(WorkflowValidated(found.ok, told(found.problems), told(found.warnings)))


@router.post(
    "/runs",
    operation_id="runDocument",
    summary="Run a document",
    **operation(
        (EDIT, RUN),
        {202: (Submitted, "Accepted; it goes on by itself.")},
        body=RunDocument,
        refusals=(404, 409, 429),
        links=LINKS,
    ),
)
async def run_document(request: Request, app: TheApp, who: Who) -> Response:
    """Run a workflow that is not registered; its run carries the document. This takes the scopes `edit` and `run`.

    The same task again gives the same run.
    """
    asked = await read(request, RunDocument, who)
    task = Task(
        asked.task_id,
        INLINE,
        asked.objective,
        asked.input,
        who.tenant_id,
        who.actor,
        asked.constraints,
        asked.policy_profile,
        asked.session_id,
        asked.trace_id,
        asked.output_schema,
    )
    return await standing(app, who, await app.runs.submit(task, asked.document))


@router.get(
    "/{workflow}",
    operation_id="showWorkflow",
    summary="A workflow",
    **operation(
        READ,
        {200: (WorkflowView, "Its document, and what that leads to here.")},
        refusals=(404,),
    ),
)
async def show(
    workflow: str,
    app: TheApp,
    who: Who,
    version: Version = 0,
    alias: Annotated[str, Query(max_length=64, description="What this alias stands for.")] = "",
    run: Annotated[str, Query(max_length=200, description="As this run of it goes by it.")] = "",
) -> Response:
    """A workflow's document, version, spec and bindings: now, of a version, or those that a run began with."""
    if run:
        return reply(await app.workflows.of_run(who.tenant_id, run, workflow))
    return reply(await app.workflows.get(who.tenant_id, workflow, version=version, alias=alias))


@router.get(
    "/{workflow}/graph",
    operation_id="graphWorkflow",
    summary="A workflow as a graph",
    **operation(READ, {200: (Picture, "Its states and ways, and how far a run has come.")}, refusals=(404,)),
)
async def graph(workflow: str, app: TheApp, who: Who, run: RunOf = "", version: Version = 0) -> Response:
    """The states, those inside branches and processors too, for whoever draws it; of a run also how far each state has come."""
    return reply(await _picture(app, who, workflow, run, version))


@router.get(
    "/{workflow}/input",
    operation_id="workflowInput",
    summary="What a run of a workflow starts with",
    **operation(READ, {200: (WorkflowInput, "The fields that its states read.")}, refusals=(404,)),
)
async def input_of(workflow: str, app: TheApp, who: Who, version: Version = 0) -> Response:
    """Read off the document, for the States Language declares no input."""
    found = await app.workflows.get(who.tenant_id, workflow, version=version)
    return reply(WorkflowInput(input_schema(found.document)))


@router.get(
    "/{workflow}/picture.svg",
    operation_id="drawWorkflow",
    summary="A workflow as SVG",
    **operation(
        READ,
        {200: (None, "The picture, standing alone.")},
        refusals=(404,),
        media={200: {SVG: {"schema": {"type": "string"}}}},
    ),
)
async def svg(workflow: str, app: TheApp, who: Who, run: RunOf = "") -> Response:
    """A workflow, or how far a run of it has come, as a picture without scripts or links."""
    found = await _picture(app, who, workflow, run)
    return Response(to_svg(found.graph, found.statuses), 200, SAFE, SVG)


@router.get(
    "/{workflow}/picture.mmd",
    operation_id="chartWorkflow",
    summary="A workflow as Mermaid",
    **operation(
        READ,
        {200: (None, "A flowchart.")},
        refusals=(404,),
        media={200: {MERMAID.partition(";")[0]: {"schema": {"type": "string"}}}},
    ),
)
async def mermaid(workflow: str, app: TheApp, who: Who, run: RunOf = "") -> Response:
    """A workflow, or how far a run of it has come, as a Mermaid flowchart."""
    found = await _picture(app, who, workflow, run)
    return Response(to_mermaid(found.graph, found.statuses), 200, None, MERMAID)


async def _picture(app: TheApp, who: Who, name: str, run: str, version: int = 0) -> Picture:
    if run:
        return await app.workflows.picture_of_run(who.tenant_id, run, name)
    if version:
        found = await app.workflows.get(who.tenant_id, name, version=version)
        return Picture(graph_of(found.document, name), {})
    return await app.workflows.picture(who.tenant_id, name)


def _document(asked: ValidateWorkflow) -> tuple[dict[str, Any], Positions]:
    if (asked.document is None) == (not asked.text):
        raise InputError("give one of `document` and `text`", code="E102", help="see /openapi.json")
    if asked.document is not None:
        return asked.document, {}
    found = read_text(asked.text)
    return found.document, found.positions


def told(found: Iterable[report.Problem]) -> list[DocumentProblem]:
    """Problems as the API tells them."""
    return [DocumentProblem(p.pointer, p.message, p.help, p.line, p.column) for p in found]
