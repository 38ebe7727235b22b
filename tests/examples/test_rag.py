"""Retriever -> RAG agent -> Summarizer: answers with citations that hold."""

from __future__ import annotations

import re
from importlib import resources
from typing import Any

import pytest
from tests.examples.systems import System

from remit import open_app
from remit.adapters.model.scripted import ScriptedModel
from remit.core.message import assistant
from remit.core.task import Task
from remit.engine.models import Route
from remit.settings import Settings

SYSTEM = "rag"
LEAK = {"question": "Water leaks under my espresso machine. What should I do?"}


def test_the_answer_is_what_the_cited_passages_say(system: System) -> None:
    """Each sentence stands word for word in the passage that it cites; what no article says is not answered."""
    answered, unknown = system.follow_readme()
    assert (answered.code, unknown.code) == (0, 0), answered.err
    found = answered.document
    assert "espresso-leaks" in " ".join(found["sources"])
    cited = re.findall(r"([^\[\]]+) \[([a-z0-9-]+)#(\d+)\]", found["answer"])
    assert len(cited) == 2
    for sentence, article, place in cited:
        assert sentence.strip() in passage(article, int(place))
    assert unknown.document == {"answer": "The articles do not say.", "sources": []}


def test_the_journal_names_the_model_that_answered(system: System) -> None:
    """Offline it is the rules, and the run says so."""
    run = system.remit("run", "answer-from-articles", "--input", '{"question": "my router disconnects"}')
    assert run.code == 0
    assert "model rules" in run.err


@pytest.mark.parametrize(
    "answer", ["Drink tea instead. [tea#1]", "Push the tank down.", "Push it down. [espresso-leaks#99]"]
)
async def test_an_answer_without_a_retrieved_source_is_not_given(system: System, answer: str) -> None:
    """Whatever a model makes up: a source that was not retrieved, or none, and the answer is that there is none."""
    settings = Settings(home=system.folder / ".remit", store="memory:", app="app.py")
    model = ScriptedModel([assistant(answer), assistant(answer)])
    routes = {"default": Route("scripted", "scripted")}
    async with open_app(settings, models={"scripted": model}, routes=routes) as app:
        result = await app.run(Task("t1", "answer-from-articles", input=LEAK))
    assert result.result_payload == {"answer": "The articles do not say.", "sources": []}


def passage(article: str, place: int) -> Any:
    """A line of an article of the support pack."""
    text = (resources.files("remit_packs.support") / "articles" / f"{article}.md").read_text("utf-8")
    lines = [line for line in text.splitlines()[1:] if line.strip() and not line.startswith("Category:")]
    return lines[place - 1]
