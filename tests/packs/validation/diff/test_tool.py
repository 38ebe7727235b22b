"""`diff_rows` answers with counts and names only; rows are in its artifacts."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from stores import Store

from remit.core.task import Actor
from remit.ports.agents import Kept, ToolContext
from remit.sdk import ToolError
from remit_packs.validation.diff.tool import diff_rows

Called = Callable[..., Any]


@pytest.fixture
def call() -> Called:
    async def run(
        source: str, target: str, key: list[str], **more: Any
    ) -> tuple[dict[str, Any], dict[str, Kept]]:
        context = ToolContext("r", "s", "local", Actor(), "a", "k", 1, None, None)  # type: ignore[arg-type]
        arguments = {"source": source, "target": target, "key": key, **more}
        answer = await diff_rows.call(arguments, context)
        return answer, {kept.name: kept for kept in context.kept}

    return run


async def test_rows_are_kept_and_not_told(store: Callable[[str], Store], call: Called) -> None:
    a = store("parquet").write({"k": ("integer", [1, 2, 3]), "v": ("string", ["secret", None, "z"])})
    b = store("csv").write({"k": ("integer", [1, 2, 4]), "v": ("string", ["hidden", "", "z"])})
    answer, kept = await call(a, b, ["k"])
    assert "secret" not in json.dumps(answer)
    assert (answer["missing"], answer["extra"], answer["changed"]) == (1, 1, 2)
    assert answer["changed_columns"] == [{"column": "v", "rows": 2}]
    lines = [json.loads(line) for line in kept["differences.jsonl"].data.splitlines()]
    assert lines == [
        {"key": {"k": "1"}, "change": "changed", "columns": {"v": ["secret", "hidden"]}},
        {"key": {"k": "2"}, "change": "changed", "columns": {"v": [None, ""]}},
        {"key": {"k": "3"}, "change": "missing"},
        {"key": {"k": "4"}, "change": "extra"},
    ]
    rows = list(csv.reader(io.StringIO(kept["differences.csv"].data.decode())))
    assert rows[0] == ["k", "change", "column", "source", "target"]
    assert rows[1] == ["1", "changed", "v", "secret", "hidden"]
    assert len(answer["artifacts"]) == 2
    assert diff_rows.spec.trust == "trusted"


async def test_equal_tables_keep_nothing(store: Callable[[str], Store], call: Called) -> None:
    a = store("parquet").write({"k": ("integer", [1])})
    answer, kept = await call(a, a, ["k"])
    assert (answer["equal"], answer["artifacts"], kept) == (True, [], {})


async def test_duplicate_keys_are_kept_as_examples_and_nothing_is_decided(
    store: Callable[[str], Store], call: Called
) -> None:
    from remit_packs.validation.checks.differing import differences

    a = store("parquet").write({"k": ("string", ["secret", "secret", None])})
    answer, kept = await call(a, a, ["k"])
    assert (answer["equal"], answer["decided"], answer["source_null_keys"]) == (False, False, 1)
    assert answer["source_duplicates"] == {"keys": 1, "rows": 2}
    assert "secret" not in json.dumps(answer)
    line = json.loads(kept["duplicate_keys.jsonl"].data.splitlines()[0])
    assert line == {"key": {"k": "secret"}, "side": "source", "rows": 2}
    with pytest.raises(
        ToolError, match="1 keys stand in 2 rows of the source; 1 rows of the source have NULL"
    ):
        differences(answer)


async def test_only_the_first_rows_are_kept(store: Callable[[str], Store], call: Called) -> None:
    a = store("parquet").write({"k": ("integer", list(range(20)))})
    b = store("parquet").write({"k": ("integer", [])})
    answer, kept = await call(a, b, ["k"], limit=3)
    assert answer["missing"] == 20
    keys = [msgspec.json.decode(line)["key"]["k"] for line in kept["differences.jsonl"].data.splitlines()]
    assert keys == ["0", "1", "2"]
