"""Our interpreter gives for every case what AWS documents: output, error name, and the states that it enters."""

from __future__ import annotations

import pytest
from tests.workflows.differential.cases import Case, corpus
from tests.workflows.differential.compare import disagreement, expected, result
from tests.workflows.differential.engines.ours import Ours
from tests.workflows.differential.known import known


@pytest.mark.parametrize("case", corpus(), ids=lambda case: case.name)
async def test_a_case_gives_what_aws_documents(case: Case) -> None:
    """No service is needed to know that it does."""
    [seen] = await Ours().run([case])
    assert disagreement(case, seen) == known("remit").get(case.name, ""), (
        f"{result(expected(case))} is what {case.doc} says; {seen.cause}"
    )
