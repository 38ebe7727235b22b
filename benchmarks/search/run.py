"""Search in a folder of pages: time of a query and quality of the answer, beside SQLite alone and grep.

    python -m benchmarks.search.run [--quick] [--json]     (with remit installed, or PYTHONPATH=src)

Speed is over generated pages whose words follow Zipf's law, each query two frequent words and one rare one; the median of the
queries, all pages in the cache of the file system. Quality is the mean reciprocal rank of the right page among the first five, for the
questions of tests/adapters/web/questions.py to the corpus that ships; its pages and questions have one author, so only the
difference between the rows says something. Peers rank by how many of the words a page holds (`like`, `grep`), or by FTS5 as it
comes (`fts5`: no stemming, no weight of titles).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import sqlite3
import statistics
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.adapters.web.questions import QUESTIONS

from remit.adapters.clock.system import SystemClock
from remit.adapters.extraction.files import FileExtraction
from remit.adapters.web.corpus import Corpus
from remit.bootstrap.web import CORPUS

Ask = Callable[[str], Awaitable[list[str]]]
"""The names of the best five files, best first."""

_WORD = re.compile(r"\w+")


def ours(folder: Path) -> Ask:
    """The corpus adapter."""
    corpus = Corpus(folder, SystemClock(), FileExtraction())

    async def ask(query: str) -> list[str]:
        return [re.split(r"[:/]", hit.url)[-1].removesuffix(".md") for hit in await corpus.search(query)]

    return ask


def fts5(folder: Path) -> Ask:
    """A table of SQLite's full-text search with its defaults."""
    index = sqlite3.connect(":memory:")
    index.execute("CREATE VIRTUAL TABLE page USING fts5(name UNINDEXED, text)")
    index.executemany(
        "INSERT INTO page VALUES (?, ?)", ((p.stem, p.read_text()) for p in folder.glob("*.md"))
    )

    async def ask(query: str) -> list[str]:
        match = " OR ".join(f'"{word}"' for word in _WORD.findall(query))
        found = index.execute("SELECT name FROM page WHERE page MATCH ? ORDER BY rank LIMIT 5", (match,))
        return [name for (name,) in found]

    return ask


def like(folder: Path) -> Ask:
    """A plain table of SQLite, and LIKE for each word."""
    table = sqlite3.connect(":memory:")
    table.execute("CREATE TABLE page (name, text)")
    table.executemany(
        "INSERT INTO page VALUES (?, ?)", ((p.stem, p.read_text()) for p in folder.glob("*.md"))
    )

    async def ask(query: str) -> list[str]:
        words = _WORD.findall(query)
        score = " + ".join("(text LIKE ?)" for _ in words)
        found = table.execute(
            f"SELECT name FROM page ORDER BY {score} DESC, name LIMIT 5", [f"%{w}%" for w in words]
        )
        return [name for (name,) in found]

    return ask


def grep(folder: Path) -> Ask:
    """`grep -ril` for each word."""

    async def ask(query: str) -> list[str]:
        votes: Counter[str] = Counter()
        for word in _WORD.findall(query):
            done = subprocess.run(
                ["grep", "-rilFw", word, str(folder)], capture_output=True, text=True, check=False
            )
            votes.update(Path(line).stem for line in done.stdout.splitlines())
        return [name for name, _ in sorted(votes.items(), key=lambda pair: (-pair[1], pair[0]))[:5]]

    return ask


WAYS = {"remit": ours, "fts5": fts5, "like": like, "grep": grep}


def generate(folder: Path, count: int) -> list[str]:
    """Pages of 300 words, and queries."""
    dice = random.Random(7)
    words = [
        f"{a}{b}{c}{d}" for a in "bdfgklmnprst" for b in "aeiou" for c in "bdfgklmnprst" for d in "aeiou"
    ]
    weights = [1 / rank for rank in range(1, len(words) + 1)]
    for n in range(count):
        (folder / f"p{n}.md").write_text(f"# Page {n}\n\n" + " ".join(dice.choices(words, weights, k=300)))
    rare = words[len(words) // 2 :]
    return [" ".join([*dice.choices(words[20:200], k=2), dice.choice(rare)]) for _ in range(30)]


async def speed(count: int) -> dict[str, dict[str, float]]:
    """Milliseconds until the first answer, which includes the index, and of a query after that."""
    figures = {}
    with tempfile.TemporaryDirectory() as name:
        queries = generate(Path(name), count)
        for way, make in WAYS.items():
            began = time.perf_counter()
            ask = make(Path(name))
            await ask(queries[0])
            first = time.perf_counter() - began
            times = []
            for query in queries[1 : 6 if way == "grep" else None]:
                began = time.perf_counter()
                await ask(query)
                times.append(time.perf_counter() - began)
            figures[way] = {"first_ms": first * 1000, "query_ms": statistics.median(times) * 1000}
    return figures


async def quality() -> dict[str, float]:
    """Mean reciprocal rank of the right page."""
    figures = {}
    for way, make in WAYS.items():
        ask = make(CORPUS)
        ranks = []
        for question, page in QUESTIONS.items():
            found = await ask(question)
            ranks.append(1 / (found.index(page) + 1) if page in found else 0.0)
        figures[way] = statistics.mean(ranks)
    return figures


async def measured(count: int) -> dict[str, object]:
    """Everything."""
    return {"pages": count, "speed": await speed(count), "mrr": await quality()}


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a thousand pages instead of ten thousand")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    found = asyncio.run(measured(1_000 if chosen.quick else 10_000))
    if chosen.json:
        print(json.dumps(found))
        return
    speeds, ranks = found["speed"], found["mrr"]
    assert isinstance(speeds, dict)
    assert isinstance(ranks, dict)
    print(f"| {found['pages']:,} pages | first answer, ms | query, ms | ours is faster | MRR on 48 pages |")
    print("|---|---:|---:|---:|---:|")
    mine = speeds["remit"]["query_ms"]
    for way, times in speeds.items():
        ratio = times["query_ms"] / mine
        print(
            f"| {way} | {times['first_ms']:.0f} | {times['query_ms']:.1f} | {ratio:.1f}x | {ranks[way]:.2f} |"
        )


if __name__ == "__main__":
    main()
