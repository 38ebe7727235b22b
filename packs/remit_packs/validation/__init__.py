"""Validation of data: do two files hold the same rows and values?

`compare` answers with record_count_match and column_hash_match (`colhash/1`). New engines get a file of expressions
beside `canonical.py`, new checks a file beside `compare.py`.
"""

from __future__ import annotations

from pathlib import Path

from remit.sdk import Pack
from remit_packs.validation.compare import compare
from remit_packs.validation.demo import demo_files

__all__ = ["demo_files", "pack"]


def pack(home: Path | str | None = None) -> Pack:
    """The pack. It keeps nothing, so `home` is not used."""
    del home
    return Pack("validation", description="Compares tables and files.", agents=[compare])
