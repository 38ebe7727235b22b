"""Where content came from, how far it is trusted and how sensitive it is; the run's labels are a fold of these."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

Trust = Literal["trusted", "untrusted"]
Sensitivity = Literal["public", "internal", "private", "secret"]

_ORDER: tuple[Sensitivity, ...] = ("public", "internal", "private", "secret")


class Label(Struct, frozen=True):
    """The provenance of one piece of content. `source` is a URI-like name, e.g. `tool:lookup_order`, `user`."""

    source: str
    trust: Trust = "trusted"
    sensitivity: Sensitivity = "internal"


class Labels(Struct, frozen=True):
    """The labels of a run: what it has read so far.

    `untrusted` and `sensitivity` only rise. Together with an outward action they are the three legs of the
    "Rule of Two" (Meta, 2025): untrusted input, private data, and a change of state or communication outwards.
    """

    untrusted: bool = False
    sensitivity: Sensitivity = "public"

    @property
    def private(self) -> bool:
        """Whether the run holds private or secret content."""
        return _ORDER.index(self.sensitivity) >= _ORDER.index("private")


def join(labels: Labels, label: Label) -> Labels:
    """The run's labels after reading content labelled `label`. Never falls."""
    untrusted = labels.untrusted or label.trust == "untrusted"
    sensitivity = max(labels.sensitivity, label.sensitivity, key=_ORDER.index)
    if untrusted == labels.untrusted and sensitivity == labels.sensitivity:
        return labels
    return Labels(untrusted, sensitivity)


def covering(label: Label, read: Iterable[Label]) -> Label:
    """The label of an answer made of what was read: of `label`'s source, trusted only if all of it is, as sensitive as any."""
    joined = Labels(label.trust == "untrusted", label.sensitivity)
    for each in read:
        joined = join(joined, each)
    return Label(label.source, "untrusted" if joined.untrusted else "trusted", joined.sensitivity)


def merge(labels: Labels, other: Labels) -> Labels:
    """The labels of somebody who read what both runs read (a parent after its child answered)."""
    return join(labels, Label("run", "untrusted" if other.untrusted else "trusted", other.sensitivity))
