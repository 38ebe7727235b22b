"""Zip files whose bytes follow from their content alone."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

EPOCH = (1980, 1, 1, 0, 0, 0)


def zip_directory(source: Path, to: Path, *, level: int = 6) -> None:
    """Zip a directory: sorted, of one date, readable by all, so that the same files make the same bytes. `level`: 1 (fast) to 9."""
    paths = sorted(Path(folder) / name for folder, _, names in os.walk(source) for name in names)
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as made:
        for path in paths:
            entry = zipfile.ZipInfo(path.relative_to(source).as_posix(), EPOCH)
            entry.external_attr = (0o755 if os.access(path, os.X_OK) else 0o644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            made.writestr(entry, path.read_bytes(), compresslevel=level)
