"""A library on a folder of its own, as the bootstrap opens it, without an app around it."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from remit.adapters.blobs.files import FileBlobs
from remit.adapters.clock.system import SystemClock
from remit.adapters.extraction.files import FileExtraction
from remit.adapters.secrets.mapping import MappingSecrets
from remit.adapters.store.sqlite import SqliteStore
from remit.bootstrap.documents import open_library
from remit.engine.documents import COLLECTIONS, Library
from remit.settings import DocumentSettings, Settings


class Opened(NamedTuple):
    """A library, and what it is made of."""

    library: Library
    store: SqliteStore
    blobs: FileBlobs
    clock: SystemClock
    extraction: FileExtraction


@asynccontextmanager
async def opened(*, vectors: str = "local", embeddings: str = "lexical") -> AsyncIterator[Opened]:
    """A library on SQLite and files."""
    with tempfile.TemporaryDirectory() as folder:
        home, clock = Path(folder), SystemClock()
        settings = Settings(home=home, store="", documents=DocumentSettings(vectors, embeddings))
        store, blobs = SqliteStore(home / "remit.db", clock), FileBlobs(home / "blobs")
        library = open_library(settings, store, blobs, clock, MappingSecrets({}))
        await store.open()
        await store.declare(COLLECTIONS)
        try:
            yield Opened(library, store, blobs, clock, FileExtraction())
        finally:
            await library.close()
            await store.close()
