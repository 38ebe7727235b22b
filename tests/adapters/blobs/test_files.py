"""Blobs in files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from remit.adapters.blobs.files import FileBlobs
from remit.ports.blobs import Blobs
from remit.testing.contracts.blobs import BlobsContract


class TestFileBlobs(BlobsContract):
    """The contract on files."""

    @pytest.fixture
    def blobs(self, tmp_path: Path) -> Blobs:
        return FileBlobs(tmp_path)

    @pytest.fixture
    def overwrite(self, tmp_path: Path) -> Callable[[str, bytes], None]:
        def change(name: str, data: bytes) -> None:
            (path,) = tmp_path.rglob(name.removeprefix("sha256:"))
            path.write_bytes(data)

        return change
