"""Retriever -> RAG agent -> Summarizer over the support pack's articles, with citations that are checked.

Offline, `rag` and `summarizer` are played by the rules at the end of this file, which quote and shorten and are no language
model. Name a model in remit.toml and the same agents ask it; the citations are checked either way.
"""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from functools import cache
from importlib import resources
from typing import Any, TypedDict

from remit import (
    END,
    Agent,
    Message,
    ModelRequest,
    Pack,
    ToolError,
    Workflow,
    assistant,
    field,
    tool,
    variable,
    when,
)

NO_ANSWER = "The articles do not say."
CITATION = re.compile(r"\[([a-z0-9-]+#\d+)\]")
USELESS = frozenset(
    re.findall(
        r"\w+",
        "a an and are but do does for from has have how i in is it its my not of on or the to what when who why with",
    )
)
"""Words that say nothing about what a question is about."""


class Passage(TypedDict):
    """A piece of an article, named `ARTICLE#PLACE`."""

    id: str
    text: str


# tools


@tool
def search_passages(question: str, most: int = 4) -> list[Passage]:
    """The passages that fit a question best, by SQLite's full-text index (BM25); none if no word of it occurs."""
    wanted = " OR ".join(f'"{word}"' for word in words(question))
    if not wanted:
        return []
    with closing(_index()) as index:
        rows = index.execute(
            "SELECT id, text FROM passages WHERE passages MATCH ? ORDER BY bm25(passages, 0, 3, 1), id LIMIT ?",
            (wanted, most),
        ).fetchall()
    return [Passage(id=row[0], text=row[1]) for row in rows]


@tool
def check_citations(answer: str, passages: list[Passage]) -> dict[str, Any]:
    """The sources that an answer names. An answer that names none, or one that was not retrieved, is refused."""
    cited = list(dict.fromkeys(CITATION.findall(answer)))
    strange = [name for name in cited if name not in {passage["id"] for passage in passages}]
    if strange or not cited:
        wrong = f"it cites {', '.join(strange)}, which was not retrieved" if strange else "it cites nothing"
        raise ToolError(f"the answer cannot be trusted: {wrong}", code="BadCitation")
    return {"sources": cited}


def words(text: str) -> list[str]:
    """The words of a text that carry meaning."""
    return [word for word in re.findall(r"[a-z]+", text.lower()) if word not in USELESS]


@cache
def _articles() -> tuple[tuple[str, str, str], ...]:
    """Every passage: its id, the title of its article, its text. A passage is a line of an article."""
    found = []
    folder = resources.files("remit_packs.support") / "articles"
    for file in sorted((f for f in folder.iterdir() if f.name.endswith(".md")), key=lambda f: f.name):
        title, *lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
        kept = [line for line in lines if not line.startswith("Category:")]
        name = file.name.removesuffix(".md")
        found += [(f"{name}#{n}", title.lstrip("# "), line) for n, line in enumerate(kept, 1)]
    return tuple(found)


def _index() -> sqlite3.Connection:
    """The articles in a full-text index in memory."""
    index = sqlite3.connect(":memory:")
    index.execute("CREATE VIRTUAL TABLE passages USING fts5(id UNINDEXED, title, text, tokenize = 'porter')")
    index.executemany("INSERT INTO passages VALUES (?, ?, ?)", _articles())
    return index


# agents

rag = Agent(
    "rag",
    instructions="Answer the question from the passages alone. Put the id of the passage in brackets behind each sentence, as in "
    "[kettle-smell#2]. If the passages do not answer it, say exactly: " + NO_ANSWER,
)
summarizer = Agent(
    "summarizer",
    instructions="Shorten the answer to at most two sentences. Keep what matters most for the question, and every sentence's "
    "citation in brackets as it is.",
)

# the workflow

flow = Workflow(
    "answer-from-articles",
    description="Answers a question from the support articles, with checked citations.",
)
retrieve = flow.node(
    "retrieve",
    search_passages,
    input={"question": field("question")},
    output={"question": field("question"), "passages": "{% [$states.result] %}"},
    assign={"passages": "{% [$states.result] %}", "question": field("question")},
)
flow.add_conditional_edges(retrieve, {when(field("passages")[0].exists()): "answer"}, default="no answer")
answer = flow.node(
    "answer",
    rag,
    input={"objective": "Answer the question from the passages.", "input": field()},
    output={"question": variable("question"), "answer": "{% $states.result %}"},
)
shorten = flow.node(
    "shorten",
    summarizer,
    input={"objective": "Shorten the answer.", "input": field()},
    output={"answer": "{% $states.result %}"},
)
check = flow.node(
    "check citations",
    check_citations,
    input={"answer": field("answer"), "passages": variable("passages")},
    output={"answer": field("answer"), "sources": "{% [$states.result.sources] %}"},
    catch={"BadCitation": "no answer"},
)
answer >> shorten >> check >> END
flow.transform("no answer", output={"answer": NO_ANSWER, "sources": []}) >> END

# the rules that play the agents offline


def quote(request: ModelRequest) -> Message:
    """The sentences of the passages that share most words with the question, each with its source."""
    given = _input(request)
    wanted = {word[:4] for word in words(given["question"])}
    found = [
        (len(wanted & {word[:4] for word in words(sentence)}), -place, f"{sentence} [{passage['id']}]")
        for place, passage in enumerate(given["passages"])
        for sentence in re.findall(r"[A-Z][^.!?]*[.!?]", passage["text"])
    ]
    best = [sentence for score, _, sentence in sorted(found, reverse=True)[:4] if score]
    return assistant(" ".join(best) or NO_ANSWER)


def first_two(request: ModelRequest) -> Message:
    """The first two sentences."""
    sentences = [found.strip() for found in re.findall(r"[^\]]+\]", _input(request)["answer"])]
    return assistant(" ".join(sentences[:2]) or NO_ANSWER)


def _input(request: ModelRequest) -> Any:
    return json.loads(request.messages[0].text.split("Input:\n", 1)[1])


pack = Pack(
    "rag", agents=[rag, summarizer], workflows=[flow], rules={"rag": [quote], "summarizer": [first_two]}
)
