"""Looking at a text that may become a workflow, as somebody types it: what it is, what is wrong with it and where, what it would call.

Nothing is kept. Whoever likes what they see saves the document by `PUT /api/v1/definitions/workflow/{name}`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from msgspec import Meta, Struct

from remit.core.errors import InputError
from remit.core.states.imported import Linked
from remit.core.states.inputs import input_schema
from remit.core.states.picture import Graph, graph
from remit.core.states.report import Problem
from remit.core.states.text import Positions
from remit.engine.workflows.catalog import Workflows
from remit.server.auth import READ, TheApp, Who
from remit.server.schemas import operation, read, reply
from remit.server.workflows import DocumentProblem, told
from remit.workflow.reading import read as read_text

router = APIRouter(prefix="/api/v1/workflows", tags=["workflows"])


class ImportText(Struct, frozen=True, forbid_unknown_fields=True):
    """A text with a workflow in it. `substitutions` fill `${NAME}`; `machine` says which state machine of a template with several.

    It may be a States Language document as JSON or YAML, a file for `remit apply`, what `aws stepfunctions
    describe-state-machine` prints, or a CloudFormation or SAM template.
    """

    text: str
    substitutions: dict[str, str] = {}
    machine: Annotated[str, Meta(max_length=256)] = ""


class WorkflowPreview(Struct, frozen=True):
    """What a text is as a workflow: its document if it holds one, and its picture, bindings and input when nothing is wrong.

    `name` is what the text calls it; problems have a line and column (else 0) where the text itself is the document.
    """

    ok: bool
    name: str = ""
    document: dict[str, Any] | None = None
    problems: list[DocumentProblem] = []
    warnings: list[DocumentProblem] = []
    bindings: list[Linked] = []
    graph: Graph | None = None
    input_schema: dict[str, Any] | None = None


COMPONENTS = (ImportText, WorkflowPreview)
"""Types that OpenAPI names."""

_PLACE = re.compile(r"line (\d+), column (\d+): ")


class _Read(Struct, frozen=True):
    """A document found in a text; `positions` where the text itself is the document."""

    name: str
    document: dict[str, Any]
    positions: Positions = {}
    problems: tuple[Problem, ...] = ()


@router.post(
    "/import",
    operation_id="previewWorkflow",
    summary="Look at a text that may become a workflow",
    **operation(
        READ, {200: (WorkflowPreview, "What it is, and all that is wrong with it.")}, body=ImportText
    ),
)
async def preview(request: Request, app: TheApp, who: Who) -> Response:
    """Read a document, however AWS or `remit apply` wraps it, and check it. Nothing is kept."""
    asked = await read(request, ImportText, who)
    try:
        found = _document(asked)
    except InputError as error:
        return reply(WorkflowPreview(False, problems=[_unreadable(error)]))
    return reply(await _looked_at(app.workflows, who.tenant_id, found))


async def _looked_at(workflows: Workflows, tenant_id: str, found: _Read) -> WorkflowPreview:
    checked = await workflows.check(tenant_id, found.document, found.positions)
    unknown = {problem.pointer for problem in found.problems}
    problems = [*found.problems, *(p for p in checked.problems if p.pointer not in unknown)]
    warnings = told(checked.warnings)
    if problems:
        return WorkflowPreview(False, found.name, found.document, told(problems), warnings)
    return WorkflowPreview(
        True,
        found.name,
        found.document,
        warnings=warnings,
        bindings=list(await workflows.bindings(tenant_id, found.document)),
        graph=graph(found.document, found.name),
        input_schema=input_schema(found.document),
    )


def _document(asked: ImportText) -> _Read:
    """The document of a text. Raises InputError E630, E631, E684."""
    if not asked.text.strip():
        raise InputError("there is no text", code="E630", help="paste a document, or choose a file")
    try:
        text = read_text(asked.text)
    except InputError:
        # A template's short tags are no YAML of values: it is read in a way of its own.
        return _wrapped(asked)
    if "StartAt" in text.document or "States" in text.document:
        return _Read("", text.document, text.positions)
    if text.document.get("kind") == "workflow" and isinstance(text.document.get("spec"), dict):
        places = {p.removeprefix("/spec"): at for p, at in text.positions.items() if p.startswith("/spec")}
        return _Read(str(text.document.get("name", "")), text.document["spec"], places)
    return _wrapped(asked)


def _wrapped(asked: ImportText) -> _Read:
    from remit.workflow.importing import import_document

    found = import_document(asked.text, substitutions=asked.substitutions, machine=asked.machine)
    unfilled = tuple(p for p in found.problems if "${" in p.message)
    return _Read(found.name, found.document, problems=unfilled)


def _unreadable(error: InputError) -> DocumentProblem:
    """Text that holds no document, as the one problem that it is; its message begins with the place."""
    found = _PLACE.match(error.message)
    line, column = (int(found[1]), int(found[2])) if found else (0, 0)
    message = error.message[found.end() :] if found else error.message
    return DocumentProblem("", message, error.help, line, column)
