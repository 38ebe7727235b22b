"""What tools ask of a secrets store."""

from __future__ import annotations

from typing import Protocol


class Secrets(Protocol):
    """Named secrets. Their values never reach a prompt, journal, log, trace or error."""

    def get(self, name: str) -> str:
        """The value. Raises ConfigError that names the secret and where it was looked for."""

    def known(self) -> tuple[str, ...]:
        """Every value handed out so far, so that it can be redacted wherever it turns up."""
