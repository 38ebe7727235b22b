"""Data validation: what is checked, by which rule, and what came of it (V1-V6). Times are Unix milliseconds."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

ValidationStatus = Literal["PASSED", "FAILED", "ERROR"]
"""`FAILED`: the data was read and does not hold. `ERROR`: it could not be decided, which is never a pass."""

TriggeredBy = Literal["scheduler", "api", "cli", "event"]


class Table(Struct, frozen=True, forbid_unknown_fields=True):
    """A registered table (V1). `location` may name secrets as `${secret:NAME}`; it never holds one.

    `source` names the engine (`file`, `s3`, `sqlite`, `postgres`, `mysql`, `duckdb`, `athena`, `snowflake`, `bigquery`,
    `redshift`), `format` is `parquet`, `csv`, `json` or `table`. `schedule` is the default of its validations.
    """

    table_id: str
    source: str
    location: str
    format: str = "table"
    partition_key: str = ""
    owner: str = ""
    active: bool = True
    schedule: str = ""
    created_at: int = 0


class ValidationType(Struct, frozen=True, forbid_unknown_fields=True):
    """A kind of check (V2). `parameters` is a JSON Schema of an object; `agent` runs it."""

    validation_type: str
    description: str
    agent: str
    parameters: dict[str, Any]


class TableValidation(Struct, frozen=True, forbid_unknown_fields=True):
    """One version of one rule about one table (V3). At most one version of a `config_id` is active."""

    table_id: str
    config_id: str
    version: int
    validation_type: str
    parameters: dict[str, Any]
    enabled: bool = True
    schedule: str = ""
    status: Literal["active", "archived", "draft"] = "active"
    comment: str = ""
    change_author: str = ""
    change_reason: str = ""
    created_at: int = 0
    updated_at: int = 0


class ValidationRun(Struct, frozen=True, forbid_unknown_fields=True):
    """One execution of one version of a rule (V6). `agent_run` is the Remit run that did it, `artifacts` what it kept."""

    run_id: str
    table_id: str
    config_id: str
    version: int
    validation_type: str
    status: ValidationStatus
    details: dict[str, Any]
    triggered_by: TriggeredBy
    timestamp: int
    agent_run: str = ""
    artifacts: tuple[str, ...] = ()
    duration_ms: int = 0


class Score(Struct, frozen=True):
    """A scorecard line (V11) of a table or an owner: the pass rate in per cent of the last runs, and how it moved.

    `history` holds pass rates per day, oldest first; `trend` is the last day's rate less the mean of the days before.
    ERROR counts as not passed. `pass_rate` is None when nothing ran. `last_ts` is when it was checked last within them,
    `owner` whose a table is where that was asked.
    """

    subject: str
    kind: Literal["table", "owner"]
    runs: int
    passed: int
    failed: int
    errors: int
    pass_rate: float | None
    trend: float | None
    history: tuple[tuple[str, float], ...] = ()
    failing: tuple[str, ...] = ()
    last_ts: int | None = None
    owner: str = ""
