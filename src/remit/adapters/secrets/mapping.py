"""Secrets from a mapping that settings filled (`REMIT_SECRET_NAME` variables)."""

from __future__ import annotations

from collections.abc import Mapping

from remit.core.errors import ConfigError


class MappingSecrets:
    """Secrets by lower-case name."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)
        self._known = tuple(self._values.values())

    def get(self, name: str) -> str:
        """The value. Raises ConfigError."""
        value = self._values.get(name.lower())
        if value is None:
            raise ConfigError(
                f"secret `{name}` is not set",
                code="E250",
                help=f"set REMIT_SECRET_{name.upper()} in the environment",
            )
        return value

    def known(self) -> tuple[str, ...]:
        """Every value, so that each is redacted wherever it turns up."""
        return self._known
