"""Quality of retrieval on corpora with known answers: recall at 5 and mean reciprocal rank, by words, by vectors, and fused.

    python -m benchmarks.retrieval.quality [--embeddings lexical|local:FOLDER] [--json]

An answer counts when its passage is of the right document and holds the sentence that answers (manuals), or is of the right page
(docs). Everything is indexed by the library itself; `words` and `vectors` leave one of the two rankings empty.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from benchmarks.retrieval.corpus import Corpus, Question, manuals, own_docs
from benchmarks.retrieval.opening import Opened, opened
from remit.engine.documents import Indexes, Library
from remit.engine.passages import TenantDocuments
from remit.ports.documents import Passage
from remit.ports.vectors import Near

AT = 5
TENANT = "bench"


class NoWords:
    """An index that finds nothing."""

    async def search(self, collection: str, query: str, *, limit: int = 10) -> list[str]:
        """Nothing."""
        return []


class NoVectors:
    """A store of vectors that finds nothing."""

    async def near(self, collection: str, query: Sequence[float], *, limit: int = 10) -> list[Near]:
        """Nothing."""
        return []


def ways(made: Opened) -> dict[str, TenantDocuments]:
    """The documents, searched in three ways."""
    indexes = made.library.indexes
    of_words: Any = Indexes(indexes.words, NoVectors(), indexes.embeddings)  # type: ignore[arg-type]
    of_vectors: Any = Indexes(NoWords(), indexes.vectors, indexes.embeddings)  # type: ignore[arg-type]

    def with_(chosen: Indexes) -> TenantDocuments:
        library = Library(made.store, made.blobs, made.clock, made.extraction, chosen)
        return TenantDocuments(library, TENANT)

    return {"words": with_(of_words), "vectors": with_(of_vectors), "fused": with_(indexes)}


def rank_of(question: Question, found: Sequence[Passage]) -> int:
    """The rank of the first passage that answers, from 1; 0 when there is none."""
    for rank, passage in enumerate(found, 1):
        if passage.document_id == question.document_id and question.sentence in passage.text:
            return rank
    return 0


async def measured(corpus: Corpus, embeddings: str) -> dict[str, dict[str, dict[str, float]]]:
    """By way of searching and way of asking: recall at 5, mean reciprocal rank, and how many questions."""
    async with opened(embeddings=embeddings) as made:
        documents = TenantDocuments(made.library, TENANT)
        for document_id, text in corpus.documents.items():
            await documents.add(text.encode(), document_id=document_id, media_type="text/markdown")
        result: dict[str, dict[str, dict[str, float]]] = {}
        for name, searched in ways(made).items():
            ranks: defaultdict[str, list[int]] = defaultdict(list)
            for question in corpus.questions:
                rank = rank_of(question, await searched.search(question.text, limit=AT))
                ranks["all"].append(rank)
                ranks[question.way].append(rank)
            result[name] = {way: scored(found) for way, found in ranks.items()}
        return result


def scored(ranks: list[int]) -> dict[str, float]:
    """Recall at 5, mean reciprocal rank, and how many."""
    return {
        "recall@5": round(sum(map(bool, ranks)) / len(ranks), 3),
        "mrr": round(sum(1 / rank for rank in ranks if rank) / len(ranks), 3),
        "questions": len(ranks),
    }


def table(results: dict[str, Any]) -> str:
    """Markdown."""
    lines = ["| corpus | asked | questions | words | vectors | fused |", "|---|---|---|---|---|---|"]
    for corpus, found in results.items():
        for way in found["fused"]:
            cells = [f"{found[name][way]['recall@5']:.3f} / {found[name][way]['mrr']:.3f}" for name in found]
            lines.append(f"| {corpus} | {way} | {found['fused'][way]['questions']} | {' | '.join(cells)} |")
    return "\n".join(lines)


async def both(embeddings: str) -> dict[str, Any]:
    """Every corpus."""
    return {
        "manuals": await measured(manuals(), embeddings),
        "docs": await measured(own_docs(), embeddings),
    }


def main() -> None:
    """Measure, and print a table: recall at 5 / mean reciprocal rank."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--embeddings", default="lexical")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    results = asyncio.run(both(chosen.embeddings))
    print(json.dumps(results, indent=1) if chosen.json else table(results))


if __name__ == "__main__":
    main()
