"""Checks of what a Task calls: that its Resource means something, and that this exists here."""

from __future__ import annotations

from typing import Any

from remit.core.states.report import Here, listed, nearest, shown
from remit.core.states.resources import parse

FORMS = (
    "`remit:agent:NAME`, `remit:tool:NAME`, `remit:gate:NAME`, `remit:event:TYPE`, `remit:workflow:NAME`, "
    "`remit:activity:NAME`, or an ARN of a Lambda function, an activity or a service integration"
)


def resource(here: Here, value: Any) -> None:
    """A URI or ARN that Remit understands; what it names exists, where the names of its kind are known."""
    found = parse(value) if isinstance(value, str) else None
    if found is None:
        here.problem(f"`Resource` cannot be {shown(value)}", f"write {FORMS}")
        return
    names = here.report.known.get(found.kind)
    if names is not None and found.name not in names:
        _missing(here, found.kind, found.name, sorted(names))


def _missing(here: Here, kind: str, name: str, names: list[str]) -> None:
    what = {"lambda": "Lambda function", "service": "service integration"}.get(kind, kind)
    meant = nearest(name, names)
    help = f"did you mean `{meant}`?" if meant else f"known here: {listed(names, 20)}"
    here.problem(f"there is no {what} `{name}`", help)
