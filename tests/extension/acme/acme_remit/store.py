"""A store: SQLite in a folder of its own."""

from __future__ import annotations

from pathlib import Path

from remit import Opening
from remit.adapters.store.sqlite import SqliteStore


class AcmeStore(SqliteStore):
    """One file."""


def open_store(opening: Opening) -> AcmeStore:
    """The entry of `remit.stores`, for `acme:FOLDER`."""
    folder = Path(opening.home, opening.url.removeprefix("acme:"))
    folder.mkdir(parents=True, exist_ok=True)
    return AcmeStore(folder / "acme.db", opening.clock)
