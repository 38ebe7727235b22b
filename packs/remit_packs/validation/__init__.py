"""Validation of data: tables in different engines, what must hold of them, and agents that check it.

A check is a validation type: a file in `checks/`, or one of your own made with `validation_type`. Engines are files in
`engines/`. `compare` and `diff_tables` need no registered table; `validate` runs the rules of registered ones.
"""

from __future__ import annotations

from pathlib import Path

from remit.sdk import Pack
from remit_packs.validation.agents import AGENTS
from remit_packs.validation.agents.offline import INVESTIGATOR_RULES
from remit_packs.validation.checks import CHECKS
from remit_packs.validation.checks.data import Data
from remit_packs.validation.checks.deciding import validation_type
from remit_packs.validation.checks.outcome import CheckError, Outcome, failed, passed
from remit_packs.validation.checks.parameters import TableRef
from remit_packs.validation.compare import compare
from remit_packs.validation.demo import demo_files
from remit_packs.validation.engines.base import Column, Filter, Measure, Wanted

__all__ = [
    "CheckError",
    "Column",
    "Data",
    "Filter",
    "Measure",
    "Outcome",
    "TableRef",
    "Wanted",
    "demo_files",
    "failed",
    "pack",
    "passed",
    "validation_type",
]

PROFILES = Path(__file__).parent / "policies"


def pack(home: Path | str | None = None) -> Pack:
    """The pack. It keeps nothing of its own, so `home` is not used."""
    del home
    return Pack(
        "validation",
        description="Checks tables by rules, says exactly what differs, and tells who wants to know.",
        agents=[compare, *CHECKS, *AGENTS],
        rules={"investigator": INVESTIGATOR_RULES},
        policies=[str(PROFILES)],
    )
