"""Validation of data: tables in different engines, what must hold of them, and agents that check it.

A check is a validation type: a file in `checks/`, or one of your own made with `validation_type`. Engines are files in
`engines/`. `compare` and `diff_tables` need no registered table; `validate` runs the rules of registered ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from remit.sdk import Pack
    from remit_packs.validation.checks.data import Data as Data
    from remit_packs.validation.checks.deciding import validation_type as validation_type
    from remit_packs.validation.checks.outcome import CheckError as CheckError
    from remit_packs.validation.checks.outcome import Outcome as Outcome
    from remit_packs.validation.checks.outcome import failed as failed
    from remit_packs.validation.checks.outcome import passed as passed
    from remit_packs.validation.checks.parameters import TableRef as TableRef
    from remit_packs.validation.demo import demo_files as demo_files
    from remit_packs.validation.engines.base import Column as Column
    from remit_packs.validation.engines.base import Filter as Filter
    from remit_packs.validation.engines.base import Measure as Measure
    from remit_packs.validation.engines.base import Wanted as Wanted

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
PLACES = {
    "CheckError": "checks.outcome",
    "Column": "engines.base",
    "Data": "checks.data",
    "Filter": "engines.base",
    "Measure": "engines.base",
    "Outcome": "checks.outcome",
    "TableRef": "checks.parameters",
    "Wanted": "engines.base",
    "demo_files": "demo",
    "failed": "checks.outcome",
    "passed": "checks.outcome",
    "validation_type": "checks.deciding",
}
"""Public names, and the module that each is loaded from."""


def pack(home: Path | str | None = None) -> Pack:
    """The pack. It keeps nothing of its own, so `home` is not used."""
    from remit.sdk import Pack
    from remit_packs.validation.agents import AGENTS
    from remit_packs.validation.agents.offline import INVESTIGATOR_RULES
    from remit_packs.validation.checks import CHECKS
    from remit_packs.validation.compare import compare

    del home
    return Pack(
        "validation",
        description="Checks tables by rules, says exactly what differs, and tells who wants to know.",
        agents=[compare, *CHECKS, *AGENTS],
        rules={"investigator": INVESTIGATOR_RULES},
        policies=[str(PROFILES)],
    )


def __getattr__(name: str) -> Any:
    """Load the public names when they are first used, so that a part of the pack does not load all of it."""
    from importlib import import_module

    if name in PLACES:
        return getattr(import_module(f"{__name__}.{PLACES[name]}"), name)
    raise AttributeError(f"module `{__name__}` has no `{name}`")
