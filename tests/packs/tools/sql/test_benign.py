"""Honest questions are never refused, and the rules change nothing but whose rows are seen."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from benign import OWN, questions
from world import World, at

from remit.sdk import RemitError
from remit_packs.tools.sql.result import shown

EVERY = {"postgres": 4, "duckdb": 12, "mariadb": 12}
"""Beside SQLite, engines are asked a part of the common questions by day, and all at night."""


def test_no_question_of_an_analyst_is_refused_and_each_answer_is_the_engines_own(
    here: World, request: pytest.FixtureRequest
) -> None:
    """At least 200 queries per engine: what a tenant gets of the whole database is what the engine, with no guard, answers on a copy that
    holds the tenant's rows only.
    """
    asked = questions(here.dialect)
    assert len(asked) >= 200
    if not request.config.getoption("--nightly"):
        asked = [q for i, q in enumerate(asked) if i % EVERY.get(here.kind, 1) == 0 or q in OWN[here.dialect]]
    shop = here.shop()
    wrong = []
    for sql in asked:
        try:
            result = shop.query(sql, at())
        except RemitError as error:
            wrong.append(f"{sql}\n    refused: {error}")
            continue
        answered = [[row[c.name] for c in result.columns] for row in result.rows]
        engines_own = [list(row) for row in here.unguarded(sql)[:200]]
        if not _same(answered, engines_own, ordered="ORDER BY" in sql.upper()):
            wrong.append(f"{sql}\n    {result.sql}\n    {answered[:3]}\n    {engines_own[:3]}")
    assert not wrong, "\n".join([f"{len(wrong)} of {len(asked)}", *wrong])


def _same(left: list[list[Any]], right: list[list[Any]], ordered: bool) -> bool:
    first, second = [[_plain(v) for v in row] for row in left], [[_plain(v) for v in row] for row in right]
    if not ordered:
        first, second = sorted(first, key=repr), sorted(second, key=repr)
    return len(first) == len(second) and all(
        len(a) == len(b) and all(map(_equal, a, b)) for a, b in zip(first, second, strict=True)
    )


def _plain(value: Any) -> Any:
    plain = shown(value, 1_000)[0]
    if isinstance(plain, list) or str(plain)[:1] in ("{", "["):  # a list comes as a text of its engine's own
        return sorted(re.findall(r"\w+", str(plain)))
    return str(plain).replace("T", " ").removesuffix(" 00:00:00") if isinstance(plain, str) else plain


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, int | float) and isinstance(right, int | float):
        return math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-6)
    return bool(left == right)
