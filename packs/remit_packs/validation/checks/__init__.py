"""The built-in validation types (V2, V12): a file each."""

from __future__ import annotations

from remit_packs.validation.checks.aggregate_match import aggregate_match
from remit_packs.validation.checks.column_hash_match import column_hash_match
from remit_packs.validation.checks.custom_sql import custom_sql
from remit_packs.validation.checks.freshness import freshness
from remit_packs.validation.checks.null_rate import null_rate
from remit_packs.validation.checks.record_count_match import record_count_match
from remit_packs.validation.checks.referential_integrity import referential_integrity
from remit_packs.validation.checks.row_diff import row_diff
from remit_packs.validation.checks.schema_match import schema_match
from remit_packs.validation.checks.uniqueness import uniqueness
from remit_packs.validation.checks.value_range import value_range
from remit_packs.validation.checks.value_regex import value_regex
from remit_packs.validation.checks.value_set import value_set

CHECKS = (
    record_count_match,
    column_hash_match,
    schema_match,
    null_rate,
    uniqueness,
    freshness,
    value_range,
    value_set,
    value_regex,
    referential_integrity,
    row_diff,
    aggregate_match,
    custom_sql,
)
