"""Speed of the library: milliseconds a search, and seconds to take documents in.

    python -m benchmarks.retrieval.speed [--chunks N] [--vectors local|usearch] [--save FILE.npz]     one JSON object

Texts are of words as frequent as Zipf's law makes them, 50,000 of them; queries are six words of one passage. `stages` are the parts
of a search alone: the query's vector, the ranking by words, that by vectors. `--save` keeps vectors and texts for the peers.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.retrieval.opening import Opened, opened
from remit.adapters.embeddings.lexical import embedded
from remit.engine.documents import vectors_of, words_of
from remit.engine.passages import TenantDocuments

TENANT = "bench"
VOCABULARY = 50_000
WORDS = 120
"""Words of a passage."""
PER_DOCUMENT = 200
QUERIES = 200


def passages(count: int) -> list[str]:
    """Passages of about 900 characters."""
    chance = np.random.default_rng(11)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = ["".join(chance.choice(letters, size=chance.integers(3, 12))) for _ in range(VOCABULARY)]
    drawn = (chance.zipf(1.15, size=(count, WORDS)) - 1) % VOCABULARY
    return [" ".join(words[n] for n in row) + "." for row in drawn]


def queries(texts: list[str]) -> list[str]:
    """Six words of one passage each."""
    chance = np.random.default_rng(12)
    made = []
    for _ in range(QUERIES):
        words = texts[chance.integers(len(texts))].rstrip(".").split()
        made.append(" ".join(chance.choice(words, size=6, replace=False)))
    return made


async def timed(ask: Callable[[str], Awaitable[Any]], asked: list[str]) -> dict[str, float]:
    """Milliseconds a call, one at a time, after ten that are not counted; `cpu` is the processor time of this process."""
    for query in asked[:10]:
        await ask(query)
    taken, worked = [], []
    for query in asked:
        begun, cpu = time.perf_counter(), time.process_time()
        await ask(query)
        taken.append((time.perf_counter() - begun) * 1000)
        worked.append((time.process_time() - cpu) * 1000)
    taken.sort()
    return {
        "p50": round(statistics.median(taken), 2),
        "p95": round(taken[int(len(taken) * 0.95)], 2),
        "cpu": round(statistics.median(worked), 2),
    }


async def fill(made: Opened, texts: list[str]) -> float:
    """Seconds to add the texts, as documents of 200 passages."""
    begun = time.perf_counter()
    for start in range(0, len(texts), PER_DOCUMENT):
        data = "\n\n".join(texts[start : start + PER_DOCUMENT]).encode()
        await made.library.add(TENANT, data, document_id=f"d{start}", media_type="text/plain")
    return time.perf_counter() - begun


async def measured(chunks: int, vectors: str) -> dict[str, Any]:
    """Everything, for one kind of index."""
    texts = passages(chunks)
    asked = queries(texts)
    async with opened(vectors=vectors) as made:
        seconds = await fill(made, texts)
        documents = TenantDocuments(made.library, TENANT)
        indexes = made.library.indexes
        kept = [embedded(query).tolist() for query in asked]
        by_text = dict(zip(asked, kept, strict=True))
        collection = vectors_of(TENANT, indexes.embeddings.name)
        counted = sum(d.passages for d in (await documents.page(limit=1000)).items)
        begun = time.perf_counter()
        await documents.search(asked[0])
        return {
            "vectors": vectors,
            "chunks": counted,
            "add_s": round(seconds, 1),
            "first_search_ms": round((time.perf_counter() - begun) * 1000, 1),
            "search_ms": await timed(documents.search, asked),
            "stages_ms": {
                "embed": await timed(lambda q: indexes.embeddings.embed([q], "query"), asked),
                "words": await timed(lambda q: indexes.words.search(words_of(TENANT), q, limit=50), asked),
                "vectors": await timed(
                    lambda q: indexes.vectors.near(collection, by_text[q], limit=50), asked
                ),
            },
        }


def save(chunks: int, path: Path) -> None:
    """Vectors, texts and queries, for peers that are to do the same work."""
    texts = passages(chunks)
    asked = queries(texts)
    np.savez(
        path,
        vectors=np.stack([embedded(text) for text in texts]),
        queries=np.stack([embedded(query) for query in asked]),
        texts=np.array(texts),
        asked=np.array(asked),
    )


def main() -> None:
    """Measure, and print one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--vectors", default="local")
    parser.add_argument("--save", type=Path)
    chosen = parser.parse_args()
    if chosen.save:
        save(chosen.chunks, chosen.save)
        return
    print(json.dumps(asyncio.run(measured(chosen.chunks, chosen.vectors))))


if __name__ == "__main__":
    main()
