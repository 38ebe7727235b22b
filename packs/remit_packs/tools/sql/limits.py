"""How much a question may take."""

from __future__ import annotations

from msgspec import Struct


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """Limits of one query, each of which holds alone.

    `timeout_s` ends it in the engine and, a moment later, from outside. `max_cost` is what the engine may expect before it begins, in its
    own measure: PostgreSQL's planner cost, the rows that MySQL and DuckDB expect to handle, steps of SQLite's virtual machine; None takes
    the engine's default. `max_cell` are the characters of one value that are kept, `max_bytes` those of all rows.
    """

    timeout_s: float = 10.0
    max_rows: int = 200
    max_bytes: int = 40_000
    max_cell: int = 1_000
    max_cost: float | None = None
    max_sql: int = 8_000
    max_tables: int = 16
