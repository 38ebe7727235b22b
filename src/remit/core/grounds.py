"""What a call rests on: the passages that it names, held against those that its run has retrieved.

A citation counts where a tool that brings some (tag `cites`) said it of trusted content in this very run. What a model makes up, what
untrusted content claims, what another run has read and what agents have noted themselves do not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from remit.core import citation
from remit.core.errors import InputError
from remit.core.message import Message
from remit.core.roles import texts_of
from remit.core.run import Run

CITES = "cites"
"""The tag of a tool whose answer has fields `citation`, each beside a `trust`."""

_BEFORE, _AFTER = r"(?<![\w:#/-])", r"(?![\w#/-])"
_OF_DOCUMENTS = re.compile(rf"{_BEFORE}doc:[A-Za-z0-9._-]+#\d+-\d+{_AFTER}")
_SHORTEST = 4
_DEEP = 20

Tags = Callable[[str], tuple[str, ...]]
"""The tags of a tool by its name; none for one that is gone."""


def cited(run: Run, arguments: Mapping[str, Any], tags: Tags) -> bool:
    """Whether a call names a passage of trusted content that its run has retrieved, and nothing that it has not.

    It may do so in any of its arguments, or in the text of the model that asks for it.
    """
    text = "\n".join([*texts_of(arguments, names=False), _said(run)])
    known = set(_retrieved(run, tags))
    named = {name for name in known if re.search(_BEFORE + re.escape(name) + _AFTER, text)}
    spans = [span for span in map(_span, known) if span is not None]
    others = set(_OF_DOCUMENTS.findall(text)) - known
    return bool(named or others) and all(_inside(name, spans) for name in others)


def _said(run: Run) -> str:
    """What the model said when it last asked for something."""
    for step in reversed(run.steps.values()):
        if step.kind == "model":
            return step.output.text if isinstance(step.output, Message) else ""
    return ""


def _retrieved(run: Run, tags: Tags) -> Iterator[str]:
    """The citations of trusted content that this run's own calls have brought."""
    for step in run.steps.values():
        if step.kind == "tool" and step.state == "done" and CITES in tags(step.name):
            trust = step.label.trust if step.label is not None else "trusted"
            yield from _citations(step.output, trust, _DEEP)


def _citations(value: Any, trust: str, depth: int) -> Iterator[str]:
    if depth <= 0:
        return
    if isinstance(value, Mapping):
        trust = value.get("trust", trust)
        found = value.get("citation")
        if isinstance(found, str) and len(found) >= _SHORTEST and trust == "trusted":
            yield found
        for inner in value.values():
            yield from _citations(inner, trust, depth - 1)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _citations(inner, trust, depth - 1)


def _span(name: str) -> citation.Citation | None:
    try:
        return citation.parse(name)
    except InputError:
        return None


def _inside(name: str, spans: list[citation.Citation]) -> bool:
    """Whether these are some of the characters that were retrieved."""
    one = _span(name)
    return one is not None and any(
        one.document_id == other.document_id and other.start <= one.start < one.end <= other.end
        for other in spans
    )
