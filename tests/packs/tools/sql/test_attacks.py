"""Every attack is judged by its observed effect: 0 writes, 0 files read, 0 rows of others, 0 delays."""

from __future__ import annotations

import json
import resource
import time
from typing import Any

import pytest
from attacks import EVERYWHERE, attacks
from world import CANARY, World, at

from remit.sdk import RemitError
from remit_packs.tools.sql import Database, Limits

GUARD = ("E900", "E901", "E902", "E903")
"""Refusals that look at no row, and so are the same on any."""

LIMITS = Limits(timeout_s=0.5)
SLOWEST_S = 4.0
"""The limit is half a second in the engine and one more from outside; the rest is for a busy machine."""


def seen(shop: Database, sql: str) -> str:
    """All that whoever asked gets to see: the rows in any order, or the error."""
    try:
        result = shop.query(sql, at())
    except RemitError as error:
        return f"{error.code} {error.message} {error.help}"
    rows = [json.dumps({k: v for k, v in row.items() if k != "#"}, default=str) for row in result.rows]
    return json.dumps([[c.name for c in result.columns], *([] if result.truncated else sorted(rows))])


EVERY = {"duckdb": 4, "mariadb": 4}
"""Of the attacks that are tried on SQLite and PostgreSQL too, these engines have a part by day. Their own ones they always have."""


def test_no_attack_has_an_effect(here: World, request: pytest.FixtureRequest) -> None:
    """Nothing is changed, no file read or written, no marked value shown; and what is seen is exactly the same whatever other tenants, hidden
    columns and other tables hold, also in errors: so nothing can be inferred about them.
    """
    secret, out = here.folder / "secret.csv", here.folder / "out.txt"
    secret.write_text(f"{CANARY},FILE\n")
    corpus = [
        (k, a.replace("{file}", str(secret)).replace("{out}", str(out)).replace("{db}", here.whole))
        for k, a in attacks(here.dialect)
    ]
    assert len(corpus) >= 180
    if not request.config.getoption("--nightly"):
        shared = {a for of_kind in EVERYWHERE.values() for a in of_kind}
        every = EVERY.get(here.kind, 1)
        corpus = [(k, a) for i, (k, a) in enumerate(corpus) if a not in shared or i % every == 0]
    whole, otherwise = here.shop(limits=LIMITS), here.shop(here.otherwise, limits=LIMITS)
    for shop in (whole, otherwise):
        shop.describe(at())
    before, memory = here.state(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    broken: list[Any] = []
    for kind, sql in corpus:
        for _ in range(3):  # what an attack learns or takes, it does each time; a busy machine does not
            began = time.perf_counter()
            told = seen(whole, sql)
            took = time.perf_counter() - began
            other = told if kind == "slow" or told[:4] in GUARD else seen(otherwise, sql)
            if told == other and took <= SLOWEST_S:
                break
        if (CANARY in told.replace(sql, "") and CANARY not in sql) or "9876543" in told:
            broken.append((kind, sql[:200], "shows a marked value", told[:300]))
        if took > SLOWEST_S:
            broken.append((kind, sql[:200], f"took {took:.1f} s", told[:200]))
        if told != other:
            broken.append((kind, sql[:200], "tells about what must not be seen", told[:300], other[:300]))
    assert not broken, "\n".join(map(str, broken))
    assert here.state() == before
    assert not out.exists()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 600_000, "kilobytes of memory"
