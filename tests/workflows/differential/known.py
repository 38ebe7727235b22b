"""Where an engine is known to give something else than AWS documents: `known/ENGINE.yaml`, grouped by the reason."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec
import yaml
from msgspec import Struct

KNOWN = Path(__file__).parent / "known"
ENGINES = ("remit", "emulator", "moto")


class Reason(Struct, frozen=True, forbid_unknown_fields=True):
    """Why an engine differs, in one sentence, and what it gives instead for each case."""

    because: str
    gives: dict[str, str]


@cache
def reasons(engine: str) -> list[Reason]:
    return msgspec.convert(yaml.safe_load((KNOWN / f"{engine}.yaml").read_text()), list[Reason])


@cache
def known(engine: str) -> dict[str, str]:
    """What an engine gives instead, by case; no case has two reasons."""
    groups = reasons(engine)
    cases = {case: gives for reason in groups for case, gives in reason.gives.items()}
    assert len(cases) == sum(len(reason.gives) for reason in groups), f"{engine}: a case has two reasons"
    return cases
