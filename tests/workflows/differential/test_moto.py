"""A second opinion, moto, gives the same as AWS documents, or what is listed as known with the reason."""

from __future__ import annotations

import asyncio

import pytest
from tests.workflows.differential.cases import Case, Seen, corpus
from tests.workflows.differential.compare import disagreement, expected, result
from tests.workflows.differential.engines.moto import Moto
from tests.workflows.differential.known import known
from tests.workflows.differential.services import moto_python

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def seen() -> dict[str, Seen]:
    """Every case, one after another in one process of its venv."""
    cases = corpus()
    results = asyncio.run(Moto(moto_python()).run(cases))
    return {case.name: result for case, result in zip(cases, results, strict=True)}


@pytest.mark.parametrize("case", corpus(), ids=lambda case: case.name)
def test_a_case_gives_what_aws_documents(case: Case, seen: dict[str, Seen]) -> None:
    """A difference that is not listed, and one that is listed and gone, are both told."""
    mine = seen[case.name]
    assert disagreement(case, mine) == known("moto").get(case.name, ""), (
        f"{result(expected(case))} is what {case.doc} says; {mine.cause}"
    )
