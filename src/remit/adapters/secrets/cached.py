"""Secrets of a deployment in AWS: how they are named, how long a value is used, and which values were ever handed out."""

from __future__ import annotations

import json
import logging
import re
import threading
from typing import Protocol

from msgspec import Struct

from remit.core.errors import ConfigError, StoreError
from remit.core.naming import LOCAL
from remit.core.redaction import MIN_SECRET
from remit.ports.clock import Clock

TTL_S = 300.0
"""After this time a value is read again, so that a rotated one is used."""

RETRY_S = 30.0
STALE_S = 3600.0
"""How long the last value is used on while AWS cannot be reached."""

TENANT_MARK = "__"
KEPT = 4
"""Values of one secret that are redacted: what it is, what it was before, and what it was before that."""

_PLAIN_FIELDS = frozenset(
    {"username", "host", "port", "engine", "dbname", "dbInstanceIdentifier", "masterarn"}
)
"""What a secret of a database holds beside its password (AWS's structure of JSON secrets): words to leave readable."""

_TENANT = re.compile(r"[a-z0-9][a-z0-9_.-]*\Z")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*\Z")

log = logging.getLogger("remit.secrets")


class Value(Struct, frozen=True):
    """A secret as it is read: its text, which version that is, and its text before that one, if there was any."""

    text: str
    version: str
    before: str = ""


class Vault(Protocol):
    """Where secrets are."""

    def place(self, tenant_id: str, name: str) -> str:
        """What a tenant's secret is called there."""

    def read(self, place: str, known: str) -> Value | None:
        """The secret, or None. What it was before need not be read when `known` is still its version.

        Raises ConfigError, StoreError.
        """

    def advice(self, place: str) -> str:
        """How somebody sets it."""


class _Held:
    """A value in use: until when, and since when it is known to be right."""

    def __init__(self, value: Value, until: float, read_at: float) -> None:
        self.value = value
        self.until = until
        self.read_at = read_at


class CachedSecrets:
    """`ports.secrets.Secrets` over a vault. `name` is one of tenant `local`, `acme__name` one of tenant `acme`.

    `name.field` is a field of a secret that holds a JSON object. A value is read again after `ttl_s` seconds; while AWS
    cannot be reached the last one is used, for an hour at most. Safe to call from threads.
    """

    def __init__(self, vault: Vault, clock: Clock, *, ttl_s: float = TTL_S) -> None:
        self._vault = vault
        self._clock = clock
        self._ttl_s = ttl_s
        self._held: dict[str, _Held] = {}
        self._values: dict[str, list[str]] = {}
        self._known: tuple[str, ...] = ()
        self._lock = threading.Lock()

    def get(self, name: str) -> str:
        """The value. Raises ConfigError E250 when it is not set, E657 when AWS refuses it; StoreError E658."""
        place, field = self._place(name)
        text = self._current(place, name).text
        return _field(text, field, name) if field else text

    def known(self) -> tuple[str, ...]:
        """Every value handed out so far, and what it was before; the same object as long as nothing was added."""
        return self._known

    def _place(self, name: str) -> tuple[str, str]:
        tenant, mark, rest = name.partition(TENANT_MARK)
        whole, _, field = (rest if mark else name).partition(".")
        tenant, own = tenant if mark else LOCAL, whole.lower()
        if not _TENANT.match(tenant) or not _NAME.match(own):
            raise ConfigError(
                f"`{name[:100]}` is no name of a secret",
                code="E250",
                help="use lower-case letters, digits, `_` and `-`; `NAME.FIELD` is a field of a JSON secret",
            )
        return self._vault.place(tenant, own), field

    def _current(self, place: str, name: str) -> Value:
        now = self._clock.monotonic()
        held = self._held.get(place)
        if held is not None and now < held.until:
            return held.value
        try:
            value = self._vault.read(place, held.value.version if held else "")
        except StoreError as error:
            if held is None or now > held.read_at + STALE_S:
                raise
            log.warning(
                "secret `%s` cannot be read again, the last value is used on: %s", name, error.message
            )
            held.until = now + RETRY_S
            return held.value
        if value is None:
            self._held.pop(place, None)
            raise ConfigError(
                f"secret `{name}` is not set", code="E250", help=f"set it: {self._vault.advice(place)}"
            )
        self._learn(place, value)
        self._held[place] = _Held(value, now + self._ttl_s, now)
        return value

    def _learn(self, place: str, value: Value) -> None:
        """Note every value before it is handed out, so that nothing is ever used that is not redacted."""
        with self._lock:
            parts = (*_parts(value.before), *_parts(value.text))
            kept = self._values.setdefault(place, [])
            fresh = [part for part in parts if part not in kept]
            if not fresh:
                return
            kept += fresh
            del kept[: -KEPT * max(len(_parts(value.text)), 1)]
            self._known = tuple(dict.fromkeys(part for parts in self._values.values() for part in parts))


def _field(text: str, field: str, name: str) -> str:
    whole = _object(text)
    found = whole.get(field) if whole is not None else None
    if isinstance(found, str | int):
        return str(found)
    raise ConfigError(
        f"secret `{name}` names a field that is not there",
        code="E250",
        help="the secret must hold a JSON object with that field",
    )


def _parts(text: str) -> tuple[str, ...]:
    """The text, and the values in it when it is a JSON object."""
    fields = _object(text) or {}
    inner = [str(v) for k, v in fields.items() if k not in _PLAIN_FIELDS and _hides(v)]
    return tuple(part for part in (text, *inner) if part)


def _hides(value: object) -> bool:
    """Whether a field's value is a secret: `true` and `3` stand in every other line of a log."""
    return isinstance(value, str) or (type(value) is int and len(str(value)) >= MIN_SECRET)


def _object(text: str) -> dict[str, object] | None:
    try:
        found = json.loads(text) if text.lstrip().startswith("{") else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
