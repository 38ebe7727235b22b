"""A pack: one agent on the default model."""

from __future__ import annotations

from pathlib import Path

from remit import Agent, Pack


def pack(home: Path) -> Pack:
    """The entry of `remit.packs`."""
    del home
    return Pack("acme", agents=[Agent("acme-clerk", instructions="Answer.")])
