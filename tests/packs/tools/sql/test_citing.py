"""Numbers of an answer are linked to cells of results, or reported."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit_packs.tools.sql import check_citations

RESULT: dict[str, Any] = {
    "id": "q1",
    "rows": [
        {"#": "r1", "name": "Ada", "total": 1250.5, "share": 0.1234, "on": "2026-03-09"},
        {"#": "r2", "name": "Ben", "total": 980, "share": -0.5, "on": None},
        {"#": "r3", "name": "Cleo", "total": 2_400_000, "share": 1, "on": "2025-01-01"},
    ],
}


@pytest.mark.parametrize(
    ("answer", "linked"),
    [
        ("Ada spent $1,250.50 [[r1.total]].", ["r1.total"]),
        ("Ada spent 1250.5 and Ben 980.", ["r1.total", "r2.total"]),
        ("About 1,251 [[q1.r1.total]].", ["q1.r1.total"]),
        ("12.3% of it, or 12.34 percent [[r1.share]].", ["r1.share", "r1.share"]),
        ("2.4 million [[r3.total]], so 2.4M, or 2400k.", ["r3.total", "r3.total", "r3.total"]),
        ("It fell by -0.5 [[r2.share]].", ["r2.share"]),
        ("There are 3 customers.", ["q1.row_count"]),
        ("On 2026 [[r1.on]].", ["r1.on"]),
        ("1. Ada\n2. Ben\n3. Cleo", []),
        ("No number at all.", []),
    ],
)
def test_a_number_of_a_cell_is_linked(answer: str, linked: list[str]) -> None:
    """By its citation, or by its value where it has none; rounded as shown, with units, in lists."""
    found = check_citations(answer, [RESULT])
    assert found.sound, found
    assert [c.cell for c in found.linked] == linked


@pytest.mark.parametrize(
    ("answer", "unlinked", "wrong"),
    [
        ("Ada spent 1,250.60.", ["1,250.60"], 0),
        ("Ada spent 1,250.60 [[r1.total]].", [], 1),
        ("Ada spent 980 [[r1.total]].", [], 1),
        ("Ada spent 980 [[r9.total]].", [], 1),
        ("As [[r1.nothing]] shows.", [], 1),
        ("It grew by 17% to 980.", ["17%"], 0),
        ("In all 4,631.", ["4,631"], 0),
    ],
)
def test_a_number_of_no_cell_is_reported(answer: str, unlinked: list[str], wrong: int) -> None:
    """Made up, wrongly added, or cited from a cell that holds something else."""
    found = check_citations(answer, [RESULT])
    assert not found.sound
    assert (found.unlinked, len(found.wrong)) == (unlinked, wrong)


def test_numbers_of_the_question_need_no_cell() -> None:
    """`top 5` may be said again."""
    assert not check_citations("The top 5 are:", [RESULT]).sound
    assert check_citations("The top 5 are:", [RESULT], given="top 5 customers?").sound


def test_with_several_results_a_short_name_must_be_clear() -> None:
    """`r1.total` of two results is no cell; with the result's id it is."""
    other = {"id": "q2", "rows": [{"#": "r1", "total": 7}]}
    assert not check_citations("7 [[r1.total]]", [RESULT, other]).sound
    assert check_citations("7 [[q2.r1.total]]", [RESULT, other]).sound


@given(st.decimals(-(10**9), 10**9, places=2), st.text(max_size=20), st.integers(0, 10**6))
def test_every_cell_is_linked_and_any_text_is_survived(value: Any, text: str, other: int) -> None:
    """A number written as it stands in its cell is always linked to it; whatever else the answer holds raises nothing."""
    result = {"id": "q", "rows": [{"#": "r1", "x": float(value)}]}
    assert check_citations(f"It is {value} [[r1.x]] here.", [result]).sound
    check_citations(f"{text} {other} [[{text}]] {text}", [result])
