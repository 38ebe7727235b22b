"""Profiles that are data, as a registry keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from remit.adapters.policy.checks import check
from remit.adapters.policy.fields import FIELDS, LIMITS, check_cost, extended, typed
from remit.core.errors import ConfigError
from remit.core.policy import Profile

_TOML, _CEDAR = Path("profile.toml"), Path("policy.cedar")
_TYPES = {name: type_ for name, type_ in FIELDS.items() if name != "name"}


def profile_of(name: str, fields: Mapping[str, Any], cedar: str, bases: Mapping[str, Profile]) -> Profile:
    """The profile of the fields of a `profile.toml` but its name, and the text of its `policy.cedar`.

    `bases` are the profiles it may extend. Raises ConfigError E220 that lists everything wrong, as `file:line: sentence`.
    """
    problems: list[str] = []
    given = typed(_TOML, "", dict(fields), _TYPES, problems)
    limits = typed(_TOML, "", given.pop("budget", {}), LIMITS, problems)
    check_cost(_TOML, "", limits, problems)
    found, ids = check(cedar)
    problems.extend(f"{_CEDAR}:{problem.line}: {problem.text}" for problem in found)
    base = _base(given.pop("extends", ""), ids, bases, problems)
    if problems:
        raise ConfigError("; ".join(problems), code="E220", help="correct what is named and try again")
    return extended(base, name, given, limits, cedar)


def _base(
    name: str, ids: tuple[str, ...], bases: Mapping[str, Profile], problems: list[str]
) -> Profile | None:
    if not name:
        return None
    if name not in bases:
        known = ", ".join(f"`{known}`" for known in sorted(bases)) or "none"
        problems.append(
            f"{_TOML}:1: `extends` names `{name}`, which is no profile of a folder; there are {known}"
        )
        return None
    _, taken = check(bases[name].cedar)
    twice = sorted(set(ids).intersection(taken))
    problems.extend(f"{_CEDAR}:1: `@id({id_})` is used in `{name}` too" for id_ in twice)
    return bases[name]
