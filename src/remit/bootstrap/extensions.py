"""Extensions of other distributions, by entry points: nothing of them is imported until one is named."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from remit.core.errors import ConfigError, RemitError
from remit.core.finding import Finding
from remit.core.redaction import Redactor
from remit.ports.clock import Clock
from remit.ports.extension import Opening
from remit.ports.model import Model
from remit.ports.secrets import Secrets
from remit.settings import Settings

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Group = Literal["remit.models", "remit.stores", "remit.vectors", "remit.packs"]
Made = TypeVar("Made")

KINDS: Mapping[Group, str] = {
    "remit.models": "model provider",
    "remit.stores": "store",
    "remit.vectors": "store of vectors",
    "remit.packs": "pack",
}
"""The groups of entry points, and what each of their entries is."""

OWN: Mapping[Group, frozenset[str]] = {
    "remit.models": frozenset({"rules", "bedrock", "anthropic", "openai"}),
    "remit.stores": frozenset({"memory", "sqlite", "postgres", "postgresql", "redis", "rediss", "dynamodb"}),
    "remit.vectors": frozenset({"local", "usearch", "postgres", "postgresql"}),
    "remit.packs": frozenset({"assistant", "platforms", "support", "team", "tools", "validation"}),
}
"""Remit's own names, which no entry replaces."""


def find(group: Group, name: str) -> EntryPoint | None:
    """The entry of a name; None where no distribution has one. Raises ConfigError E1161 where several have."""
    found = [point for point in _entries(group) if point.name == name]
    if len(found) > 1:
        raise ConfigError(
            f"the {KINDS[group]} `{name}` is of several distributions: {', '.join(map(brought_by, found))}",
            code="E1161",
            help="uninstall all of them but one",
        )
    return found[0] if found else None


def names(group: Group) -> list[str]:
    """What the distributions that are installed bring, without importing any of it."""
    return sorted({point.name for point in _entries(group)} - OWN[group])


def load(group: Group, point: EntryPoint) -> Any:
    """What an entry names. Raises ConfigError E1160 that names the distribution."""
    try:
        return point.load()
    except Exception as error:
        raise _broken(group, point, f"{type(error).__name__}: {error}") from error


def opened(
    group: Group, name: str, port: type[Made], url: str, settings: Settings, clock: Clock, secrets: Secrets
) -> Made | None:
    """What the function behind an entry makes; None where there is no entry of that name. Raises ConfigError E1160 to E1162."""
    point = find(group, name)
    return None if point is None else _made(group, point, port, url, settings, clock, secrets)


class Providers(Mapping[str, Model | Callable[[], Model]]):
    """The model providers that are given, and behind them those of other distributions, each looked for when it is named."""

    def __init__(
        self,
        given: Mapping[str, Model | Callable[[], Model]],
        settings: Settings,
        clock: Clock,
        secrets: Secrets,
    ) -> None:
        self._given = dict(given)
        self._opened_with = (settings, clock, secrets)

    def __getitem__(self, name: str) -> Model | Callable[[], Model]:
        if name not in self._given:
            point = find("remit.models", name)
            if point is None:
                raise KeyError(name)
            port: type[Model] = Model  # type: ignore[type-abstract]
            self._given[name] = functools.partial(_made, "remit.models", point, port, "", *self._opened_with)
        return self._given[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._given, **dict.fromkeys(names("remit.models"))})

    def __len__(self) -> int:
        return len(list(iter(self)))


def extensions(settings: Settings) -> Iterator[Finding]:
    """Every entry there is, one finding each; those that the settings name are loaded, the others are not."""
    named = _named(settings)
    for group, kind in KINDS.items():
        for name in sorted({point.name for point in _entries(group)}):
            check = f"{kind} {name}"
            try:
                point = find(group, name)
                if point is None:
                    continue
                if name in OWN[group]:
                    said = f"{brought_by(point)} brings one, and Remit's own of that name is used"
                    yield Finding(check, "note", said, f"uninstall `{_distribution(point)}`")
                    continue
                if (group, name) in named:
                    load(group, point)
                used = "used" if (group, name) in named else "not used"
                yield Finding(check, "ok", f"{point.value} of {brought_by(point)}, {used}")
            except ConfigError as error:
                yield Finding(check, "bad", error.message, error.help)


def brought_by(point: EntryPoint) -> str:
    """The distribution of an entry, with its version."""
    version = point.dist.version if point.dist else ""
    return f"`{_distribution(point)}` {version}".strip()


def scheme_of(url: str) -> str:
    """What stands before the colon of a setting, which names who takes it."""
    return url.partition(":")[0]


def _named(settings: Settings) -> set[tuple[Group, str]]:
    """The entries that settings could mean."""
    named: set[tuple[Group, str]] = {("remit.models", r.provider) for r in settings.models.values()}
    named.add(("remit.models", scheme_of(settings.model)))
    named.add(("remit.stores", scheme_of(settings.store)))
    named.add(("remit.vectors", scheme_of(settings.documents.vectors)))
    return named | {("remit.packs", name) for name in settings.packs}


def _made(
    group: Group,
    point: EntryPoint,
    port: type[Made],
    url: str,
    settings: Settings,
    clock: Clock,
    secrets: Secrets,
) -> Made:
    """What the function behind an entry makes. Raises ConfigError E1160 and E1162."""
    make = load(group, point)
    if not callable(make):
        raise _unfit(
            group, point, f"`{point.value}` cannot be called", "name a function that takes a `remit.Opening`"
        )
    options = settings.extensions.get(point.name, {})
    try:
        made = make(Opening(url, str(settings.home), clock, secrets.get, options))
    except RemitError:
        raise
    except Exception as error:
        said = Redactor(secrets.known(), ()).text(f"{type(error).__name__}: {error}")
        raise _broken(group, point, said) from None  # the cause may hold a secret
    verbs = {name for ring in port.__mro__ for name in vars(ring) if not name.startswith("_")}
    missing = sorted(name for name in verbs if not hasattr(made, name))
    if missing:
        lacks = ", ".join(f"`{name}`" for name in missing)
        raise _unfit(
            group,
            point,
            f"what `{point.value}` makes has no {lacks}",
            f"fulfil `{port.__module__}.{port.__name__}`",
        )
    checked: Made = made
    return checked


def _broken(group: Group, point: EntryPoint, said: str) -> ConfigError:
    return ConfigError(
        f"the {KINDS[group]} `{point.name}` of {brought_by(point)} cannot be loaded: {said}",
        code="E1160",
        help=f"install `{_distribution(point)}` again with what it needs, or name another {KINDS[group]}",
    )


def _unfit(group: Group, point: EntryPoint, said: str, help_: str) -> ConfigError:
    return ConfigError(
        f"the {KINDS[group]} `{point.name}` of {brought_by(point)} is none: {said}",
        code="E1162",
        help=f"its author has to {help_}",
    )


def _entries(group: Group) -> list[EntryPoint]:
    from importlib.metadata import (
        entry_points,
    )  # brings the parser of e-mails, which nobody needs who names no extension

    return list(entry_points(group=group))


def _distribution(point: EntryPoint) -> str:
    return point.dist.name if point.dist else point.module
