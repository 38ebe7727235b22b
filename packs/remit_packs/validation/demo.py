"""Two small files for a first look: the same 1,000 orders, but for three amounts."""

from __future__ import annotations

from pathlib import Path

_ROWS = """
SELECT 100001 + i AS order_id, 'customer ' || (i * 7919 % 400) AS customer, (1999 + i * 37 % 9000)::decimal(12,2) / 100 AS amount,
  date '2026-01-01' + (i % 300)::integer AS ordered_on, CASE WHEN i % 9 = 0 THEN NULL WHEN i % 9 = 1 THEN '' ELSE 'ok, "fine"' END AS note
FROM range(1000) numbers(i)
"""


def demo_files(directory: Path | str) -> tuple[Path, Path]:
    """Write `a.parquet` and `b.csv` into `directory`; they differ in the column `amount`, in three rows."""
    import duckdb  # only now: loading a pack should cost nothing that is not used

    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    left, right = folder / "a.parquet", folder / "b.csv"
    with duckdb.connect(":memory:") as connection:
        connection.execute(
            f"CREATE TABLE a AS SELECT * REPLACE (amount::decimal(12,2) AS amount) FROM ({_ROWS})"
        )
        connection.table("a").write_parquet(str(left))
        connection.execute("UPDATE a SET amount = amount + 0.01 WHERE order_id IN (100018, 100500, 100999)")
        rows = connection.execute("SELECT * FROM a ORDER BY order_id DESC").fetchall()
        names = [column[0] for column in connection.description or ()]
    lines = [",".join(names), *(",".join(_field(value) for value in row) for row in rows)]
    right.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return left, right


def _field(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return '"' + value.replace('"', '""') + '"'
    return str(value)
