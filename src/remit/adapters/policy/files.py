"""Profiles are files: a directory with `policy.cedar` and `profile.toml`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, NamedTuple

from msgspec.structs import replace

from remit.adapters.policy.cedar import profile_digest
from remit.adapters.policy.checks import check
from remit.adapters.policy.fields import FIELDS, LIMITS, check_cost, extended, typed
from remit.core.errors import ConfigError
from remit.core.policy import Profile


class _Draft(NamedTuple):
    """A profile as its own directory says it, before what it extends is added."""

    path: Path
    name: str
    extends: str
    fields: dict[str, Any]
    limits: dict[str, Any]
    cedar: str
    ids: tuple[str, ...]


def load_profiles(dirs: Iterable[Path | str] = (), *, packaged: bool = True) -> dict[str, Profile]:
    """Every profile under `dirs`, each a profile's directory or a directory of them, and the packaged ones.

    A profile of yours replaces a packaged one of the same name. One that `extends` another holds its policies as
    well, so it can only add; the fields and limits it sets replace the other's. Raises ConfigError E220 that
    lists everything wrong, as `file:line: sentence`.
    """
    problems: list[str] = []
    drafts: dict[str, _Draft] = {}
    if packaged:
        with as_file(files("remit") / "data" / "policy") as root:
            drafts.update(_drafts([Path(root)], problems))
    drafts.update(_drafts([Path(directory) for directory in dirs], problems))
    if not problems:
        _check_chains(drafts, problems)
    if problems:
        raise ConfigError("\n".join(problems), code="E220", help="correct the lines named and load again")
    profiles: dict[str, Profile] = {}
    for name in drafts:
        _build(name, drafts, profiles)
    return profiles


def _drafts(dirs: list[Path], problems: list[str]) -> dict[str, _Draft]:
    drafts: dict[str, _Draft] = {}
    for directory in dirs:
        found = _homes(directory)
        if not found:
            problems.append(
                f"{directory}:1: the directory holds no `profile.toml`, nor does one right under it"
            )
        for home in found:
            draft = _draft(home, problems)
            if draft.name in drafts:
                first = drafts[draft.name].path / "profile.toml"
                problems.append(f"{home / 'profile.toml'}:1: profile `{draft.name}` is already in `{first}`")
            drafts[draft.name] = draft
    return drafts


def _homes(directory: Path) -> list[Path]:
    if (directory / "profile.toml").is_file():
        return [directory]
    return sorted(path.parent for path in directory.glob("*/profile.toml"))


def _draft(home: Path, problems: list[str]) -> _Draft:
    fields, limits = _settings(home / "profile.toml", problems)
    path = home / "policy.cedar"
    cedar = _read(path, problems)
    found, ids = check(cedar)
    problems.extend(f"{path}:{problem.line}: {problem.text}" for problem in found)
    name, extends = fields.pop("name", home.name), fields.pop("extends", "")
    return _Draft(home, name, extends, fields, limits, cedar, ids)


def _read(path: Path, problems: list[str]) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{path}:1: the file cannot be read: {error}")
        return ""


def _settings(path: Path, problems: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The typed fields and budget limits of a `profile.toml`; what is wrong goes to `problems`."""
    text = _read(path, problems)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        at = line.group(1) if line else str(text.count("\n") + 1)
        problems.append(f"{path}:{at}: not valid TOML: {error}")
        return {}, {}
    if "name" not in data:
        problems.append(f"{path}:1: `name` is missing")
    fields = typed(path, text, data, FIELDS, problems)
    limits = typed(path, text, fields.pop("budget", {}), LIMITS, problems)
    check_cost(path, text, limits, problems)
    return fields, limits


def _check_chains(drafts: dict[str, _Draft], problems: list[str]) -> None:
    """That what is extended exists, in no circle, and that no `@id` occurs twice along a chain."""
    for draft in drafts.values():
        path, seen, ids = draft.path / "profile.toml", [draft.name], set(draft.ids)
        at = draft
        while at.extends:
            if at.extends in seen:
                problems.append(f"{path}:1: `extends` goes in a circle: {' -> '.join([*seen, at.extends])}")
                break
            if at.extends not in drafts:
                problems.append(f"{path}:1: `extends` names `{at.extends}`, which is not a profile")
                break
            at = drafts[at.extends]
            seen.append(at.name)
            twice = ids.intersection(at.ids)
            problems.extend(
                f"{draft.path / 'policy.cedar'}:1: `@id({id_})` is used in `{at.name}` too"
                for id_ in sorted(twice)
            )
            ids.update(at.ids)


def _build(name: str, drafts: dict[str, _Draft], done: dict[str, Profile]) -> Profile:
    """The profile with all that it extends; `done` remembers those built before."""
    if name in done:
        return done[name]
    draft = drafts[name]
    base = _build(draft.extends, drafts, done) if draft.extends else None
    profile = extended(base, name, draft.fields, draft.limits, draft.cedar)
    done[name] = replace(profile, digest=profile_digest(profile))
    return done[name]
