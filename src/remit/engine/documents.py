"""The library: documents of each tenant, taken in, found by words and by meaning, and deleted.

A document's row in the store is the truth. Beside it lie, under one version of the document: two blobs (its bytes, and its text
with the spans of its passages) and an entry a passage in the index of words and in that of vectors. A version is written whole
before the row names it, and is removed after the row names another; so whoever searches finds the old document or the new one.
Entries of a version that no row names are passed over. Every version has a row of its own from before its first byte is
written, by which `sweep` finds and removes what a crash left.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from remit.core.chunking import Span, spans
from remit.core.codec import convert, decode, digest, encode, plain
from remit.core.errors import ConditionError, ConfigError, InputError, NotFoundError, RemitError
from remit.core.naming import check_id
from remit.core.provenance import Sensitivity, Trust
from remit.engine.faults import Crashpoint
from remit.ports.blobs import Blobs
from remit.ports.clock import Clock
from remit.ports.documents import Document, DocumentPage
from remit.ports.embeddings import Embeddings
from remit.ports.extraction import Extraction
from remit.ports.fulltext import Entry, FullText
from remit.ports.store import ABSENT, Add, Collection, Delete, Index, Put, Store, Write
from remit.ports.vectors import Vector, Vectors

log = logging.getLogger("remit.documents")

DOCUMENT, VERSION, LIBRARY = "document", "document_version", "document_library"

COLLECTIONS = (
    Collection(DOCUMENT, ("tenant_id", "document_id")),
    Collection(VERSION, ("tenant_id", "version"), (Index("by_state", ("tenant_id", "state", "since_ts")),)),
    Collection(LIBRARY, ("tenant_id", "model")),
)

MAX_BYTES = 50 * 1024 * 1024
MAX_CHARACTERS = 10_000_000
ABANDONED_MS = 3_600_000
"""How long a version may be in the making before it counts as left by a crash."""
SWEPT_AT_ONCE = 20
HELD_CHARACTERS = 32_000_000
"""Characters of texts that were read lately and are kept at hand."""
ATTEMPTS = 8
"""How often a change is tried again while others change the same document."""

_TAG = re.compile(r"[\w][\w.:/ -]{0,63}")

State = Literal["making", "live", "old"]


class Row(Struct, frozen=True):
    """A document as stored: which version of it counts, and what is told of it."""

    tenant_id: str
    document_id: str
    version: str
    told: Document


class Version(Struct, frozen=True):
    """One version of a document, from before its first byte until after its last, with the digests of its blobs.

    Only a `live` one is found; it changes its state in the transaction that changes the document's row.
    """

    tenant_id: str
    version: str
    state: State
    since_ts: int
    content: str
    original: str
    told: Document


class Content(Struct, frozen=True):
    """The text of a version and the spans of its passages. `version` makes the blob nobody else's, so that it can be deleted."""

    version: str
    text: str
    spans: list[Span]


class Shelf(Struct, frozen=True):
    """What the passages of a tenant are indexed by: a model. A tenant has one. `changes` counts what was added and deleted."""

    tenant_id: str
    model: str
    changes: int


class Indexes(Struct, frozen=True):
    """Where passages are looked up. `closing` lets go of what the indexes share."""

    words: FullText
    vectors: Vectors
    embeddings: Embeddings
    closing: tuple[Callable[[], Awaitable[None]], ...] = ()

    async def close(self) -> None:
        """Let go of files and connections."""
        for close in (self.words.close, self.vectors.close, self.embeddings.close, *self.closing):
            await close()


def entry_id(version: str, span: Span) -> str:
    """The id of a passage in the indexes: it says all that is needed to read it."""
    return f"{version}:{span.start}-{span.end}"


def words_of(tenant_id: str) -> str:
    """The collection of a tenant's texts."""
    return f"documents:{tenant_id}"


def vectors_of(tenant_id: str, model: str) -> str:
    """The collection of a tenant's vectors by one model: those of two are never compared.

    With the length of the tenant's name, so that no other tenant and model make the same one.
    """
    return f"documents:{len(tenant_id)}:{tenant_id}:{model}"


class Library:
    """The documents of all tenants; each verb is for one."""

    def __init__(
        self,
        store: Store,
        blobs: Blobs,
        clock: Clock,
        extraction: Extraction,
        indexes: Indexes,
        *,
        crash: Crashpoint | None = None,
    ) -> None:
        self.indexes = indexes
        self._store = store
        self._blobs = blobs
        self._clock = clock
        self._extraction = extraction
        self._crash: Crashpoint = crash or (lambda point: None)
        self._read: dict[str, Content] = {}

    async def add(
        self,
        tenant_id: str,
        data: bytes,
        *,
        document_id: str = "",
        title: str = "",
        source: str = "",
        media_type: str = "",
        trust: Trust = "untrusted",
        sensitivity: Sensitivity = "internal",
        tags: Sequence[str] = (),
    ) -> Document:
        """Take in a document, in the place of the one with its id. Raises InputError E932 to E934, ConfigError E930, ModelError."""
        _check_size(len(data), MAX_BYTES, "bytes")
        digested = digest(data)
        document_id = document_id or f"doc-{digested.removeprefix('sha256:')[:16]}"
        check_id("document_id", document_id)
        check_tags(tags)
        await self.shelf(tenant_id)
        found = await self._extraction.extract(data, media_type=media_type, name=source)
        _check_size(len(found.text), MAX_CHARACTERS, "characters of text")
        cut = await asyncio.to_thread(spans, found.text)
        told = Document(
            document_id=document_id,
            title=_line(title or found.title or source.rpartition("/")[2], 300) or document_id,
            source=_line(source, 2000),
            media_type=found.media_type,
            digest=digested,
            characters=len(found.text),
            passages=len(cut),
            added_ts=self._clock.now(),
            trust=trust,
            sensitivity=sensitivity,
            tags=tuple(dict.fromkeys(tags)),
        )
        await self._publish(await self._write(tenant_id, data, found.text, cut, told))
        try:
            await self.sweep(tenant_id)
        except RemitError as error:  # the document is in; what it replaced is swept another time
            log.warning("documents of tenant %s could not be swept: %s", tenant_id, error.message)
        return told

    async def get(self, tenant_id: str, document_id: str) -> Document:
        """A document. Raises NotFoundError."""
        return (await self.row(tenant_id, document_id)).told

    async def page(self, tenant_id: str, *, limit: int = 50, cursor: str | None = None) -> DocumentPage:
        """Documents by id."""
        found = await self._store.query(DOCUMENT, "", (tenant_id,), limit=limit, cursor=cursor)
        return DocumentPage([convert(item, Row).told for item in found.items], found.cursor)

    async def delete(self, tenant_id: str, document_id: str) -> None:
        """Delete a document with everything of it. Raises NotFoundError.

        Raises StoreError or ConfigError when some of it could not be removed: it is found no more, and swept another time.
        """
        for _ in range(ATTEMPTS):
            row = await self.row(tenant_id, document_id)
            gone = Delete(DOCUMENT, (tenant_id, document_id), {"version": row.version})
            try:
                await self._store.transact([gone, *await self._retired(row), *await self._counted(tenant_id)])
            except ConditionError:
                continue
            self._crash("after:documents:delete")
            await self.sweep(tenant_id)
            return
        raise _contended(document_id)

    async def row(self, tenant_id: str, document_id: str) -> Row:
        """A document's row. Raises NotFoundError."""
        item = await self._store.get(DOCUMENT, (tenant_id, document_id))
        if item is None:
            raise NotFoundError(
                f"there is no document `{document_id[:200]}`", help="list them with `remit documents list`"
            )
        return convert(item, Row)

    async def version(self, tenant_id: str, version: str) -> Version | None:
        """A version's row, or None when it is gone."""
        item = await self._store.get(VERSION, (tenant_id, version))
        return None if item is None else convert(item, Version)

    async def content(self, version: Version) -> Content:
        """The text of a version. Raises NotFoundError once it is removed."""
        found = self._read.pop(version.content, None)
        if found is None:
            found = await asyncio.to_thread(decode, await self._blobs.get(version.content), Content)
        self._read[version.content] = found
        while len(self._read) > 1 and sum(len(each.text) for each in self._read.values()) > HELD_CHARACTERS:
            self._read.pop(next(iter(self._read)))
        return found

    async def original(self, tenant_id: str, document_id: str) -> bytes:
        """The bytes of a document as they were added. Raises NotFoundError."""
        version = await self.version(tenant_id, (await self.row(tenant_id, document_id)).version)
        if version is None:
            raise NotFoundError(f"the document `{document_id}` was replaced just now", help="ask again")
        return (await self._blobs.get(version.original)).partition(b"\n")[2]

    async def shelf(self, tenant_id: str) -> Shelf | None:
        """What a tenant's passages are indexed by; None before the first. Raises ConfigError E930 when it is another model."""
        model = self.indexes.embeddings.name
        item = await self._store.get(LIBRARY, (tenant_id, model))
        if item is not None:
            return convert(item, Shelf)
        other = await self._any_shelf(tenant_id)
        if other is None:
            return None
        raise ConfigError(
            f"the documents are indexed by `{other.model}`, and `documents.embeddings` is `{model}`",
            code="E930",
            help="run `remit documents reindex`, or set `documents.embeddings` back",
        )

    async def _any_shelf(self, tenant_id: str) -> Shelf | None:
        found = (await self._store.query(LIBRARY, "", (tenant_id,), limit=1)).items
        return convert(found[0], Shelf) if found else None

    async def sweep(self, tenant_id: str) -> int:
        """Remove versions that were replaced, deleted, or left in the making by a crash, a few at a time; how many."""
        past = self._clock.now() - ABANDONED_MS
        old = await self._store.query(VERSION, "by_state", (tenant_id, "old"), limit=SWEPT_AT_ONCE)
        left = await self._store.query(
            VERSION, "by_state", (tenant_id, "making"), upper=past, limit=SWEPT_AT_ONCE
        )
        found = [convert(item, Version) for item in (*old.items, *left.items)]
        for version in found:
            await self._remove(version)
        return len(found)

    async def reindex(self, tenant_id: str, tell: Callable[[int], object] = lambda done: None) -> int:
        """Index every passage anew, by the model that settings name, and then go by it; how many documents.

        Until it is through, processes with the former setting search as before; what one of them changes meanwhile is
        followed. `tell` is called with the number of documents done. Raises ModelError.
        """
        again = Reindexing(self, tenant_id)
        while (before := await self._any_shelf(tenant_id)) is not None:
            await again.round(tell)
            after = replace(before, model=self.indexes.embeddings.name)
            writes: list[Write] = [Put(LIBRARY, plain(after), {"changes": before.changes})]
            if after.model != before.model:
                writes = [
                    Delete(LIBRARY, (tenant_id, before.model), {"changes": before.changes}),
                    Put(LIBRARY, plain(after), ABSENT),
                ]
            try:
                await self._store.transact(writes)
            except ConditionError:  # somebody added or deleted meanwhile
                continue
            if after.model != before.model:
                await self.indexes.vectors.drop(vectors_of(tenant_id, before.model))
            return len(again.done)
        return 0

    async def close(self) -> None:
        """Let go of the indexes."""
        await self.indexes.close()

    async def rows(self, tenant_id: str) -> AsyncIterator[Row]:
        """Every document, by id."""
        cursor: str | None = None
        while True:
            page = await self._store.query(DOCUMENT, "", (tenant_id,), limit=200, cursor=cursor)
            for item in page.items:
                yield convert(item, Row)
            cursor = page.cursor
            if cursor is None:
                return

    async def index(self, tenant_id: str, content: Content, title: str) -> None:
        """Write the entries of a version to both indexes."""
        await self._index(tenant_id, content, title, await self._vectors(content, title))

    async def _write(
        self, tenant_id: str, data: bytes, text: str, cut: list[Span], told: Document
    ) -> Version:
        """A version in the making: its row first, then its blobs, then its entries."""
        name = self._clock.new_id("dv")
        content = Content(name, text, cut)
        kept, original = encode(content), f"remit-document {name}\n".encode() + data
        version = Version(tenant_id, name, "making", self._clock.now(), digest(kept), digest(original), told)
        vectors = await self._vectors(content, told.title)
        await self._store.transact([Put(VERSION, plain(version), ABSENT)])
        self._crash("after:documents:begin")
        await self._blobs.put(original)
        await self._blobs.put(kept)
        self._crash("after:documents:blobs")
        await self._index(tenant_id, content, told.title, vectors)
        self._crash("after:documents:index")
        return version

    async def _publish(self, made: Version) -> None:
        """Let the document's row name a version, and retire the one it named."""
        document_id = made.told.document_id
        row = Row(made.tenant_id, document_id, made.version, made.told)
        live = Put(VERSION, plain(replace(made, state="live")), {"state": "making"})
        for _ in range(ATTEMPTS):
            item = await self._store.get(DOCUMENT, (row.tenant_id, document_id))
            before = None if item is None else convert(item, Row)
            named = Put(DOCUMENT, plain(row), {"version": before.version} if before else ABSENT)
            retired = await self._retired(before) if before else []
            try:
                await self._store.transact([named, live, *retired, *await self._counted(row.tenant_id)])
            except ConditionError:
                continue
            self._crash("after:documents:publish")
            return
        raise _contended(document_id)

    async def _retired(self, row: Row) -> list[Write]:
        """The write that makes a document's version an old one; none when it is that already."""
        found = await self.version(row.tenant_id, row.version)
        if found is None:
            return []
        return [
            Put(VERSION, plain(replace(found, state="old", since_ts=self._clock.now())), {"state": "live"})
        ]

    async def _counted(self, tenant_id: str) -> list[Write]:
        """The write that counts a change, under the model that the passages are indexed by. Raises ConfigError E930."""
        model = self.indexes.embeddings.name
        if await self.shelf(tenant_id):
            return [Add(LIBRARY, (tenant_id, model), {"changes": 1})]
        return [Put(LIBRARY, plain(Shelf(tenant_id, model, 1)), ABSENT)]

    async def _remove(self, version: Version) -> None:
        """Remove what a version left, and then its row. Doing it twice, or by two at once, does no harm."""
        tenant_id = version.tenant_id
        if version.state == "making":  # from here on nobody can publish it
            try:
                retired = plain(replace(version, state="old"))
                await self._store.transact([Put(VERSION, retired, {"state": "making"})])
            except ConditionError:
                return
        ids = await self._entries_of(version)
        await self.indexes.words.delete(words_of(tenant_id), ids)
        shelf = await self._any_shelf(tenant_id)
        for model in {self.indexes.embeddings.name, *([shelf.model] if shelf else [])}:
            await self.indexes.vectors.delete(vectors_of(tenant_id, model), ids)
        await self._blobs.delete(version.original)
        await self._blobs.delete(version.content)
        self._read.pop(version.content, None)
        await self._store.transact([Delete(VERSION, (tenant_id, version.version))])

    async def _entries_of(self, version: Version) -> list[str]:
        try:
            content = await self.content(version)
        except NotFoundError:  # nothing was indexed yet, or somebody else is further on
            return []
        return [entry_id(version.version, span) for span in content.spans]

    async def _index(self, tenant_id: str, content: Content, title: str, vectors: list[Vector]) -> None:
        entries = [
            Entry(entry_id(content.version, span), _indexed(content.text, span, title))
            for span in content.spans
        ]
        await self.indexes.words.put(words_of(tenant_id), entries)
        await self.indexes.vectors.put(vectors_of(tenant_id, self.indexes.embeddings.name), vectors)

    async def _vectors(self, content: Content, title: str) -> list[Vector]:
        texts = [_indexed(content.text, span, title) for span in content.spans]
        values = await self.indexes.embeddings.embed(texts, "document")
        return [
            Vector(entry_id(content.version, span), vector)
            for span, vector in zip(content.spans, values, strict=True)
        ]


class Reindexing:
    """One tenant's passages on their way into the indexes, round by round until nothing changed meanwhile.

    `done`: by document the version that was indexed, and its entries.
    """

    def __init__(self, library: Library, tenant_id: str) -> None:
        self.done: dict[str, tuple[str, list[str]]] = {}
        self._library = library
        self._tenant = tenant_id

    async def round(self, tell: Callable[[int], object]) -> None:
        """Index every document that is not done, and take back those that are no more."""
        seen = set()
        async for row in self._library.rows(self._tenant):
            seen.add(row.document_id)
            before = self.done.get(row.document_id)
            if before and before[0] == row.version:
                continue
            await self._take_back(row.document_id)
            await self._take(row)
            tell(len(self.done))
        for document_id in self.done.keys() - seen:
            await self._take_back(document_id)

    async def _take(self, row: Row) -> None:
        version = await self._library.version(self._tenant, row.version)
        try:
            content = await self._library.content(version) if version else None
        except NotFoundError:
            content = None
        if content is None:  # replaced or deleted meanwhile, which was counted: another round follows
            return
        await self._library.index(self._tenant, content, row.told.title)
        ids = [entry_id(row.version, span) for span in content.spans]
        self.done[row.document_id] = (row.version, ids)

    async def _take_back(self, document_id: str) -> None:
        _, ids = self.done.pop(document_id, ("", []))
        indexes = self._library.indexes
        await indexes.vectors.delete(vectors_of(self._tenant, indexes.embeddings.name), ids)
        await indexes.words.delete(words_of(self._tenant), ids)


def _indexed(text: str, span: Span, title: str) -> str:
    """What a passage is found by: its words, under the title and the headings it stands under."""
    return "\n".join(part for part in (title, span.heading, text[span.start : span.end]) if part)


def _line(text: str, most: int) -> str:
    """A text as one line of what can be printed."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:most]


def check_tags(tags: Sequence[str]) -> None:
    """Raise InputError E934 unless these are tags."""
    for tag in tags:
        if not _TAG.fullmatch(tag):
            raise InputError(
                f"`{tag[:200]}` is no tag", code="E934", help="use letters, digits and `.:/ -_`, at most 64"
            )
    if len(tags) > 50:
        raise InputError(f"{len(tags)} tags are too many", code="E934", help="give at most 50")


def _check_size(size: int, limit: int, what: str) -> None:
    if size > limit:
        raise InputError(
            f"the document has {size} {what}, and {limit} are the most", code="E933", help="split it"
        )


def _contended(document_id: str) -> ConditionError:
    return ConditionError(f"others keep changing the document `{document_id}`", help="try again")
