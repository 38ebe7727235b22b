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


STRIDE = 3
"""By day every third case is asked about: moto takes a minute for all of them, which `make differential` takes."""

CASES = corpus()


@pytest.fixture(scope="module")
def seen(request: pytest.FixtureRequest) -> dict[str, Seen]:
    """Every case asked about, one after another in one process of moto's venv."""
    cases = CASES if request.config.getoption("--nightly") else CASES[::STRIDE]
    results = asyncio.run(Moto(moto_python()).run(cases))
    return {case.name: result for case, result in zip(cases, results, strict=True)}


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=[pytest.mark.nightly] if at % STRIDE else []) for at, case in enumerate(CASES)],
    ids=lambda case: case.name,
)
def test_a_case_gives_what_aws_documents(case: Case, seen: dict[str, Seen]) -> None:
    """A difference that is not listed, and one that is listed and gone, are both told."""
    mine = seen[case.name]
    assert disagreement(case, mine) == known("moto").get(case.name, ""), (
        f"{result(expected(case))} is what {case.doc} says; {mine.cause}"
    )
