"""What the engine asks of policy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from remit.core.policy import Decision, PolicyMistake, PolicyRequest, Profile


class Policy(Protocol):
    """Answers policy requests; pure, fast and without I/O once profiles are loaded. Default deny."""

    def decide(self, request: PolicyRequest) -> Decision:
        """The decision with reasons. Denied, but allowed with `context.approved`, means `needs_approval`.

        An error inside the engine is a deny that says so. Raises ConfigError for an unknown profile.
        """

    def profile(self, name: str) -> Profile:
        """A loaded profile. Raises ConfigError that lists the known ones."""

    def profiles(self) -> tuple[str, ...]:
        """Names of the loaded profiles."""

    def check(self, cedar: str) -> tuple[PolicyMistake, ...]:
        """Everything wrong with a text of policies, in order; nothing for one that could be a profile's. Fast enough as one types."""

    def check_profile(self, fields: Mapping[str, Any], cedar: str) -> None:
        """Raise ConfigError E220 for what `add` would not take; nothing is kept."""

    def schema(self) -> str:
        """The text of the schema that policies are written against."""

    def add(self, name: str, fields: Mapping[str, Any], cedar: str) -> str:
        """Take in a profile that is data; returns what requests and `profile` name it by from now on.

        `fields` are those of a `profile.toml` but the name; what it `extends` is a loaded profile. The same again costs
        next to nothing. One that was long not asked for may be forgotten: add it again. Raises ConfigError E220.
        """
