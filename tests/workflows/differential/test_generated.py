"""Documents that nobody wrote give the same on our interpreter and on the emulator."""

from __future__ import annotations

import asyncio
import functools
import random

import msgspec
import pytest
from tests.workflows.differential.cases import Case, Seen, text
from tests.workflows.differential.compare import disagreement, result
from tests.workflows.differential.engines.emulator import Emulator
from tests.workflows.differential.engines.ours import Ours
from tests.workflows.differential.generate import documents
from tests.workflows.differential.services import emulator_url

pytestmark = pytest.mark.service

COUNT, NIGHTLY = 150, 1_000
SEED = 20_261_121


@functools.cache
def by_day() -> list[Case]:
    """The documents of every day: making them takes as long as running them."""
    return documents(COUNT, SEED)


def test_documents_made_up_with_one_seed_give_the_same() -> None:
    """The same documents each time: what fails here fails again."""
    made = by_day()
    assert len(made) == COUNT
    assert _differences(made) == []


@pytest.mark.nightly
def test_documents_made_up_anew_give_the_same() -> None:
    """New documents each night; the seed is told."""
    seed = random.SystemRandom().randrange(1 << 32)
    assert _differences(documents(NIGHTLY, seed)) == [], f"seed {seed}"


def test_documents_made_up_are_worth_running() -> None:
    """Both query languages, every type of state, and runs that fail as well as runs that end well."""
    made = by_day()
    written = text([case.document for case in made])
    kinds = ("Pass", "Task", "Choice", "Wait", "Parallel", "Map", "Succeed", "Fail")
    assert [kind for kind in kinds if f'"Type": "{kind}"' not in written] == []
    in_jsonata = sum("QueryLanguage" in case.document for case in made)
    assert COUNT / 4 < in_jsonata < COUNT * 3 / 4


def _differences(cases: list[Case]) -> list[str]:
    ours, theirs = asyncio.run(_both(cases))
    told = []
    for case, mine, other in zip(cases, ours, theirs, strict=True):
        wanted = msgspec.structs.replace(case, output=mine.output, error=mine.error, path=mine.path)
        if gives := disagreement(wanted, other, nested=False):
            told.append(
                f"ours {result(mine)} by {mine.path}; the emulator {gives}: {text(case.document)} {text(case.input)}"
            )
    return told


async def _both(cases: list[Case]) -> tuple[list[Seen], list[Seen]]:
    return await Ours().run(cases), await Emulator(emulator_url()).run(cases)
