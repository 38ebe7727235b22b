"""Chroma, FAISS and LanceDB over the vectors and texts of `benchmarks.retrieval.speed --save`: runs in a venv of its own.

python search.py FILE.npz     one JSON object: by peer milliseconds a search, and seconds to take everything in
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np

LIMIT = 50


def timed(ask: Callable[[int], Any], count: int) -> dict[str, float]:
    """Milliseconds a call, after ten that are not counted."""
    for n in range(min(10, count)):
        ask(n)
    taken = []
    for n in range(count):
        begun = time.perf_counter()
        ask(n)
        taken.append((time.perf_counter() - begun) * 1000)
    taken.sort()
    return {"p50": round(statistics.median(taken), 2), "p95": round(taken[int(count * 0.95)], 2)}


def faiss(data: Any) -> dict[str, Any]:
    """Flat: every vector is looked at; vectors only, in memory."""
    import faiss

    begun = time.perf_counter()
    index = faiss.IndexFlatIP(data["vectors"].shape[1])
    index.add(data["vectors"])
    built = time.perf_counter() - begun
    found = timed(lambda n: index.search(data["queries"][n : n + 1], LIMIT), len(data["queries"]))
    return {"what": "vectors", "add_s": round(built, 1), "search_ms": found}


def chroma(data: Any) -> dict[str, Any]:
    """A persistent client; vectors with their texts."""
    import chromadb

    with tempfile.TemporaryDirectory() as folder:
        client = chromadb.PersistentClient(folder)
        made = client.create_collection("passages", metadata={"hnsw:space": "ip"}, embedding_function=None)
        begun = time.perf_counter()
        for start in range(0, len(data["vectors"]), 5000):
            end = start + 5000
            made.add(
                ids=[str(n) for n in range(start, min(end, len(data["vectors"])))],
                embeddings=data["vectors"][start:end],
                documents=data["texts"][start:end].tolist(),
            )
        built = time.perf_counter() - begun
        found = timed(
            lambda n: made.query(query_embeddings=data["queries"][n : n + 1], n_results=LIMIT),
            len(data["queries"]),
        )
        return {"what": "vectors", "add_s": round(built, 1), "search_ms": found}


def lance(data: Any) -> dict[str, Any]:
    """Words and vectors fused by reciprocal rank; no index of vectors, so that every one is looked at, as ours does."""
    import lancedb

    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        rows = [
            {"id": n, "vector": vector, "text": str(text)}
            for n, (vector, text) in enumerate(zip(data["vectors"], data["texts"], strict=True))
        ]
        made = lancedb.connect(folder).create_table("c", data=rows)
        made.create_fts_index("text")
        built = time.perf_counter() - begun

        def ask(n: int) -> Any:
            query = made.search(query_type="hybrid").vector(data["queries"][n]).text(str(data["asked"][n]))
            return query.limit(LIMIT).to_list()

        return {"what": "hybrid", "add_s": round(built, 1), "search_ms": timed(ask, len(data["queries"]))}


def main() -> None:
    """Measure whoever is installed."""
    with np.load(sys.argv[1]) as file:
        data = {name: file[name] for name in file.files}
    results: dict[str, Any] = {}
    for peer in (faiss, chroma, lance):
        try:
            results[peer.__name__] = peer(data)
        except Exception as error:
            results[peer.__name__] = {"problem": f"{type(error).__name__}: {error}"[:300]}
    print(json.dumps(results))


if __name__ == "__main__":
    main()
