"""An archive in files: each is written once and made read-only. Whoever owns the disk can still change it."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Sequence
from pathlib import Path

from remit.adapters.archive.lines import (
    SUFFIX,
    check_follow,
    distinct,
    entries_of,
    folder_of,
    lines_of,
    name_of,
    taken,
)
from remit.core.errors import StoreError
from remit.ports.store import Entry


class FileArchive:
    """A folder per run under `root`, with a file per portion of entries."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def put(self, tenant_id: str, run_id: str, entries: Sequence[Entry]) -> None:
        """Write one file, synced before it gets its name."""
        if entries:
            check_follow(entries)
            await asyncio.to_thread(self._put, self._folder(tenant_id, run_id), entries)

    async def read(self, tenant_id: str, run_id: str) -> list[Entry]:
        """What all files of the run hold."""
        return await asyncio.to_thread(self._read, self._folder(tenant_id, run_id))

    def _folder(self, tenant_id: str, run_id: str) -> Path:
        return self._root / folder_of(tenant_id, run_id)

    def _put(self, folder: Path, entries: Sequence[Entry]) -> None:
        path, data = folder / name_of(entries), lines_of(entries)
        temporary = path.with_suffix(f".{os.getpid()}.{threading.get_ident()}.tmp")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.chmod(0o444)
            try:
                os.link(temporary, path)  # unlike a renaming, this never replaces what is there
            except FileExistsError:
                if path.read_bytes() != data:
                    raise taken(str(path)) from None
            finally:
                temporary.unlink()
        except OSError as error:
            raise StoreError(f"the archive cannot write `{path}`: {error}", code="E658") from error

    def _read(self, folder: Path) -> list[Entry]:
        try:
            paths = sorted(folder.glob(f"*{SUFFIX}"))
            return distinct(entry for path in paths for entry in entries_of(path.read_bytes(), str(path)))
        except OSError as error:
            raise StoreError(f"the archive cannot read `{folder}`: {error}", code="E658") from error
