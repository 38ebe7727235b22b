"""The tenant's documents: what agents search and cite (F6)."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from msgspec import Meta, Struct

from remit.core.errors import InputError
from remit.engine.passages import TenantDocuments
from remit.ports.documents import Document, DocumentPage, Passage
from remit.server.auth import EDIT, READ, TheApp, Who
from remit.server.schemas import Cursor, Limit, operation, read, reply

router = APIRouter(prefix="/api/v1/documents", tags=["documents"])
passages = APIRouter(prefix="/api/v1/passages", tags=["documents"])

Tag = Annotated[str, Meta(min_length=1, max_length=64)]


class DocumentBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A document without its id: `text`, or bytes in base64 as `data`. A body is 1 MB at most; `remit documents add` takes more.

    Without `media_type` it is what the name in `source` says, or what it looks like.
    """

    text: str = ""
    data: str = ""
    title: Annotated[str, Meta(max_length=300)] = ""
    source: Annotated[str, Meta(max_length=2000)] = ""
    media_type: Annotated[str, Meta(max_length=200)] = ""
    trust: Literal["trusted", "untrusted"] = "untrusted"
    sensitivity: Literal["public", "internal", "private", "secret"] = "internal"
    tags: Annotated[tuple[Tag, ...], Meta(max_length=50)] = ()


class PassageList(Struct, frozen=True):
    """What a search found, best first."""

    items: list[Passage]


COMPONENTS = (Document, DocumentPage, DocumentBody, Passage, PassageList)
"""Types that OpenAPI names."""

_DOCUMENT = {"document_id": "$response.body#/document_id"}
LINKS = {
    "document": {"operationId": "showDocument", "parameters": _DOCUMENT},
    "text": {"operationId": "readDocument", "parameters": _DOCUMENT},
    "delete": {"operationId": "deleteDocument", "parameters": _DOCUMENT},
}

Asked = Annotated[
    str, Query(alias="query", min_length=1, max_length=4000, description="A question, or a few words.")
]
Most = Annotated[int, Query(alias="limit", ge=1, le=50, description="How many passages at most.")]
Tags = Annotated[
    list[str] | None, Query(alias="tag", max_length=50, description="Only documents with all of these.")
]
Start = Annotated[int, Query(ge=0, description="The first character.")]
End = Annotated[int | None, Query(ge=0, description="The character after the last; without it, to the end.")]


@router.get(
    "",
    operation_id="listDocuments",
    summary="The tenant's documents",
    **operation(READ, {200: (DocumentPage, "A page of documents by id.")}),
)
async def list_documents(app: TheApp, who: Who, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """Documents by id."""
    return reply(await app.documents.page(who.tenant_id, limit=limit, cursor=cursor))


@router.get(
    "/{document_id}",
    operation_id="showDocument",
    summary="A document",
    **operation(READ, {200: (Document, "The document, without its text.")}, refusals=(404,), links=LINKS),
)
async def show(document_id: str, app: TheApp, who: Who) -> Response:
    """What it is, and how far it is trusted."""
    return reply(await app.documents.get(who.tenant_id, document_id))


@router.get(
    "/{document_id}/text",
    operation_id="readDocument",
    summary="A document's text",
    **operation(
        READ, {200: (Passage, "The text, or the characters that a citation names.")}, refusals=(404,)
    ),
)
async def text(document_id: str, app: TheApp, who: Who, start: Start = 0, end: End = None) -> Response:
    """Characters `start` to `end`, as `doc:ID#START-END` names them."""
    return reply(await TenantDocuments(app.documents, who.tenant_id).passage(document_id, start, end))


@router.put(
    "/{document_id}",
    operation_id="putDocument",
    summary="Add or replace a document",
    **operation(
        EDIT, {200: (Document, "The document as it is now.")}, body=DocumentBody, refusals=(409,), links=LINKS
    ),
)
async def put(document_id: str, request: Request, app: TheApp, who: Who) -> Response:
    """Whoever searches meanwhile finds the old one or the new one."""
    asked = await read(request, DocumentBody, who)
    added = await app.documents.add(
        who.tenant_id,
        _bytes(asked),
        document_id=document_id,
        title=asked.title,
        source=asked.source,
        media_type=asked.media_type
        or ("text/plain; charset=utf-8" if asked.text and not asked.source else ""),
        trust=asked.trust,
        sensitivity=asked.sensitivity,
        tags=asked.tags,
    )
    return reply(added)


@router.delete(
    "/{document_id}",
    operation_id="deleteDocument",
    summary="Delete a document",
    **operation(EDIT, {204: (None, "Its bytes, its text and its passages are gone.")}, refusals=(404, 409)),
)
async def delete(document_id: str, app: TheApp, who: Who) -> Response:
    """Nothing of it is found any more."""
    await app.documents.delete(who.tenant_id, document_id)
    return Response(status_code=204)


@passages.get(
    "",
    operation_id="searchDocuments",
    summary="Search the documents",
    **operation(READ, {200: (PassageList, "Passages by words and by meaning, best first.")}),
)
async def search(app: TheApp, who: Who, asked: Asked, most: Most = 5, tags: Tags = None) -> Response:
    """Each passage names the very characters of its document, and how far it is trusted."""
    found = await TenantDocuments(app.documents, who.tenant_id).search(asked, limit=most, tags=tags or ())
    return reply(PassageList(found))


def _bytes(asked: DocumentBody) -> bytes:
    if bool(asked.text) == bool(asked.data):
        raise InputError("a document is either `text` or `data`", code="E934", help="give one of them")
    try:
        return asked.text.encode() if asked.text else base64.b64decode(asked.data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError("`data` is no base64", code="E934", help="encode the bytes of the file") from error
