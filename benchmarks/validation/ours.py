"""Remit's part, in a process of its own. Usage: python -m benchmarks.validation.ours WAY TASK SOURCE TARGET.

`library` calls what the tools call; `door` runs the public agent: governed, journaled on SQLite, with the tools' answers
checked and the rows kept as artifacts. Prints `{"answer": ..., "seconds": ...}`; the seconds are without the start-up.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def library(task: str, source: str, target: str) -> list[Any]:
    """The answer by a plain call."""
    from remit_packs.validation.sources import open_engine

    with open_engine(source, beside=[target]) as left, open_engine(target, beside=[source]) as right:
        if task == "count":
            return [left.count(), right.count()]
        from remit_packs.validation.diff import columns_equal, diff
        from remit_packs.validation.diff.tool import agreements
        from remit_packs.validation.engines.base import Wanted

        agreed = agreements(left, right, ["id"])
        if task == "columns":
            return sorted(name for name, same in columns_equal(left, right, agreed).items() if not same)
        if task == "digests":
            kinds = [
                [Wanted(n, k, a.common) for n, a in agreed.items() for k in [(a.source, a.target)[i]]]
                for i in (0, 1)
            ]
            sides = [e.digests(k, "md5").columns for e, k in zip((left, right), kinds, strict=True)]
            return sorted(n for n, a, b in zip(agreed, *sides, strict=True) if a != b)
        found = diff(left, right, key=["id"], columns=agreed)
        return [found.missing, found.extra, found.changed]


async def door(task: str, source: str, target: str) -> list[Any]:
    """The answer of the public agent."""
    from remit.bootstrap import open_app
    from remit.core.task import Task
    from remit.settings import load
    from remit_packs.validation import pack

    agents: dict[str, tuple[str, dict[str, Any]]] = {
        "count": (
            "record_count_match",
            {"parameters": {"source_table": source, "target_table": target}},
        ),
        "digests": ("compare", {"source": source, "target": target}),
        "diff": ("diff_tables", {"source": source, "target": target, "key": ["id"]}),
    }
    agent, given = agents[task]
    with tempfile.TemporaryDirectory() as folder:
        async with open_app(load({}, directory=Path(folder)), packs=[pack()]) as app:
            payload = (await app.run(Task("bench", agent, input=given))).result_payload
    details = payload.get("details", {})
    if task == "count":
        return [details["expected_count"], details["actual_count"]]
    if task == "digests":
        return sorted(c["column"] for c in payload["columns"] if not c["match"])
    return [details["missing"], details["extra"], details["changed"]]


def main() -> None:
    """Answer once."""
    way, task, source, target = sys.argv[1:]
    started = time.perf_counter()
    if way == "door":
        import asyncio

        answer = asyncio.run(door(task, source, target))
    else:
        answer = library(task, source, target)
    print(json.dumps({"answer": answer, "seconds": time.perf_counter() - started}))


if __name__ == "__main__":
    main()
