"""Vectors and words in a real PostgreSQL with pgvector."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

if os.environ.get("CI") != "true":
    pytest.importorskip("psycopg_pool", reason='the extra "remit[postgres]" is not installed')

import psycopg

from remit.adapters.database.postgres import Database
from remit.adapters.fulltext.postgres import PgFullText
from remit.adapters.vectors.pgvector import PgVectors
from remit.core.errors import StoreError
from remit.engine.documents import vectors_of, words_of
from remit.engine.passages import TenantDocuments
from remit.ports.fulltext import FullText
from remit.ports.vectors import Vector, Vectors
from remit.settings import DocumentSettings
from remit.testing import app_for_tests
from remit.testing.contracts.fulltext import FullTextContract
from remit.testing.contracts.vectors import VectorsContract, anywhere, unit

DSN = os.environ.get("REMIT_TEST_PGVECTOR", "")
pytestmark = [
    pytest.mark.service,
    pytest.mark.skipif(
        not DSN and os.environ.get("CI") != "true",
        reason="REMIT_TEST_PGVECTOR names no PostgreSQL with pgvector to test with",
    ),
]


@pytest.fixture
def schema() -> Iterator[str]:
    """A schema of its own."""
    assert DSN, "REMIT_TEST_PGVECTOR must be set in CI"
    name = f"test_{secrets.token_hex(6)}"
    yield name
    with psycopg.connect(DSN, autocommit=True) as db:
        db.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE")


class OwnVectors(PgVectors):
    """Vectors that own their connections."""

    def __init__(self, schema: str) -> None:
        self.database = Database(DSN, connections=4)
        super().__init__(self.database, schema=schema)

    async def close(self) -> None:
        await self.database.close()


class OwnFullText(PgFullText):
    """An index that owns its connections."""

    def __init__(self, schema: str) -> None:
        self.database = Database(DSN, connections=4)
        super().__init__(self.database, schema=schema)

    async def close(self) -> None:
        await self.database.close()


class TestPgVectors(VectorsContract):
    """The contract of vectors."""

    @pytest.fixture
    def open_vectors(self, schema: str) -> Callable[[], Vectors]:
        return lambda: OwnVectors(schema)


class TestPgFullText(FullTextContract):
    """The contract of words."""

    @pytest.fixture
    def open_index(self, schema: str) -> Callable[[], FullText]:
        return lambda: OwnFullText(schema)


async def test_wide_vectors_have_no_index_and_are_found(schema: str) -> None:
    """pgvector indexes 2,000 dimensions; 3,072 are looked at one by one."""
    vectors = OwnVectors(schema)
    await vectors.put("wide", [Vector(f"v{n}", anywhere(n, 3072)) for n in range(5)])
    assert (await vectors.near("wide", anywhere(3, 3072)))[0].id == "v3"
    await vectors.close()


async def test_a_database_that_is_away_is_told() -> None:
    """E936 that names no password."""
    vectors = PgVectors(Database("postgresql://u:hidden@127.0.0.1:1/none", timeout_s=0.5))
    with pytest.raises(StoreError) as raised:
        await vectors.put("c", [Vector("a", unit(1, 0))])
    assert raised.value.code == "E936"
    assert "hidden" not in str(raised.value)


async def test_the_library_keeps_both_indexes_in_postgresql(tmp_path: Path) -> None:
    """One setting moves words and vectors; what one process adds another finds, and deleting leaves nothing."""
    chosen = DocumentSettings(vectors=DSN)
    tenant = f"t{secrets.token_hex(4)}"
    store = f"sqlite:///{tmp_path}/remit.db"
    async with (
        app_for_tests(home=tmp_path, store=store, documents=chosen) as one,
        app_for_tests(home=tmp_path, store=store, documents=chosen) as other,
    ):
        await one.documents.add(
            tenant, b"The kettle switches off early.", document_id="kettle", tags=["home"]
        )
        (found,) = await TenantDocuments(other.documents, tenant).search("kettles switching", tags=["home"])
        assert found.text == "The kettle switches off early."
        await other.documents.delete(tenant, "kettle")
        assert await TenantDocuments(one.documents, tenant).search("kettle") == []
        assert await one.documents.indexes.words.search(words_of(tenant), "kettle") == []
        await one.documents.indexes.words.drop(words_of(tenant))
        await one.documents.indexes.vectors.drop(vectors_of(tenant, "lexical:1"))
