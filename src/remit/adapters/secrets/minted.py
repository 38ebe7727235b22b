"""Secrets, with those besides that are made while the program runs: tokens of platforms are redacted like any other secret."""

from __future__ import annotations

import threading

from remit.ports.secrets import Secrets

KEPT = 4
"""Values of one name that are redacted: what it is and what it was before."""

MOST_NAMES = 200
"""Of which values are known; the name that was made first goes first. Each value costs time in every text that is redacted."""


class MintedSecrets:
    """`ports.secrets.Secrets` over others. Safe to call from threads."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._minted: dict[str, list[str]] = {}
        self._lock = threading.Lock()
        self._below = secrets.known()
        self._known = self._below

    def get(self, name: str) -> str:
        """The value. Raises ConfigError."""
        return self._secrets.get(name)

    def known(self) -> tuple[str, ...]:
        """Every value handed out or made so far; the same object as long as nothing was added."""
        below = self._secrets.known()
        if below is not self._below:
            with self._lock:
                self._join(below)
        return self._known

    def mint(self, name: str, value: str) -> None:
        """Note a value that was made just now, before anybody uses it."""
        with self._lock:
            kept = self._minted.setdefault(name, [])
            if value and value not in kept:
                kept.append(value)
                del kept[:-KEPT]
                for oldest in list(self._minted)[:-MOST_NAMES]:
                    del self._minted[oldest]
                self._join(self._secrets.known())

    def _join(self, below: tuple[str, ...]) -> None:
        minted = (value for values in self._minted.values() for value in values)
        self._below, self._known = below, tuple(dict.fromkeys((*below, *minted)))
