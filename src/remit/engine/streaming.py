"""Tokens on their way out: nothing is told that has not been looked through for secrets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from remit.ports.model import Delta


class CleanStream:
    """Passes deltas on word by word, redacted: a secret cut in two by the stream is whole again before it is looked at."""

    def __init__(self, clean: Callable[[Any], Any], publish: Callable[[Delta], None]) -> None:
        self._clean = clean
        self._publish = publish
        self._kind: Any = "text"
        self._held = ""

    def __call__(self, delta: Delta) -> None:
        """Take a piece in; tell the words that are complete."""
        if delta.kind != self._kind:
            self.end()
            self._kind = delta.kind
        self._held += delta.text
        cut = max(self._held.rfind(" "), self._held.rfind("\n")) + 1
        if cut:
            self._tell(self._held[:cut])
            self._held = self._held[cut:]

    def end(self) -> None:
        """Tell what is left."""
        if self._held:
            self._tell(self._held)
        self._held = ""

    def _tell(self, text: str) -> None:
        self._publish(Delta(self._kind, self._clean(text)))
