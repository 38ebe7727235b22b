"""The documents of one tenant as tools see them, and the search for passages: by words and by meaning, fused, none told twice."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from msgspec import Struct

from remit.core.citation import Citation
from remit.core.errors import InputError, NotFoundError
from remit.core.provenance import Sensitivity, Trust
from remit.core.ranking import fuse
from remit.engine.documents import Content, Library, Version, check_tags, vectors_of, words_of
from remit.ports.documents import Document, DocumentPage, Passage

MAX_QUERY = 4000
MAX_PASSAGES = 50
DEPTH = 50
"""How far down each of the two rankings a search looks at first."""
DEEPER = 8
"""How many times deeper it looks when tags left too few."""
ROUNDS = 3
"""How often a search is made again because documents changed under it."""
SHORTEST = 60
"""Characters that must be left of a passage which overlaps a better one."""


class TenantDocuments:
    """`ports.documents.Documents` of one tenant."""

    def __init__(self, library: Library, tenant_id: str) -> None:
        self._library = library
        self._tenant = tenant_id

    async def add(
        self,
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
        """Take in a document."""
        return await self._library.add(
            self._tenant,
            data,
            document_id=document_id,
            title=title,
            source=source,
            media_type=media_type,
            trust=trust,
            sensitivity=sensitivity,
            tags=tags,
        )

    async def get(self, document_id: str) -> Document:
        """A document."""
        return await self._library.get(self._tenant, document_id)

    async def page(self, *, limit: int = 50, cursor: str | None = None) -> DocumentPage:
        """Documents by id."""
        return await self._library.page(self._tenant, limit=limit, cursor=cursor)

    async def delete(self, document_id: str) -> None:
        """Delete a document."""
        await self._library.delete(self._tenant, document_id)

    async def passage(self, document_id: str, start: int = 0, end: int | None = None) -> Passage:
        """The text of a document, or a span of it."""
        for _ in range(ROUNDS):
            row = await self._library.row(self._tenant, document_id)
            version = await self._library.version(self._tenant, row.version)
            try:
                content = await self._library.content(version) if version else None
            except NotFoundError:
                content = None
            if version and content:
                return _span(version, content, start, len(content.text) if end is None else end)
        raise NotFoundError(f"the document `{document_id}` keeps being replaced", help="try again")

    async def search(self, query: str, *, limit: int = 5, tags: Sequence[str] = ()) -> list[Passage]:
        """Passages by words and by meaning, best first."""
        if not query.strip() or len(query) > MAX_QUERY or not 1 <= limit <= MAX_PASSAGES:
            raise InputError(
                f"a search takes a query of 1 to {MAX_QUERY} characters and a limit of 1 to {MAX_PASSAGES}",
                code="E934",
                help="ask shorter, or for fewer passages",
            )
        check_tags(tags)
        found: list[Passage] = []
        for _ in range(ROUNDS):
            before = await self._library.shelf(self._tenant)
            if before is None:
                return []
            search = _Search(self._library, self._tenant, query, limit, frozenset(tags))
            found = await search.run()
            if not search.stale or await self._library.shelf(self._tenant) == before:
                break
        return found


class _Candidate(Struct, frozen=True):
    version: str
    start: int
    end: int
    score: float


class _Search:
    """One search. `stale`: whether it met entries of versions that do not count, because of a change just now or a crash."""

    def __init__(
        self, library: Library, tenant_id: str, query: str, limit: int, tags: frozenset[str]
    ) -> None:
        self.stale = False
        self._library = library
        self._tenant = tenant_id
        self._query = query
        self._limit = limit
        self._tags = tags
        self._versions: dict[str, Version | None] = {}

    async def run(self) -> list[Passage]:
        """The passages, looking deeper while too few have the tags."""
        indexes = self._library.indexes
        (vector,) = await indexes.embeddings.embed([self._query], "query")
        vectors = vectors_of(self._tenant, indexes.embeddings.name)
        depth = max(DEPTH, 2 * self._limit)
        while True:
            by_words, near = await asyncio.gather(
                indexes.words.search(words_of(self._tenant), self._query, limit=depth),
                indexes.vectors.near(vectors, vector, limit=depth),
            )
            by_meaning = [hit.id for hit in near if hit.score > 0]
            chosen = await self._chosen([_candidate(*item) for item in fuse(by_words, by_meaning)])
            if len(chosen) == self._limit or max(len(by_words), len(near)) < depth:
                return chosen
            depth *= DEEPER

    async def _chosen(self, candidates: list[_Candidate]) -> list[Passage]:
        """The first passages that count, each cut to what none before it says already."""
        chosen: list[Passage] = []
        said: set[str] = set()
        step = 2 * self._limit
        for start in range(0, len(candidates), step):
            part = candidates[start : start + step]
            await self._look_up({candidate.version for candidate in part})
            for candidate in part:
                passage = await self._passage(candidate, chosen)
                if passage is None or passage.text in said:
                    continue
                said.add(passage.text)
                chosen.append(passage)
                if len(chosen) == self._limit:
                    return chosen
        return chosen

    async def _look_up(self, names: set[str]) -> None:
        new = sorted(names - self._versions.keys())
        found = await asyncio.gather(*(self._library.version(self._tenant, name) for name in new))
        self._versions.update(zip(new, found, strict=True))

    async def _passage(self, candidate: _Candidate, chosen: list[Passage]) -> Passage | None:
        version = self._versions[candidate.version]
        if version is None or version.state != "live":
            self.stale = True
            return None
        if not self._tags <= set(version.told.tags):
            return None
        try:
            content = await self._library.content(version)
        except NotFoundError:
            self.stale = True
            return None
        span = _rest(
            candidate, [p for p in chosen if p.document_id == version.told.document_id], content.text
        )
        return span and _span(version, content, *span, score=candidate.score)


def _candidate(name: str, score: float) -> _Candidate:
    version, _, span = name.rpartition(":")
    start, _, end = span.partition("-")
    return _Candidate(version, int(start), int(end), score)


def _rest(candidate: _Candidate, told: list[Passage], text: str) -> tuple[int, int] | None:
    """What passages of the same document leave of a candidate; None when that is too little."""
    start, end = candidate.start, candidate.end
    for other in told:
        if other.start <= start < other.end:
            start = other.end
        if other.start < end <= other.end:
            end = other.start
    piece = text[start:end]
    if (start, end) == (candidate.start, candidate.end):
        return start, end
    if len(piece.strip()) < SHORTEST:
        return None
    return start + len(piece) - len(piece.lstrip()), end - (len(piece) - len(piece.rstrip()))


def _span(version: Version, content: Content, start: int, end: int, score: float = 0.0) -> Passage:
    """A span of a version as a passage. Raises NotFoundError for one that it has not."""
    told = version.told
    if not 0 <= start <= end <= told.characters:
        raise NotFoundError(
            f"the document `{told.document_id}` has {told.characters} characters, and no {start} to {end}",
            help="search again: it was replaced since",
        )
    return Passage(
        citation=str(Citation(told.document_id, start, end)),
        document_id=told.document_id,
        title=told.title,
        source=told.source,
        start=start,
        end=end,
        text=content.text[start:end],
        of=told.characters,
        score=score,
        trust=told.trust,
        sensitivity=told.sensitivity,
    )
