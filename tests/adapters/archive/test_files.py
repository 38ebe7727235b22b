"""An archive in files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from remit.adapters.archive.files import FileArchive
from remit.ports.archive import Archive
from remit.testing.contracts.archive import RUN, ArchiveContract, entries


class TestFileArchive(ArchiveContract):
    """The contract on files."""

    @pytest.fixture
    def archive(self, tmp_path: Path) -> Archive:
        return FileArchive(tmp_path)

    @pytest.fixture
    def forge(self, tmp_path: Path) -> Callable[[str, bytes], None]:
        def write(name: str, data: bytes) -> None:
            (tmp_path / name).write_bytes(data)

        return write


async def test_files_are_read_only_and_leave_nothing_behind(tmp_path: Path) -> None:
    """A portion is one file that nobody may write, under a name that says which entries it holds."""
    archive = FileArchive(tmp_path)
    await archive.put("acme", RUN, entries(3))
    await archive.put("acme", RUN, entries(3))
    (path,) = (p for p in tmp_path.rglob("*") if p.is_file())
    assert str(path.relative_to(tmp_path)) == f"runs/acme/{RUN}/0000000000-0000000002.jsonl"
    assert path.stat().st_mode & 0o777 == 0o444
